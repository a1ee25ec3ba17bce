package config

import (
	"errors"
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// yamlLine is the line that the parser blames. Its words are for programmers.
var yamlLine = regexp.MustCompile(`line [0-9]+`)

// parse reads the file's settings as texts, lists and maps of texts, as they
// are written: an account id keeps its zeros, and every source is read the
// same way. source is what named the file.
func (s *sources) parse(b []byte, source string) (map[string]any, error) {
	fault := func(line, sentence string) error {
		if line != "" {
			line = ", " + line
		}
		return &Error{fileKey, source, fmt.Errorf("%s%s: %s", s.path, line, sentence)}
	}
	var document yaml.Node
	if err := yaml.Unmarshal(b, &document); err != nil {
		return nil, fault(yamlLine.FindString(err.Error()), "this is not YAML; a setting is a line such as region: us-east-1")
	}
	if len(document.Content) == 0 {
		return nil, nil
	}
	top := document.Content[0]
	switch {
	case top.Kind == yaml.ScalarNode && top.Tag == "!!null":
		return nil, nil
	case top.Kind != yaml.MappingNode:
		return nil, fault(lineOf(top), "settings are lines such as region: us-east-1, not a list or a single value")
	}
	given := map[string]any{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, n := top.Content[i], top.Content[i+1]
		at := &Error{Key: key.Value, Source: s.path}
		if _, twice := given[key.Value]; twice {
			at.Err = fmt.Errorf("is given a second time on %s", lineOf(key))
			return nil, at
		}
		if !isSetting(key.Value) {
			at.Err = fmt.Errorf("is not a setting (%s)%s", lineOf(key), didYouMean(key.Value, Keys()))
			return nil, at
		}
		v, err := text(n)
		if err != nil {
			at.Err = fmt.Errorf("%w (%s)", err, lineOf(key))
			return nil, at
		}
		given[key.Value] = v
	}
	return given, nil
}

func lineOf(n *yaml.Node) string { return fmt.Sprintf("line %d", n.Line) }

// text is a text, a list of texts or a map of texts.
func text(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.AliasNode:
		return text(n.Alias)
	case yaml.SequenceNode:
		list := []string{}
		for _, item := range n.Content {
			v, err := single(item)
			if err != nil {
				return nil, errors.New("is a list of which an item is not a single value")
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		m := map[string]string{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, err := single(n.Content[i])
			if err != nil {
				return nil, errors.New("is a map of which a name is not a single value")
			}
			if _, twice := m[k]; twice {
				return nil, fmt.Errorf("has %q twice", k)
			}
			if m[k], err = single(n.Content[i+1]); err != nil {
				return nil, fmt.Errorf("must have a single value for %q", k)
			}
		}
		return m, nil
	}
	return single(n)
}

// single is the text of a scalar that has a value.
func single(n *yaml.Node) (string, error) {
	switch {
	case n.Kind == yaml.AliasNode:
		return single(n.Alias)
	case n.Kind != yaml.ScalarNode:
		return "", errors.New("must be a single value")
	case n.Tag == "!!null":
		return "", errors.New("has no value; give it one or remove the line")
	}
	return n.Value, nil
}

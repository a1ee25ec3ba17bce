package lifecycle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Options change what Parse takes.
type Options struct {
	Strict bool // refuse what ECR refuses
}

// Invalid says why a text is no policy.
type Invalid struct {
	// Sentence is what ECR gives as the constraint that the text does not
	// satisfy. What the schema refused is one line for each fault, each with its
	// newline, as from ECR.
	Sentence string
}

// Error returns the sentence.
func (e *Invalid) Error() string { return e.Sentence }

// The sentences beside the schema's. testdata/parse.txt says of each who has it
// from ECR; the words of the last three are ours.
const (
	invalid        = "Lifecycle policy validation failure: "
	notMapped      = "Lifecycle policy parsing failure: Could not map policyString into LifecyclePolicy."
	noTagList      = "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."
	bothTagLists   = "If policy has a tagged rule, it must specify only one of tagPrefixList or tagPatternList"
	needlessTags   = "Cannot specify %s with tagStatus %s"
	manyWildcards  = "Invalid tag pattern provided. Total number of * must not exceed 4"
	archivedCount  = "SINCE_IMAGE_PUSHED, SINCE_IMAGE_PULLED and IMAGE_COUNT_MORE_THAN support the STANDARD storage class only"
	samePriority   = "Duplicate priority in multiple rules"
	twoUntagged    = "Only one rule can select Untagged images per storage class."
	twoAny         = "Only one rule can specify tagStatus=ANY"
	anyNotLast     = "Rule for tagStatus=ANY must have the lowest priority per storage class."
	sameTags       = "Rules must have unique tag prefixes or patterns per storage class"
	pulledExpire   = "SINCE_IMAGE_PULLED supports the action TRANSITION only"
	archivedTarget = "SINCE_IMAGE_TRANSITIONED supports the action EXPIRE only"
)

// maxWildcards is the number of stars that a pattern may have
// (LifecyclePolicies.html).
const maxWildcards = 4

// Parse reads a policy's text, whose length the caller has limited. An error is
// an *Invalid.
func Parse(text string, o Options) (Policy, error) {
	value, ok := decode(text)
	if !ok {
		return Policy{}, &Invalid{notMapped}
	}
	form := extendedSchema
	if o.Strict {
		form = ecrSchema
	}
	if report := form.check(value, nil); len(report) > 0 {
		return Policy{}, &Invalid{invalid + strings.Join(report, "\n") + "\n"}
	}
	p, ok := build(value)
	if !ok {
		return Policy{}, &Invalid{notMapped}
	}
	if sentence := p.fault(o); sentence != "" {
		return Policy{}, &Invalid{invalid + sentence}
	}
	return p, nil
}

// decode reads the text as one JSON object.
func decode(text string) (value any, ok bool) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, false
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, false
	}
	_, ok = value.(map[string]any)
	return value, ok
}

// build makes the policy of a value that fits the schema. It reports false for
// what fits and is still none of ECR's: a number that is no int of Java, and a
// transition to nowhere.
func build(value any) (Policy, bool) {
	list, _ := member[[]any](value, "rules")
	p := Policy{Rules: make([]Rule, len(list))}
	for i, rule := range list {
		selection, action := inside(rule, "selection"), inside(rule, "action")
		r := &p.Rules[i]
		var fits, numbered bool
		r.Priority, fits = number(rule, "rulePriority")
		r.Number, numbered = number(selection, "countNumber")
		r.Description, _ = member[string](rule, "description")
		r.Status = TagStatus(word(selection, "tagStatus", statuses[:]))
		r.Patterns = texts(selection, "tagPatternList")
		r.Prefixes = texts(selection, "tagPrefixList")
		r.Storage = max(Standard, StorageClass(word(selection, "storageClass", classes[:])))
		r.Count = CountType(word(selection, "countType", countTypes[:]))
		r.Action = Action(word(action, "type", actions[:]))
		if !fits || !numbered || r.Action == Transition && inside(action, "targetStorageClass") == nil {
			return Policy{}, false
		}
	}
	slices.SortStableFunc(p.Rules, func(a, b Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	return p, true
}

// member returns an object's member of a type.
func member[T any](object any, name string) (T, bool) {
	members, _ := object.(map[string]any)
	v, ok := members[name].(T)
	return v, ok
}

func inside(object any, name string) any {
	v, _ := member[any](object, name)
	return v
}

// number returns a member that is an int of Java; 0 if there is none.
func number(object any, name string) (int, bool) {
	text, ok := member[json.Number](object, name)
	if !ok {
		return 0, true
	}
	n, err := text.Int64()
	return int(n), err == nil && n <= math.MaxInt32
}

func texts(object any, name string) (texts []string) {
	list, _ := member[[]any](object, name)
	for _, v := range list {
		text, _ := v.(string)
		texts = append(texts, text)
	}
	return texts
}

// word returns the place of a member's text among the words; 0 if there is none.
func word(object any, name string, words []string) int {
	text, ok := member[string](object, name)
	if !ok {
		return 0
	}
	return max(0, slices.Index(words, text))
}

// fault says what is wrong with a policy that fits the schema: first with each
// rule, then with the rules together.
func (p Policy) fault(o Options) string {
	for i := range p.Rules {
		if sentence := p.Rules[i].fault(o); sentence != "" {
			return sentence
		}
	}
	for i := 1; i < len(p.Rules); i++ {
		if p.Rules[i].Priority == p.Rules[i-1].Priority {
			return samePriority
		}
	}
	for _, class := range []StorageClass{Standard, Archive} {
		if sentence := p.classFault(class); sentence != "" {
			return sentence
		}
	}
	return ""
}

func (r *Rule) fault(o Options) string {
	switch {
	case r.Status == Tagged && len(r.Patterns)+len(r.Prefixes) == 0:
		return noTagList
	case r.Status != Tagged && len(r.Prefixes) > 0:
		return fmt.Sprintf(needlessTags, "tagPrefixList", r.Status)
	case r.Status != Tagged && len(r.Patterns) > 0:
		return fmt.Sprintf(needlessTags, "tagPatternList", r.Status)
	case len(r.Patterns) > 0 && len(r.Prefixes) > 0:
		return bothTagLists
	case slices.ContainsFunc(r.Patterns, func(p string) bool { return strings.Count(p, "*") > maxWildcards }):
		return manyWildcards
	case r.Storage == Archive && r.Count != SinceTransitioned && r.Count != NoCount:
		return archivedCount
	case r.Count == SincePulled && r.Action == Expire && o.Strict:
		return pulledExpire
	case r.Count == SinceTransitioned && r.Action == Transition:
		return archivedTarget
	}
	return ""
}

// classFault looks at the rules of a storage class by priority. Rules that
// retain may repeat what others say.
func (p Policy) classFault(class StorageClass) string {
	untagged, ended := false, false
	var seen [][]string
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Storage != class || r.Action == Retain {
			continue
		}
		switch {
		case ended && r.Status == AnyTag:
			return twoAny
		case ended:
			return anyNotLast
		case r.Status == AnyTag:
			ended = true
		case r.Status == Untagged && untagged:
			return twoUntagged
		case r.Status == Untagged:
			untagged = true
		default:
			set := r.tagSet()
			if slices.ContainsFunc(seen, func(s []string) bool { return slices.Equal(s, set) }) {
				return sameTags
			}
			seen = append(seen, set)
		}
	}
	return ""
}

// tagSet is the rule's patterns or prefixes whatever their order and number,
// with what they are.
func (r *Rule) tagSet() []string {
	if len(r.Prefixes) > 0 {
		return append(sorted(r.Prefixes), "prefixes")
	}
	return append(sorted(r.Patterns), "patterns")
}

func sorted(texts []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(texts)))
}

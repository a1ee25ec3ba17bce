package awsquery

import (
	"cmp"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/api/awsplan"
	"github.com/lighterage/lighterage/internal/fault"
)

// maxParameters is how many parameters a form may have: a small form of many
// takes more memory than formWeight allows for, and so no more than 200 KB.
const maxParameters = 4_000

// parameter is one of a form. Its key is what remains of its name once the
// parts that led to where it is looked at are cut off: of Tags.member.1.Key,
// Key in the structure.
type parameter struct{ name, key, value string }

// parse reads a form. Unlike a map of it, the parameters tell what was given
// twice.
func parse(body string) ([]parameter, error) {
	var form []parameter
	for body != "" {
		var pair string
		pair, body, _ = strings.Cut(body, "&")
		if pair == "" {
			continue
		}
		if len(form) == maxParameters {
			return nil, refused("The request body has more than " + strconv.Itoa(maxParameters) + " parameters.")
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, fault.Wrap(fault.BodyMalformed, err)
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, fault.Wrap(fault.BodyMalformed, err)
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, refused("The request body is not UTF-8.")
		}
		form = append(form, parameter{name, name, value})
	}
	return form, nil
}

// get returns the value of the parameter of that name, or "".
func get(form []parameter, name string) (string, error) {
	var own []parameter
	for _, p := range form {
		if p.name == name {
			own = append(own, parameter{name: name, value: p.value})
		}
	}
	p, _, err := only(own)
	return p.value, err
}

func refused(sentence string) error {
	return &fault.Error{Reason: fault.BodyMalformed, Detail: sentence}
}

// maxShown is how much of what a client named goes into an answer, in bytes.
const maxShown = 256

func inShort(name string) string {
	if len(name) > maxShown {
		return strings.ToValidUTF8(name[:maxShown], "") + "…"
	}
	return name
}

// mistaken is the fault of a parameter that cannot be what it is sent as. Its
// value may be a secret, and is not told.
func mistaken(p parameter, what string) error {
	name := inShort(p.name)
	return &fault.Error{Reason: fault.BodyMalformed, Member: name, Detail: "The parameter " + name + " " + what + "."}
}

// structure decodes what a form says of a structure into v. Parameters that
// the model does not know are passed over, as AWS does.
//
// It builds no more than the validator needs to see: of a list with too many
// entries one more than allowed. How deep it goes is bounded by the plan, not
// by the names that were sent.
func structure(p *awsplan.Plan, form []parameter, v reflect.Value) error {
	for _, g := range group(form) {
		i, ok := p.Index[g.head]
		if !ok {
			continue
		}
		if _, err := value(p.Members[i], g.parameters, v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

// value decodes a value into v, which may be a pointer to it, and reports
// whether there was one.
func value(p *awsplan.Plan, form []parameter, v reflect.Value) (bool, error) {
	if v.Kind() == reflect.Pointer {
		to := reflect.New(p.Type)
		given, err := value(p, form, to.Elem())
		if given {
			v.Set(to)
		}
		return given, err
	}
	switch p.Shape.Kind {
	case awsmodel.Structure:
		return true, structure(p, form, v)
	case awsmodel.List:
		return elements(p, form, v)
	case awsmodel.Map:
		return entries(p, form, v)
	}
	own, given, err := only(form)
	if !given || err != nil {
		return false, err
	}
	if !scalar(p.Shape.Kind, own.value, v) {
		return false, mistaken(own, "cannot be converted to "+kindNames[p.Shape.Kind])
	}
	return true, nil
}

// only returns the one parameter whose name ends here.
func only(form []parameter) (own parameter, given bool, err error) {
	for _, p := range form {
		if p.key != "" {
			continue
		}
		if given {
			return own, false, mistaken(p, "is given twice")
		}
		own, given = p, true
	}
	return own, given, nil
}

var kindNames = map[awsmodel.Kind]string{
	awsmodel.Boolean: "a Boolean", awsmodel.Integer: "an Integer", awsmodel.Long: "a Long",
	awsmodel.Float: "a Float", awsmodel.Double: "a Double", awsmodel.Timestamp: "a Timestamp",
}

// scalar sets v to what the text says, if it says something of the kind.
func scalar(k awsmodel.Kind, text string, v reflect.Value) bool {
	switch k {
	case awsmodel.String:
		v.SetString(text)
		return true
	case awsmodel.Boolean:
		v.SetBool(text == "true")
		return text == "true" || text == "false"
	case awsmodel.Integer, awsmodel.Long:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(n)
		return err == nil
	case awsmodel.Timestamp:
		at, err := time.Parse(time.RFC3339, text)
		v.Set(reflect.ValueOf(at.UTC()))
		return err == nil
	}
	f, err := strconv.ParseFloat(text, v.Type().Bits())
	v.SetFloat(f)
	return err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// elements decodes a list, which is sent as Names.member.1 and so on, and an
// empty one as Names.
func elements(p *awsplan.Plan, form []parameter, v reflect.Value) (bool, error) {
	places, given, err := numbered(p, cmp.Or(p.Shape.Entry, "member"), form)
	if !given || err != nil {
		return false, err
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for _, g := range places {
		if int64(v.Len()) > p.Most() {
			break
		}
		element := reflect.New(p.Elem.Type).Elem()
		there, err := value(p.Elem, g.parameters, element)
		if err != nil {
			return false, err
		}
		if there {
			v.Set(reflect.Append(v, element))
		}
	}
	return true, nil
}

// entries decodes a map, which is sent as Labels.entry.1.key and
// Labels.entry.1.value and so on.
func entries(p *awsplan.Plan, form []parameter, v reflect.Value) (bool, error) {
	places, given, err := numbered(p, "entry", form)
	if !given || err != nil {
		return false, err
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, g := range places {
		if int64(v.Len()) > p.Most() {
			break
		}
		key, entry := reflect.New(p.Key.Type).Elem(), reflect.New(p.Elem.Type).Elem()
		there := 0
		for _, half := range group(g.parameters) {
			plan, to := p.Key, key
			switch half.head {
			case "key":
			case "value":
				plan, to = p.Elem, entry
			default:
				continue
			}
			given, err := value(plan, half.parameters, to)
			if err != nil {
				return false, err
			}
			if given {
				there++
			}
		}
		if there < 2 {
			return false, mistaken(g.parameters[0], "is half an entry: it has no key or no value")
		}
		if v.MapIndex(key).IsValid() {
			return false, mistaken(g.parameters[0], "is of an entry whose key is given twice")
		}
		v.SetMapIndex(key, entry)
	}
	return true, nil
}

// numbered groups the parameters of a list or map by the entry that they speak
// of, in the order of the entries' numbers, which may leave some out.
func numbered(p *awsplan.Plan, entry string, form []parameter) (places []grouped, given bool, err error) {
	own, given, err := only(form)
	if err != nil {
		return nil, false, err
	}
	if own.value != "" {
		return nil, false, mistaken(own, "is a list or map, and not a text")
	}
	if !p.Shape.Flat {
		groups := group(form)
		form = nil
		for _, g := range groups {
			if g.head == entry {
				form = g.parameters
			}
		}
	}
	places = slices.DeleteFunc(group(form), func(g grouped) bool { return g.head == "" })
	for i, g := range places {
		if places[i].number, err = strconv.Atoi(g.head); err != nil || g.head[0] < '1' || g.head[0] > '9' {
			return nil, false, mistaken(g.parameters[0], "has no number from 1 where its entry should be counted")
		}
	}
	slices.SortFunc(places, func(a, b grouped) int { return cmp.Compare(a.number, b.number) })
	return places, given || len(places) > 0, nil
}

// grouped are the parameters whose keys begin with the same part, which is cut
// off them.
type grouped struct {
	head       string
	number     int // that head is, in a list or map
	parameters []parameter
}

// group groups parameters by the first part of their keys, in the order in
// which the parts first occur.
func group(form []parameter) []grouped {
	var groups []grouped
	at := map[string]int{}
	for _, p := range form {
		head, rest, _ := strings.Cut(p.key, ".")
		i, ok := at[head]
		if !ok {
			i = len(groups)
			at[head] = i
			groups = append(groups, grouped{head: head})
		}
		p.key = rest
		groups[i].parameters = append(groups[i].parameters, p)
	}
	return groups
}

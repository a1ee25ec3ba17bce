package awsjson

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lighterage/lighterage/internal/api/awsmodel"
)

// bigText is how much is kept of a text that has no bound.
const bigText = 256 << 10

// decoder reads one input from a body.
//
// It builds no more than the validator needs to see: of a list with too many
// entries one more than allowed, of a text that is too long just as much as
// proves it, of a blob that is too long its length.
type decoder struct {
	scanner
	size  int64 // the most bytes that the body can have
	blobs []*blob
}

// input decodes the body into v, a structure. A body without a value, and
// null, are the structure without members.
func (d *decoder) input(p *plan, v reflect.Value) error {
	empty, err := d.atEnd()
	if empty || err != nil {
		return err
	}
	if err := d.member(p, v); err != nil {
		return err
	}
	end, err := d.atEnd()
	if err == nil && !end {
		err = malformed()
	}
	return err
}

// member decodes what may be null, which leaves v as it is.
func (d *decoder) member(p *plan, v reflect.Value) error {
	c, err := d.peek()
	if err != nil {
		return err
	}
	if tokenOf(c) == tokenNull {
		return d.literal("null")
	}
	if v.Kind() == reflect.Pointer {
		if err := d.account.charge(int64(p.Type.Size())); err != nil {
			return err
		}
		v.Set(reflect.New(p.Type))
		v = v.Elem()
	}
	return d.value(p, tokenOf(c), v)
}

// value decodes a value of which peek saw the token.
func (d *decoder) value(p *plan, t token, v reflect.Value) error {
	if wants[p.Shape.Kind] != t && (p.Shape.Kind != awsmodel.Boolean || t != tokenFalse) {
		return mismatch(p.Shape.Kind, t)
	}
	switch p.Shape.Kind {
	case awsmodel.Structure:
		return d.structure(p, v)
	case awsmodel.List:
		return d.elements(p, v)
	case awsmodel.Map:
		return d.entries(p, v)
	case awsmodel.Bytes:
		return d.blob(p, v)
	case awsmodel.String:
		d.r++
		text, err := d.string(p)
		v.SetString(text)
		return err
	case awsmodel.Boolean:
		v.SetBool(t == tokenTrue)
		return d.literal(strconv.FormatBool(t == tokenTrue))
	}
	return d.numeric(p, v)
}

// wants gives each kind the token that its values begin with; a Boolean's may
// also be false.
var wants = map[awsmodel.Kind]token{
	awsmodel.Structure: tokenObject,
	awsmodel.Map:       tokenObject,
	awsmodel.List:      tokenArray,
	awsmodel.String:    tokenString,
	awsmodel.Bytes:     tokenString,
	awsmodel.Boolean:   tokenTrue,
	awsmodel.Integer:   tokenNumber,
	awsmodel.Long:      tokenNumber,
	awsmodel.Float:     tokenNumber,
	awsmodel.Double:    tokenNumber,
	awsmodel.Timestamp: tokenNumber,
}

// The words of a type that does not fit.
var (
	tokenNames = map[token]string{
		tokenString: "STRING_VALUE", tokenNumber: "NUMBER_VALUE",
		tokenTrue: "TRUE_VALUE", tokenFalse: "FALSE_VALUE", tokenNull: "NULL_VALUE",
	}
	kindNames = map[awsmodel.Kind]string{
		awsmodel.String: "a String", awsmodel.Bytes: "a Blob", awsmodel.Boolean: "a Boolean",
		awsmodel.Integer: "an Integer", awsmodel.Long: "a Long", awsmodel.Float: "a Float",
		awsmodel.Double: "a Double", awsmodel.Timestamp: "a Timestamp",
		awsmodel.Structure: "a Structure", awsmodel.List: "a List", awsmodel.Map: "a Map",
	}
)

func mismatch(k awsmodel.Kind, t token) error {
	switch t {
	case tokenNone:
		return malformed()
	case tokenObject:
		return refused("Start of structure or map found where not expected")
	case tokenArray:
		return refused("Start of list found where not expected")
	}
	return refused(tokenNames[t] + " can not be converted to " + kindNames[k])
}

func (d *decoder) structure(p *plan, v reflect.Value) error {
	var seen uint64 // one bit a member: see awsplan.MaxMembers
	return d.object(func(name []byte) error {
		i, ok := p.Index[string(name)]
		if !ok {
			return d.skip()
		}
		if seen&(1<<i) != 0 {
			return refused("Member " + p.Shape.Members[i].Name + " is given twice")
		}
		seen |= 1 << i
		return d.member(p.Members[i], v.Field(i))
	})
}

// spare is how many entries' memory a list or map takes for each: they grow
// ahead.
const spare = 2

func (d *decoder) elements(p *plan, v reflect.Value) error {
	limit := p.Most()
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	return d.array(func() error {
		if int64(v.Len()) > limit {
			return d.skip()
		}
		c, err := d.peek()
		if err != nil {
			return err
		}
		if err := d.account.charge(spare * int64(p.Elem.Type.Size())); err != nil {
			return err
		}
		n := v.Len()
		v.Grow(1)
		v.SetLen(n + 1)
		v.Index(n).SetZero()
		return d.value(p.Elem, tokenOf(c), v.Index(n))
	})
}

func (d *decoder) entries(p *plan, v reflect.Value) error {
	limit := p.Most()
	v.Set(reflect.MakeMap(v.Type()))
	return d.object(func(name []byte) error {
		if int64(v.Len()) > limit {
			return d.skip()
		}
		if err := d.account.charge(spare*int64(p.Key.Type.Size()+p.Elem.Type.Size()) + int64(len(name))); err != nil {
			return err
		}
		key := reflect.New(p.Key.Type).Elem()
		key.SetString(string(name))
		if v.MapIndex(key).IsValid() {
			return refused("A key is given twice")
		}
		c, err := d.peek()
		if err != nil {
			return err
		}
		entry := reflect.New(p.Elem.Type).Elem()
		if err := d.value(p.Elem, tokenOf(c), entry); err != nil {
			return err
		}
		v.SetMapIndex(key, entry)
		return nil
	})
}

// string takes a string whose opening quote was taken.
func (d *decoder) string(p *plan) (string, error) {
	limit := min(p.Most()*utf8.UTFMax, d.size)
	if p.Most() == math.MaxInt32 {
		// A text without a bound is an id, a name or a media type: so much of
		// it shows that it is none.
		limit = min(limit, bigText)
	}
	text, _, err := d.text(int(limit))
	if err == nil {
		err = d.account.charge(int64(len(text)))
	}
	if err != nil {
		return "", err
	}
	return string(text), nil
}

func (d *decoder) blob(p *plan, v reflect.Value) error {
	limit := min(p.Most(), d.size/4*3)
	d.r++
	b := &blob{account: d.account}
	d.blobs = append(d.blobs, b)
	w := base64Writer{to: b, max: limit}
	if err := d.pieces(plainBytes, w.write); err != nil {
		return err
	}
	if err := w.close(); err != nil {
		return err
	}
	v.Set(reflect.ValueOf(b))
	return nil
}

func (d *decoder) numeric(p *plan, v reflect.Value) error {
	text, err := d.number()
	if err != nil {
		return err
	}
	ok := false
	switch p.Shape.Kind {
	case awsmodel.Integer, awsmodel.Long:
		var n int64
		if n, ok = whole(text); ok {
			ok = !v.OverflowInt(n)
			v.SetInt(n)
		}
	case awsmodel.Timestamp:
		var at time.Time
		at, ok = moment(text)
		v.Set(reflect.ValueOf(at))
	default:
		var f float64
		f, err = strconv.ParseFloat(text, v.Type().Bits())
		ok = err == nil
		v.SetFloat(f)
	}
	if !ok {
		return mismatch(p.Shape.Kind, tokenNumber)
	}
	return nil
}

// whole reads a whole number, also one written as 5.0 or 1e3: some languages
// have no other numbers.
func whole(text string) (int64, bool) {
	if !strings.ContainsAny(text, ".eE") {
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// lastSecond is the end of the year 9999, in seconds since 1970.
const lastSecond = 253402300799

// moment reads seconds since 1970, to the millisecond.
func moment(text string) (time.Time, bool) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(f) > lastSecond {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), true
}

// release gives back all memory that the input holds.
func (d *decoder) release() {
	for _, b := range d.blobs {
		b.release()
	}
	d.account.close()
}

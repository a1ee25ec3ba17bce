package awsquery_test

import (
	"encoding/xml"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsmodel/stsmodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/fault"
)

func decode(t testing.TB, form string) (*toySaid, error) {
	t.Helper()
	in, err := awsquery.Decode(toyShape, reflect.TypeFor[toySaid](), form)
	if in == nil {
		return nil, err
	}
	return in.(*toySaid), err
}

func TestDecode(t *testing.T) {
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	red := toyColor("RED")
	for _, tt := range []struct {
		name, form string
		want       toySaid
	}{
		{"nothing", "", toySaid{}},
		{"what the model does not know", "Sigh=1&Say.Loud=2&Names.entry.1=a&Names.1=b&Pair.Other=3&member.1=4&.=5&=6", toySaid{Pair: &toyPair{}}},
		{"a text", "Say=a+b%2Bc%26%C3%A9", toySaid{Say: new("a b+c&é")}},
		{"an empty text", "Say=", toySaid{Say: new("")}},
		{"a text without a sign of equality", "Say", toySaid{Say: new("")}},
		{"a whole number", "Count=-5&Big=9223372036854775807", toySaid{Count: new(int32(-5)), Big: new(int64(9223372036854775807))}},
		{"a number", "Small=0.5&Wide=-1e300", toySaid{Small: new(float32(0.5)), Wide: new(-1e300)}},
		{"a truth", "Flag=true", toySaid{Flag: new(true)}},
		{"a lie", "Flag=false", toySaid{Flag: new(false)}},
		{"a moment", "At=2026-03-04T12%3A00%3A00Z", toySaid{At: &noon}},
		{"a moment elsewhere", "At=2026-03-04T14:00:00%2B02:00", toySaid{At: &noon}},
		{"a structure", "Pair.Key=ab&Pair.Value=RED", toySaid{Pair: &toyPair{Key: new("ab"), Value: &red}}},
		{"a list", "Names.member.1=a&Names.member.2=b", toySaid{Names: []string{"a", "b"}}},
		{"a list in disorder", "Names.member.10=c&Names.member.2=b&Names.member.1=a", toySaid{Names: []string{"a", "b", "c"}}},
		{"a list with a gap", "Names.member.7=b&Names.member.3=a", toySaid{Names: []string{"a", "b"}}},
		{"an empty list", "Names=", toySaid{Names: []string{}}},
		{"a list of one entry too many, and of many more", "Names.member.1=a&Names.member.2=b&Names.member.3=c&Names.member.4=d&Names.member.5=e&Names.member.6=f", toySaid{Names: []string{"a", "b", "c", "d"}}},
		{"a list of structures", "Pairs.member.1.Key=a&Pairs.member.2.Key=b&Pairs.member.1.Value=RED", toySaid{Pairs: []toyPair{{Key: new("a"), Value: &red}, {Key: new("b")}}}},
		{"a flat list", "Flat.1=a&Flat.2=b", toySaid{Flat: []string{"a", "b"}}},
		{"a map", "Labels.entry.1.key=a&Labels.entry.1.value=b&Labels.entry.2.value=d&Labels.entry.2.key=c", toySaid{Labels: map[string]string{"a": "b", "c": "d"}}},
		{"an empty map", "Labels=", toySaid{Labels: map[string]string{}}},
		{"a map of structures", "Nested.entry.1.key=RED&Nested.entry.1.value.Key=a", toySaid{Nested: map[toyColor]toyPair{"RED": {Key: new("a")}}}},
		{"a flat map", "Table.1.key=a&Table.1.value=5", toySaid{Table: map[string]int32{"a": 5}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decode(t, tt.form)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	long := strings.Repeat("9", 300)
	for _, tt := range []struct{ name, form, want string }{
		{"a text given twice", "Say=a&By=b&Say=a", "The parameter Say is given twice."},
		{"a number given twice", "Count=1&Count=1", "The parameter Count is given twice."},
		{"an entry given twice", "Names.member.1=a&Names.member.1=b", "The parameter Names.member.1 is given twice."},
		{"a member of an entry given twice", "Pairs.member.1.Key=a&Pairs.member.1.Key=b", "The parameter Pairs.member.1.Key is given twice."},
		{"an empty list given twice", "Names=&Names=", "The parameter Names is given twice."},
		{"a key given twice", "Labels.entry.1.key=a&Labels.entry.1.value=b&Labels.entry.2.key=a&Labels.entry.2.value=c", "The parameter Labels.entry.2.key is of an entry whose key is given twice."},
		{"an entry without a key", "Labels.entry.1.value=b", "The parameter Labels.entry.1.value is half an entry: it has no key or no value."},
		{"an entry without a value", "Labels.entry.1.key=b", "The parameter Labels.entry.1.key is half an entry: it has no key or no value."},
		{"a list that is a text", "Names=a", "The parameter Names is a list or map, and not a text."},
		{"entry zero", "Names.member.0=a", "The parameter Names.member.0 has no number from 1 where its entry should be counted."},
		{"entry minus one", "Names.member.-1=a", "The parameter Names.member.-1 has no number from 1 where its entry should be counted."},
		{"an entry in another spelling", "Names.member.01=a", "The parameter Names.member.01 has no number from 1 where its entry should be counted."},
		{"an entry without a number", "Names.member.x=a", "The parameter Names.member.x has no number from 1 where its entry should be counted."},
		{"an entry beyond all numbers", "Flat." + long + "=a", "The parameter Flat." + long[:251] + "… has no number from 1 where its entry should be counted."},
		{"no number", "Count=five", "The parameter Count cannot be converted to an Integer."},
		{"an empty number", "Count=", "The parameter Count cannot be converted to an Integer."},
		{"a fraction", "Count=1.5", "The parameter Count cannot be converted to an Integer."},
		{"too large a number", "Count=2147483648", "The parameter Count cannot be converted to an Integer."},
		{"a far too large number", "Big=9223372036854775808", "The parameter Big cannot be converted to a Long."},
		{"not a number", "Wide=NaN", "The parameter Wide cannot be converted to a Double."},
		{"an infinite number", "Small=-Inf", "The parameter Small cannot be converted to a Float."},
		{"a truth in other words", "Flag=yes", "The parameter Flag cannot be converted to a Boolean."},
		{"no moment", "At=noon", "The parameter At cannot be converted to a Timestamp."},
		{"a name that is not UTF-8", "%ff=a", "The request body is not UTF-8."},
		{"a text that is not UTF-8", "Say=%c3", "The request body is not UTF-8."},
		{"half an escape", "Say=%c", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decode(t, tt.form)
			if f := fault.Of(err); err == nil || f.Reason != fault.BodyMalformed || f.Detail != tt.want {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestEncode(t *testing.T) {
	red := toyColor("RED")
	noon := time.Date(2026, 3, 4, 13, 0, 0, 999, time.FixedZone("", 3600))
	for _, tt := range []struct {
		name string
		out  toySaid
		want string
	}{
		{"nothing", toySaid{}, ``},
		{"a text", toySaid{Say: new("<é>&\"'\r\n\x00\xff")}, "<Say>&lt;é&gt;&amp;&#34;&#39;&#xD;&#xA;\ufffd\ufffd</Say>"},
		{"an empty text", toySaid{Say: new("")}, `<Say></Say>`},
		{"a policy document", toySaid{Policy: new(`{"a": "é*-._~/"}`)}, `<Policy>%7B%22a%22%3A%20%22%C3%A9%2A-._~%2F%22%7D</Policy>`},
		{"numbers", toySaid{Count: new(int32(5)), Big: new(int64(-1 << 62)), Small: new(float32(0.1)), Wide: new(1e21)},
			`<Count>5</Count><Big>-4611686018427387904</Big><Small>0.1</Small><Wide>1000000000000000000000</Wide>`},
		{"truths", toySaid{Flag: new(false)}, `<Flag>false</Flag>`},
		{"a moment", toySaid{At: &noon}, `<At>2026-03-04T12:00:00Z</At>`},
		{"a structure", toySaid{Pair: &toyPair{Key: new("k"), Value: &red}}, `<Pair><Key>k</Key><Value>RED</Value></Pair>`},
		{"an empty structure", toySaid{Pair: &toyPair{}}, `<Pair></Pair>`},
		{"a list", toySaid{Names: []string{"a", "b"}}, `<Names><member>a</member><member>b</member></Names>`},
		{"an empty list", toySaid{Names: []string{}}, `<Names></Names>`},
		{"a list of structures", toySaid{Pairs: []toyPair{{Key: new("a")}}}, `<Pairs><member><Key>a</Key></member></Pairs>`},
		{"a map", toySaid{Labels: map[string]string{"b": "2", "a": "1"}},
			`<Labels><entry><key>a</key><value>1</value></entry><entry><key>b</key><value>2</value></entry></Labels>`},
		{"a map of structures", toySaid{Nested: map[toyColor]toyPair{"RED": {Key: new("a")}}}, `<Nested><entry><key>RED</key><value><Key>a</Key></value></entry></Nested>`},
		{"a flat list", toySaid{Flat: []string{"a", "b"}}, `<Flat>a</Flat><Flat>b</Flat>`},
		{"a flat map", toySaid{Table: map[string]int32{"a": 5}}, `<Table><key>a</key><value>5</value></Table>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := awsquery.Encode("Out", toyShape, &tt.out)
			if err != nil {
				t.Fatal(err)
			}
			if want := "<Out>" + tt.want + "</Out>"; got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
			if err := xml.Unmarshal([]byte(got), new(struct{})); err != nil {
				t.Errorf("not XML: %v", err)
			}
		})
	}
}

// TestModelsTexts checks constraints of IAM and STS in AWS's words.
func TestModelsTexts(t *testing.T) {
	tags := func(n int) string {
		var b strings.Builder
		for i := 1; i <= n; i++ {
			fmt.Fprintf(&b, "&Tags.member.%d.Key=a&Tags.member.%d.Value=b", i, i)
		}
		return b.String()
	}
	const (
		failed  = "' failed to satisfy constraint: Member must "
		aliases = "satisfy regular expression pattern: ^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$"
	)
	for _, tt := range []struct {
		name            string
		model           *awsmodel.Model
		operation, form string
		want            string // after "1 validation error detected: "; empty: none
	}{
		{"a user", iammodel.Model, "CreateUser", "UserName=ann%2Bb@x&Path=/a/&Tags.member.1.Key=k%C3%A9&Tags.member.1.Value=", ""},
		{"no name", iammodel.Model, "CreateUser", "Path=/", "Value null at 'userName" + failed + "not be null"},
		{"an empty name", iammodel.Model, "CreateUser", "UserName=", "Value '' at 'userName" + failed + "have length greater than or equal to 1"},
		{"a bad name", iammodel.Model, "CreateUser", "UserName=a/b", "Value 'a/b' at 'userName" + failed + `satisfy regular expression pattern: [\w+=,.@-]+`},
		{"a name with a line break", iammodel.Model, "CreateUser", "UserName=ab%0A", "Value 'ab\n' at 'userName" + failed + `satisfy regular expression pattern: [\w+=,.@-]+`},
		{"a long name", iammodel.Model, "CreateUser", "UserName=" + strings.Repeat("a", 65), "Value '" + strings.Repeat("a", 65) + "' at 'userName" + failed + "have length less than or equal to 64"},
		{"a bad path", iammodel.Model, "CreateUser", "UserName=a&Path=/a%20b/", "Value '/a b/' at 'path" + failed + `satisfy regular expression pattern: (\u002F)|(\u002F[\u0021-\u007E]+\u002F)`},
		{"a tag without a value", iammodel.Model, "CreateUser", "UserName=a" + tags(1) + "&Tags.member.2.Key=k", "Value null at 'tags.2.member.value" + failed + "not be null"},
		{"50 tags", iammodel.Model, "CreateUser", "UserName=a" + tags(50), ""},
		{"51 tags", iammodel.Model, "CreateUser", "UserName=a" + tags(51), "Value '[…]' at 'tags" + failed + "have length less than or equal to 50"},
		{"too many users", iammodel.Model, "ListUsers", "MaxItems=1001", "Value '1001' at 'maxItems" + failed + "have value less than or equal to 1000"},
		{"no users", iammodel.Model, "ListUsers", "MaxItems=0", "Value '0' at 'maxItems" + failed + "have value greater than or equal to 1"},
		{"a status", iammodel.Model, "UpdateAccessKey", "AccessKeyId=AKIAIOSFODNN7EXAMPLE&Status=Off", "Value 'Off' at 'status" + failed + "satisfy enum value set: [Active, Inactive, Expired]"},
		{"an alias", iammodel.Model, "CreateAccountAlias", "AccountAlias=a-b-c", ""},
		{"an alias with two hyphens", iammodel.Model, "CreateAccountAlias", "AccountAlias=a--b", "Value 'a--b' at 'accountAlias" + failed + aliases},
		{"an alias that ends in a hyphen", iammodel.Model, "CreateAccountAlias", "AccountAlias=ab-", "Value 'ab-' at 'accountAlias" + failed + aliases},
		{"a document", iammodel.Model, "CreatePolicy", "PolicyName=p&PolicyDocument=%7B%0A%C3%BF%7D", ""},
		{"a document beyond Latin-1", iammodel.Model, "CreatePolicy", "PolicyName=p&PolicyDocument=%E2%82%AC", "Value '€' at 'policyDocument" + failed + `satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`},
		{"a session", stsmodel.Model, "AssumeRole", "RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=s1&DurationSeconds=900", ""},
		{"a short session", stsmodel.Model, "AssumeRole", "RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=s1&DurationSeconds=899", "Value '899' at 'durationSeconds" + failed + "have value greater than or equal to 900"},
		{"a secret", stsmodel.Model, "AssumeRoleWithWebIdentity", "RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=s1&WebIdentityToken=abc", "Value at 'webIdentityToken" + failed + "have length greater than or equal to 4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, ok := tt.model.Operation(tt.operation)
			if !ok {
				t.Fatalf("no operation %s", tt.operation)
			}
			in, err := awsquery.Decode(o.Input, o.In, tt.form)
			if err != nil {
				t.Fatal(err)
			}
			bad, err := awsquery.Violated(o.Input, in)
			if err != nil {
				t.Fatal(err)
			}
			got, want := "", tt.want
			if want != "" {
				want = "1 validation error detected: " + want
			}
			if bad != nil {
				s := awsquery.Service{Model: tt.model}
				got = s.Answer(awsquery.Style.Fault(*bad)).Message
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// FuzzDecode holds that no form makes more of itself than the model allows, and
// that what was decoded can be checked and encoded.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "Say=a+b%2B&Count=5&Flag=true&At=2026-03-04T12:00:00Z&Wide=1e5", "Names.member.2=b&Names.member.1=a", "Names=&Labels=",
		"Pairs.member.1.Key=a&Pairs.member.1.Value=RED", "Labels.entry.1.key=a&Labels.entry.1.value=b", "Nested.entry.1.key=RED&Nested.entry.1.value.Key=ab",
		"Flat.1=a&Table.1.key=a&Table.1.value=5", "Say=a&Say=b", "Names.member.0=a&Names.member.x=b", "....=&a..b=&=.&%=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, form string) {
		in, err := decode(t, form)
		if err != nil {
			if fault.Of(err).Reason != fault.BodyMalformed {
				t.Errorf("%q: %v", form, err)
			}
			return
		}
		if len(in.Names) > 4 || len(in.Nested) > 3 {
			t.Errorf("%q: %d names, %d nested", form, len(in.Names), len(in.Nested))
		}
		if _, err := awsquery.Violated(toyShape, in); err != nil {
			t.Errorf("%q: %v", form, err)
		}
		text, err := awsquery.Encode("Out", toyShape, in)
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal([]byte(text), new(struct{})); err != nil {
			t.Errorf("%q was encoded as %q: %v", form, text, err)
		}
	})
}

package policy_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

var (
	seed   = flag.Uint64("seed", 0, "run only the random world of this seed")
	worlds = flag.Uint64("worlds", 400, "how many random worlds to run")
)

// TestRandomPolicies compares the evaluator with the slow one, on worlds whose
// names are so few that most of them matter.
func TestRandomPolicies(t *testing.T) {
	counts := map[outcome]int{}
	compiled := map[string]*regexp.Regexp{}
	run := func(n uint64) {
		w := world{rand.New(rand.NewPCG(n, 1))}
		documents := w.documents()
		var p policy.Policies
		for l, texts := range documents {
			to, kind := role(&p, l)
			for i, text := range texts {
				d, err := policy.Parse(kind, text)
				if err != nil {
					t.Fatalf("seed %d: %v: %s", n, err, text)
				}
				*to = append(*to, policy.Named{Name: fmt.Sprint(l, i), Document: d})
			}
		}
		for range 20 {
			r := w.request()
			d := policy.Evaluate(r, p)
			want := slow{r, documents, compiled}.decide()
			got := outcome{allowed: d.Allowed, explicit: d.Explicit}
			if d.Explicit {
				got.denier = d.Layer
			}
			counts[got]++
			if got != want {
				_, lines := policy.Explain(r, p)
				t.Fatalf("-seed %d: got %+v, want %+v\nrequest %+v\n%v\n%+v", n, got, want, r, documents, lines)
			}
			if other := policy.Evaluate(w.withOtherKeys(r), p); !d.Depends && other != d {
				t.Fatalf("-seed %d: %+v, which depends on no key, but with others %+v", n, d, other)
			}
		}
	}
	if *seed != 0 {
		run(*seed)
		return
	}
	for n := range *worlds {
		run(n + 1)
	}
	for _, o := range []outcome{{allowed: true}, {}, {explicit: true, denier: policy.SessionScoped}, {explicit: true, denier: policy.RegistryBased}} {
		if uint64(counts[o]) < *worlds/4 {
			t.Errorf("%+v came %d times: the worlds are one-sided: %v", o, counts[o], counts)
		}
	}
}

func role(p *policy.Policies, l policy.Layer) (*[]policy.Named, policy.Kind) {
	switch l {
	case policy.RegistryBased:
		return &p.Registry, policy.Registry
	case policy.ResourceBased:
		return &p.Resource, policy.Repository
	case policy.RoleTrust:
		return &p.Trust, policy.Trust
	case policy.PermissionsBoundary:
		return &p.Boundary, policy.Managed
	case policy.SessionScoped:
		return &p.Session, policy.Identity
	}
	return &p.Identity, policy.Identity
}

type world struct{ *rand.Rand }

func (w world) of(all ...string) string { return all[w.IntN(len(all))] }

// some returns one of the strings, or a list of one to three.
func (w world) some(all ...string) any {
	if w.IntN(2) == 0 {
		return w.of(all...)
	}
	var l []string
	for range 1 + w.IntN(3) {
		l = append(l, w.of(all...))
	}
	return l
}

func (w world) documents() map[policy.Layer][]string {
	documents := map[policy.Layer][]string{}
	for _, l := range order {
		n := w.IntN(3)
		if l == policy.RoleTrust && w.IntN(4) > 0 {
			n = 0
		}
		for range n {
			documents[l] = append(documents[l], w.document(l))
		}
	}
	return documents
}

func (w world) document(l policy.Layer) string {
	version := "2012-10-17"
	if l != policy.PermissionsBoundary && w.IntN(6) == 0 {
		version = "2008-10-17"
	}
	var statements []object
	for range 1 + w.IntN(3) {
		statements = append(statements, w.statement(l))
	}
	text, err := json.Marshal(object{"Version": version, "Statement": statements})
	if err != nil {
		panic(err)
	}
	return string(text)
}

const (
	repositoryARN = "arn:aws:ecr:eu-west-1:111122223333:repository/"
	roleARN       = "arn:aws:iam::111122223333:role/ci"
	providerARN   = "arn:aws:iam::111122223333:oidc-provider/example.com"
)

func (w world) statement(l policy.Layer) object {
	s := object{"Effect": w.of("Allow", "Allow", "Allow", "Allow", "Deny")}
	key := w.of("Action", "Action", "Action", "NotAction")
	if l == policy.RoleTrust {
		s["Action"] = w.some("sts:*", "sts:AssumeRole", "STS:assume*")
	} else {
		s[key] = w.some("*", "ecr:*", "ecr:PutImage", "ECR:putimage", "ecr:Put*", "ecr:?utImage", "sts:AssumeRole", "ecr:BatchGetImage")
	}
	if l != policy.RoleTrust && (l != policy.ResourceBased || w.IntN(4) == 0) {
		s[w.of("Resource", "Resource", "Resource", "NotResource")] = w.some("*", "*", repositoryARN+"*", repositoryARN+"app",
			repositoryARN+"a?p", repositoryARN+"${aws:username}", repositoryARN+"${aws:tag, 'app'}", repositoryARN+"${*}", roleARN)
	}
	if l == policy.ResourceBased || l == policy.RegistryBased || l == policy.RoleTrust {
		key := "Principal"
		if s["Effect"] == "Deny" && l != policy.RoleTrust && w.IntN(2) == 0 {
			key = "NotPrincipal"
		}
		s[key] = w.principals(l != policy.RoleTrust)
	}
	if w.IntN(2) == 0 {
		s["Condition"] = w.conditions()
	}
	return s
}

// principals may be just a star, but in a trust policy.
func (w world) principals(star bool) any {
	if star && w.IntN(6) == 0 {
		return "*"
	}
	p := object{"AWS": w.some("*", account, other, "arn:aws:iam::"+account+":root", "arn:aws:iam::"+account+":user/alice", roleARN,
		"arn:aws:sts::"+account+":assumed-role/ci/run", "arn:aws:iam::"+other+":user/alice", "arn:aws:iam::"+other+":role/ci")}
	if w.IntN(4) == 0 {
		p["Service"] = "ecr.amazonaws.com"
	}
	if w.IntN(4) == 0 {
		p["Federated"] = providerARN
	}
	return p
}

func (w world) conditions() object {
	all := object{}
	for range 1 + w.IntN(2) {
		var operator string
		var values any
		switch w.IntN(8) {
		case 0, 1:
			operator = w.of("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase")
			values = w.some("alice", "ALICE", "a*", "?", "*", "", "${aws:username}", "${aws:tag, 'alice'}", "x${aws:tag}", "${*}", "1")
		case 2:
			operator = w.of("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals")
			values = w.some("1", "2", "3")
		case 3:
			operator = w.of("DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals")
			values = w.some("2024-05-01T12:00:00Z", "2024-05-01T14:00:00+02:00", "2025-01-01T00:00:00Z")
		case 4:
			operator, values = w.of("Bool", "Bool", "BinaryEquals"), w.of("true")
		case 5:
			operator, values = w.of("IpAddress", "NotIpAddress"), w.some("10.0.0.0/8", "10.1.0.0/16", "::/0")
		case 6:
			operator = w.of("ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike")
			values = w.some(roleARN, "arn:aws:iam::*:role/c?", "arn:*:*:*:*:*", "arn:aws:iam::1111222?3333:*")
		case 7:
			all["Null"] = object{w.key(): w.some("true", "false")}
			continue
		}
		if w.IntN(3) == 0 {
			operator = w.of("ForAllValues:", "ForAnyValue:") + operator
		}
		if w.IntN(4) == 0 {
			operator += "IfExists"
		}
		all[operator] = object{w.key(): values}
	}
	return all
}

func (w world) key() string { return w.of("aws:username", "AWS:Tag", "aws:tags") }

func (w world) request() policy.Request {
	p := []policy.Principal{
		{Kind: policy.User, ARN: "arn:aws:iam::" + account + ":user/alice", Account: account},
		{Kind: policy.User, ARN: "arn:aws:iam::" + other + ":user/alice", Account: other},
		{Kind: policy.RoleSession, ARN: "arn:aws:sts::" + account + ":assumed-role/ci/run", Role: roleARN, Account: account},
		{Kind: policy.RoleSession, ARN: "arn:aws:sts::" + other + ":assumed-role/ci/run", Role: "arn:aws:iam::" + other + ":role/ci", Account: other},
		{Kind: policy.Root, ARN: "arn:aws:iam::" + account + ":root", Account: account},
		{Kind: policy.Root, ARN: "arn:aws:iam::" + other + ":root", Account: other},
		{},
		{Kind: policy.Service, ARN: "ecr.amazonaws.com"},
		{Kind: policy.WebIdentity, ARN: providerARN},
	}
	r := policy.Request{
		Principal: p[w.IntN(len(p))],
		Action:    w.of("ecr:PutImage", "ecr:BatchGetImage", "sts:AssumeRole", "ecr:GetAuthorizationToken"),
		Resource:  w.of("*", repositoryARN+"app", repositoryARN+"alice", repositoryARN+"*", roleARN),
		Account:   name.AccountID(account),
	}
	return w.withOtherKeys(r)
}

func (w world) withOtherKeys(r policy.Request) policy.Request {
	values := map[string][]string{}
	for _, key := range []string{"aws:username", "aws:tag", "aws:tags"} {
		for n := w.IntN(3); n > 0; n-- {
			values[key] = append(values[key], w.of("alice", "Alice", "app", "*", "", "1", "2", "true", "TRUE", "10.1.2.3", "::1", "x*",
				"2024-05-01T12:00:00Z", "2025-01-01T00:00:00Z", roleARN, "arn:aws:iam::"+account+":user/alice"))
		}
	}
	r.Keys = func(key string) []string {
		if key != strings.ToLower(key) {
			panic("a key in capitals: " + key)
		}
		return values[key]
	}
	return r
}

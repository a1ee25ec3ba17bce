package access

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// values returns the values of a condition key, which is in lower case (IAM
// User Guide, global condition context keys; Service Authorization Reference).
func (q *question) values(key string) []string {
	if v, ok := q.given[key]; ok {
		return v
	}
	if read, ok := keys[key]; ok {
		return read(q)
	}
	prefix, tag, tagged := strings.Cut(key, "/")
	if tagged {
		if read, ok := tagKeys[prefix]; ok {
			return read(q, tag)
		}
	}
	if got := q.ofProvider(key); got != nil {
		return got
	}
	return q.resource.Keys[key]
}

// keys are the keys without a tag in them. One that is not set has no value.
var keys = map[string]func(*question) []string{
	"aws:principalarn":     (*question).principalARN,
	"aws:principalaccount": func(q *question) []string { return text(string(q.caller.Account), q.somebody()) },
	"aws:principaltype":    func(q *question) []string { return text(principalTypes[q.caller.Kind], true) },
	"aws:userid":           (*question).userID,
	"aws:username":         func(q *question) []string { return text(q.caller.Name, q.caller.Kind == identity.User) },
	"aws:sourceip": func(q *question) []string {
		return text(q.caller.Origin.Client.String(), q.caller.Origin.Client.IsValid())
	},
	"aws:securetransport":       func(q *question) []string { return truth(q.caller.Origin.Secure) },
	"aws:useragent":             (*question).userAgent,
	"aws:currenttime":           func(q *question) []string { return text(q.now().Format(time.RFC3339), true) },
	"aws:epochtime":             func(q *question) []string { return text(strconv.FormatInt(q.now().Unix(), 10), true) },
	"aws:requestedregion":       (*question).requestedRegion,
	"aws:resourceaccount":       func(q *question) []string { return text(string(q.resource.Account), true) },
	"aws:tagkeys":               (*question).requestTagKeys,
	"aws:tokenissuetime":        (*question).issued,
	"aws:sourceidentity":        (*question).sourceIdentity,
	"aws:federatedprovider":     (*question).federatedProvider,
	"aws:viaawsservice":         func(*question) []string { return truth(false) },
	"aws:principalisawsservice": func(*question) []string { return truth(false) },
	// There are no second factors here: temporary credentials say so, and
	// long-term ones have no such key, as on AWS.
	"aws:multifactorauthpresent": func(q *question) []string { return text("false", q.caller.Session != nil) },
}

// tagKeys are the keys that end in a tag's key, by what is before it.
var tagKeys = map[string]func(*question, string) []string{
	"aws:principaltag":      (*question).principalTag,
	"aws:requesttag":        (*question).requestTag,
	"aws:resourcetag":       (*question).resourceTag,
	"ecr:resourcetag":       (*question).resourceTag,
	"iam:resourcetag":       (*question).resourceTag,
	"lightsail:resourcetag": (*question).resourceTag,
}

var principalTypes = map[identity.Kind]string{
	identity.Root: "Account", identity.User: "User", identity.RoleSession: "AssumedRole", identity.Anonymous: "Anonymous",
}

// text is a single value, if there is one.
func text(s string, there bool) []string {
	if !there || s == "" {
		return nil
	}
	return []string{s}
}

func truth(b bool) []string { return []string{strconv.FormatBool(b)} }

func (q *question) now() time.Time { return q.decider.Clock().UTC() }

// somebody reports whether the caller is of an account.
func (q *question) somebody() bool {
	k := q.caller.Kind
	return k == identity.Root || k == identity.User || k == identity.RoleSession
}

// principalARN is the role's for its sessions.
func (q *question) principalARN() []string {
	if s := q.caller.Session; s != nil && q.caller.Kind == identity.RoleSession {
		return text(s.RoleARN, true)
	}
	return text(q.caller.ARN, q.somebody())
}

func (q *question) userID() []string {
	if q.caller.Kind == identity.Anonymous {
		return []string{"anonymous"}
	}
	return text(q.caller.UserID, q.somebody())
}

// userAgentMax is how many bytes of a user agent policies see: it is the one
// value that whoever calls makes as long as they like.
const userAgentMax = 512

func (q *question) userAgent() []string {
	s := q.caller.Origin.UserAgent
	return text(s[:min(len(s), userAgentMax)], true)
}

// requestedRegion is where the resource is, and without one, what was signed.
func (q *question) requestedRegion() []string {
	if r := regionOf(q.resource.ARN); r != "" {
		return []string{string(r)}
	}
	return text(string(q.caller.Region), true)
}

func (q *question) requestTagKeys() []string {
	if q.tagKeys == nil {
		q.tagKeys = slices.Clone(q.resource.TagKeys)
		for _, t := range q.resource.RequestTags {
			q.tagKeys = append(q.tagKeys, t[0])
		}
	}
	return q.tagKeys
}

func (q *question) issued() []string {
	s := q.caller.Session
	if s == nil || s.Issued.IsZero() {
		return nil
	}
	return []string{s.Issued.UTC().Format(time.RFC3339)}
}

func (q *question) sourceIdentity() []string {
	if s := q.caller.Session; s != nil {
		return text(s.SourceIdentity, true)
	}
	return nil
}

func (q *question) federatedProvider() []string {
	s := q.caller.Session
	if s == nil || s.Provider == "" {
		return nil
	}
	return []string{name.ProviderARN(q.caller.Account, s.Provider)}
}

// ofProvider returns the claims of a web identity, whose keys begin with the
// provider's name: token.example.com:sub.
func (q *question) ofProvider(key string) []string {
	s := q.caller.Session
	if s == nil || s.Provider == "" {
		return nil
	}
	claim, ok := strings.CutPrefix(key, strings.ToLower(s.Provider)+":")
	if !ok {
		return nil
	}
	switch claim {
	case "sub":
		return text(s.Subject, true)
	case "aud":
		return text(s.Audience, true)
	}
	return nil
}

// principalTag is a tag of the session, or else of the user or role.
func (q *question) principalTag(tag string) []string {
	if s := q.caller.Session; s != nil {
		var got []string
		for _, t := range s.Tags {
			if strings.EqualFold(t[0], tag) {
				got = append(got, t[1])
			}
		}
		if got != nil {
			return q.only(got)
		}
	}
	if q.principal == nil {
		return nil
	}
	return q.tagValue(q.principal.tags, tag)
}

// requestTag finds a tag among those of the request, of which there can be very
// many: they are not counted yet.
func (q *question) requestTag(tag string) []string {
	if q.requested == nil {
		q.requested = make(map[string][]string, len(q.resource.RequestTags))
		for _, t := range q.resource.RequestTags {
			key := name.FoldKey(t[0])
			q.requested[key] = append(q.requested[key], t[1])
		}
	}
	return q.only(q.requested[name.FoldKey(tag)])
}

// resourceTag reads the resource's tags when it is asked about one.
func (q *question) resourceTag(tag string) []string {
	if q.generation == nil || q.err != nil {
		return nil
	}
	tags, err := q.decider.resourceTags(q.ctx, q.generation, q.resource.ARN)
	if err != nil {
		q.err = err
		return nil
	}
	return q.tagValue(tags, tag)
}

// tagValue returns the value of a tag.
func (q *question) tagValue(tags []meta.ResourceTag, key string) []string {
	var got []string
	for _, t := range tags {
		if strings.EqualFold(t.Key, key) {
			got = append(got, t.Value)
		}
	}
	return q.only(got)
}

// only returns the value of a tag that is there once. The keys of tags have no
// letter case here; where they have, there can be two of them, of which no
// condition can mean both, so that there is no telling what the policies say.
func (q *question) only(got []string) []string {
	if len(got) > 1 {
		q.ambiguous = true
		return got[:1]
	}
	return got
}

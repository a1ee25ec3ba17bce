package policy

import (
	"regexp"
	"slices"
	"strings"

	"github.com/lighterage/lighterage/internal/name"
)

// PrincipalKind says what makes a request.
type PrincipalKind uint8

// The kinds of principals.
const (
	Anonymous   PrincipalKind = iota // nobody logged in; only "*" names it
	Root                             // an account itself: ARN is arn:aws:iam::<account>:root
	User                             // an IAM user, also by a session of its own
	RoleSession                      // ARN is the session's, Role is the role's
	WebIdentity                      // a token of a provider: ARN is the provider's; for trust policies
	Service                          // ARN is the service's name, as ecr.amazonaws.com
)

// Principal is who makes a request.
type Principal struct {
	Kind    PrincipalKind
	ARN     string         // none for Anonymous
	Role    string         // ARN of the role, for RoleSession
	Account name.AccountID // of Root, User and RoleSession
}

// grade says how a Principal element names a principal, which decides what
// limits an Allow (see Evaluate).
type grade uint8

const (
	unnamed   grade = iota
	byAccount       // the account is named: it may hand the right on
	byRole          // the role of a session is named
	directly        // the user, the session, or everybody
)

// principals is a Principal or NotPrincipal element.
type principals struct {
	everybody bool
	accounts  []name.AccountID
	arns      []string
	services  []string
	providers []string
	written   []string // of AWS principals
}

// Principals returns the AWS principals that the document names, as written,
// each once: accounts by id or ARN, users, roles and sessions by ARN. "*" is
// not among them.
func (d *Document) Principals() []string {
	var all []string
	for i := range d.statements {
		if p := d.statements[i].principals; p != nil {
			for _, s := range p.written {
				if !slices.Contains(all, s) {
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// InvalidPrincipal is the error for a document that names an AWS principal that
// is not there, which Parse cannot know.
func InvalidPrincipal(written string) *Error {
	return &Error{Sentence: invalidPrincipal("AWS", written)}
}

// invalidPrincipal spells the kind in capitals, as IAM does.
func invalidPrincipal(kind, written string) string {
	return `Invalid principal in policy: "` + strings.ToUpper(kind) + `":"` + written + `"`
}

var (
	accountPrincipal = regexp.MustCompile(`^(?:([0-9]{12})|arn:aws[a-z-]*:iam::([0-9]{12}):root)$`)
	arnPrincipal     = regexp.MustCompile(`^arn:aws[a-z-]*:(?:iam::[0-9]{12}:(?:user|role)/|sts::[0-9]{12}:(?:assumed-role/[^/*?]+/|federated-user/))[^*?\s]+$`)
	servicePrincipal = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*\.amazonaws\.com(?:\.cn)?$`)
	provider         = regexp.MustCompile(`^(?:arn:aws[a-z-]*:iam::[0-9]{12}:(?:oidc|saml)-provider/[^*?\s]+|[a-z0-9-]+(?:\.[a-z0-9-]+)+)$`)
	canonicalUser    = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

const (
	wrongPrincipal = `a Principal is an object such as {"AWS": "111122223333"} or {"AWS": "*"}`
	noPrincipals   = "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: The passed in policy has a statement with no principals!"
	wrongProvider  = "Federated principals must be valid domain names or SAML metadata ARNs"
)

// parsePrincipals reads the element.
func parsePrincipals(kind Kind, n node) (*principals, *Error) {
	p := &principals{}
	if s, ok := n.text(); ok {
		if kind == Trust {
			return nil, &Error{`AssumeRolepolicy contained an invalid principal: "STAR":"` + s + `".`, n.start, wrongPrincipal}
		}
		p.everybody = s == "*"
		if !p.everybody {
			return nil, syntax(n.start, wrongPrincipal)
		}
		return p, nil
	}
	if !n.isObject || len(n.members) == 0 {
		return nil, syntax(n.start, wrongPrincipal)
	}
	for _, m := range n.members {
		all, at, ok := m.value.texts()
		switch {
		case ok && len(all) == 0 && kind == Trust:
			return nil, &Error{noPrincipals, at, ""}
		case !ok || len(all) == 0:
			return nil, syntax(at, "a principal is a string, or a list of them")
		}
		for _, w := range all {
			known, good := p.add(m.name, w.text)
			switch {
			case !known:
				return nil, syntax(m.at, "the kinds of principals are AWS, Service, Federated and CanonicalUser")
			case !good && m.name == "Federated":
				return nil, &Error{wrongProvider, w.at, ""}
			case !good:
				return nil, &Error{invalidPrincipal(m.name, w.text), w.at, forms[m.name]}
			}
		}
	}
	return p, nil
}

// forms are what principals look like.
var forms = map[string]string{
	"AWS":           "an AWS principal is an account's id, or the ARN of its root, a user, a role or a session, without wildcards",
	"Service":       "a service is named as ecr.amazonaws.com",
	"CanonicalUser": "a canonical user is 64 hexadecimal digits",
}

func (p *principals) add(kind, s string) (known, good bool) {
	switch kind {
	case "AWS":
		if s == "*" {
			p.everybody = true
			return true, true
		}
		p.written = append(p.written, s)
		if m := accountPrincipal.FindStringSubmatch(s); m != nil {
			p.accounts = append(p.accounts, name.AccountID(m[1]+m[2]))
			return true, true
		}
		p.arns = append(p.arns, s)
		return true, arnPrincipal.MatchString(s)
	case "Service":
		p.services = append(p.services, s)
		return true, servicePrincipal.MatchString(s)
	case "Federated":
		p.providers = append(p.providers, s)
		return true, provider.MatchString(s)
	case "CanonicalUser": // an S3 notion: known, and names nobody here
		return true, canonicalUser.MatchString(s)
	}
	return false, false
}

// grade returns how the element names the principal.
func (p *principals) grade(who *Principal) grade {
	switch who.Kind {
	case WebIdentity:
		if slices.Contains(p.providers, who.ARN) {
			return directly
		}
		return unnamed // everybody is covers for Deny
	case Service:
		if p.everybody || slices.Contains(p.services, who.ARN) {
			return directly
		}
		return unnamed
	case Anonymous:
		if p.everybody {
			return directly
		}
		return unnamed
	}
	switch {
	case p.everybody || slices.Contains(p.arns, who.ARN):
		return directly
	case who.Kind == RoleSession && slices.Contains(p.arns, who.Role):
		return byRole
	case slices.Contains(p.accounts, who.Account):
		return byAccount
	}
	return unnamed
}

// spares reports whether a NotPrincipal element makes an exception for the
// principal. AWS looks at the account first, then at the user or the role, then
// at the role's session, so each must be listed (IAM User Guide, NotPrincipal).
func (p *principals) spares(who *Principal) bool {
	if p.everybody {
		return true
	}
	switch who.Kind {
	case Root:
		return slices.Contains(p.accounts, who.Account)
	case User:
		return slices.Contains(p.accounts, who.Account) && slices.Contains(p.arns, who.ARN)
	case RoleSession:
		return slices.Contains(p.accounts, who.Account) && slices.Contains(p.arns, who.Role) && slices.Contains(p.arns, who.ARN)
	case WebIdentity:
		return slices.Contains(p.providers, who.ARN)
	case Service:
		return slices.Contains(p.services, who.ARN)
	}
	return false
}

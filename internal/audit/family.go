package audit

// family is a sort of event that has files of its own, so that however often
// one sort comes, it does not push out another.
type family struct {
	base  string // of its files' names
	share int64  // of the trail's bound that is its own, in parts of wholeTrail
	takes func(*Event) bool
}

// wholeTrail is the sum of the shares.
const wholeTrail = 16

// families are all sorts; an event is of the first one that takes it. The last
// one's files have the name that all had before there were families, and hold
// what was recorded then.
var families = [...]family{
	{"audit-stranger", 2, func(e *Event) bool { return e.Outcome() != OK && !e.Identity.proven() }},
	{"audit-refused", 3, func(e *Event) bool { return e.Outcome() != OK }},
	{"audit-anonymous", 1, func(e *Event) bool { return e.Identity.AccountID == AnonymousAccount }},
	{"audit-read", 4, func(e *Event) bool { return e.ReadOnly }},
	{"audit", 6, func(*Event) bool { return true }},
}

// familyOf returns the number of the family that an event is of.
func familyOf(e *Event) int {
	for i := range families {
		if families[i].takes(e) {
			return i
		}
	}
	return len(families) - 1
}

// proven reports whether somebody of an account's showed that it is who it says.
// Whom an OIDC provider vouches for is nobody's: the provider vouches for all
// the world.
func (i *Identity) proven() bool {
	return i.AccountID != "" && i.AccountID != AnonymousAccount && i.Type != "WebIdentityUser"
}

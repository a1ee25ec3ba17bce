package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/name"
)

// PrincipalKind says what a principal is. Groups are rows here too, since they
// carry policies as users and roles do, though nobody calls as one.
type PrincipalKind uint8

// The kinds. Their values are stored.
const (
	User  PrincipalKind = 1
	Group PrincipalKind = 2
	Role  PrincipalKind = 3
)

// PrincipalID is a principal's surrogate id; one deleted and created again has
// another.
type PrincipalID int64

// PrincipalKey names a principal. Names are unique without regard to case.
type PrincipalKey struct {
	Account name.AccountID
	Kind    PrincipalKind
	Name    string
}

// Principal is a user, group or role.
type Principal struct {
	ID        PrincipalID // set by InsertPrincipal
	Key       PrincipalKey
	Path      string // "/" or "/…/"
	UniqueID  string // AIDA…, AGPA…, AROA…; never used twice
	CreatedAt time.Time
	Boundary  PolicyRef // the permissions boundary; zero: none

	// Of a role.
	Trust       string // policy document
	Description string
	MaxSession  time.Duration

	LastUse Use // set by RecordPrincipalUses only
}

// PrincipalTx reads and writes users, groups and roles.
type PrincipalTx interface {
	// Principal finds one by its name in whatever case. ErrNotFound.
	Principal(key PrincipalKey, lock Lock) (Principal, error)
	// PrincipalOf returns the one with the id. ErrNotFound.
	PrincipalOf(id PrincipalID) (Principal, error)
	// PrincipalByUniqueID returns the one with the unique id. ErrNotFound.
	PrincipalByUniqueID(id string) (Principal, error)
	// Principals lists an account's of a kind whose paths begin so, by
	// lower-case name; a page continues after a name in whatever case. It costs
	// what lies between its first and its last, whatever their paths.
	Principals(account name.AccountID, kind PrincipalKind, path string, page Page[string]) ([]Principal, error)
	// CountPrincipals counts an account's of a kind.
	CountPrincipals(account name.AccountID, kind PrincipalKind) (int64, error)
	// InsertPrincipal adds one. ErrExists for a name that is there, in whatever
	// case, or a unique id; ErrNotFound for an account or a boundary that is
	// not.
	InsertPrincipal(p Principal) (PrincipalID, error)
	// SetPrincipal stores name, path, boundary, trust, description and
	// MaxSession of p.ID. ErrNotFound, also for a boundary that is not there;
	// ErrExists.
	SetPrincipal(p Principal) error
	// DeletePrincipal removes one with its resource tags. ErrReferenced while
	// it has members, memberships, access keys, attached or inline policies;
	// ErrNotFound.
	DeletePrincipal(id PrincipalID) error
	// RecordPrincipalUses sets the last uses of roles that still exist, never
	// back.
	RecordPrincipalUses(uses map[PrincipalID]Use) error

	// PutMember puts a user into a group of the same account; again is no
	// error. ErrNotFound when either is not there, or of another kind.
	PutMember(group, user PrincipalID) error
	// DeleteMember takes a user out of a group. ErrNotFound.
	DeleteMember(group, user PrincipalID) error
	// Members lists a group's users, Groups a user's groups, by id: a name can
	// change while somebody pages.
	Members(group PrincipalID, page Page[PrincipalID]) ([]Principal, error)
	Groups(user PrincipalID, page Page[PrincipalID]) ([]Principal, error)
}

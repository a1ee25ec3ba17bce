package directory

// Limits is the table of quotas. Sizes of documents count characters, without
// white space where IAM's do.
type Limits struct {
	Users         int64 // per account
	Groups        int64 // per account
	Roles         int64 // per account
	Policies      int64 // managed ones per account
	Providers     int64 // OIDC providers per account
	GroupsPerUser int64
	AccessKeys    int64 // per user, and of a root
	Attached      int64 // managed policies per user, group or role
	Versions      int64 // per managed policy
	ResourceTags  int64 // per entity

	ClientIDs   int64 // per OIDC provider
	Thumbprints int64 // per OIDC provider

	PolicySize      int64 // of a managed policy's document
	UserPolicySize  int64 // of all inline policies of a user together
	GroupPolicySize int64 // of all inline policies of a group together
	RolePolicySize  int64 // of all inline policies of a role together
	TrustSize       int64 // of a role's trust policy
}

// Quotas are IAM's (IAM User Guide, IAM and AWS STS quotas).
var Quotas = Limits{
	Users:         5000,
	Groups:        300,
	Roles:         1000,
	Policies:      1500,
	Providers:     100,
	GroupsPerUser: 10,
	AccessKeys:    2,
	Attached:      10,
	Versions:      5,
	ResourceTags:  50,

	ClientIDs:   100,
	Thumbprints: 5,

	PolicySize:      6144,
	UserPolicySize:  2048,
	GroupPolicySize: 5120,
	RolePolicySize:  10240,
	TrustSize:       2048,
}

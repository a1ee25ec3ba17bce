package iam

import (
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
)

// wording is how a reason looks on this wire: the code of the model's error and
// a text in which subjects stand in braces.
type wording struct{ code, text string }

// wordings is the table of the reasons that come out of the directory. Texts of
// IAM that are known from issues and tests of its clients are kept to the
// letter; the others follow their tone.
var wordings = map[fault.Reason]wording{
	fault.EntityNotFound:      {"NoSuchEntity", "The {entity} with name {name} cannot be found."},
	fault.EntityExists:        {"EntityAlreadyExists", "{Entity} with name {name} already exists."},
	fault.EntityInUse:         {"DeleteConflict", "Cannot delete entity, must {constraint} first."},
	fault.EntityProtected:     {"UnmodifiableEntity", "{Entity} {name} cannot be modified."},
	fault.PolicyMalformed:     {"MalformedPolicyDocument", "{detail}"},
	fault.PolicyNotAttachable: {"PolicyNotAttachable", "Policy {name} does not exist or is not attachable."},
	fault.InputRefused:        {"InvalidInput", "{detail}"},
	fault.LimitExceeded:       {"LimitExceeded", "Cannot exceed quota for {quota}: {limit}"},
	fault.PageTokenInvalid:    {"ValidationError", "Invalid Marker."},
	fault.StoreFull:           {"ServiceFailure", "The storage of the server is full."},
}

// subject is a reason and what it is said of.
type subject struct {
	reason fault.Reason
	entity string
}

// ownTexts are the texts that differ from their reason's for some entities.
var ownTexts = map[subject]string{
	{fault.EntityNotFound, directory.AccessKeyEntity}: "The Access Key with id {name} cannot be found.",
	{fault.EntityNotFound, directory.AliasEntity}:     "The account alias {name} cannot be found.",
	{fault.EntityNotFound, directory.AccountEntity}:   "The account {name} cannot be found.",
	{fault.EntityNotFound, directory.MemberEntity}:    "User {name} is not in group {value}.",
	{fault.EntityNotFound, directory.PolicyEntity}:    "Policy {name} was not found.",
	{fault.EntityNotFound, directory.VersionEntity}:   "Policy version {name} does not exist.",
	{fault.EntityNotFound, directory.ProviderEntity}:  "OpenIDConnect Provider not found for arn {name}",
	{fault.EntityExists, directory.AliasEntity}:       "The account alias {name} already exists.",
	{fault.EntityExists, directory.AccountEntity}:     "The account {name} already exists.",
	{fault.EntityExists, directory.PolicyEntity}:      "A policy called {name} already exists. Duplicate names are not allowed.",
	{fault.EntityExists, directory.ProviderEntity}:    "Provider with url {name} already exists.",
}

// wordFault is the service's awsquery.ErrorMapper. It leaves the faults of
// parameters, and those of other doors, to the protocol.
func wordFault(f *fault.Error) (code, message string, ok bool) {
	w, ok := wordings[f.Reason]
	if own, differs := ownTexts[subject{f.Reason, f.Entity}]; differs {
		w.text = own
	}
	if f.Detail != "" && f.Reason != fault.StoreFull { // what only this one subject is told
		w.text = "{detail}"
	}
	return w.code, fill(w.text, f), ok
}

// fill puts a fault's subjects into a text.
func fill(text string, f *fault.Error) string {
	entity := f.Entity
	if entity == "" {
		entity = "entity"
	}
	return strings.NewReplacer(
		"{entity}", entity, "{Entity}", strings.ToUpper(entity[:1])+entity[1:], "{name}", f.Name, "{constraint}", f.Constraint,
		"{detail}", f.Detail, "{value}", f.Value, "{quota}", f.Quota, "{limit}", strconv.FormatInt(f.Limit, 10),
	).Replace(text)
}

package admin

import (
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
)

// The model's errors.
const (
	invalid  = "ValidationException"
	exists   = "ResourceAlreadyExistsException"
	notFound = "ResourceNotFoundException"
	conflict = "ConflictException"
	failure  = "ServerException"
)

// wordFault is the service's awsjson.ErrorMapper.
func wordFault(f *fault.Error) (shape, message string, extra map[string]any, ok bool) {
	switch f.Reason {
	case fault.EntityExists:
		return exists, "The " + f.Entity + " " + f.Name + " exists already.", nil, true
	case fault.EntityNotFound:
		return notFound, "The " + f.Entity + " " + f.Name + " does not exist.", nil, true
	case fault.ParameterInvalid, fault.InputRefused:
		// A rule of the directory speaks in a sentence, a constraint of the
		// model in the protocol's style.
		return invalid, f.Detail, nil, f.Detail != ""
	case fault.RepositoryNotFound:
		return notFound, "The account " + f.Account + " has no repository " + f.Repository + " in the region.", nil, true
	case fault.LifecyclePolicyNotFound:
		return notFound, "The repository " + f.Repository + " of the account " + f.Account + " has no lifecycle policy.", nil, true
	case fault.NotInTrash:
		return notFound, "The trash has no " + thing(f) + ": it was not deleted, it was brought back, or its time is over.", nil, true
	case fault.RepositoryThrown:
		return notFound, "The repository " + f.Repository + " is in the trash itself. Bring it back first.", nil, true
	case fault.RepositoryExists:
		return exists, "There is a repository " + f.Repository + " now. Bring the other one back under another name.", nil, true
	case fault.ServiceExists:
		return exists, "There is a container service " + f.Service + " now.", nil, true
	case fault.ServiceNotFound:
		return notFound, "There is no container service " + f.Service + ". If it is in the trash, bring it back first.", nil, true
	case fault.ImageExists:
		return exists, "The image " + f.Digest + " is in the repository " + f.Repository + ".", nil, true
	case fault.TagTaken:
		return conflict, "The tag " + f.Tag + " of the repository " + f.Repository + " points to " + f.Digest + " now. Bring the image back without its tags, or move the tag away first.", nil, true
	case fault.LayersNotFound:
		return conflict, "The repository " + f.Repository + " has no usable layers " + strings.Join(f.Digests, ", ") + " any more.", nil, true
	case fault.ChildrenNotFound:
		return conflict, "The images that the index lists are neither in the repository " + f.Repository + " nor in the trash, or are archived: " + strings.Join(f.Digests, ", ") + ".", nil, true
	case fault.KeyUnusable:
		return conflict, "The encryption key of the repository " + f.Repository + " cannot be used.", nil, true
	case fault.LimitExceeded:
		return conflict, "The quota of " + strconv.FormatInt(f.Limit, 10) + " " + f.Quota + " leaves no room.", nil, f.Quota != ""
	case fault.PageTokenInvalid:
		return invalid, "The nextToken is not one that this operation gave.", nil, true
	case fault.StoreFull:
		return failure, "The storage of the server is full.", nil, true
	case fault.StoreUnavailable:
		return failure, "The server cannot store anything at the moment. Try again.", nil, true
	}
	return "", "", nil, false
}

// thing is what was looked for in the trash.
func thing(f *fault.Error) string {
	switch {
	case f.Image != "":
		return "registered image " + f.Image
	case f.Service != "":
		return "container service " + f.Service
	case f.Tag != "":
		return "image " + f.Repository + ":" + f.Tag
	case f.Digest != "":
		return "image " + f.Repository + "@" + f.Digest
	}
	return "repository " + f.Repository
}

package admin

import (
	"github.com/lighterage/lighterage/internal/fault"
)

// The model's errors.
const (
	invalid  = "ValidationException"
	exists   = "ResourceAlreadyExistsException"
	notFound = "ResourceNotFoundException"
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
	case fault.PageTokenInvalid:
		return invalid, "The nextToken is not one that this operation gave.", nil, true
	case fault.StoreFull:
		return failure, "The storage of the server is full.", nil, true
	case fault.StoreUnavailable:
		return failure, "The server cannot store anything at the moment. Try again.", nil, true
	}
	return "", "", nil, false
}

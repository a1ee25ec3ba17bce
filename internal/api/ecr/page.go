package ecr

import (
	"github.com/lighterage/lighterage/internal/api/awsplan"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/registry"
)

// The sizes of pages that nobody chose one for (ECR API reference).
const (
	pageDefault          = 100
	referrersPageDefault = 20
)

// ofRepository is a listing of something in a repository.
func ofRepository(operation string, key registry.RepositoryKey, filter ...string) awsplan.Listing {
	return append(awsplan.Listing{operation, string(key.Registry.Account), string(key.Registry.Region), string(key.Name)}, filter...)
}

func badToken() error { return fault.New(fault.PageTokenInvalid) }

// pageSize returns the number of results that was asked for.
func pageSize(maxResults *int32, otherwise int) int {
	if maxResults == nil {
		return otherwise
	}
	return int(*maxResults)
}

// refusePaging refuses paging beside named things, which are answered at once
// (ECR API reference, nextToken and maxResults).
func refusePaging(named string, nextToken *string, maxResults *int32) error {
	member := ""
	switch {
	case nextToken != nil:
		member = "nextToken"
	case maxResults != nil:
		member = "maxResults"
	default:
		return nil
	}
	return &fault.Error{Reason: fault.ParameterInvalid, Member: member, Constraint: "must be null when " + named + " is given"}
}

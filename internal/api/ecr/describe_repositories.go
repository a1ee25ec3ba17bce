package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/api/awsplan"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// describeRepositories describes those that are named, at once, or all of the
// registry by name, in pages.
func (f *front) describeRepositories(ctx context.Context, c *awsjson.Call, in *ecrmodel.DescribeRepositoriesRequest) (*ecrmodel.DescribeRepositoriesResponse, error) {
	if in.RepositoryNames == nil {
		return f.pageOfRepositories(ctx, c, in)
	}
	if err := refusePaging("repositoryNames", in.NextToken, in.MaxResults); err != nil {
		return nil, err
	}
	var names []name.RepositoryName
	asking := access.Together(ctx)
	for i, n := range distinct(in.RepositoryNames) {
		key, err := keyOf(c, n)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			if err := f.Access.Authorize(asking, c.Caller, "ecr:DescribeRepositories", resourceOf(key)); err != nil {
				return nil, err
			}
		}
		names = append(names, key.Name)
	}
	found, err := f.Catalogue.RepositoriesNamed(ctx, c.Registry, names)
	if err != nil {
		return nil, err
	}
	return &ecrmodel.DescribeRepositoriesResponse{Repositories: f.repositoriesOut(ctx, found)}, nil
}

func (f *front) pageOfRepositories(ctx context.Context, c *awsjson.Call, in *ecrmodel.DescribeRepositoriesRequest) (*ecrmodel.DescribeRepositoriesResponse, error) {
	list := awsplan.Listing{"DescribeRepositories", string(c.Registry.Account), string(c.Registry.Region)}
	position, err := list.Position(in.NextToken)
	if err != nil {
		return nil, err
	}
	after, err := name.ParseRepositoryName(position)
	if position != "" && err != nil {
		return nil, badToken()
	}
	size := pageSize(in.MaxResults, pageDefault)
	found, err := f.Catalogue.Repositories(ctx, c.Registry, after, size+1)
	if err != nil {
		return nil, err
	}
	out := &ecrmodel.DescribeRepositoriesResponse{}
	if len(found) > size {
		found = found[:size]
		out.NextToken = list.Token(string(found[size-1].Key.Name))
	}
	out.Repositories = f.repositoriesOut(ctx, found)
	return out, nil
}

func (f *front) repositoriesOut(ctx context.Context, rs []registry.Repository) []ecrmodel.Repository {
	out := make([]ecrmodel.Repository, 0, len(rs))
	for _, r := range rs {
		out = append(out, *f.repositoryOut(ctx, r))
	}
	return out
}

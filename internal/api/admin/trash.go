package admin

import (
	"context"
	"strconv"
	"time"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lighteragemodel"
	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// trashSort is one of the sorts of things in the trash, which are listed one
// after the other. page returns what is there after an id, and the last id.
type trashSort struct {
	letter string // of its page tokens
	page   func(f *front, ctx context.Context, after int64, limit int) (rows []lighteragemodel.Trash, last int64, err error)
}

var trashSorts = []trashSort{
	{"r", (*front).trashedRepositories},
	{"i", (*front).trashedImages},
	{"s", (*front).trashedServices},
	{"c", (*front).trashedRegistrations},
}

// listTrash lists all of a sort, then all of the next. A page token is the letter
// of the sort and the id before it. With an account or repository, pages have
// only what is of it, and may be empty before the last.
func (f *front) listTrash(ctx context.Context, _ *awsjson.Call, in *lighteragemodel.ListTrashRequest) (*lighteragemodel.ListTrashResponse, error) {
	limit, sort, after := pageDefault, 0, int64(0)
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	if in.NextToken != nil {
		var err error
		if sort, after, err = parseTrashToken(*in.NextToken); err != nil {
			return nil, err
		}
	}
	rows, last, err := trashSorts[sort].page(f, ctx, after, limit)
	if err != nil {
		return nil, err
	}
	out := &lighteragemodel.ListTrashResponse{Trash: []lighteragemodel.Trash{}}
	switch {
	case len(rows) == limit:
		out.NextToken = new(trashSorts[sort].letter + strconv.FormatInt(last, 10))
	case sort+1 < len(trashSorts):
		out.NextToken = new(trashSorts[sort+1].letter + "0")
	}
	for _, row := range rows {
		if in.AccountId != nil && *in.AccountId != *row.AccountId {
			continue
		}
		if in.RepositoryName != nil && (row.RepositoryName == nil || *in.RepositoryName != *row.RepositoryName) {
			continue
		}
		out.Trash = append(out.Trash, row)
	}
	return out, nil
}

func parseTrashToken(token string) (sort int, after int64, err error) {
	for sort, s := range trashSorts {
		if token[:1] != s.letter {
			continue
		}
		if after, err := strconv.ParseInt(token[1:], 10, 64); err == nil && after >= 0 {
			return sort, after, nil
		}
	}
	return 0, 0, fault.New(fault.PageTokenInvalid)
}

func (f *front) trashedRepositories(ctx context.Context, after int64, limit int) ([]lighteragemodel.Trash, int64, error) {
	found, err := f.Catalogue.TrashedRepositories(ctx, registry.RepositoryID(after), limit)
	var rows []lighteragemodel.Trash
	for _, x := range found {
		after = int64(x.ID)
		row := inRepository(lighteragemodel.TrashKindRepository, x.Key)
		row.ImageCount, row.SizeInBytes = &x.Images, &x.Bytes
		row.DeletedBy, row.DeletedAt, row.KeptUntil = &x.By, &x.At, &x.Until
		rows = append(rows, row)
	}
	return rows, after, err
}

func (f *front) trashedImages(ctx context.Context, after int64, limit int) ([]lighteragemodel.Trash, int64, error) {
	found, err := f.Catalogue.TrashedImages(ctx, registry.TrashID(after), limit)
	var rows []lighteragemodel.Trash
	for _, x := range found {
		after = int64(x.TrashID)
		rows = append(rows, imageRow(x))
	}
	return rows, after, err
}

func imageRow(x registry.TrashedImage) lighteragemodel.Trash {
	row := inRepository(lighteragemodel.TrashKindImage, x.Key)
	row.ImageDigest, row.ImageMediaType, row.SizeInBytes = new(string(x.Digest)), &x.MediaType, &x.ImageSize
	row.DeletedBy, row.DeletedAt, row.KeptUntil = &x.By, &x.At, &x.Until
	row.ImageTags = []string{}
	for _, t := range x.Tags {
		row.ImageTags = append(row.ImageTags, string(t))
	}
	return row
}

func inRepository(kind lighteragemodel.TrashKind, key registry.RepositoryKey) lighteragemodel.Trash {
	return lighteragemodel.Trash{
		Kind: &kind, AccountId: new(string(key.Registry.Account)), Region: new(string(key.Registry.Region)), RepositoryName: new(string(key.Name)),
	}
}

func (f *front) trashedServices(ctx context.Context, after int64, limit int) ([]lighteragemodel.Trash, int64, error) {
	found, err := f.Services.TrashedServices(ctx, containers.ServiceID(after), limit)
	var rows []lighteragemodel.Trash
	for _, x := range found {
		after = int64(x.ID)
		row := ofService(lighteragemodel.TrashKindContainerService, containers.Key{Registry: x.Registry, Name: x.Name})
		row.DeletedBy, row.DeletedAt, row.KeptUntil = &x.By, &x.At, &x.Until
		rows = append(rows, row)
	}
	return rows, after, err
}

func (f *front) trashedRegistrations(ctx context.Context, after int64, limit int) ([]lighteragemodel.Trash, int64, error) {
	found, err := f.Services.TrashedRegistrations(ctx, after, limit)
	var rows []lighteragemodel.Trash
	for _, x := range found {
		after = x.ID
		row := ofService(lighteragemodel.TrashKindContainerImage, containers.Key{Registry: x.Registry, Name: x.ServiceName})
		row.ContainerImage = new(containers.ImageName{Service: x.ServiceName, Label: x.Label, Version: x.Version}.String())
		row.ImageDigest = &x.Digest
		row.DeletedBy, row.DeletedAt, row.KeptUntil = &x.By, &x.At, &x.Until
		rows = append(rows, row)
	}
	return rows, after, err
}

func ofService(kind lighteragemodel.TrashKind, key containers.Key) lighteragemodel.Trash {
	return lighteragemodel.Trash{
		Kind: &kind, AccountId: new(string(key.Registry.Account)), Region: new(string(key.Registry.Region)), ServiceName: new(string(key.Name)),
	}
}

// undelete brings back what the input names: an image by a tag or digest of a
// repository, a repository, a registered image or a container service. It is of
// the server's own account, and the region of the call, unless others are named.
func (f *front) undelete(ctx context.Context, c *awsjson.Call, in *lighteragemodel.UndeleteRequest) (*lighteragemodel.UndeleteResponse, error) {
	at := name.RegistryID{Account: f.Account, Region: c.Registry.Region}
	if in.AccountId != nil {
		at.Account = name.AccountID(*in.AccountId)
	}
	if in.Region != nil {
		at.Region = name.Region(*in.Region)
	}
	image := in.ImageTag != nil || in.ImageDigest != nil
	var row lighteragemodel.Trash
	var err error
	switch {
	case in.ImageTag != nil && in.ImageDigest != nil, (in.RepositoryName == nil) == (in.ServiceName == nil),
		in.RepositoryName == nil && (image || in.NewRepositoryName != nil), in.ServiceName == nil && in.ContainerImage != nil, image && in.NewRepositoryName != nil:
		return nil, &fault.Error{Reason: fault.InputRefused,
			Detail: "Name a repositoryName with an imageTag, an imageDigest, a newRepositoryName or none of them; or a serviceName with or without a containerImage."}
	case image:
		return f.undeleteImage(ctx, c, at, in)
	case in.RepositoryName != nil:
		row, err = f.undeleteRepository(ctx, at, in)
	default:
		row, err = f.undeleteService(ctx, at, in)
	}
	if err != nil {
		return nil, err
	}
	return &lighteragemodel.UndeleteResponse{Restored: []lighteragemodel.Trash{row}}, nil
}

func (f *front) undeleteImage(ctx context.Context, c *awsjson.Call, at name.RegistryID, in *lighteragemodel.UndeleteRequest) (*lighteragemodel.UndeleteResponse, error) {
	key := registry.RepositoryKey{Registry: at, Space: registry.ECR}
	var err error
	if key.Name, err = name.ParseRepositoryName(*in.RepositoryName); err != nil { // there is none of that name
		return nil, &fault.Error{Reason: fault.RepositoryNotFound, Repository: *in.RepositoryName, Account: string(at.Account)}
	}
	var ref registry.Reference
	if in.ImageTag != nil {
		if ref.Tag, err = name.ParseTag(*in.ImageTag); err != nil {
			return nil, &fault.Error{Reason: fault.InputRefused, Detail: "The imageTag is not one that an image can have."}
		}
	} else if ref.Digest, err = digest.Parse(*in.ImageDigest); err != nil {
		return nil, &fault.Error{Reason: fault.InputRefused, Detail: "The imageDigest is not a digest, such as sha256: and 64 hexadecimal digits."}
	}
	back, err := f.Catalogue.UndeleteImage(ctx, c.Caller.ARN, key, ref, in.WithoutTags != nil && *in.WithoutTags)
	if err != nil {
		return nil, err
	}
	out := &lighteragemodel.UndeleteResponse{Restored: []lighteragemodel.Trash{}}
	for _, x := range back {
		out.Restored = append(out.Restored, imageRow(x))
	}
	return out, nil
}

func (f *front) undeleteRepository(ctx context.Context, at name.RegistryID, in *lighteragemodel.UndeleteRequest) (lighteragemodel.Trash, error) {
	key := registry.RepositoryKey{Registry: at, Space: registry.ECR}
	var as name.RepositoryName
	var err error
	if key.Name, err = name.ParseRepositoryName(*in.RepositoryName); err != nil {
		return lighteragemodel.Trash{}, &fault.Error{Reason: fault.NotInTrash, Repository: *in.RepositoryName, Account: string(at.Account)}
	}
	if in.NewRepositoryName != nil {
		if as, err = name.ParseRepositoryName(*in.NewRepositoryName); err != nil {
			return lighteragemodel.Trash{}, &fault.Error{Reason: fault.InputRefused, Detail: "The newRepositoryName is not one that a repository can have."}
		}
	}
	r, err := f.Catalogue.UndeleteRepository(ctx, key, as)
	return inRepository(lighteragemodel.TrashKindRepository, r.Key), err
}

func (f *front) undeleteService(ctx context.Context, at name.RegistryID, in *lighteragemodel.UndeleteRequest) (lighteragemodel.Trash, error) {
	key := containers.Key{Registry: at, Name: name.ServiceName(*in.ServiceName)}
	if in.ContainerImage == nil {
		return ofService(lighteragemodel.TrashKindContainerService, key), f.Services.UndeleteService(ctx, key)
	}
	row := ofService(lighteragemodel.TrashKindContainerImage, key)
	row.ContainerImage = in.ContainerImage
	return row, f.Services.UndeleteRegisteredImage(ctx, key, *in.ContainerImage)
}

// emptyTrash empties the trash of all accounts, of all that was deleted before
// the given time, or of all.
func (f *front) emptyTrash(ctx context.Context, _ *awsjson.Call, in *lighteragemodel.EmptyTrashRequest) (*lighteragemodel.EmptyTrashResponse, error) {
	var before time.Time
	if in.DeletedBefore != nil {
		before = *in.DeletedBefore
	}
	registered, services, err := f.Services.EmptyTrash(ctx, before)
	if err != nil {
		return nil, err
	}
	images, repositories, err := f.Catalogue.EmptyTrash(ctx, before)
	if err != nil {
		return nil, err
	}
	return &lighteragemodel.EmptyTrashResponse{
		ImageCount: new(int32(images)), RepositoryCount: new(int32(repositories)),
		ContainerImageCount: new(int32(registered)), ContainerServiceCount: new(int32(services)),
	}, nil
}

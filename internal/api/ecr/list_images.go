package ecr

import (
	"context"
	"strconv"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/api/awsplan"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// listImages lists an id for each tag, with its digest, then one with the
// digest alone for each image that has none.
func (f *front) listImages(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.ListImagesRequest) (*ecrmodel.ListImagesResponse, error) {
	asks := value(in.Filter)
	list := ofRepository("ListImages", key, string(value(asks.TagStatus)), string(value(asks.ImageStatus)))
	position, err := list.Position(in.NextToken)
	if err != nil {
		return nil, err
	}
	at, err := cursorIn(position)
	if err != nil {
		return nil, err
	}
	out := &ecrmodel.ListImagesResponse{ImageIds: []ecrmodel.ImageIdentifier{}}
	filter, some := filterIn(value(asks.TagStatus), value(asks.ImageStatus))
	if !some {
		_, err := f.Catalogue.Repository(ctx, key)
		return out, err
	}
	listed, next, err := f.Catalogue.ListImages(ctx, key, filter, at, pageSize(in.MaxResults, pageDefault))
	if err != nil {
		return nil, err
	}
	for _, l := range listed {
		out.ImageIds = append(out.ImageIds, *idOut(string(l.Tag), string(l.Digest)))
	}
	if next != nil {
		out.NextToken = list.Token(cursorOut(*next))
	}
	return out, nil
}

// A cursor in a token is a tag after "t", or an image's number after "i" when
// the tags are done.
const cursorTag, cursorImage = "t", "i"

func cursorOut(c registry.ListCursor) string {
	if c.Untagged {
		return cursorImage + strconv.FormatInt(int64(c.Image), 10)
	}
	return cursorTag + string(c.Tag)
}

func cursorIn(position string) (registry.ListCursor, error) {
	if position == "" {
		return registry.ListCursor{}, nil
	}
	switch kind, rest := position[:1], position[1:]; kind {
	case cursorTag:
		if t, err := name.ParseTag(rest); err == nil {
			return registry.ListCursor{Tag: t}, nil
		}
	case cursorImage:
		if id, err := awsplan.ParseNumber(rest); err == nil {
			return registry.ListCursor{Untagged: true, Image: registry.ImageID(id)}, nil
		}
	}
	return registry.ListCursor{}, badToken()
}

package iam

import (
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/directory"
)

// tagsIn and tagsOut are tags from and to the wire.
func tagsIn(tags []iammodel.Tag) []directory.ResourceTag {
	in := make([]directory.ResourceTag, len(tags))
	for i, tag := range tags {
		in[i] = directory.ResourceTag{Key: *tag.Key, Value: *tag.Value}
	}
	return in
}

func tagsOut(tags []directory.ResourceTag) []iammodel.Tag {
	out := make([]iammodel.Tag, len(tags))
	for i, tag := range tags {
		out[i] = iammodel.Tag{Key: new(tag.Key), Value: new(tag.Value)}
	}
	return out
}

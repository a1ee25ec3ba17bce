package directory

import (
	"strings"
	"unicode/utf8"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// The rules of resource tags (IAM User Guide, tagging IAM resources): keys are
// unique without regard to case, and keep the case they were given in; what
// begins with aws: is AWS's.
const (
	maxTagKey   = 128
	maxTagValue = 256
)

// checkResourceTags checks tags that are given together. InputRefused,
// ParameterInvalid.
func checkResourceTags(tags []ResourceTag) error {
	seen := map[string]bool{}
	for _, tag := range tags {
		key := name.FoldKey(tag.Key)
		switch {
		case tag.Key == "" || utf8.RuneCountInString(tag.Key) > maxTagKey || utf8.RuneCountInString(tag.Value) > maxTagValue:
			return &fault.Error{Reason: fault.ParameterInvalid, Member: "tags", Value: tag.Key,
				Detail: "A tag key must have 1 to 128 characters and a tag value at most 256."}
		case strings.HasPrefix(strings.ToLower(tag.Key), "aws:"):
			return refused("Tag keys that start with aws: are reserved for AWS use.")
		case seen[key]:
			return refused("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[key] = true
	}
	return nil
}

// putResourceTags adds tags to an entity or overwrites them, of which a key in
// another case is one. InputRefused, LimitExceeded.
func (d *Directory) putResourceTags(tx meta.Tx, r meta.Resource, tags []ResourceTag) error {
	if len(tags) == 0 {
		return nil
	}
	if err := checkResourceTags(tags); err != nil {
		return err
	}
	have, err := tx.ResourceTags(r)
	if err != nil {
		return err
	}
	keys := make([]string, len(tags))
	for i, tag := range tags {
		keys[i] = tag.Key
	}
	replaced := matching(have, keys)
	if int64(len(have)-len(replaced)+len(tags)) > d.Limits.ResourceTags {
		return quotaFault("TagsPerResource", d.Limits.ResourceTags)
	}
	if err := tx.DeleteResourceTags(r, replaced); err != nil {
		return err
	}
	return tx.PutResourceTags(r, tags)
}

// deleteResourceTags takes tags off an entity; absent ones are no error.
func deleteResourceTags(tx meta.Tx, r meta.Resource, keys []string) error {
	have, err := tx.ResourceTags(r)
	if err != nil {
		return err
	}
	return tx.DeleteResourceTags(r, matching(have, keys))
}

// matching returns those keys of have, as they are stored, that are among keys
// in whatever case.
func matching(have []ResourceTag, keys []string) []string {
	named := make(map[string]bool, len(keys))
	for _, k := range keys {
		named[name.FoldKey(k)] = true
	}
	var found []string
	for _, tag := range have {
		if named[name.FoldKey(tag.Key)] {
			found = append(found, tag.Key)
		}
	}
	return found
}

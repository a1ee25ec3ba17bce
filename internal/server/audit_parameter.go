package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"unicode"
)

// told are the members of inputs and outputs that the trail tells, at any
// depth. What is not here is left out: a member is a secret until somebody
// thought about it.
var told = words(`
	RegistryId RepositoryName RepositoryNames ResourceArn ResourceName
	ImageTag ImageDigest ImageIds ImageId Image ImageManifestMediaType LayerDigest LayerDigests UploadId
	TargetStorageClass ImageStatus
	ImageTagMutability ImageScanningConfiguration ScanOnPush EncryptionConfiguration EncryptionType KmsKey Force
	Name Scope TagKeys Tags Key
	ServiceName Power Scale Label Digest IsDisabled
	DryRun Region Complete ImageCount SelectedCount ExpiredCount ArchivedCount EvaluatedAt
	AccountId AccountName AccountAlias Principal PrincipalArn PolicySourceArn Action ActionNames Resource ResourceArns
	UserName NewUserName GroupName NewGroupName RoleName RoleArn RoleSessionName SourceIdentity DurationSeconds
	PolicyArn PolicyArns Arn PolicyName VersionId SetAsDefault Path NewPath PathPrefix PermissionsBoundary
	MaxSessionDuration AccessKeyId Status OpenIDConnectProviderArn Url ClientID ClientIDList
	AccessKey Credentials User Role Group Policy PolicyId UserId RoleId GroupId Repository RepositoryArn AssumedRoleUser
	AssumedRoleId Account Id RegisterContainerImage ContainerImage ContainerService`)

// digested are texts that the trail tells the SHA-256 of. A Policy may also be
// a structure, of which it tells what is told.
var digested = words("Policy PolicyText LifecyclePolicyText PolicyDocument AssumeRolePolicyDocument ImageManifest")

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// Bounds of what is told of one call.
const (
	toldText  = 512 // bytes of a text
	toldDepth = 4
)

// telling is how much is told of a call.
type telling struct{ text, items int } // bytes of a text, items of a list

var (
	whole = telling{toldText, 100}
	brief = telling{256, 5} // of one that failed
)

// chosen is what is told of an operation's input or output, a pointer to its
// struct; nil if there is nothing.
func chosen(v any, t telling) json.RawMessage {
	if v == nil {
		return nil
	}
	found, ok := t.choose(reflect.ValueOf(v), toldDepth)
	if !ok {
		return nil
	}
	text, err := json.Marshal(found)
	if err != nil {
		return nil
	}
	return text
}

// choose returns what is told of a value. A map is left out: its keys are the
// client's.
func (t telling) choose(v reflect.Value, depth int) (any, bool) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil, false
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.String:
		return cut(v.String(), t.text), true
	case reflect.Bool:
		return v.Bool(), true
	case reflect.Int32, reflect.Int64:
		return v.Int(), true
	case reflect.Slice:
		var items []any
		for i := range min(v.Len(), t.items) {
			if item, ok := t.choose(v.Index(i), depth); ok {
				items = append(items, item)
			}
		}
		return items, len(items) > 0
	case reflect.Struct:
		members, ok := t.chooseMembers(v, depth)
		return members, ok
	}
	return nil, false
}

func (t telling) chooseMembers(v reflect.Value, depth int) (map[string]any, bool) {
	members := map[string]any{}
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch field := v.Field(i); {
		case depth == 0:
		case digested[name] && field.Kind() == reflect.Pointer && field.Type().Elem().Kind() == reflect.String:
			if !field.IsNil() {
				sum := sha256.Sum256([]byte(field.Elem().String()))
				members[lower(name)+"Sha256"] = hex.EncodeToString(sum[:])
			}
		case told[name]:
			if value, ok := t.choose(field, depth-1); ok {
				members[lower(name)] = value
			}
		}
	}
	return members, len(members) > 0
}

// lower is a member's name as CloudTrail has it.
func lower(name string) string {
	r := []rune(name)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}

func short(s string) string { return cut(s, toldText) }

func cut(s string, length int) string {
	if len(s) > length {
		return strings.ToValidUTF8(s[:length], "")
	}
	return s
}

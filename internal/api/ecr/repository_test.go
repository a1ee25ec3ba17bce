package ecr_test

import (
	"fmt"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// described is a repository with the defaults.
func (w *world) described(repository string) types.Repository {
	return types.Repository{
		RepositoryArn: new(arnOf(repository)), RegistryId: new(account), RepositoryName: &repository,
		RepositoryUri: new(w.host + "/" + repository), CreatedAt: new(instant),
		ImageTagMutability:         types.ImageTagMutabilityMutable,
		ImageScanningConfiguration: &types.ImageScanningConfiguration{},
		EncryptionConfiguration:    &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeAes256},
	}
}

func filters(patterns ...string) []types.ImageTagMutabilityExclusionFilter {
	var out []types.ImageTagMutabilityExclusionFilter
	for _, p := range patterns {
		out = append(out, types.ImageTagMutabilityExclusionFilter{FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard, Filter: &p})
	}
	return out
}

func TestCreateRepository(t *testing.T) {
	w := newWorld(t)
	const id = "11111111-2222-3333-4444-000000000000"
	w.config.Keys[id] = "enabled"
	encrypted := func(kind types.EncryptionType, key *string) func(*sdk.CreateRepositoryInput, *types.Repository) {
		return func(in *sdk.CreateRepositoryInput, _ *types.Repository) {
			in.EncryptionConfiguration = &types.EncryptionConfiguration{EncryptionType: kind, KmsKey: key}
		}
	}
	shows := func(set func(*sdk.CreateRepositoryInput, *types.Repository), kind types.EncryptionType, key string) func(*sdk.CreateRepositoryInput, *types.Repository) {
		return func(in *sdk.CreateRepositoryInput, want *types.Repository) {
			set(in, want)
			want.EncryptionConfiguration = &types.EncryptionConfiguration{EncryptionType: kind, KmsKey: &key}
		}
	}
	tests := []struct {
		name string
		set  func(*sdk.CreateRepositoryInput, *types.Repository)
	}{
		{"with the defaults", func(*sdk.CreateRepositoryInput, *types.Repository) {}},
		{"with the registry named", func(in *sdk.CreateRepositoryInput, _ *types.Repository) { in.RegistryId = new(account) }},
		{"with a mode and filters", func(in *sdk.CreateRepositoryInput, want *types.Repository) {
			in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters = types.ImageTagMutabilityImmutableWithExclusion, filters("dev-*", "*latest*")
			want.ImageTagMutability, want.ImageTagMutabilityExclusionFilters = in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters
		}},
		{"with scanning on push", func(in *sdk.CreateRepositoryInput, want *types.Repository) {
			in.ImageScanningConfiguration = &types.ImageScanningConfiguration{ScanOnPush: true}
			want.ImageScanningConfiguration = in.ImageScanningConfiguration
		}},
		{"with AES256 said", encrypted(types.EncryptionTypeAes256, nil)},
		{"with KMS and no key", shows(encrypted(types.EncryptionTypeKms, nil), types.EncryptionTypeKms, "arn:aws:kms:us-east-1:123456789012:alias/aws/ecr")},
		{"with KMS_DSSE and no key", shows(encrypted(types.EncryptionTypeKmsDsse, nil), types.EncryptionTypeKmsDsse, "arn:aws:kms:us-east-1:123456789012:alias/aws/ecr")},
		{"with the default key named", shows(encrypted(types.EncryptionTypeKms, new("alias/aws/ecr")), types.EncryptionTypeKms, "arn:aws:kms:us-east-1:123456789012:alias/aws/ecr")},
		{"with an alias", shows(encrypted(types.EncryptionTypeKms, new("alias/on")), types.EncryptionTypeKms, "arn:aws:kms:us-east-1:123456789012:alias/on")},
		{"with a key id", shows(encrypted(types.EncryptionTypeKms, new(id)), types.EncryptionTypeKms, "arn:aws:kms:us-east-1:123456789012:key/"+id)},
		{"with the id of a key configured by its ARN", shows(encrypted(types.EncryptionTypeKms, new("99999999-8888-7777-6666-555555555555")), types.EncryptionTypeKms,
			"arn:aws:kms:us-east-1:123456789012:key/99999999-8888-7777-6666-555555555555")},
		{"with an ARN", shows(encrypted(types.EncryptionTypeKms, new("arn:aws:kms:eu-west-1:"+foreign+":alias/on")), types.EncryptionTypeKms, "arn:aws:kms:eu-west-1:"+foreign+":alias/on")},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			repository := fmt.Sprintf("create/a-%d", i)
			in, want := &sdk.CreateRepositoryInput{RepositoryName: &repository}, w.described(repository)
			tt.set(in, &want)
			created := must2[*sdk.CreateRepositoryOutput](t)(w.CreateRepository(w.ctx, in))
			same(t, created.Repository, &want)
			found := must2[*sdk.DescribeRepositoriesOutput](t)(w.DescribeRepositories(w.ctx, &sdk.DescribeRepositoriesInput{RepositoryNames: []string{repository}}))
			same(t, found.Repositories, []types.Repository{want})
		})
	}
}

func TestEachRegionIsARegistryOfItsOwn(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	there := w.in("eu-west-1")
	_, err := there.DescribeImages(w.ctx, &sdk.DescribeImagesInput{RepositoryName: &repository})
	wantRefusal(t, err, refusal{"RepositoryNotFoundException", "The repository with name '" + repository + "' does not exist in the registry with id '123456789012'"})
	created := must2[*sdk.CreateRepositoryOutput](t)(there.CreateRepository(w.ctx, &sdk.CreateRepositoryInput{RepositoryName: &repository}))
	if want := "arn:aws:ecr:eu-west-1:123456789012:repository/" + repository; *created.Repository.RepositoryArn != want {
		t.Errorf("the ARN is %s, want %s", *created.Repository.RepositoryArn, want)
	}
}

// creating returns a refusal of a repository with these settings.
func creating(repository string, set func(*sdk.CreateRepositoryInput)) func(*world) error {
	return func(w *world) error {
		in := &sdk.CreateRepositoryInput{RepositoryName: &repository}
		set(in)
		_, err := w.CreateRepository(w.ctx, in)
		return err
	}
}

func withKey(key string) func(*sdk.CreateRepositoryInput) {
	return func(in *sdk.CreateRepositoryInput) {
		in.EncryptionConfiguration = &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeKms, KmsKey: &key}
	}
}

func resourceTags(n int) []types.Tag {
	var out []types.Tag
	for i := range n {
		out = append(out, types.Tag{Key: new(fmt.Sprintf("key-%d", i)), Value: new("")})
	}
	return out
}

const (
	keyOff        = "The KMS key 'arn:aws:kms:us-east-1:123456789012:alias/off' cannot be used: DisabledException"
	keyNowOff     = "The KMS key 'arn:aws:kms:us-east-1:123456789012:alias/on' cannot be used: DisabledException"
	keyUnknown    = "The KMS key 'arn:aws:kms:us-east-1:123456789012:alias/none' cannot be used: NotFoundException"
	keyPending    = "The KMS key 'arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555' cannot be used: KMSInvalidStateException"
	tooManyTags   = "The list of tags on the repository is over the limit. The maximum number of tags that can be applied to a repository is 50."
	tagsInvalid   = "Tag parameters are invalid"
	filtersAbsent = "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as IMMUTABLE_WITH_EXCLUSION'"
)

var createRepositoryRefusals = []refused{
	{name: "a name that is taken", code: "RepositoryAlreadyExistsException",
		text: "The repository with name 'taken' already exists in the registry with id '123456789012'",
		act: func(w *world) error {
			_ = creating("taken", func(*sdk.CreateRepositoryInput) {})(w)
			return creating("taken", func(*sdk.CreateRepositoryInput) {})(w)
		}},
	{name: "a name too short", code: "InvalidParameterException",
		text: "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must have length greater than or equal to 2'",
		act:  creating("a", func(*sdk.CreateRepositoryInput) {})},
	{name: "a name too long", code: "InvalidParameterException",
		text: "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must have length less than or equal to 256'",
		act:  creating(strings.Repeat("a", 257), func(*sdk.CreateRepositoryInput) {})},
	{name: "an unknown mode", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: [IMMUTABLE, MUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION]'",
		act:  creating("mode", func(in *sdk.CreateRepositoryInput) { in.ImageTagMutability = "FROZEN" })},
	{name: "a mode without its filters", code: "InvalidParameterException", text: filtersAbsent,
		act: creating("filters", func(in *sdk.CreateRepositoryInput) {
			in.ImageTagMutability = types.ImageTagMutabilityImmutableWithExclusion
		})},
	{name: "a key beside AES256", code: "InvalidParameterException",
		text: "Invalid parameter at 'encryptionConfiguration.kmsKey' failed to satisfy constraint: 'must be null when encryptionType is AES256'",
		act: creating("keys", func(in *sdk.CreateRepositoryInput) {
			in.EncryptionConfiguration = &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeAes256, KmsKey: new("alias/on")}
		})},
	{name: "a key that is disabled", code: "KmsException", text: keyOff, act: creating("keys", withKey("alias/off"))},
	{name: "a key that goes", code: "KmsException", text: keyPending, act: creating("keys", withKey("11111111-2222-3333-4444-555555555555"))},
	{name: "a key that nobody knows", code: "KmsException", text: keyUnknown, act: creating("keys", withKey("alias/none"))},
	{name: "a key whose name only ends like the default one's", code: "KmsException",
		text: "The KMS key 'arn:aws:kms:us-east-1:123456789012:key/my-alias/aws/ecr' cannot be used: NotFoundException",
		act:  creating("keys", withKey("my-alias/aws/ecr"))},
	{name: "a tag without a key", code: "InvalidTagParameterException", text: tagsInvalid,
		act: creating("tags", func(in *sdk.CreateRepositoryInput) { in.Tags = []types.Tag{{Key: new(""), Value: new("v")}} })},
	{name: "a tag of AWS's own", code: "InvalidTagParameterException", text: tagsInvalid,
		act: creating("tags", func(in *sdk.CreateRepositoryInput) {
			in.Tags = []types.Tag{{Key: new("aws:cost"), Value: new("v")}}
		})},
	{name: "51 tags", code: "TooManyTagsException", text: tooManyTags,
		act: creating("tags", func(in *sdk.CreateRepositoryInput) { in.Tags = resourceTags(51) })},
	{name: "one repository more than the quota", code: "LimitExceededException", text: "The quota of 1 repositories per registry has been reached",
		with: func(w *world) { w.config.Limits.Repositories = 1 },
		act: func(w *world) error {
			w.repository()
			return creating("one-more", func(*sdk.CreateRepositoryInput) {})(w)
		}},
}

func TestKmsExceptionTellsTheKeysError(t *testing.T) {
	w := newWorld(t)
	wantKMSError(t, creating("keys", withKey("alias/off"))(w), "DisabledException")
	wantKMSError(t, creating("keys", withKey("alias/none"))(w), "NotFoundException")
}

func TestDescribeRepositoriesInPages(t *testing.T) {
	w := newWorld(t)
	var want []types.Repository
	for range 5 {
		want = append(want, w.described(w.repository()))
	}
	for _, size := range []int32{1, 2, 5, 1000} {
		var got []types.Repository
		pages := sdk.NewDescribeRepositoriesPaginator(w, &sdk.DescribeRepositoriesInput{MaxResults: &size})
		for n := 0; pages.HasMorePages(); n++ {
			if n == 5 {
				t.Fatal("a sixth page of five repositories")
			}
			got = append(got, must2[*sdk.DescribeRepositoriesOutput](t)(pages.NextPage(w.ctx)).Repositories...)
		}
		same(t, got, want)
	}
}

func TestDescribeRepositoriesHasPagesOfAHundred(t *testing.T) {
	w := newWorld(t)
	for range 101 {
		w.repository()
	}
	first := must2[*sdk.DescribeRepositoriesOutput](t)(w.DescribeRepositories(w.ctx, nil))
	if len(first.Repositories) != 100 || first.NextToken == nil {
		t.Fatalf("%d repositories on the first page, token %v", len(first.Repositories), first.NextToken)
	}
	last := must2[*sdk.DescribeRepositoriesOutput](t)(w.DescribeRepositories(w.ctx, &sdk.DescribeRepositoriesInput{NextToken: first.NextToken}))
	if len(last.Repositories) != 1 || last.NextToken != nil {
		t.Fatalf("%d repositories on the last page, token %v", len(last.Repositories), last.NextToken)
	}
}

func TestDescribeRepositoriesByName(t *testing.T) {
	w := newWorld(t)
	a, b := w.repository(), w.repository()
	got := must2[*sdk.DescribeRepositoriesOutput](t)(w.DescribeRepositories(w.ctx, &sdk.DescribeRepositoriesInput{RepositoryNames: []string{b, a, b}}))
	same(t, got.Repositories, []types.Repository{w.described(b), w.described(a)})
}

const badToken = "Invalid parameter at 'nextToken' failed to satisfy constraint: 'must be the nextToken of an answer to the same request'"

func describing(in *sdk.DescribeRepositoriesInput) func(*world) error {
	return func(w *world) error {
		_, err := w.DescribeRepositories(w.ctx, in)
		return err
	}
}

var describeRepositoriesRefusals = []refused{
	{name: "one of several names is unknown", code: "RepositoryNotFoundException",
		text: "The repository with name 'absent' does not exist in the registry with id '123456789012'",
		act: func(w *world) error {
			return describing(&sdk.DescribeRepositoriesInput{RepositoryNames: []string{w.repository(), "absent", "unknown"}})(w)
		}},
	{name: "names with a token", code: "InvalidParameterException",
		text: "Invalid parameter at 'nextToken' failed to satisfy constraint: 'must be null when repositoryNames is given'",
		act:  describing(&sdk.DescribeRepositoriesInput{RepositoryNames: []string{"team/app"}, NextToken: new("x")})},
	{name: "names with a size", code: "InvalidParameterException",
		text: "Invalid parameter at 'maxResults' failed to satisfy constraint: 'must be null when repositoryNames is given'",
		act:  describing(&sdk.DescribeRepositoriesInput{RepositoryNames: []string{"team/app"}, MaxResults: new(int32(5))})},
	{name: "a page too large", code: "InvalidParameterException",
		text: "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 1000'",
		act:  describing(&sdk.DescribeRepositoriesInput{MaxResults: new(int32(1001))})},
	{name: "an empty page", code: "InvalidParameterException",
		text: "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value greater than or equal to 1'",
		act:  describing(&sdk.DescribeRepositoriesInput{MaxResults: new(int32(0))})},
	{name: "a token that is none", code: "InvalidParameterException", text: badToken, act: describing(&sdk.DescribeRepositoriesInput{NextToken: new("x")})},
	{name: "an empty token", code: "InvalidParameterException", text: badToken, act: describing(&sdk.DescribeRepositoriesInput{NextToken: new("")})},
	{name: "101 names", code: "InvalidParameterException",
		text: "Invalid parameter at 'repositoryNames' failed to satisfy constraint: 'Member must have length less than or equal to 100'",
		act:  describing(&sdk.DescribeRepositoriesInput{RepositoryNames: strings.Split(strings.Repeat("team/app ", 101)[:101*9-1], " ")})},
}

func TestDeleteRepository(t *testing.T) {
	w := newWorld(t)
	empty, full := w.repository(), w.repository()
	w.push(full, "one", "v1")
	for repository, force := range map[string]bool{empty: false, full: true} {
		got := must2[*sdk.DeleteRepositoryOutput](t)(w.DeleteRepository(w.ctx, &sdk.DeleteRepositoryInput{RepositoryName: &repository, Force: force}))
		want := w.described(repository)
		same(t, got.Repository, &want)
		_, err := w.DescribeImages(w.ctx, &sdk.DescribeImagesInput{RepositoryName: &repository})
		wantRefusal(t, err, refusal{"RepositoryNotFoundException", "The repository with name '" + repository + "' does not exist in the registry with id '123456789012'"})
	}
}

var deleteRepositoryRefusals = []refused{
	{name: "one with images", code: "RepositoryNotEmptyException",
		text: "The repository with name 'full' in registry with id '123456789012' cannot be deleted because it still contains images",
		act: func(w *world) error {
			w.must(creating("full", func(*sdk.CreateRepositoryInput) {})(w))
			w.push("full", "one")
			_, err := w.DeleteRepository(w.ctx, &sdk.DeleteRepositoryInput{RepositoryName: new("full")})
			return err
		}},
}

func TestPutImageTagMutability(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	for _, tt := range []struct {
		mode    types.ImageTagMutability
		filters []types.ImageTagMutabilityExclusionFilter
	}{
		{types.ImageTagMutabilityImmutable, nil},
		{types.ImageTagMutabilityImmutableWithExclusion, filters("dev*", "*-*")},
		{types.ImageTagMutabilityMutableWithExclusion, filters("v*")},
		{types.ImageTagMutabilityMutable, nil},
	} {
		got := must2[*sdk.PutImageTagMutabilityOutput](t)(w.PutImageTagMutability(w.ctx, &sdk.PutImageTagMutabilityInput{
			RepositoryName: &repository, ImageTagMutability: tt.mode, ImageTagMutabilityExclusionFilters: tt.filters,
		}))
		same(t, got, &sdk.PutImageTagMutabilityOutput{
			RegistryId: new(account), RepositoryName: &repository, ImageTagMutability: tt.mode, ImageTagMutabilityExclusionFilters: tt.filters,
		})
		want := w.described(repository)
		want.ImageTagMutability, want.ImageTagMutabilityExclusionFilters = tt.mode, tt.filters
		found := must2[*sdk.DescribeRepositoriesOutput](t)(w.DescribeRepositories(w.ctx, &sdk.DescribeRepositoriesInput{}))
		same(t, found.Repositories, []types.Repository{want})
	}
}

func settingMode(mode types.ImageTagMutability, patterns ...string) func(*world) error {
	return func(w *world) error {
		_, err := w.PutImageTagMutability(w.ctx, &sdk.PutImageTagMutabilityInput{
			RepositoryName: new(w.repository()), ImageTagMutability: mode, ImageTagMutabilityExclusionFilters: filters(patterns...),
		})
		return err
	}
}

var putImageTagMutabilityRefusals = []refused{
	{name: "a mode without its filters", code: "InvalidParameterException", text: filtersAbsent,
		act: settingMode(types.ImageTagMutabilityImmutableWithExclusion)},
	{name: "filters without their mode", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'ImageTagMutabilityExclusionFilters can't be set when imageTagMutability is set as MUTABLE'",
		act:  settingMode(types.ImageTagMutabilityMutable, "v*")},
	{name: "a filter of three wildcards", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'ImageTagMutabilityExclusionFilter '*a*b*' can contain at most 2 wildcards (*)'",
		act:  settingMode(types.ImageTagMutabilityMutableWithExclusion, "*a*b*")},
	{name: "a filter that no tag can match", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageTagMutabilityExclusionFilters.1.member.filter' failed to satisfy constraint: 'Member must satisfy regular expression '^[0-9a-zA-Z._*-]{1,128}$''",
		act:  settingMode(types.ImageTagMutabilityMutableWithExclusion, "a/b")},
	{name: "six filters", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'Member must have length less than or equal to 5'",
		act:  settingMode(types.ImageTagMutabilityMutableWithExclusion, "a", "b", "c", "d", "e", "f")},
}

func TestPutImageScanningConfiguration(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	for _, on := range []bool{true, false} {
		setting := &types.ImageScanningConfiguration{ScanOnPush: on}
		got := must2[*sdk.PutImageScanningConfigurationOutput](t)(w.PutImageScanningConfiguration(w.ctx, &sdk.PutImageScanningConfigurationInput{
			RepositoryName: &repository, ImageScanningConfiguration: setting,
		}))
		same(t, got, &sdk.PutImageScanningConfigurationOutput{RegistryId: new(account), RepositoryName: &repository, ImageScanningConfiguration: setting})
		found := must2[*sdk.DescribeRepositoriesOutput](t)(w.DescribeRepositories(w.ctx, &sdk.DescribeRepositoriesInput{}))
		same(t, found.Repositories[0].ImageScanningConfiguration, setting)
	}
}

var putImageScanningConfigurationRefusals []refused // none of its own

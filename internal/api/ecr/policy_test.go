package ecr_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

const (
	pullForAll      = `{"Version":"2012-10-17","Statement":[{"Sid":"pull","Effect":"Allow","Principal":"*","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}]}`
	lockForAll      = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"ecr:*"}]}`
	createForOthers = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + foreign + `"},"Action":"ecr:CreateRepository","Resource":"*"}]}`
	readForOthers   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + foreign + `"},"Action":"ecr:Describe*","Resource":"*"}]}`
)

// setPolicy sets a repository's policy.
func (w *world) setPolicy(repository, document string) error {
	_, err := w.SetRepositoryPolicy(w.ctx, &sdk.SetRepositoryPolicyInput{RepositoryName: &repository, PolicyText: &document})
	return err
}

func TestRepositoryPolicies(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	set := must2[*sdk.SetRepositoryPolicyOutput](t)(w.SetRepositoryPolicy(w.ctx, &sdk.SetRepositoryPolicyInput{RepositoryName: &repository, PolicyText: new(lockForAll), Force: true}))
	if *set.RegistryId != account || *set.RepositoryName != repository || *set.PolicyText != lockForAll {
		t.Errorf("set: %s %s %s", *set.RegistryId, *set.RepositoryName, *set.PolicyText)
	}
	_, err := w.ListImages(w.ctx, &sdk.ListImagesInput{RepositoryName: &repository})
	wantRefusal(t, err, refusal{"AccessDeniedException", "User: arn:aws:iam::123456789012:root is not authorized to perform: ecr:ListImages on resource: " +
		arnOf(repository) + " with an explicit deny in a resource-based policy"})
	got := must2[*sdk.GetRepositoryPolicyOutput](t)(w.GetRepositoryPolicy(w.ctx, &sdk.GetRepositoryPolicyInput{RepositoryName: &repository}))
	if *got.RegistryId != account || *got.RepositoryName != repository || *got.PolicyText != lockForAll {
		t.Errorf("got: %s %s %s", *got.RegistryId, *got.RepositoryName, *got.PolicyText)
	}
	gone := must2[*sdk.DeleteRepositoryPolicyOutput](t)(w.DeleteRepositoryPolicy(w.ctx, &sdk.DeleteRepositoryPolicyInput{RepositoryName: &repository}))
	if *gone.RegistryId != account || *gone.RepositoryName != repository || *gone.PolicyText != lockForAll {
		t.Errorf("deleted: %s %s %s", *gone.RegistryId, *gone.RepositoryName, *gone.PolicyText)
	}
	_, err = w.ListImages(w.ctx, &sdk.ListImagesInput{RepositoryName: &repository})
	w.must(err)
}

func TestAPolicyGoesWithItsRepository(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		_, err := w.CreateRepository(w.ctx, &sdk.CreateRepositoryInput{RepositoryName: new("again")})
		w.must(err)
		_, err = w.GetRepositoryPolicy(w.ctx, &sdk.GetRepositoryPolicyInput{RepositoryName: new("again")})
		wantRefusal(t, err, refusal{"RepositoryPolicyNotFoundException", "Repository policy does not exist for the repository with name 'again' in the registry with id '123456789012'"})
		w.must(w.setPolicy("again", pullForAll))
		_, err = w.DeleteRepository(w.ctx, &sdk.DeleteRepositoryInput{RepositoryName: new("again")})
		w.must(err)
	}
}

func TestAnotherAccountReachesWhatARepositoryPolicyGivesIt(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	manifest := w.push(repository, "one", "v1")
	get := &sdk.BatchGetImageInput{RegistryId: new(account), RepositoryName: &repository, ImageIds: []types.ImageIdentifier{byTag("v1")}}
	denied := refusal{"AccessDeniedException", "User: arn:aws:iam::210987654321:root is not authorized to perform: ecr:BatchGetImage on resource: " +
		arnOf(repository) + " because no resource-based policy allows the ecr:BatchGetImage action"}
	_, err := w.stranger().BatchGetImage(w.ctx, get)
	wantRefusal(t, err, denied)
	w.must(w.setPolicy(repository, pullForAll))
	got := must2[*sdk.BatchGetImageOutput](t)(w.stranger().BatchGetImage(w.ctx, get))
	if len(got.Images) != 1 || *got.Images[0].ImageManifest != manifest || *got.Images[0].RegistryId != account {
		t.Errorf("%d images", len(got.Images))
	}
	_, err = w.DeleteRepositoryPolicy(w.ctx, &sdk.DeleteRepositoryPolicyInput{RepositoryName: &repository})
	w.must(err)
	_, err = w.stranger().BatchGetImage(w.ctx, get)
	wantRefusal(t, err, denied)
}

func TestRegistryPolicies(t *testing.T) {
	w := newWorld(t)
	create := func() error {
		_, err := w.stranger().CreateRepository(w.ctx, &sdk.CreateRepositoryInput{RegistryId: new(account), RepositoryName: new("theirs")})
		return err
	}
	describe := func() error {
		_, err := w.stranger().DescribeRepositories(w.ctx, &sdk.DescribeRepositoriesInput{RegistryId: new(account)})
		return err
	}
	if create() == nil || describe() == nil {
		t.Fatal("another account may do something that nothing allows")
	}
	put := must2[*sdk.PutRegistryPolicyOutput](t)(w.PutRegistryPolicy(w.ctx, &sdk.PutRegistryPolicyInput{PolicyText: new(createForOthers)}))
	if *put.RegistryId != account || *put.PolicyText != createForOthers {
		t.Errorf("put: %s %s", *put.RegistryId, *put.PolicyText)
	}
	w.must(create())
	w.described("theirs")
	_, err := w.PutRegistryPolicy(w.ctx, &sdk.PutRegistryPolicyInput{PolicyText: new(readForOthers)})
	w.must(err)
	w.must(describe())
	got := must2[*sdk.GetRegistryPolicyOutput](t)(w.GetRegistryPolicy(w.ctx, &sdk.GetRegistryPolicyInput{}))
	if *got.RegistryId != account || *got.PolicyText != readForOthers {
		t.Errorf("got: %s %s", *got.RegistryId, *got.PolicyText)
	}
	_, err = w.PutAccountSetting(w.ctx, &sdk.PutAccountSettingInput{Name: new("REGISTRY_POLICY_SCOPE"), Value: new("V1")})
	w.must(err)
	if describe() == nil {
		t.Error("a registry policy of the scope V1 is asked about more than its actions")
	}
	gone := must2[*sdk.DeleteRegistryPolicyOutput](t)(w.DeleteRegistryPolicy(w.ctx, &sdk.DeleteRegistryPolicyInput{}))
	if *gone.RegistryId != account || *gone.PolicyText != readForOthers {
		t.Errorf("deleted: %s %s", *gone.RegistryId, *gone.PolicyText)
	}
}

func TestAccountSettings(t *testing.T) {
	w := newWorld(t)
	for setting, values := range map[string][]string{
		"BASIC_SCAN_TYPE_VERSION": {"AWS_NATIVE", "CLAIR"},
		"REGISTRY_POLICY_SCOPE":   {"V2", "V1"},
		"BLOB_MOUNTING":           {"ENABLED", "DISABLED"},
	} {
		want := values[0]
		for _, value := range append(values[1:], values[0]) {
			got := must2[*sdk.GetAccountSettingOutput](t)(w.GetAccountSetting(w.ctx, &sdk.GetAccountSettingInput{Name: &setting}))
			if *got.Name != setting || *got.Value != want {
				t.Errorf("%s is %s, want %s", *got.Name, *got.Value, want)
			}
			put := must2[*sdk.PutAccountSettingOutput](t)(w.PutAccountSetting(w.ctx, &sdk.PutAccountSettingInput{Name: &setting, Value: &value}))
			if *put.Name != setting || *put.Value != value {
				t.Errorf("put %s %s", *put.Name, *put.Value)
			}
			want = value
		}
	}
}

// TestADeniedNameAmongSeveral: a policy about one repository holds wherever it
// stands in a list.
func TestADeniedNameAmongSeveral(t *testing.T) {
	w := newWorld(t)
	open, secret := w.repository(), w.repository()
	_, err := w.SetRepositoryPolicy(w.ctx, &sdk.SetRepositoryPolicyInput{RepositoryName: &secret, PolicyText: new(lockForAll), Force: true})
	w.must(err)
	for _, names := range [][]string{{secret}, {secret, open}, {open, secret}, {open, open, secret}} {
		_, err := w.DescribeRepositories(w.ctx, &sdk.DescribeRepositoriesInput{RepositoryNames: names})
		wantRefusal(t, err, refusal{"AccessDeniedException", "User: arn:aws:iam::123456789012:root is not authorized to perform: ecr:DescribeRepositories on resource: " +
			arnOf(secret) + " with an explicit deny in a resource-based policy"})
	}
}

func TestPoliciesCanAskForTheTagsOfARequest(t *testing.T) {
	w := newWorld(t)
	_, err := w.PutRegistryPolicy(w.ctx, &sdk.PutRegistryPolicyInput{PolicyText: new(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Deny","Principal":"*","Action":"ecr:TagResource","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/env":"prod"}}},
		{"Effect":"Deny","Principal":"*","Action":"ecr:UntagResource","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"aws:TagKeys":"keep"}}},
		{"Effect":"Deny","Principal":"*","Action":"ecr:CreateRepository","Resource":"*","Condition":{"StringNotEqualsIfExists":{"aws:RequestTag/team":"red"}}}]}`)})
	w.must(err)
	tags := func(pairs ...string) (out []types.Tag) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
		}
		return out
	}
	create := func(repository string, tags []types.Tag) error {
		_, err := w.CreateRepository(w.ctx, &sdk.CreateRepositoryInput{RepositoryName: &repository, Tags: tags})
		return err
	}
	denied := func(err error, action string) {
		t.Helper()
		wantRefusal(t, err, refusal{"AccessDeniedException", "User: arn:aws:iam::123456789012:root is not authorized to perform: ecr:" + action + " on resource: " +
			arnOf("tagged") + " with an explicit deny in a registry policy"})
	}
	denied(create("tagged", tags("team", "blue")), "CreateRepository")
	denied(create("tagged", tags("team", "red", "env", "prod")), "TagResource")
	w.must(create("tagged", tags("team", "red")))
	_, err = w.TagResource(w.ctx, &sdk.TagResourceInput{ResourceArn: new(arnOf("tagged")), Tags: tags("env", "prod")})
	denied(err, "TagResource")
	_, err = w.TagResource(w.ctx, &sdk.TagResourceInput{ResourceArn: new(arnOf("tagged")), Tags: tags("env", "test", "keep", "it")})
	w.must(err)
	_, err = w.UntagResource(w.ctx, &sdk.UntagResourceInput{ResourceArn: new(arnOf("tagged")), TagKeys: []string{"env", "keep"}})
	denied(err, "UntagResource")
	_, err = w.UntagResource(w.ctx, &sdk.UntagResourceInput{ResourceArn: new(arnOf("tagged")), TagKeys: []string{"env"}})
	w.must(err)
}

func TestATokenForOtherRegistriesHasTheCallersRights(t *testing.T) {
	w := newWorld(t)
	got := must2[*sdk.GetAuthorizationTokenOutput](t)(w.GetAuthorizationToken(w.ctx, &sdk.GetAuthorizationTokenInput{RegistryIds: []string{foreign, account}}))
	if len(got.AuthorizationData) != 2 {
		t.Fatalf("%d tokens", len(got.AuthorizationData))
	}
	for _, data := range got.AuthorizationData {
		checkToken(t, w, data)
	}
}

const (
	badPolicy   = "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'"
	badRegistry = "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid registry policy provided'"
)

func settingPolicy(document string) func(*world) error {
	return func(w *world) error { return w.setPolicy(w.repository(), document) }
}

var setRepositoryPolicyRefusals = []refused{
	{name: "no JSON", code: "InvalidParameterException", text: badPolicy, act: settingPolicy("allow all")},
	{name: "nothing", code: "InvalidParameterException", text: badPolicy, act: settingPolicy("")},
	{name: "an unknown element", code: "InvalidParameterException", text: badPolicy, act: settingPolicy(strings.Replace(pullForAll, `"Sid"`, `"Side"`, 1))},
	{name: "no principal", code: "InvalidParameterException", text: badPolicy, act: settingPolicy(strings.Replace(pullForAll, `"Principal":"*",`, "", 1))},
	{name: "a resource", code: "InvalidParameterException", text: badPolicy, act: settingPolicy(strings.Replace(pullForAll, `"Sid"`, `"Resource":"*","Sid"`, 1))},
	{name: "an unknown operator", code: "InvalidParameterException", text: badPolicy,
		act: settingPolicy(strings.Replace(pullForAll, `"Sid":"pull"`, `"Condition":{"StringIs":{"aws:userid":"x"}}`, 1))},
	{name: "a user of its account who is not there", code: "InvalidParameterException", text: badPolicy,
		act: settingPolicy(strings.Replace(pullForAll, `"Principal":"*"`, `"Principal":{"AWS":"arn:aws:iam::`+string(account)+`:user/nobody"}`, 1))},
	{name: "a user who is not there", code: "InvalidParameterException", text: badPolicy,
		act: settingPolicy(strings.Replace(pullForAll, `"Principal":"*"`, `"Principal":{"AWS":"arn:aws:iam::`+foreign+`:user/bob"}`, 1))},
	{name: "one that is too long", code: "InvalidParameterException",
		text: "Invalid parameter at 'policyText' failed to satisfy constraint: 'Member must have length less than or equal to 10240'",
		act:  settingPolicy(pullForAll + strings.Repeat(" ", 10240))},
	{name: "one that locks the caller out", code: "InvalidParameterException",
		text: "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'The policy would not allow you to set another policy on the repository in the future; force sets it all the same'",
		act:  settingPolicy(lockForAll)},
	{name: "a repository that is not there, by force", code: "RepositoryNotFoundException",
		text: "The repository with name 'absent' does not exist in the registry with id '123456789012'",
		act: func(w *world) error {
			_, err := w.SetRepositoryPolicy(w.ctx, &sdk.SetRepositoryPolicyInput{RepositoryName: new("absent"), PolicyText: new(lockForAll), Force: true})
			return err
		}},
}

// without calls an operation about a policy that is not there.
func without(act func(*world, string) error) func(*world) error {
	return func(w *world) error {
		_, err := w.CreateRepository(w.ctx, &sdk.CreateRepositoryInput{RepositoryName: new("bare")})
		w.must(err)
		defer func() {
			_, err := w.DeleteRepository(w.ctx, &sdk.DeleteRepositoryInput{RepositoryName: new("bare")})
			w.must(err)
		}()
		return act(w, "bare")
	}
}

const noRepositoryPolicy = "Repository policy does not exist for the repository with name 'bare' in the registry with id '123456789012'"

var getRepositoryPolicyRefusals = []refused{
	{name: "a repository without a policy", code: "RepositoryPolicyNotFoundException", text: noRepositoryPolicy,
		act: without(func(w *world, r string) error {
			_, err := w.GetRepositoryPolicy(w.ctx, &sdk.GetRepositoryPolicyInput{RepositoryName: &r})
			return err
		})},
}

var deleteRepositoryPolicyRefusals = []refused{
	{name: "a repository without a policy", code: "RepositoryPolicyNotFoundException", text: noRepositoryPolicy,
		act: without(func(w *world, r string) error {
			_, err := w.DeleteRepositoryPolicy(w.ctx, &sdk.DeleteRepositoryPolicyInput{RepositoryName: &r})
			return err
		})},
}

func puttingPolicy(document string) func(*world) error {
	return func(w *world) error {
		_, err := w.PutRegistryPolicy(w.ctx, &sdk.PutRegistryPolicyInput{PolicyText: &document})
		return err
	}
}

var putRegistryPolicyRefusals = []refused{
	{name: "no JSON", code: "InvalidParameterException", text: badRegistry, act: puttingPolicy("allow all")},
	{name: "no resource", code: "InvalidParameterException", text: badRegistry, act: puttingPolicy(pullForAll)},
	{name: "other actions in the older scope", code: "InvalidParameterException", text: badRegistry,
		act: func(w *world) error {
			w.must(settingTo("REGISTRY_POLICY_SCOPE", "V1")(w))
			defer func() { w.must(settingTo("REGISTRY_POLICY_SCOPE", "V2")(w)) }()
			return puttingPolicy(readForOthers)(w)
		}},
}

const noRegistryPolicy = "Registry policy does not exist in the registry with id '123456789012'"

var getRegistryPolicyRefusals = []refused{
	{name: "a registry without a policy", code: "RegistryPolicyNotFoundException", text: noRegistryPolicy,
		act: func(w *world) error {
			_, err := w.GetRegistryPolicy(w.ctx, &sdk.GetRegistryPolicyInput{})
			return err
		}},
	{name: "a registry of a region without anything", code: "RegistryPolicyNotFoundException", text: noRegistryPolicy,
		act: func(w *world) error {
			_, err := w.in("eu-west-1").GetRegistryPolicy(w.ctx, &sdk.GetRegistryPolicyInput{})
			return err
		}},
}

var deleteRegistryPolicyRefusals = []refused{
	{name: "a registry without a policy", code: "RegistryPolicyNotFoundException", text: noRegistryPolicy,
		act: func(w *world) error {
			_, err := w.DeleteRegistryPolicy(w.ctx, &sdk.DeleteRegistryPolicyInput{})
			return err
		}},
}

func settingTo(setting, value string) func(*world) error {
	return func(w *world) error {
		_, err := w.PutAccountSetting(w.ctx, &sdk.PutAccountSettingInput{Name: aws.String(setting), Value: aws.String(value)})
		return err
	}
}

const unknownSetting = "Invalid parameter at 'name' failed to satisfy constraint: 'Member must satisfy enum value set: [BASIC_SCAN_TYPE_VERSION, REGISTRY_POLICY_SCOPE, BLOB_MOUNTING]'"

var putAccountSettingRefusals = []refused{
	{name: "an unknown setting", code: "InvalidParameterException", text: unknownSetting, act: settingTo("SIZE", "XL")},
	{name: "another value", code: "InvalidParameterException",
		text: "Invalid parameter at 'value' failed to satisfy constraint: 'Member must satisfy enum value set: [ENABLED, DISABLED]'",
		act:  settingTo("BLOB_MOUNTING", "enabled")},
}

var getAccountSettingRefusals = []refused{
	{name: "an unknown setting", code: "InvalidParameterException", text: unknownSetting,
		act: func(w *world) error {
			_, err := w.GetAccountSetting(w.ctx, &sdk.GetAccountSettingInput{Name: new("SIZE")})
			return err
		}},
}

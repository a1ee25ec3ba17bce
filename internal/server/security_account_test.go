package server_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/testkit"
)

// filler makes inputs that pass a service's own checks of form, member by
// member.
type filler map[string]string

func (f filler) fill(v reflect.Value, member string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), member)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1_700_000_000, 0)))
			return
		}
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && field.Name != "ResultMetadata" {
				f.fill(v.Field(i), field.Name)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("bytes"))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(v.Index(0), member)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		f.fill(value, member)
		v.SetMapIndex(reflect.ValueOf("key"), value)
	case reflect.String:
		text, ok := f[member]
		if values := v.MethodByName("Values"); !ok && values.IsValid() {
			text = values.Call(nil)[0].Index(0).String()
		} else if !ok {
			text = "text"
		}
		v.SetString(text)
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
		if member == "MaxSessionDuration" {
			v.SetInt(3600)
		}
	}
}

// everyOperation calls each operation of an SDK's client with a filled input.
func everyOperation(client any, f filler, without []string, fn func(operation string, input reflect.Value, err error)) {
	c := reflect.ValueOf(client)
	for i := range c.NumMethod() {
		m := c.Type().Method(i)
		if m.Type.NumIn() != 4 || m.Type.NumOut() != 2 {
			continue // Options
		}
		in := reflect.New(m.Type.In(2).Elem())
		f.fill(in.Elem(), "")
		for _, member := range without {
			if v := in.Elem().FieldByName(member); v.IsValid() {
				v.SetZero()
			}
		}
		out := c.Method(i).Call([]reflect.Value{reflect.ValueOf(context.Background()), in})
		err, _ := out[1].Interface().(error)
		fn(m.Name, in.Elem(), err)
	}
}

const anyDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// ecrInputs fills the operations of ECR about a repository of an account.
func ecrInputs(account, repository, digest string) filler {
	return filler{
		"RegistryId": account, "RegistryIds": account, "RepositoryName": repository, "RepositoryNames": repository,
		"ResourceArn": "arn:aws:ecr:us-east-1:" + account + ":repository/" + repository,
		"LayerDigest": digest, "LayerDigests": digest, "ImageDigest": digest, "SubjectId": digest, "ImageTag": "1",
		"UploadId": "00000000-0000-4000-8000-000000000000", "ImageManifest": string(testkit.Manifest([]byte("{}"), []byte("layer"))),
		"ImageManifestMediaType": testkit.ManifestType, "PolicyText": statements("Allow ecr:* *"), "LifecyclePolicyText": keepTwo, "Filter": "v*",
		"TagStatus": "ANY", "ImageStatus": "ACTIVE", "AcceptedMediaTypes": testkit.ManifestType, "ArtifactTypes": "text/plain",
		"Name": "BLOB_MOUNTING", "Value": "ENABLED", "KmsKey": "alias/x", "EncryptionType": "AES256",
	}
}

// absences are what an account says that has no policy.
var absences = map[string]bool{
	"RepositoryPolicyNotFoundException": true, "RegistryPolicyNotFoundException": true,
	"LifecyclePolicyNotFoundException": true, "LifecyclePolicyPreviewNotFoundException": true,
}

// snapshot is all that an account has, as its root sees it.
func snapshot(t *testing.T, p person, repositories ...string) map[string]any {
	t.Helper()
	ctx := t.Context()
	all := map[string]any{}
	keep := func(what string, out any, err error) {
		t.Helper()
		if err != nil && !absences[code(err)] {
			t.Fatalf("%s: %v", what, err)
		}
		text, err := json.Marshal(out)
		must(t, err)
		var generic map[string]any
		must(t, json.Unmarshal(text, &generic))
		delete(generic, "ResultMetadata")
		all[what] = generic
	}
	described, err := p.ecr().DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})
	keep("repositories", described, err)
	registry, err := p.ecr().GetRegistryPolicy(ctx, &ecr.GetRegistryPolicyInput{})
	keep("registry policy", registry, err)
	setting, err := p.ecr().GetAccountSetting(ctx, &ecr.GetAccountSettingInput{Name: aws.String("BLOB_MOUNTING")})
	keep("account setting", setting, err)
	for _, r := range repositories {
		images, err := p.ecr().DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: &r})
		keep(r, images, err)
		policy, err := p.ecr().GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RepositoryName: &r})
		keep(r+" policy", policy, err)
		expiry, err := p.ecr().GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: &r})
		keep(r+" lifecycle policy", expiry, err)
		preview, err := p.ecr().GetLifecyclePolicyPreview(ctx, &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: &r})
		keep(r+" preview", preview, err)
		tags, err := p.ecr().ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: aws.String("arn:aws:ecr:us-east-1:" + p.account + ":repository/" + r)})
		keep(r+" tags", tags, err)
	}
	details, err := p.iam().GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{})
	keep("directory", details, err)
	aliases, err := p.iam().ListAccountAliases(ctx, &iam.ListAccountAliasesInput{})
	keep("aliases", aliases, err)
	providers, err := p.iam().ListOpenIDConnectProviders(ctx, &iam.ListOpenIDConnectProvidersInput{})
	keep("providers", providers, err)
	services, err := p.lightsail().GetContainerServices(ctx, &lightsail.GetContainerServicesInput{})
	keep("services", services, err)
	return all
}

// TestNoOperationReachesAnotherAccount has the root of one account name what is
// another's, in every operation that can, whether or not it is there.
func TestNoOperationReachesAnotherAccount(t *testing.T) {
	s := testkit.Start(t)
	_, digest := push(t, root(s), "team/app", "1", []byte("layer"))
	must(t, createService(s, "web"))
	them := foreigner(t, s)
	before := snapshot(t, root(s), "team/app")

	denied := func(t *testing.T, repository string) map[string]string {
		said := map[string]string{}
		everyOperation(them.ecr(), ecrInputs(root(s).account, repository, digest), []string{"NextToken", "MaxResults"}, func(operation string, in reflect.Value, err error) {
			names := in.FieldByName("RegistryId").IsValid() || in.FieldByName("ResourceArn").IsValid()
			switch code(err) {
			case "UnknownOperationException":
			case "AccessDeniedException":
				if names {
					said[operation] = strings.ReplaceAll(message(err), repository, "NAME")
				}
			default:
				if names {
					t.Errorf("%s: %v", operation, err)
				}
			}
		})
		return said
	}
	there, absent := denied(t, "team/app"), denied(t, "team/none")
	if diff := cmp.Diff(there, absent); diff != "" {
		t.Errorf("what is there is told apart from what is not (-there +absent):\n%s", diff)
	}
	if len(there) != 28 {
		t.Errorf("%d operations were denied, want all 28 that can name another account: %v", len(there), there)
	}

	for _, account := range []string{root(s).account, "999999999999"} { // the second is nobody's
		for _, r := range []struct{ method, path string }{
			{"GET", "tags/list"}, {"GET", "manifests/1"}, {"HEAD", "manifests/1"}, {"PUT", "manifests/1"}, {"DELETE", "manifests/1"},
			{"DELETE", "manifests/" + digest}, {"GET", "blobs/" + anyDigest}, {"HEAD", "blobs/" + anyDigest}, {"DELETE", "blobs/" + anyDigest},
			{"POST", "blobs/uploads/"}, {"GET", "referrers/" + digest}, {"PATCH", "blobs/uploads/00000000-0000-4000-8000-000000000000"},
		} {
			checkStatus(t, r.method+" "+r.path, at(t, s, host(account), them.login(t), r.method, "/v2/team/app/"+r.path, []byte("x"), "Content-Type: "+testkit.ManifestType), 403)
		}
		checkStatus(t, "_catalog", at(t, s, host(account), them.login(t), "GET", "/v2/_catalog", nil), 403)
	}
	for _, operation := range []string{"CreateAccount", "ListAccounts", "RevokeTokens", "SimulateDecision", "ListLifecyclePolicies", "RunLifecyclePolicy"} {
		checkCode(t, operation, them.admin(operation, map[string]string{
			"accountName": "x", "repositoryName": "team/app", "principalArn": "arn:aws:iam::000000000000:root", "action": "ecr:PutImage", "resourceArn": "*",
		}, nil), "AccessDeniedException")
	}
	arn := aws.String("arn:aws:lightsail:us-east-1:000000000000:ContainerService/web")
	for what, err := range map[string]error{
		"DeleteContainerService": func() error {
			_, err := them.lightsail().DeleteContainerService(t.Context(), &lightsail.DeleteContainerServiceInput{ServiceName: aws.String("web")})
			return err
		}(),
		"TagResource": func() error {
			_, err := them.lightsail().UntagResource(t.Context(), &lightsail.UntagResourceInput{ResourceName: aws.String("web"), ResourceArn: arn, TagKeys: []string{"k"}})
			return err
		}(),
	} {
		if c := code(err); c != "NotFoundException" && c != "AccessDeniedException" {
			t.Errorf("Lightsail %s of a service of another account: %v", what, err)
		}
	}
	if diff := cmp.Diff(before, snapshot(t, root(s), "team/app")); diff != "" {
		t.Errorf("after all refusals (-before +after):\n%s", diff)
	}
}

// iamInputs fills the operations of IAM about what an account has.
func iamInputs(account, suffix string) filler {
	iamARN := "arn:aws:iam::" + account + ":"
	return filler{
		"UserName": "user" + suffix, "RoleName": "role" + suffix, "GroupName": "group" + suffix, "NewUserName": "newer", "NewGroupName": "newer",
		"PolicyName": "policy" + suffix, "PolicyArn": iamARN + "policy/policy" + suffix, "PermissionsBoundary": iamARN + "policy/policy" + suffix,
		"PolicyDocument": statements("Allow ecr:* *"), "PolicyInputList": statements("Allow ecr:* *"), "PermissionsBoundaryPolicyInputList": statements("Allow ecr:* *"),
		"AssumeRolePolicyDocument": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`,
		"Path":                     "/", "NewPath": "/", "PathPrefix": "/", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "VersionId": "v1",
		"AccountAlias": "an-alias", "Url": "https://issuer.example.com", "OpenIDConnectProviderArn": iamARN + "oidc-provider/issuer" + suffix + ".example.com",
		"ClientID": "sts.amazonaws.com", "ClientIDList": "sts.amazonaws.com", "ThumbprintList": strings.Repeat("a", 40),
		"PolicySourceArn": iamARN + "user/user" + suffix, "CallerArn": iamARN + "user/user" + suffix, "ActionNames": "ecr:PutImage", "ResourceArns": "*",
		"ResourcePolicy": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`,
		"ResourceOwner":  "arn:aws:iam::" + account + ":root", "ContextKeyName": "aws:SourceIp", "ContextKeyValues": "10.0.0.1", "ContextKeyType": "ip",
		"Arn": iamARN + "user/user" + suffix, "ServiceNamespaces": "ecr", "ServiceNamespace": "ecr", "TagKeys": "k", "Key": "k", "Value": "v",
		"Marker": "", "Status": "Inactive",
	}
}

// furnish gives an account one of everything that the API can name.
func furnish(t *testing.T, p person) {
	t.Helper()
	f, ctx, c := iamInputs(p.account, ""), t.Context(), p.iam()
	fill := func(in any) { f.fill(reflect.ValueOf(in).Elem(), "") }
	var user iam.CreateUserInput
	var group iam.CreateGroupInput
	var role iam.CreateRoleInput
	var policy iam.CreatePolicyInput
	var inline iam.PutUserPolicyInput
	var provider iam.CreateOpenIDConnectProviderInput
	for _, in := range []any{&user, &group, &role, &policy, &inline, &provider} {
		fill(in)
	}
	_, err := c.CreatePolicy(ctx, &policy)
	must(t, err)
	_, err = c.CreateUser(ctx, &user)
	must(t, err)
	_, err = c.CreateGroup(ctx, &group)
	must(t, err)
	_, err = c.CreateRole(ctx, &role)
	must(t, err)
	_, err = c.PutUserPolicy(ctx, &inline)
	must(t, err)
	_, err = c.CreateOpenIDConnectProvider(ctx, &provider)
	must(t, err)
	_, err = c.CreateAccountAlias(ctx, &iam.CreateAccountAliasInput{AccountAlias: aws.String("first-alias")})
	must(t, err)
}

// TestNoDirectoryOperationWithoutARight asks for every operation of IAM as a
// user without policies, and as another account's root.
func TestNoDirectoryOperationWithoutARight(t *testing.T) {
	s := testkit.Start(t)
	p := root(s)
	furnish(t, p)
	nobody := p.hire(t, "nobody", "")
	them := foreigner(t, s)
	before := snapshot(t, p)

	said := func(who person, account, suffix string, names func(reflect.Value) bool, want func(operation, code string) bool) (map[string]string, int) {
		said, offered := map[string]string{}, 0
		everyOperation(who.iam(), iamInputs(account, suffix), []string{"Marker"}, func(operation string, in reflect.Value, err error) {
			c := code(err)
			if c == "UnknownOperationException" || !names(in) {
				return
			}
			offered++
			if !want(operation, c) {
				t.Errorf("%s of %s%s by %s: %q (%v)", operation, account, suffix, who.id, c, err)
			}
			said[operation] = c + strings.ReplaceAll(message(err), suffix, "")
		})
		return said, offered
	}
	all := func(reflect.Value) bool { return true }
	accessDenied := func(_, code string) bool { return code == "AccessDenied" }
	there, n := said(nobody, p.account, "", all, accessDenied)
	if n != 80 {
		t.Errorf("%d operations were denied, want all 80", n)
	}
	absent, _ := said(nobody, p.account, "-absent", all, accessDenied)
	if diff := cmp.Diff(there, absent); diff != "" {
		t.Errorf("who may not look learns what is there (-there +absent):\n%s", diff)
	}

	foreign := func(in reflect.Value) bool {
		for i := range in.NumField() {
			if v := in.Field(i); v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.String && strings.Contains(v.Elem().String(), ":iam::"+p.account+":") {
				return true
			}
		}
		return false
	}
	refused := func(operation, code string) bool {
		own := operation == "SimulateCustomPolicy" // looks at what it is given alone
		return own && code == "" || !own && code != "" && !strings.Contains(code, "Service")
	}
	there, n = said(them, p.account, "", foreign, refused)
	absent, _ = said(them, p.account, "-absent", foreign, refused)
	if diff := cmp.Diff(there, absent); diff != "" || n < 20 {
		t.Errorf("%d operations; another account learns what is there (-there +absent):\n%s", n, diff)
	}
	_, err := them.sts().AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::000000000000:role/absent"), RoleSessionName: aws.String("session")})
	checkCode(t, "a role that is not there", err, "AccessDenied")
	if diff := cmp.Diff(before, snapshot(t, p)); diff != "" {
		t.Errorf("after all refusals (-before +after):\n%s", diff)
	}
}

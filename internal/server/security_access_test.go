package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/testkit"
)

func dial(t *testing.T, s *testkit.Server) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.Host, 5*time.Second)
	must(t, err)
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	return conn
}

// host is as the registry of the account names itself.
func host(account string) string { return account + ".dkr.ecr.us-east-1.localhost" }

// at does a request to another host name of the server.
func at(t *testing.T, s *testkit.Server, host string, l testkit.Login, method, path string, body []byte, header ...string) testkit.Answer {
	t.Helper()
	request := method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n"
	if l != (testkit.Login{}) {
		request += "Authorization: " + l.Basic() + "\r\n"
	}
	for _, h := range header {
		request += h + "\r\n"
	}
	return raw(t, s, request+fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
}

// TestADeletedLayerIsNotReadAgain is deleted in one repository, and read in
// another before it is asked for again.
func TestADeletedLayerIsNotReadAgain(t *testing.T) {
	s := testkit.Start(t)
	layer := large("shared")
	p := root(s)
	_, a := push(t, p, "team/a", "1", layer)
	_, _ = push(t, p, "team/b", "1", layer)
	l, d := p.login(t), testkit.Digest(layer)
	read := func(repository string) testkit.Answer { return s.Do(l, "GET", "/v2/"+repository+"/blobs/"+d, nil) }
	checkStatus(t, "before", read("team/a"), 200)
	checkStatus(t, "the manifest goes", s.Do(l, "DELETE", "/v2/team/a/manifests/"+a, nil), 202)
	checkStatus(t, "the layer goes", s.Do(l, "DELETE", "/v2/team/a/blobs/"+d, nil), 202)
	for range 2 {
		checkStatus(t, "where it was deleted", read("team/a"), 404)
		if got := read("team/b"); got.Status != 200 || !bytes.Equal(got.Body, layer) {
			t.Errorf("where it was not deleted: %d, %d bytes", got.Status, len(got.Body))
		}
	}
	checkStatus(t, "the deleted manifest", s.Do(l, "GET", "/v2/team/a/manifests/"+a, nil), 404)
}

// TestNobodyReadsByKnowingADigest has a developer with all rights on one
// repository, who knows the digests of another.
func TestNobodyReadsByKnowingADigest(t *testing.T) {
	ctx := t.Context()
	s := testkit.Start(t)
	secret := large("secret")
	manifest, image := push(t, root(s), "vault/app", "1", secret)
	_, _ = push(t, root(s), "team/app", "1", []byte("other"))
	dev := root(s).hire(t, "dev", statements("Allow ecr:GetAuthorizationToken *", "Allow ecr:* "+on("team/*")))
	l, d := dev.login(t), testkit.Digest(secret)
	for _, c := range []struct {
		name, method, path string
		status             int
	}{
		{"the layer in the own repository", "GET", "/v2/team/app/blobs/" + d, 404},
		{"its presence in the own repository", "HEAD", "/v2/team/app/blobs/" + d, 404},
		{"the manifest in the own repository", "GET", "/v2/team/app/manifests/" + image, 404},
		{"the layer where it is", "GET", "/v2/vault/app/blobs/" + d, 403},
		{"its presence where it is", "HEAD", "/v2/vault/app/blobs/" + d, 403},
		{"the manifest where it is", "GET", "/v2/vault/app/manifests/" + image, 403},
		{"referrers where it is", "GET", "/v2/vault/app/referrers/" + image, 403},
		{"a mount from where it is", "POST", "/v2/team/app/blobs/uploads/?mount=" + d + "&from=vault/app", 202},
		{"a mount from anywhere", "POST", "/v2/team/app/blobs/uploads/?mount=" + d, 202},
		{"a whole layer without its bytes", "POST", "/v2/team/app/blobs/uploads/?digest=" + d, 202},
	} {
		checkStatus(t, c.name, s.Do(l, c.method, c.path, nil), c.status)
	}
	begun := s.Do(l, "POST", "/v2/team/app/blobs/uploads/", nil)
	checkStatus(t, "an upload that ends without bytes", s.Do(l, "PUT", begun.Header.Get("Location")+"?digest="+d, nil), 400)
	checkStatus(t, "a manifest of layers from elsewhere", s.Do(l, "PUT", "/v2/team/app/manifests/stolen", manifest, "Content-Type: "+testkit.ManifestType), 404)
	team := aws.String("team/app")
	available, err := dev.ecr().BatchCheckLayerAvailability(ctx, &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: team, LayerDigests: []string{d}})
	must(t, err)
	if len(available.Layers) != 1 || available.Layers[0].LayerAvailability != ecrtypes.LayerAvailabilityUnavailable || aws.ToInt64(available.Layers[0].LayerSize) != 0 {
		t.Errorf("the layer of another repository is said to be %+v, %+v", available.Layers, available.Failures)
	}
	_, err = dev.ecr().GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{RepositoryName: team, LayerDigest: &d})
	checkCode(t, "a download URL", err, "LayersNotFoundException")
	_, err = dev.ecr().PutImage(ctx, &ecr.PutImageInput{RepositoryName: team, ImageManifest: aws.String(string(manifest)), ImageTag: aws.String("stolen")})
	checkCode(t, "PutImage", err, "LayersNotFoundException")
	got, err := dev.ecr().BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: team, ImageIds: []ecrtypes.ImageIdentifier{{ImageDigest: &image}}})
	must(t, err)
	if len(got.Images) != 0 || len(got.Failures) != 1 {
		t.Errorf("BatchGetImage gives %d images, %d failures", len(got.Images), len(got.Failures))
	}
	checkStatus(t, "the layer after all of this", s.Do(l, "HEAD", "/v2/team/app/blobs/"+d, nil), 404)

	_, err = root(s).iam().PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: aws.String("dev"), PolicyName: aws.String("more"),
		PolicyDocument: aws.String(statements("Allow ecr:BatchCheckLayerAvailability,ecr:GetDownloadUrlForLayer " + on("vault/app")))})
	must(t, err)
	checkStatus(t, "a mount with the right to pull there", s.Do(l, "POST", "/v2/team/app/blobs/uploads/?mount="+d+"&from=vault/app", nil), 201)
	checkStatus(t, "and the layer is here", s.Do(l, "GET", "/v2/team/app/blobs/"+d, nil), 200)
}

// TestEveryDoorThatDeletesAsksForTheSameRight denies it, and then allows it.
func TestEveryDoorThatDeletesAsksForTheSameRight(t *testing.T) {
	ctx := t.Context()
	s := testkit.Start(t)
	layer := large("kept")
	keeper := root(s).hire(t, "keeper", statements("Allow * *", "Deny ecr:BatchDeleteImage *"))
	deleter := root(s).hire(t, "deleter", statements("Allow ecr:GetAuthorizationToken,ecr:BatchDeleteImage *"))
	app := aws.String("team/app")
	_, image := push(t, root(s), "team/app", "1", layer)
	v2 := func(p person, path string) error {
		if a := s.Do(p.login(t), "DELETE", "/v2/team/app/"+path, nil); a.Status == 403 {
			return fmt.Errorf("%s", a.Body)
		} else if a.Status != 202 {
			t.Errorf("DELETE %s: %d %s", path, a.Status, a.Body)
		}
		return nil
	}
	batch := func(p person, id ecrtypes.ImageIdentifier) error {
		_, err := p.ecr().BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{RepositoryName: app, ImageIds: []ecrtypes.ImageIdentifier{id}})
		return err
	}
	doors := []struct {
		name string
		do   func(p person) error
	}{
		{"/v2/ by tag", func(p person) error { return v2(p, "manifests/1") }},
		{"BatchDeleteImage by tag", func(p person) error { return batch(p, ecrtypes.ImageIdentifier{ImageTag: aws.String("2")}) }},
		{"/v2/ by digest", func(p person) error { return v2(p, "manifests/"+image) }},
		{"BatchDeleteImage by digest", func(p person) error { return batch(p, ecrtypes.ImageIdentifier{ImageDigest: &image}) }},
		{"/v2/ a layer", func(p person) error { return v2(p, "blobs/"+testkit.Digest(layer)) }},
	}
	for _, d := range doors {
		if err := d.do(keeper); err == nil || !strings.Contains(err.Error(), "ecr:BatchDeleteImage") {
			t.Errorf("%s without the right: %v", d.name, err)
		}
	}
	_, err := deleter.ecr().DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: app, Force: true})
	checkCode(t, "the whole repository, with the right to delete images alone", err, "AccessDeniedException")
	s.Pass("collect garbage")
	l := s.Login()
	for _, path := range []string{"manifests/1", "manifests/" + image, "blobs/" + testkit.Digest(layer)} {
		checkStatus(t, path+" after all refusals", s.Do(l, "GET", "/v2/team/app/"+path, nil), 200)
	}
	for _, d := range doors {
		push(t, root(s), "team/app", "1", layer)
		push(t, root(s), "team/app", "2", layer)
		if strings.HasSuffix(d.name, "layer") {
			must(t, v2(deleter, "manifests/"+image))
		}
		if err := d.do(deleter); err != nil {
			t.Errorf("%s with the right: %v", d.name, err)
		}
	}
}

// TestEveryDoorThatTagsKeepsTheRules tries all ways of putting a tag on an
// image, whatever the tag is called and in every mode.
func TestEveryDoorThatTagsKeepsTheRules(t *testing.T) {
	ctx := t.Context()
	s := testkit.Start(t)
	pusher := root(s).hire(t, "pusher", statements("Allow * *", "Deny ecr:PutImage "+on("denied/*")))
	pl := pusher.login(t)
	putV2 := func(path string) func(repository, tag, digest string, m []byte) bool {
		return func(repository, tag, digest string, m []byte) bool {
			p := strings.NewReplacer("TAG", tag, "DIGEST", digest).Replace(path)
			a := s.Do(pl, "PUT", "/v2/"+repository+"/manifests/"+p, m, "Content-Type: "+testkit.ManifestType)
			if a.Status != 201 && a.Status != 400 && a.Status != 403 {
				t.Errorf("PUT %s: %d %s", p, a.Status, a.Body)
			}
			return a.Status == 201
		}
	}
	putImage := func(withDigest bool) func(repository, tag, digest string, m []byte) bool {
		return func(repository, tag, digest string, m []byte) bool {
			in := &ecr.PutImageInput{RepositoryName: &repository, ImageTag: &tag, ImageManifest: aws.String(string(m)), ImageManifestMediaType: aws.String(testkit.ManifestType)}
			if withDigest {
				in.ImageDigest = &digest
			}
			_, err := pusher.ecr().PutImage(ctx, in)
			if c := code(err); c != "" && c != "AccessDeniedException" && c != "ImageTagAlreadyExistsException" {
				t.Errorf("PutImage: %v", err)
			}
			return err == nil
		}
	}
	doors := []struct {
		name string
		put  func(repository, tag, digest string, m []byte) bool
	}{
		{"PUT by tag", putV2("TAG")},
		{"PUT by digest with a tag", putV2("DIGEST?tag=TAG")},
		{"PUT by digest with several tags", putV2("DIGEST?tag=fresh&tag=TAG")},
		{"PutImage", putImage(false)},
		{"PutImage with the digest", putImage(true)},
	}
	for _, mode := range []struct {
		name, repository string
		mutability       ecrtypes.ImageTagMutability
		exclude          string
		moves            bool
	}{
		{"immutable", "fixed/app", ecrtypes.ImageTagMutabilityImmutable, "", false},
		{"mutable but for these tags", "mostly/app", ecrtypes.ImageTagMutabilityMutableWithExclusion, "*", false},
		{"mutable without the right", "denied/app", ecrtypes.ImageTagMutabilityMutable, "", false},
		{"immutable but for these tags", "partly/app", ecrtypes.ImageTagMutabilityImmutableWithExclusion, "*", true},
		{"mutable", "free/app", ecrtypes.ImageTagMutabilityMutable, "", true},
	} {
		create := &ecr.CreateRepositoryInput{RepositoryName: &mode.repository, ImageTagMutability: mode.mutability}
		if mode.exclude != "" {
			create.ImageTagMutabilityExclusionFilters = []ecrtypes.ImageTagMutabilityExclusionFilter{{Filter: &mode.exclude, FilterType: ecrtypes.ImageTagMutabilityExclusionFilterTypeWildcard}}
		}
		_, err := s.ECR().CreateRepository(ctx, create)
		must(t, err)
		rl := s.Login()
		for n, door := range doors {
			for _, tag := range []string{"latest", "v1"} {
				if n > 0 && tag != "latest" || n > 0 && !mode.moves {
					tag += fmt.Sprint(n) // one that no other door has moved
				}
				before, _ := s.PushImage(rl, mode.repository, tag, []byte("{}"), []byte("before "+tag))
				s.PushLayer(rl, mode.repository, []byte("after "+tag))
				after := testkit.Manifest([]byte("{}"), []byte("after "+tag))
				moved := door.put(mode.repository, tag, testkit.Digest(after), after)
				if moved != mode.moves {
					t.Errorf("%s, %s, %s: accepted is %t", mode.name, door.name, tag, moved)
				}
				want := before
				if mode.moves {
					want = after
				}
				if a := s.Do(rl, "GET", "/v2/"+mode.repository+"/manifests/"+tag, nil); !bytes.Equal(a.Body, want) {
					t.Errorf("%s, %s: %s is %s", mode.name, door.name, tag, a.Body)
				}
				if !mode.moves {
					checkStatus(t, mode.name+", "+door.name+": the refused image", s.Do(rl, "HEAD", "/v2/"+mode.repository+"/manifests/"+testkit.Digest(after), nil), 404)
				}
			}
		}
	}
	checkStatus(t, "a tag beside one that was refused", s.Do(s.Login(), "HEAD", "/v2/fixed/app/manifests/fresh", nil), 404)
}

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
		"ImageManifestMediaType": testkit.ManifestType, "PolicyText": statements("Allow ecr:* *"), "Filter": "v*",
		"TagStatus": "ANY", "ImageStatus": "ACTIVE", "AcceptedMediaTypes": testkit.ManifestType, "ArtifactTypes": "text/plain",
		"Name": "BLOB_MOUNTING", "Value": "ENABLED", "KmsKey": "alias/x", "EncryptionType": "AES256",
	}
}

// snapshot is all that an account has, as its root sees it.
func snapshot(t *testing.T, p person, repositories ...string) map[string]any {
	t.Helper()
	ctx := t.Context()
	all := map[string]any{}
	keep := func(what string, out any, err error) {
		t.Helper()
		if err != nil && code(err) != "RepositoryPolicyNotFoundException" && code(err) != "RegistryPolicyNotFoundException" {
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
	if len(there) != 22 {
		t.Errorf("%d operations were denied, want all 22 that can name another account: %v", len(there), there)
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
	for _, operation := range []string{"CreateAccount", "ListAccounts", "RevokeTokens", "SimulateDecision"} {
		checkCode(t, operation, them.admin(operation, map[string]string{
			"accountName": "x", "principalArn": "arn:aws:iam::000000000000:root", "action": "ecr:PutImage", "resourceArn": "*",
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

// TestAnswersWithoutCredentialsTellNothing compares what is there with what is
// not, at every door.
func TestAnswersWithoutCredentialsTellNothing(t *testing.T) {
	s := testkit.Start(t, behindProxy)
	_, digest := push(t, root(s), "team/app", "1", []byte("layer"))
	nobody := root(s).hire(t, "nobody", statements("Allow ecr:GetAuthorizationToken *"))
	var from addresses
	layer := testkit.Digest([]byte("layer"))
	said := func(l testkit.Login, method, path string) string {
		a := s.Do(l, method, path, nil, from.next())
		for _, h := range []string{"Date", "X-Request-Id", "X-Amzn-Requestid"} {
			a.Header.Del(h)
		}
		return fmt.Sprintf("%d %v %s", a.Status, a.Header, a.Body)
	}
	for what, l := range map[string]testkit.Login{
		"no credentials": {}, "a wrong password": {User: "AWS", Password: "wrong"}, "another user": {User: "root", Password: "wrong"},
	} {
		for _, route := range []string{
			"GET tags/list", "GET manifests/1", "HEAD manifests/1", "PUT manifests/1", "DELETE manifests/1", "GET manifests/" + digest,
			"GET blobs/" + layer, "HEAD blobs/" + layer, "DELETE blobs/" + layer, "POST blobs/uploads/", "GET referrers/" + digest,
		} {
			method, path, _ := strings.Cut(route, " ")
			there := said(l, method, "/v2/team/app/"+path)
			for _, other := range []string{"/v2/team/none/" + path, "/v2/team/app/no/such/" + path, "/v2/NOT-A-NAME/" + path} {
				if absent := said(l, method, other); absent != there {
					t.Errorf("%s %s with %s is answered\n%s\nand %s\n%s", method, path, what, there, other, absent)
				}
			}
			if !strings.HasPrefix(there, "401 ") {
				t.Errorf("%s %s with %s: %s", method, path, what, there)
			}
		}
	}

	stranger := person{s: s, id: "stranger", key: "AKIAIOSFODNN7EXAMPLE", secret: "wrong", region: "us-east-1"}
	for what, p := range map[string]person{"an unknown key": stranger, "a key without a policy": nobody} {
		describe := func(name string) string {
			_, err := p.ecr().DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: &name})
			return code(err) + strings.ReplaceAll(message(err), name, "NAME")
		}
		if there, absent := describe("team/app"), describe("team/none"); there != absent || there == "" {
			t.Errorf("%s: there: %s, absent: %s", what, there, absent)
		}
	}
	l := nobody.login(t)
	there, absent := s.Do(l, "GET", "/v2/team/app/tags/list", nil), s.Do(l, "GET", "/v2/team/not/tags/list", nil)
	if got := strings.ReplaceAll(string(absent.Body), "team/not", "team/app"); there.Status != 403 || absent.Status != 403 || got != string(there.Body) {
		t.Errorf("a login without a policy: there %d %s, absent %d %s", there.Status, there.Body, absent.Status, absent.Body)
	}
	checkStatus(t, "_catalog without a right", s.Do(l, "GET", "/v2/_catalog", nil), 403)
	some := root(s).hire(t, "some", statements("Allow ecr:GetAuthorizationToken *", "Allow ecr:DescribeRepositories "+on("own/*")))
	push(t, root(s), "own/app", "1", []byte("layer"))
	if a := s.Do(some.login(t), "GET", "/v2/_catalog", nil); string(a.Body) != `{"repositories":["own/app"]}`+"\n" {
		t.Errorf("_catalog with a right to one of two: %d %s", a.Status, a.Body)
	}
}

// TestRightsAreTheSameByEveryScheme compares what a Basic login, a bearer token
// and a signature are good for, for users and for a narrowed session.
func TestRightsAreTheSameByEveryScheme(t *testing.T) {
	ctx := t.Context()
	s := testkit.Start(t, testkit.Setting("anonymous-pull", "true"))
	manifest, _ := push(t, root(s), "team/app", "1", []byte("layer"))
	_, _ = push(t, root(s), "other/app", "1", []byte("layer"))
	puller := root(s).hire(t, "puller", statements("Allow ecr:GetAuthorizationToken *", "Allow ecr:BatchGetImage,ecr:ListImages "+on("team/app")))
	pusher := root(s).hire(t, "pusher", statements("Allow ecr:* *", "Deny ecr:* "+on("other/*")))
	_, err := root(s).iam().CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("admin"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}}`)})
	must(t, err)
	_, err = root(s).iam().PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("admin"), PolicyName: aws.String("all"), PolicyDocument: aws.String(statements("Allow * *"))})
	must(t, err)
	_, err = root(s).iam().PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: aws.String("pusher"), PolicyName: aws.String("sts"), PolicyDocument: aws.String(statements("Allow sts:AssumeRole *"))})
	must(t, err)
	assumed, err := pusher.sts().AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::000000000000:role/admin"), RoleSessionName: aws.String("narrow"),
		Policy: aws.String(statements("Allow ecr:GetAuthorizationToken *", "Allow ecr:BatchGetImage "+on("other/app")))})
	must(t, err)
	narrow := pusher
	narrow.id, narrow.key, narrow.secret, narrow.token = "narrowed session", *assumed.Credentials.AccessKeyId, *assumed.Credentials.SecretAccessKey, *assumed.Credentials.SessionToken

	acts := []struct {
		name, method, path string
		sdk                func(c *ecr.Client, repository string) error
	}{
		{"pull", "GET", "manifests/1", func(c *ecr.Client, repository string) error {
			_, err := c.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: &repository, ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("1")}}})
			return err
		}},
		{"list", "GET", "tags/list", func(c *ecr.Client, repository string) error {
			_, err := c.ListImages(ctx, &ecr.ListImagesInput{RepositoryName: &repository})
			return err
		}},
		{"push", "PUT", "manifests/1", func(c *ecr.Client, repository string) error {
			_, err := c.PutImage(ctx, &ecr.PutImageInput{RepositoryName: &repository, ImageManifest: aws.String(string(manifest)), ImageTag: aws.String("fresh")})
			if code(err) == "ImageAlreadyExistsException" {
				return nil
			}
			return err
		}},
		{"delete", "DELETE", "manifests/absent", func(c *ecr.Client, repository string) error {
			_, err := c.BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{RepositoryName: &repository, ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("absent")}}})
			return err
		}},
	}
	want := map[string]string{
		"puller team/app": "pull list", "puller other/app": "", "pusher team/app": "pull list push delete", "pusher other/app": "",
		"narrowed session team/app": "", "narrowed session other/app": "pull",
	}
	for _, p := range []person{puller, pusher, narrow} {
		l := p.login(t)
		var bearer struct{ Token string }
		must(t, json.Unmarshal(s.Do(l, "GET", "/v2/token?scope=repository:other/app:pull,push,delete", nil).Body, &bearer))
		for _, repository := range []string{"team/app", "other/app"} {
			got := map[string][]string{}
			for _, act := range acts {
				v2 := func(header string) bool {
					a := s.Do(testkit.Login{}, act.method, "/v2/"+repository+"/"+act.path, manifest, header, "Content-Type: "+testkit.ManifestType)
					if a.Status == 401 || a.Status >= 500 {
						t.Errorf("%s: %s %s: %d %s", p.id, act.name, repository, a.Status, a.Body)
					}
					return a.Status != 403
				}
				err := act.sdk(p.ecr(), repository)
				if err != nil && code(err) != "AccessDeniedException" {
					t.Errorf("%s: %s %s: %v", p.id, act.name, repository, err)
				}
				for scheme, allowed := range map[string]bool{"Basic": v2("Authorization: " + l.Basic()), "Bearer": v2("Authorization: Bearer " + bearer.Token), "SigV4": err == nil} {
					if allowed {
						got[scheme] = append(got[scheme], act.name)
					}
				}
			}
			for _, scheme := range []string{"Basic", "Bearer", "SigV4"} {
				if allowed := strings.Join(got[scheme], " "); allowed != want[p.id+" "+repository] {
					t.Errorf("%s may %q on %s by %s, want %q", p.id, allowed, repository, scheme, want[p.id+" "+repository])
				}
			}
		}
	}
}

// TestProxyHeadersAreBelievedOfTrustedProxiesAlone has a policy that depends on
// the address, and one that depends on TLS.
func TestProxyHeadersAreBelievedOfTrustedProxiesAlone(t *testing.T) {
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*","Condition":{
		"IpAddress":{"aws:SourceIp":"10.1.0.0/16"},"Bool":{"aws:SecureTransport":"true"}}}]}`
	inside := []string{"X-Forwarded-For: 10.1.2.3", "X-Forwarded-Proto: https"}
	s := testkit.Start(t)
	_, _ = push(t, root(s), "team/app", "1", []byte("layer"))
	user := root(s).hire(t, "inside", policy)
	from := func(headers ...string) *http.Client {
		return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			for _, h := range headers {
				name, value, _ := strings.Cut(h, ": ")
				r.Header.Set(name, value)
			}
			return http.DefaultTransport.RoundTrip(r)
		})}
	}
	describe := func(headers ...string) error {
		u := user
		u.client = from(headers...)
		_, err := u.ecr().DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
		return err
	}
	checkCode(t, "of somebody who only says so", describe(inside...), "AccessDeniedException")
	a := s.Do(testkit.Login{}, "GET", "/v2/", nil, "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "Forwarded: host=evil.example")
	if challenge := a.Header.Get("Www-Authenticate"); strings.Contains(challenge, "evil") || !strings.Contains(challenge, `realm="http://`+s.Host+`/"`) {
		t.Errorf("a stranger chose the realm %s", challenge)
	}

	s.Restart(behindProxy)
	checkCode(t, "of the proxy", describe(inside...), "")
	checkCode(t, "of the proxy, from outside", describe("X-Forwarded-For: 10.1.2.3, 203.0.113.1", "X-Forwarded-Proto: https"), "AccessDeniedException")
	checkCode(t, "of the proxy, without TLS", describe("X-Forwarded-For: 10.1.2.3", "X-Forwarded-Proto: http"), "AccessDeniedException")

	user.client = from(inside...)
	l := user.login(t)
	checkStatus(t, "a login from inside", s.Do(l, "GET", "/v2/team/app/manifests/1", nil, inside...), 200)
	checkStatus(t, "the same login from outside", s.Do(l, "GET", "/v2/team/app/manifests/1", nil, "X-Forwarded-For: 203.0.113.1", "X-Forwarded-Proto: https"), 403)
	bad := testkit.Login{User: "AWS", Password: base64.StdEncoding.EncodeToString([]byte("x"))}
	checkStatus(t, "inside is no password", s.Do(bad, "GET", "/v2/", nil, inside...), 401)
}

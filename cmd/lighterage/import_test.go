package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/testkit"
)

const indexType = "application/vnd.oci.image.index.v1+json"

// describe is a descriptor in JSON.
func describe(mediaType string, b []byte) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, testkit.Digest(b), len(b))
}

// referrer is an image of the empty config that refers to another.
func referrer(subject []byte, note string) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"artifactType":"application/x.note","config":%s,"layers":[],"subject":%s,"annotations":{"note":%q}}`,
		testkit.ManifestType, describe("application/vnd.oci.empty.v1+json", []byte("{}")), describe(testkit.ManifestType, subject), note)
}

func indexOf(children ...[]byte) []byte {
	var all []string
	for _, c := range children {
		all = append(all, describe(testkit.ManifestType, c))
	}
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, indexType, strings.Join(all, ","))
}

func put(s *testkit.Server, t *testing.T, repository, reference, mediaType string, body []byte) {
	t.Helper()
	if a := s.Do(s.Login(), "PUT", "/v2/"+repository+"/manifests/"+reference, body, "Content-Type: "+mediaType); a.Status != http.StatusCreated {
		t.Fatalf("put %s:%s: %d %s", repository, reference, a.Status, a.Body)
	}
}

// furnish gives a server one repository with what images can be: two tags of one
// image, an index of two platforms, an untagged image, and a referrer of the
// index with a referrer of its own.
func furnish(s *testkit.Server, t *testing.T) (references map[string][]byte) {
	t.Helper()
	l := s.Login()
	one, _ := s.PushImage(l, "team/app", "v1", []byte("{1}"), []byte("layer one"))
	put(s, t, "team/app", "stable", testkit.ManifestType, one)
	two, _ := s.PushImage(l, "team/app", "tmp", []byte("{2}"), []byte("layer two"))
	index := indexOf(one, two)
	put(s, t, "team/app", "multi", indexType, index)
	three, untagged := s.PushImage(l, "team/app", "tmp", []byte("{3}"), []byte("layer one"))
	s.PushImage(l, "team/app", "tmp", []byte("{4}"))
	s.PushLayer(l, "team/app", []byte("{}"))
	signature := referrer(index, "signature")
	put(s, t, "team/app", testkit.Digest(signature), testkit.ManifestType, signature)
	of := referrer(signature, "of the signature")
	put(s, t, "team/app", testkit.Digest(of), testkit.ManifestType, of)
	four, _ := s.PushImage(l, "team/app", "tmp", []byte("{4}"))
	return map[string][]byte{
		"v1": one, "stable": one, "multi": index, "tmp": four, testkit.Digest(two): two, untagged: three,
		testkit.Digest(signature): signature, testkit.Digest(of): of,
	}
}

// holds checks that references are there, byte for byte.
func holds(s *testkit.Server, t *testing.T, repository string, references map[string][]byte) {
	t.Helper()
	l := s.Login()
	for reference, want := range references {
		a := s.Do(l, "GET", "/v2/"+repository+"/manifests/"+reference, nil, "Accept: "+testkit.ManifestType, "Accept: "+indexType+", "+testkit.ManifestType)
		if a.Status != http.StatusOK || !bytes.Equal(a.Body, want) {
			t.Errorf("%s at %s: %d %s, want %s", repository, reference, a.Status, a.Body, want)
		}
	}
}

// attempt runs a command whatever comes of it.
func attempt(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(append([]string{"lighterage"}, args...), &out, &err)
	return code, out.String(), err.String()
}

func (s *shell) attempt(args ...string) (code int, stdout, stderr string) {
	return attempt(append(args, "--data-dir="+s.Dir)...)
}

// profile writes the keys of a server as an AWS profile "source".
func profile(s *testkit.Server, t *testing.T) {
	t.Helper()
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file(t, fmt.Sprintf("[source]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s.Root.AccessKeyID, s.Root.SecretAccessKey.Reveal())))
}

// TestARegistryOfECRComesWithItsSettings imports from another server by the API
// that ECR has.
func TestARegistryOfECRComesWithItsSettings(t *testing.T) {
	s := newShell(t)
	source := testkit.Start(t, testkit.Setting("account-id", "111122223333"), testkit.Setting("region", "eu-west-1"))
	profile(source, t)
	ctx := t.Context()
	const (
		repositoryPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}]}`
		registryPolicy   = `{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::210987654321:root"},"Action":["ecr:CreateRepository"],"Resource":["arn:aws:ecr:eu-west-1:111122223333:repository/team/*"]}]}`
	)
	api := source.ECR()
	if _, err := api.CreateRepository(ctx, &ecr.CreateRepositoryInput{
		RepositoryName: aws.String("team/app"), ImageTagMutability: types.ImageTagMutabilityImmutableWithExclusion,
		ImageTagMutabilityExclusionFilters: []types.ImageTagMutabilityExclusionFilter{{FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard, Filter: aws.String("tmp*")}},
		ImageScanningConfiguration:         &types.ImageScanningConfiguration{ScanOnPush: true},
		Tags:                               []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("empty")}); err != nil {
		t.Fatal(err)
	}
	references := furnish(source, t)
	if _, err := api.SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("team/app"), PolicyText: aws.String(repositoryPolicy)}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: aws.String("team/app"), LifecyclePolicyText: aws.String(keepTwo)}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.PutRegistryPolicy(ctx, &ecr.PutRegistryPolicyInput{PolicyText: aws.String(registryPolicy)}); err != nil {
		t.Fatal(err)
	}

	args := []string{"import", "ecr://111122223333.eu-west-1", "--from-endpoint=" + source.URL, "--from-profile=source", "--to=aws", "--verify"}
	t.Setenv("AWS_ENDPOINT_URL_ECR", s.URL) // as lighterage env says; it must not be taken for the source's
	var done imported
	s.json(&done, args...)
	if len(done.Failures) > 0 || done.Repositories != 2 || done.Created != 2 || done.Settings != 3 || done.Present != 0 {
		t.Errorf("imported %+v", done)
	}
	holds(s.Server, t, "aws/team/app", references)

	found, err := s.ECR().DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"aws/team/app", "aws/empty"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range found.Repositories {
		if aws.ToString(r.RepositoryName) != "aws/team/app" {
			continue
		}
		if r.ImageTagMutability != types.ImageTagMutabilityImmutableWithExclusion || len(r.ImageTagMutabilityExclusionFilters) != 1 || !r.ImageScanningConfiguration.ScanOnPush {
			t.Errorf("the repository is %+v", r)
		}
		tags, err := s.ECR().ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: r.RepositoryArn})
		if err != nil || len(tags.Tags) != 1 || aws.ToString(tags.Tags[0].Value) != "blue" {
			t.Errorf("tags %v, %v", tags, err)
		}
	}
	policy, err := s.ECR().GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RepositoryName: aws.String("aws/team/app")})
	if err != nil || !sameJSON(aws.ToString(policy.PolicyText), repositoryPolicy) {
		t.Errorf("repository policy %v, %v", policy, err)
	}
	lifecycle, err := s.ECR().GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: aws.String("aws/team/app")})
	if err != nil || !sameJSON(aws.ToString(lifecycle.LifecyclePolicyText), keepTwo) {
		t.Errorf("lifecycle policy %v, %v", lifecycle, err)
	}
	registry, err := s.ECR().GetRegistryPolicy(ctx, &ecr.GetRegistryPolicyInput{})
	if err != nil || !strings.Contains(aws.ToString(registry.PolicyText), "arn:aws:ecr:us-east-1:000000000000:repository/aws/team/*") {
		t.Errorf("registry policy %v, %v", registry, err)
	}

	t.Run("again, nothing is sent, and what the target has is left", func(t *testing.T) {
		if _, err := s.ECR().SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("aws/team/app"), PolicyText: aws.String(strings.ReplaceAll(repositoryPolicy, "BatchGetImage", "GetDownloadUrlForLayer"))}); err != nil {
			t.Fatal(err)
		}
		var again imported
		s.json(&again, args...)
		if again.Copied != 0 || again.Blobs != 0 || again.Created != 0 || again.Settings != 0 || again.Present != done.Copied || len(again.Notes) != 1 {
			t.Errorf("imported %+v", again)
		}
	})
	s.CheckInvariants(t)
}

// TestWhatIsExportedCanBeImported goes through layouts and back.
func TestWhatIsExportedCanBeImported(t *testing.T) {
	s := newShell(t)
	references := furnish(s.Server, t)
	s.PushImage(s.Login(), "other", "latest", []byte("{5}"))
	for reference, body := range references { // an export is of tags and what refers to them
		if strings.HasPrefix(reference, "sha256:") && bytes.Contains(body, []byte("{3}")) {
			delete(references, reference)
		}
	}
	delete(references, testkit.Digest(testkit.Manifest([]byte("{3}"), []byte("layer one"))))
	dir := t.TempDir()
	s.ok("export", "team/app", "--to=oci:"+filepath.Join(dir, "one"), "--referrers", "--verify")
	s.ok("import", "oci:"+filepath.Join(dir, "one"), "--as=back/one")
	holds(s.Server, t, "back/one", references)
	a := s.Do(s.Login(), "GET", "/v2/back/one/tags/list", nil)
	if want := `{"name":"back/one","tags":["multi","stable","tmp","v1"]}`; strings.TrimSpace(string(a.Body)) != want {
		t.Errorf("tags %s, want %s", a.Body, want)
	}

	s.ok("export", "team/app:v1", "other", "--to=oci:"+filepath.Join(dir, "two"))
	var done imported
	s.json(&done, "import", "oci:"+filepath.Join(dir, "two"), "--to=back/two")
	if done.Repositories != 2 || done.Copied != 2 {
		t.Errorf("imported %+v", done)
	}
	holds(s.Server, t, "back/two/team/app", map[string][]byte{"v1": references["v1"]})

	t.Run("a second export takes nothing but what is new", func(t *testing.T) {
		s.PushImage(s.Login(), "other", "newer", []byte("{6}"))
		var again exported
		s.json(&again, "export", "other", "--to=oci:"+filepath.Join(dir, "two", "other"))
		if again.Copied != 1 || again.Present != 1 || again.Blobs != 1 {
			t.Errorf("exported %+v", again)
		}
	})
	s.CheckInvariants(t)
}

// elsewhere is a registry of somebody's, with one repository "app".
type elsewhere struct {
	mu        sync.Mutex
	manifests map[string][]byte // by tag and digest
	blobs     map[string][]byte // by digest: what is given out for it
	asked     map[string]int    // paths
	login     string            // Authorization, if it wants one
	moved     string            // where layers are, if elsewhere
}

func (e *elsewhere) image(tag string, config []byte, layers ...[]byte) {
	for _, b := range append([][]byte{config}, layers...) {
		e.blobs[testkit.Digest(b)] = b
	}
	m := testkit.Manifest(config, layers...)
	e.manifests[tag], e.manifests[testkit.Digest(m)] = m, m
}

func newElsewhere() *elsewhere {
	return &elsewhere{manifests: map[string][]byte{}, blobs: map[string][]byte{}, asked: map[string]int{}}
}

func (e *elsewhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r.Method == http.MethodGet {
		e.asked[r.URL.Path]++
	}
	if e.login != "" && r.Header.Get("Authorization") != e.login {
		w.Header().Set("WWW-Authenticate", `Basic realm="elsewhere"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	rest, _ := strings.CutPrefix(r.URL.Path, "/v2/app/")
	kind, reference, _ := strings.Cut(rest, "/")
	switch {
	case r.URL.Path == "/v2/_catalog":
		fmt.Fprint(w, `{"repositories":["app"]}`)
	case rest == "tags/list":
		var tags []string
		for t := range e.manifests {
			if !strings.Contains(t, ":") {
				tags = append(tags, t)
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"name": "app", "tags": tags})
	case kind == "manifests" && e.manifests[reference] != nil:
		m := e.manifests[reference]
		w.Header().Set("Content-Type", testkit.ManifestType)
		w.Header().Set("Docker-Content-Digest", testkit.Digest(m))
		if strings.Contains(reference, ":") {
			w.Header().Set("Docker-Content-Digest", reference)
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(m)))
		_, _ = w.Write(m)
	case kind == "blobs" && e.moved != "":
		http.Redirect(w, r, e.moved+r.URL.Path, http.StatusTemporaryRedirect)
	case kind == "blobs" && e.blobs[reference] != nil:
		_, _ = w.Write(e.blobs[reference])
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// TestASourceThatLies: what it says wrongly does not come, and is named; the
// rest does.
func TestASourceThatLies(t *testing.T) {
	s := newShell(t)
	e := newElsewhere()
	e.image("good", []byte("{1}"), []byte("a layer"))
	e.image("layer", []byte("{2}"), []byte("another layer"))
	e.blobs[testkit.Digest([]byte("another layer"))] = []byte("changed layer")
	e.image("long", []byte("{3}"), []byte("short"))
	e.blobs[testkit.Digest([]byte("short"))] = []byte("short and more")
	e.image("manifest", []byte("{4}"), []byte("a layer"))
	for reference, m := range e.manifests {
		if strings.HasPrefix(reference, "sha256:") && bytes.Equal(m, e.manifests["manifest"]) {
			e.manifests[reference] = bytes.Replace(m, []byte("schemaVersion"), []byte("schemaversion"), 1)
		}
	}
	server := httptest.NewServer(e)
	defer server.Close()
	code, _, said := s.attempt("import", server.URL)
	if code != exitFailed || !strings.Contains(said, "lighterage: 3 failures") {
		t.Errorf("exit code %d, said %s", code, said)
	}
	for _, want := range []string{"failed   app:layer", "failed   app:long", "failed   app:manifest", "copied   app:good"} {
		if !strings.Contains(said, want) {
			t.Errorf("said %s, want %q", said, want)
		}
	}
	holds(s.Server, t, "app", map[string][]byte{"good": e.manifests["good"]})
	l := s.Login()
	for _, absent := range []string{"manifests/layer", "manifests/long", "manifests/manifest", "blobs/" + testkit.Digest([]byte("another layer")), "blobs/" + testkit.Digest([]byte("changed layer")), "blobs/" + testkit.Digest([]byte("short"))} {
		if a := s.Do(l, "HEAD", "/v2/app/"+absent, nil); a.Status != http.StatusNotFound {
			t.Errorf("%s is there: %d", absent, a.Status)
		}
	}
	s.CheckInvariants(t)
}

// TestAnImportGoesOnWhereItFailed counts what is asked for again.
func TestAnImportGoesOnWhereItFailed(t *testing.T) {
	s := newShell(t)
	e := newElsewhere()
	var late []byte
	for i := range 6 {
		late = fmt.Appendf(nil, "layer %d", i)
		e.image(fmt.Sprint("v", i), fmt.Appendf(nil, "{%d}", i), late)
	}
	delete(e.blobs, testkit.Digest(late))
	server := httptest.NewServer(e)
	defer server.Close()
	if code, _, said := s.attempt("import", server.URL+"/app"); code != exitFailed || !strings.Contains(said, "failed   app:v5") {
		t.Fatalf("exit code %d, said %s", code, said)
	}
	e.mu.Lock()
	e.blobs[testkit.Digest(late)] = late
	clear(e.asked)
	e.mu.Unlock()
	var done imported
	s.json(&done, "import", server.URL+"/app")
	if done.Copied != 1 || done.Present != 5 {
		t.Errorf("imported %+v", done)
	}
	// The config of the image that failed may have been on its way.
	allowed := map[string]bool{"/v2/app/blobs/" + testkit.Digest(late): true, "/v2/app/blobs/" + testkit.Digest([]byte("{5}")): true}
	e.mu.Lock()
	defer e.mu.Unlock()
	for path := range e.asked {
		if strings.Contains(path, "/blobs/") && !allowed[path] {
			t.Errorf("%s was asked for again", path)
		}
	}
	if e.asked["/v2/app/blobs/"+testkit.Digest(late)] != 1 {
		t.Errorf("the layer that was missing was not asked for once: %v", e.asked)
	}
}

// TestASourceOverTLSLeadsNowhereInTheClear: neither login nor layers.
func TestASourceOverTLSLeadsNowhereInTheClear(t *testing.T) {
	s := newShell(t)
	e := newElsewhere()
	e.image("v1", []byte("{1}"), []byte("a layer"))
	e.login = "Basic " + base64.StdEncoding.EncodeToString([]byte("me:a password"))
	server := httptest.NewTLSServer(e)
	defer server.Close()
	ca := file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	host := strings.TrimPrefix(server.URL, "https://")
	docker := t.TempDir()
	kept := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte("me:a password")))
	if err := os.WriteFile(filepath.Join(docker, "config.json"), []byte(kept), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", docker)

	var mu sync.Mutex
	visits := 0
	clear := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		visits++
	}))
	defer clear.Close()
	e.moved = clear.URL
	code, _, said := s.attempt("import", host+"/app", "--from-ca="+ca)
	if code != exitFailed || !strings.Contains(said, "failed   app:v1") || visits != 0 {
		t.Errorf("exit code %d, %d visits, said %s", code, visits, said)
	}
	if code, _, said := s.attempt("import", host+"/app"); code != exitFailed || !strings.Contains(said, "certificate") {
		t.Errorf("without the CA: exit code %d, said %s", code, said)
	}
	e.mu.Lock()
	e.moved = ""
	e.mu.Unlock()
	s.ok("import", host+"/app", "--from-ca="+ca)
	holds(s.Server, t, "app", map[string][]byte{"v1": e.manifests["v1"]})
}

func TestADryImportChangesNothing(t *testing.T) {
	s := newShell(t)
	e := newElsewhere()
	e.image("v1", []byte("{1}"), []byte("a layer"))
	e.image("v2", []byte("{2}"), []byte("a layer"))
	e.image("w1", []byte("{3}"), []byte("a layer"))
	server := httptest.NewServer(e)
	defer server.Close()
	var done imported
	s.json(&done, "import", server.URL, "--dry-run", "--tags=v*", "--verify")
	want := imported{Repositories: 1, Failures: done.Failures}
	want.Totals.Listed, want.Copied, want.Tags, want.Blobs, want.Bytes = 2, 2, 2, 3, 13
	if diff := cmp.Diff(want, done); diff != "" || len(done.Failures) != 0 {
		t.Errorf("-want +got:\n%s", diff)
	}
	out, err := s.ECR().DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
	if err != nil || len(out.Repositories) != 0 {
		t.Errorf("repositories %v, %v", out, err)
	}
}

func TestImportsAndExportsThatAreWrong(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	for _, tt := range []struct {
		name string
		code int
		args []string
		want string
	}{
		{"nothing to import", exitUsage, []string{"import"}, "import needs FROM"},
		{"a place that is none", exitUsage, []string{"import", "ftp://x/y"}, "is no place that images come from"},
		{"an account of eleven digits", exitUsage, []string{"import", "ecr://11112222333.eu-west-1"}, "is no ecr://ACCOUNT.REGION"},
		{"a tag that is none", exitUsage, []string{"import", "localhost:1/app:.x"}, `".x" is no tag`},
		{"a digest that is none", exitUsage, []string{"import", "localhost:1/app@sha256:12"}, "is no digest"},
		{"a name without its password", exitUsage, []string{"import", "localhost:1/app", "--from-username=x"}, "go together"},
		{"two names", exitUsage, []string{"import", "oci:" + dir, "--to=a", "--as=b"}, "give one of them"},
		{"a directory without layouts", exitFailed, []string{"import", "oci:" + dir}, "there is no OCI layout"},
		{"a directory that is none of distribution's", exitFailed, []string{"import", "distribution:" + dir}, "it is no directory of CNCF distribution"},
		{"a directory that is not there", exitFailed, []string{"import", "oci:" + filepath.Join(dir, "none")}, "no such file or directory"},
		{"a registry that does not answer", exitFailed, []string{"import", "http://127.0.0.1:1"}, "connection refused"},
		{"an export of nothing", exitUsage, []string{"export", "--to=oci:x"}, "export needs REPOSITORY"},
		{"an export to nowhere", exitUsage, []string{"export", "app"}, "oci:DIR"},
		{"an export of a name that is none", exitUsage, []string{"export", "App", "--to=oci:x"}, "is no name of a repository"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, _, got := s.attempt(tt.args...)
			if code != tt.code || !strings.Contains(got, tt.want) {
				t.Errorf("exit code %d, said %q, want %d and %q", code, got, tt.code, tt.want)
			}
		})
	}
	code, _, got := s.attempt("export", "nothing", "--to=oci:"+filepath.Join(dir, "out"))
	if code != exitFailed || !strings.Contains(got, "failed   nothing") {
		t.Errorf("an export of a repository that is not there: exit code %d, said %q", code, got)
	}
}

package access_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/ecr"
	"github.com/lighterage/lighterage/internal/api/lightsail"
	"github.com/lighterage/lighterage/internal/api/oci"
	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
	"github.com/lighterage/lighterage/internal/registry"
)

// host carries our registry, so that everybody means it.
const host = string(ours) + ".dkr.ecr." + string(region) + ".example.com"

const (
	somewhere   = "arn:aws:ecr:eu-west-1:123456789012:repository/"
	someDigest  = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	someUpload  = "01234567-89ab-cdef-0123-456789abcdef"
	anyServices = "arn:aws:lightsail:eu-west-1:123456789012:ContainerService/*"
)

// request is something a client can ask for, and what IAM calls that.
type request struct {
	door, name       string
	body             string // of an AWS operation; R is the repository
	action, resource string // R is the repository, W the registry's own
}

// requests are all that the doors offer.
func requests() []request {
	json := func(action, resource, operation, body string) request {
		service, _, _ := strings.Cut(action, ":")
		return request{door: service, name: operation, body: body, action: action, resource: resource}
	}
	onRepository := func(operation, more string) request {
		return json("ecr:"+operation, somewhere+"R", operation, `{"registryId":"123456789012","repositoryName":"R"`+more+`}`)
	}
	onARN := func(operation, more string) request {
		return json("ecr:"+operation, somewhere+"R", operation, `{"resourceArn":"`+somewhere+`R"`+more+`}`)
	}
	onRegistry := func(operation, body string) request { return json("ecr:"+operation, "*", operation, body) }
	onService := func(operation, body string) request {
		return json("lightsail:"+operation, anyServices, operation, body)
	}
	route := func(action, method, path string) request {
		return request{door: "oci", name: method + " " + path, action: "ecr:" + action, resource: somewhere + "R"}
	}
	pull := `{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"ecr:BatchGetImage\"}}`
	forAll := strings.Replace(pull, `\"Action\"`, `\"Resource\":\"*\",\"Action\"`, 1)
	expiry := `{\"rules\":[{\"rulePriority\":1,\"selection\":{\"tagStatus\":\"any\",\"countType\":\"imageCountMoreThan\",\"countNumber\":2},\"action\":{\"type\":\"expire\"}}]}`
	image, digests := `,"imageIds":[{"imageTag":"v1"}]`, `,"layerDigests":["`+someDigest+`"]`
	return []request{
		onRegistry("DescribeRegistry", "{}"),
		onRegistry("GetAuthorizationToken", "{}"),
		onRepository("CreateRepository", ""),
		json("ecr:DescribeRepositories", somewhere+"R", "DescribeRepositories", `{"registryId":"123456789012","repositoryNames":["R"]}`),
		json("ecr:DescribeRepositories", somewhere+"*", "DescribeRepositories", `{"registryId":"123456789012"}`),
		onRepository("DeleteRepository", ""),
		onRepository("PutImageTagMutability", `,"imageTagMutability":"MUTABLE"`),
		onRepository("PutImageScanningConfiguration", `,"imageScanningConfiguration":{}`),
		onRepository("SetRepositoryPolicy", `,"force":true,"policyText":"`+pull+`"`),
		onRepository("GetRepositoryPolicy", ""),
		onRepository("DeleteRepositoryPolicy", ""),
		onRepository("PutLifecyclePolicy", `,"lifecyclePolicyText":"`+expiry+`"`),
		onRepository("GetLifecyclePolicy", ""),
		onRepository("DeleteLifecyclePolicy", ""),
		onRepository("StartLifecyclePolicyPreview", `,"lifecyclePolicyText":"`+expiry+`"`),
		onRepository("GetLifecyclePolicyPreview", ""),
		onRegistry("PutRegistryPolicy", `{"policyText":"`+forAll+`"}`),
		onRegistry("GetRegistryPolicy", "{}"),
		onRegistry("DeleteRegistryPolicy", "{}"),
		onRegistry("PutAccountSetting", `{"name":"BLOB_MOUNTING","value":"ENABLED"}`),
		onRegistry("GetAccountSetting", `{"name":"BLOB_MOUNTING"}`),
		onARN("TagResource", `,"tags":[]`),
		onARN("UntagResource", `,"tagKeys":[]`),
		onARN("ListTagsForResource", ""),
		onRepository("BatchCheckLayerAvailability", digests),
		onRepository("InitiateLayerUpload", ""),
		onRepository("UploadLayerPart", `,"uploadId":"`+someUpload+`","partFirstByte":0,"partLastByte":0,"layerPartBlob":"AA=="`),
		onRepository("CompleteLayerUpload", `,"uploadId":"`+someUpload+`"`+digests),
		onRepository("GetDownloadUrlForLayer", `,"layerDigest":"`+someDigest+`"`),
		onRepository("PutImage", `,"imageManifest":"{}"`),
		onRepository("BatchGetImage", image),
		onRepository("BatchDeleteImage", image),
		onRepository("UpdateImageStorageClass", `,"imageId":{"imageTag":"v1"},"targetStorageClass":"ARCHIVE"`),
		onRepository("ListImages", ""),
		onRepository("DescribeImages", ""),
		json("ecr:BatchGetImage", somewhere+"R", "ListImageReferrers", `{"registryId":"123456789012","repositoryName":"R","subjectId":{"imageDigest":"`+someDigest+`"}}`),

		onService("CreateContainerService", `{"serviceName":"web","power":"nano","scale":1}`),
		onService("UpdateContainerService", `{"serviceName":"web"}`),
		onService("DeleteContainerService", `{"serviceName":"web"}`),
		onService("GetContainerServices", `{}`),
		json("lightsail:GetContainerServicePowers", "*", "GetContainerServicePowers", "{}"),
		json("lightsail:GetContainerAPIMetadata", "*", "GetContainerAPIMetadata", "{}"),
		json(access.LoginAction, "*", "CreateContainerServiceRegistryLogin", "{}"),
		onService("RegisterContainerImage", `{"serviceName":"web","label":"a","digest":"`+someDigest+`"}`),
		onService("GetContainerImages", `{"serviceName":"web"}`),
		onService("DeleteContainerImage", `{"serviceName":"web","image":":web.a.1"}`),
		onService("TagResource", `{"resourceName":"web","tags":[]}`),
		onService("UntagResource", `{"resourceName":"web","tagKeys":[]}`),

		route("ListImages", "GET", "/<name>/tags/list"),
		route("BatchGetImage", "GET", "/<name>/manifests/<reference>"),
		route("BatchGetImage", "HEAD", "/<name>/manifests/<reference>"),
		route("PutImage", "PUT", "/<name>/manifests/<reference>"),
		route("BatchDeleteImage", "DELETE", "/<name>/manifests/<reference>"),
		route("GetDownloadUrlForLayer", "GET", "/<name>/blobs/<digest>"),
		route("BatchCheckLayerAvailability", "HEAD", "/<name>/blobs/<digest>"),
		route("BatchDeleteImage", "DELETE", "/<name>/blobs/<digest>"),
		route("InitiateLayerUpload", "POST", "/<name>/blobs/uploads/"),
		route("UploadLayerPart", "PATCH", "/<name>/blobs/uploads/<id>"),
		route("CompleteLayerUpload", "PUT", "/<name>/blobs/uploads/<id>"),
		route("UploadLayerPart", "GET", "/<name>/blobs/uploads/<id>"),
		route("InitiateLayerUpload", "DELETE", "/<name>/blobs/uploads/<id>"),
		route("BatchGetImage", "GET", "/<name>/referrers/<digest>"),
	}
}

// doors are the fronts over one catalogue. Who calls is in a header.
type doors struct {
	*world
	aws, oci http.Handler
	services []awsjson.Service
	callers  []identity.Caller
}

func (d *doors) openDoors(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	blobs, err := disk.Open(t.TempDir(), disk.Options{Logger: log, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close() })
	clock := func() time.Time { return noon }
	catalogue := registryOf(d.store, blobs, clock, log)
	t.Cleanup(func() { catalogue.Close(context.Background()) })
	addresses, err := edge.NewAddresses("", "")
	if err != nil {
		t.Fatal(err)
	}
	d.services = []awsjson.Service{
		ecr.New(ecr.Config{Catalogue: catalogue, Lifecycle: expiryOf(d.store, log), Issuer: d, Access: d.Decider, Addresses: addresses, DownloadURL: oci.DownloadURL}),
		lightsail.New(lightsail.Config{
			Services: containers.New(containers.Config{Meta: d.store, Repositories: catalogue, PushTTL: time.Hour}), Issuer: d, Access: d.Decider, Addresses: addresses,
		}),
	}
	aws, err := awsjson.New(awsjson.Config{Services: d.services, Authenticator: d, Authorizer: d.Decider, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	options := edge.Options{Logger: log, Clock: time.Now}
	d.aws = edge.Handler(aws, options)
	d.oci = edge.Handler(oci.New(oci.Config{Catalogue: catalogue, Auth: d, Access: d.Decider, Addresses: addresses, Logger: log, Anonymous: true, Home: registryID}), options)
}

func registryOf(store meta.Store, blobs *disk.Store, clock func() time.Time, log *slog.Logger) *registry.Catalogue {
	return registry.New(registry.Config{
		Meta: store, Blobs: blobs, Clock: clock, Logger: log, BootID: "boot", Limits: registry.Limits{ManifestSize: 1 << 20},
		LayerGrace: time.Hour, UploadTTL: time.Hour, PushTTL: time.Hour, URLTTL: time.Hour,
	})
}

func expiryOf(store meta.Store, log *slog.Logger) *lifecycle.Runner {
	noPulls := func(context.Context) error { return nil }
	return lifecycle.New(lifecycle.Config{Meta: store, Logger: log, LayerGrace: time.Hour, FlushPulls: noPulls, Journal: unwritten{}})
}

// unwritten is the journal of lifecycle policies.
type unwritten struct{}

func (unwritten) Ready() error               { return nil }
func (unwritten) Record(lifecycle.Execution) {}

func (d *doors) caller(header string) (identity.Caller, error) {
	i, err := strconv.Atoi(header)
	if err != nil {
		return identity.Caller{}, fault.New(fault.TokenInvalid)
	}
	return d.callers[i], nil
}

type pending struct{ identity.Caller }

func (p pending) Finish(string) (identity.Caller, error) { return p.Caller, nil }

func (d *doors) Begin(r *http.Request, _ string) (awsjson.Pending, error) {
	c, err := d.caller(r.Header.Get("Authorization"))
	return pending{c}, err
}
func (d *doors) VerifyBasic(_ context.Context, header string) (identity.Caller, error) {
	return d.caller(header)
}
func (d *doors) VerifyBearer(_ context.Context, token string) (identity.Caller, error) {
	return d.caller(token)
}
func (d *doors) IssueBearer(context.Context, string) (identity.Token, error) {
	return identity.Token{}, nil
}
func (d *doors) VerifyDownload(string) (identity.Download, error) {
	return identity.Download{}, fault.New(fault.TokenInvalid)
}
func (d *doors) IssueToken(context.Context, identity.Caller, identity.Scope, name.Region) (identity.Token, error) {
	return identity.Token{ExpiresAt: noon}, nil
}
func (d *doors) IssueDownload(identity.Download) string { return "" }

// denied sends the request and reports whether the answer is no for who the
// caller is.
func (d *doors) denied(t *testing.T, r request, repository string, caller int) bool {
	t.Helper()
	w := httptest.NewRecorder()
	if r.door == "oci" {
		method, path, _ := strings.Cut(r.name, " ")
		path = strings.NewReplacer("<name>", repository, "<reference>", "v1", "<digest>", someDigest, "<id>", someUpload).Replace(path)
		in := httptest.NewRequest(method, "/v2"+path, nil)
		in.Host = host
		in.Header.Set("User-Agent", "doors/1")
		in.Header.Set("Authorization", strconv.Itoa(caller))
		d.oci.ServeHTTP(w, in)
		return w.Code == http.StatusForbidden || w.Code == http.StatusUnauthorized
	}
	i := slices.IndexFunc(d.services, func(s awsjson.Service) bool { return s.Model.SigningName == r.door })
	in := httptest.NewRequest("POST", "/", strings.NewReader(replaceName(r.body, repository)))
	in.Header.Set("User-Agent", "doors/1")
	in.Header.Set("X-Amz-Target", d.services[i].Model.TargetPrefix+"."+r.name)
	in.Header.Set("Authorization", strconv.Itoa(caller))
	d.aws.ServeHTTP(w, in)
	var answer struct {
		Type string `json:"__type"`
	}
	if w.Code != http.StatusOK {
		if err := json.NewDecoder(bytes.NewReader(w.Body.Bytes())).Decode(&answer); err != nil {
			t.Fatalf("%s: %s", r.name, w.Body)
		}
	}
	if strings.HasSuffix(answer.Type, "InvalidParameterException") && strings.Contains(w.Body.String(), "null") || strings.HasSuffix(answer.Type, "SerializationException") || w.Code >= 500 {
		t.Fatalf("%s was not understood: %d %s", r.name, w.Code, w.Body)
	}
	return strings.HasSuffix(answer.Type, "AccessDeniedException")
}

// replaceName puts the repository's name in the place of R.
func replaceName(s, repository string) string {
	s = strings.ReplaceAll(s, `"R"`, `"`+repository+`"`)
	return strings.ReplaceAll(s, "repository/R", "repository/"+repository)
}

// person is a caller, and its side as the policy language has it.
type person struct {
	what      string
	caller    identity.Caller
	principal policy.Principal
	policies  []string
	session   []string
}

func rootPerson(account name.AccountID) person {
	return person{what: "root of " + string(account), caller: root(account), principal: policy.Principal{Kind: policy.Root, ARN: name.RootARN(account), Account: account}}
}

func (d *doors) userPerson(what string, account name.AccountID, policies ...string) person {
	c := d.user(account, what, policies...)
	return person{what: what, caller: c, principal: policy.Principal{Kind: policy.User, ARN: c.ARN, Account: account}, policies: policies}
}

func (d *doors) rolePerson(what string, session []string, policies ...string) person {
	c := d.role(ours, what, "", policies...)
	c.Session.Policies = session
	return person{
		what: what, caller: c, policies: policies, session: session,
		principal: policy.Principal{Kind: policy.RoleSession, ARN: c.ARN, Role: c.Session.RoleARN, Account: ours},
	}
}

func (d *doors) people() []person {
	const (
		pulls  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ecr:BatchGet*","ecr:GetDownloadUrlForLayer","ecr:GetAuthorizationToken"],"Resource":["arn:aws:ecr:*:*:repository/team/*","*"]}}`
		team   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:*","lightsail:Get*"],"Resource":"*"},{"Effect":"Deny","Action":["ecr:PutImage","ecr:Delete*"],"Resource":"arn:aws:ecr:*:*:repository/team/app"}]}`
		ships  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"ecr:*Policy","Resource":"*"}]}`
		narrow = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:*Layer*","lightsail:*"],"Resource":"*"}]}`
	)
	return []person{
		rootPerson(ours), rootPerson(theirs),
		d.userPerson("nobody", ours), d.userPerson("puller", ours, pulls), d.userPerson("member", ours, team), d.userPerson("named", ours),
		d.userPerson("guest", theirs, ships), d.userPerson("passer-by", theirs, pulls),
		d.rolePerson("ci", nil, ships), d.rolePerson("narrowed", []string{narrow}, ships),
		{what: "anybody", caller: identity.Caller{Kind: identity.Anonymous, Scope: identity.AnonymousPull}},
	}
}

const (
	appPolicy = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:user/named","210987654321"]},"Action":["ecr:ListImages","ecr:InitiateLayerUpload","ecr:BatchGetImage","ecr:GetRepositoryPolicy"]},
		{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::123456789012:role/ci"},"Action":"ecr:BatchDeleteImage"}]}`
	publicPolicy   = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ecr:BatchCheckLayerAvailability","ecr:PutImage"]}}`
	registryPolicy = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::210987654321:user/guest"},"Action":["ecr:Describe*","ecr:CreateRepository"],"Resource":"*"},
		{"Effect":"Deny","Principal":"*","Action":["ecr:UntagResource","ecr:GetRepositoryPolicy","ecr:DeleteRegistryPolicy"],"Resource":"*"}]}`
)

// restore puts back what requests may have changed.
func (d *doors) restore() {
	d.update(func(tx meta.Tx) error {
		if err := tx.PutRegistryPolicy(registryID, registryPolicy); err != nil {
			return err
		}
		for n, document := range map[name.RepositoryName]string{"team/app": appPolicy, "public/app": publicPolicy} {
			key := meta.RepositoryKey{Registry: registryID, Space: meta.ECR, Name: n}
			r, err := tx.Repository(key, meta.NoLock)
			if err != nil {
				if r.ID, err = tx.InsertRepository(meta.Repository{Key: key, CreatedAt: noon}); err != nil {
					return err
				}
			}
			if err := tx.PutRepositoryPolicy(r.ID, document); err != nil {
				return err
			}
		}
		return nil
	})
}

// answer is the policy engine's own, with the rules that are beside it spelled
// out once more.
func answer(t *testing.T, p person, r request, repository string) bool {
	t.Helper()
	documents := func(kind policy.Kind, texts ...string) (all []policy.Named) {
		for i, text := range texts {
			d, err := policy.Parse(kind, text)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, policy.Named{Name: fmt.Sprint(i), Document: d})
		}
		return all
	}
	owner := ours
	if r.door != "oci" && !strings.Contains(r.body, "123456789012") {
		owner = p.caller.Account // nothing in the input names another account
	}
	in := policy.Request{Principal: p.principal, Action: r.action, Resource: replaceName(r.resource, repository), Account: owner}
	side := policy.Policies{Identity: documents(policy.Identity, p.policies...), Session: documents(policy.Identity, p.session...)}
	switch {
	case !strings.HasPrefix(r.action, "ecr:") || owner != ours:
	default:
		side.Registry = documents(policy.Registry, registryPolicy)
		if text := map[string]string{"team/app": appPolicy, "public/app": publicPolicy}[repository]; text != "" && !strings.HasSuffix(in.Resource, "*") {
			side.Resource = documents(policy.Repository, text)
		}
	}
	switch {
	case p.caller.Kind == identity.Root && p.caller.Account == owner && strings.HasSuffix(r.action, "Policy"):
		return true
	case p.caller.Kind == identity.Anonymous:
		return slices.Contains([]string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability", "ecr:ListImages"}, r.action) &&
			policy.Evaluate(in, side).Allowed
	}
	return policy.Evaluate(in, side).Allowed
}

// changes are the requests after which something may be different.
var changes = regexp.MustCompile(`^(Create|Put|Set|Delete)(Repository|Registry)`)

// TestEveryDoorDecidesAsThePoliciesDo asks for everything, as everybody, on
// every door, and compares with what package policy says.
func TestEveryDoorDecidesAsThePoliciesDo(t *testing.T) {
	d := &doors{world: newWorld(t)}
	d.openDoors(t)
	people := d.people()
	for _, p := range people {
		d.callers = append(d.callers, p.caller)
	}
	d.restore()
	counts := map[bool]int{}
	for _, r := range requests() {
		for _, repository := range []string{"team/app", "public/app", "not/there"} {
			for i, p := range people {
				if p.caller.Kind == identity.Anonymous && r.door != "oci" {
					continue // there is no signature without a key
				}
				want := answer(t, p, r, repository)
				counts[want]++
				denied := d.denied(t, r, repository, i)
				if changes.MatchString(r.name) && !denied {
					d.restore()
				}
				if denied == want {
					t.Errorf("%s on the door %s for %s on %s: denied %v, the policies say %v", r.name, r.door, p.what, repository, denied, !want)
				}
			}
		}
	}
	if counts[true] < 200 || counts[false] < 200 {
		t.Errorf("%d allowed and %d denied: the test says little", counts[true], counts[false])
	}
	d.everythingIsAskedFor(t)
}

// everythingIsAskedFor reports operations and routes that requests lack.
func (d *doors) everythingIsAskedFor(t *testing.T) {
	t.Helper()
	have := map[string]bool{}
	for _, r := range requests() {
		have[r.door+" "+r.name] = true
	}
	for _, s := range d.services {
		for _, o := range s.Operations {
			if !have[s.Model.SigningName+" "+o.Name] {
				t.Errorf("%s is not asked for", o.Name)
			}
		}
	}
	// On /v2/, all but the front's own address and the catalogue, which shows
	// what the caller may see.
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		for _, path := range []string{"/<name>/tags/list", "/<name>/manifests/<reference>", "/<name>/blobs/<digest>", "/<name>/blobs/uploads/", "/<name>/blobs/uploads/<id>", "/<name>/referrers/<digest>"} {
			r := request{door: "oci", name: method + " " + path}
			w := httptest.NewRecorder()
			in := httptest.NewRequest(method, "/v2"+strings.NewReplacer("<name>", "team/app", "<reference>", "v1", "<digest>", someDigest, "<id>", someUpload).Replace(path), nil)
			in.Host = host
			in.Header.Set("Authorization", "0")
			d.oci.ServeHTTP(w, in)
			if offered := w.Code != http.StatusMethodNotAllowed; offered != have[r.door+" "+r.name] {
				t.Errorf("%s: offered %v, asked for %v", r.name, offered, !offered)
			}
		}
	}
}

// TestDoorsTellHowARequestCame: policies may ask for the address, the program
// and the transport on each of them.
func TestDoorsTellHowARequestCame(t *testing.T) {
	d := &doors{world: newWorld(t)}
	d.openDoors(t)
	d.callers = []identity.Caller{root(ours)}
	d.repository("team/app", "")
	asks := []request{
		{door: "ecr", name: "ListImages", body: `{"repositoryName":"R"}`},
		{door: "oci", name: "GET /<name>/tags/list"},
	}
	for condition, holds := range map[string]bool{
		`"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}`:    true, // where httptest's requests are from
		`"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}`: false,
		`"Bool":{"aws:SecureTransport":"false"}`:         true,
		`"Bool":{"aws:SecureTransport":"true"}`:          false,
		`"StringEquals":{"aws:UserAgent":"doors/1"}`:     true,
		`"StringEquals":{"aws:UserAgent":"doors/2"}`:     false,
	} {
		d.update(func(tx meta.Tx) error {
			return tx.PutRegistryPolicy(registryID, `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:ListImages","Resource":"*","Condition":{`+condition+`}}}`)
		})
		for _, r := range asks {
			if denied := d.denied(t, r, "team/app", 0); denied != holds {
				t.Errorf("on the door %s, %s holds: %v", r.door, condition, denied)
			}
		}
	}
}

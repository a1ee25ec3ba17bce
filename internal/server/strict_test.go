package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/lighterage/lighterage/internal/testkit"
)

// The tests of --ecr-strict that go through the whole server. The table of
// docs/compatibility.md names them, and those of single packages.

var strictly = testkit.Setting("ecr-strict", "true")

// TestTheStrictTableNamesTestsThatExist reads that table.
func TestTheStrictTableNamesTestsThatExist(t *testing.T) {
	text, err := os.ReadFile("../../docs/compatibility.md")
	must(t, err)
	_, section, ok := strings.Cut(string(text), "\n## With `--ecr-strict`\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if !ok {
		t.Fatal("there is no section about it")
	}
	rows := 0
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 6 || strings.Contains(cells[1], "---") || strings.TrimSpace(cells[1]) == "" {
			continue
		}
		rows++
		named := regexp.MustCompile("`([a-z0-9/]+)\\.(Test\\w+)`").FindAllStringSubmatch(cells[4], -1)
		if len(named) == 0 {
			t.Errorf("row %s names no test", strings.TrimSpace(cells[1]))
		}
		for _, n := range named {
			if !testExists(t, n[1], n[2]) {
				t.Errorf("row %s: there is no %s in %s", strings.TrimSpace(cells[1]), n[2], n[1])
			}
		}
	}
	if rows < 25 {
		t.Errorf("the table has %d rows", rows)
	}
}

// testExists looks for a test in a package below internal.
func testExists(t *testing.T, pkg, test string) bool {
	t.Helper()
	files, err := filepath.Glob("../../internal/" + pkg + "/*_test.go")
	must(t, err)
	return slices.ContainsFunc(files, func(file string) bool {
		source, err := os.ReadFile(file)
		must(t, err)
		return bytes.Contains(source, []byte("func "+test+"("))
	})
}

// rateWorld is a server whose time stands still, with an image.
func rateWorld(t *testing.T, options ...testkit.Option) (*testkit.Server, *still, testkit.Login) {
	t.Helper()
	clock := &still{at: time.Now()}
	s := testkit.Start(t, append(options, testkit.Clock(clock.now))...)
	must(t, createRepository(s, "app"))
	l := s.Login()
	s.PushImage(l, "app", "v1", []byte("{}"), []byte("layer"))
	clock.add(time.Second)
	return s, clock, l
}

// putTag puts the image of rateWorld under a tag, through the API.
func putTag(t *testing.T, c *ecr.Client, tag string) error {
	t.Helper()
	_, err := c.PutImage(t.Context(), &ecr.PutImageInput{
		RepositoryName: aws.String("app"), ImageManifest: aws.String(string(testkit.Manifest([]byte("{}"), []byte("layer")))), ImageTag: &tag,
	})
	return err
}

// TestStrictRates: ten images a second, whichever door they come through.
func TestStrictRates(t *testing.T) {
	s, clock, l := rateWorld(t, strictly)
	put := func(tag string) testkit.Answer {
		return s.Do(l, "PUT", "/v2/app/manifests/"+tag, testkit.Manifest([]byte("{}"), []byte("layer")), "Content-Type: "+testkit.ManifestType)
	}
	for i := range 10 {
		if i%2 == 0 {
			checkAWS(t, putTag(t, s.ECR(), fmt.Sprint("api-", i)), 0, "")
		} else if a := put(fmt.Sprint("push-", i)); a.Status != 201 {
			t.Fatalf("push %d: %d %s", i, a.Status, a.Body)
		}
	}
	err := putTag(t, s.ECR(), "more")
	checkAWS(t, err, 400, "ThrottlingException")
	if !strings.HasSuffix(err.Error(), "ThrottlingException: Rate exceeded") {
		t.Errorf("the text is %q", err)
	}
	many := put("more")
	checkOCI(t, many, 429, "TOOMANYREQUESTS", "Rate exceeded")
	if many.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", many.Header.Get("Retry-After"))
	}
	abroad := s.ECR(func(o *ecr.Options) { o.Region = "eu-west-1" })
	checkAWS(t, putTag(t, abroad, "more"), 400, "RepositoryNotFoundException")
	if a := s.Do(l, "GET", "/v2/app/manifests/v1", nil); a.Status != 200 {
		t.Errorf("another operation: %d", a.Status)
	}
	clock.add(100 * time.Millisecond)
	checkAWS(t, putTag(t, s.ECR(), "more"), 0, "")
	checkAWS(t, putTag(t, s.ECR(), "too-much"), 400, "ThrottlingException")

	usual, _, _ := rateWorld(t)
	for i := range 30 {
		checkAWS(t, putTag(t, usual.ECR(), fmt.Sprint("api-", i)), 0, "")
	}
}

// TestEveryRateHoldsOnBothDoors sets each to two a second. What the calls come
// to is of no interest, unless they are one too many.
func TestEveryRateHoldsOnBothDoors(t *testing.T) {
	const upload, layer = "01234567-89ab-4def-8123-456789abcdef", "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	app := aws.String("app")
	for _, test := range []struct {
		operation    string
		call         func(*ecr.Client) error
		method, path string // of /v2/; empty: not there
	}{
		{"BatchCheckLayerAvailability", func(c *ecr.Client) error {
			_, err := c.BatchCheckLayerAvailability(t.Context(), &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: app, LayerDigests: []string{layer}})
			return err
		}, "HEAD", "blobs/" + layer},
		{"BatchGetImage", batchGetImage(t), "GET", "manifests/v1"},
		{"CompleteLayerUpload", func(c *ecr.Client) error {
			_, err := c.CompleteLayerUpload(t.Context(), &ecr.CompleteLayerUploadInput{RepositoryName: app, UploadId: aws.String(upload), LayerDigests: []string{layer}})
			return err
		}, "PUT", "blobs/uploads/" + upload + "?digest=" + layer},
		{"GetAuthorizationToken", func(c *ecr.Client) error {
			_, err := c.GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
			return err
		}, "", ""},
		{"GetDownloadUrlForLayer", func(c *ecr.Client) error {
			_, err := c.GetDownloadUrlForLayer(t.Context(), &ecr.GetDownloadUrlForLayerInput{RepositoryName: app, LayerDigest: aws.String(layer)})
			return err
		}, "GET", "blobs/" + layer},
		{"InitiateLayerUpload", func(c *ecr.Client) error {
			_, err := c.InitiateLayerUpload(t.Context(), &ecr.InitiateLayerUploadInput{RepositoryName: app})
			return err
		}, "POST", "blobs/uploads/"},
		{"PutImage", func(c *ecr.Client) error { return putTag(t, c, "v1") }, "PUT", "manifests/v1"},
		{"UploadLayerPart", func(c *ecr.Client) error {
			_, err := c.UploadLayerPart(t.Context(), &ecr.UploadLayerPartInput{
				RepositoryName: app, UploadId: aws.String(upload), PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(0), LayerPartBlob: []byte("x"),
			})
			return err
		}, "PATCH", "blobs/uploads/" + upload},
	} {
		t.Run(test.operation, func(t *testing.T) {
			s, clock, l := rateWorld(t)
			s.Restart(testkit.Setting("rates", test.operation+"=2"))
			for range 2 {
				if err := test.call(s.ECR()); err != nil && strings.Contains(err.Error(), "Throttling") {
					t.Fatal(err)
				}
			}
			checkAWS(t, test.call(s.ECR()), 400, "ThrottlingException")
			if test.method == "" {
				return
			}
			if a := s.Do(l, test.method, "/v2/app/"+test.path, []byte("x")); a.Status != 429 {
				t.Errorf("after the API's calls: %d %s", a.Status, a.Body)
			}
			clock.add(time.Second)
			for range 2 {
				if a := s.Do(l, test.method, "/v2/app/"+test.path, []byte("x")); a.Status == 429 {
					t.Fatalf("%d %s", a.Status, a.Body)
				}
			}
			if a := s.Do(l, test.method, "/v2/app/"+test.path, []byte("x")); a.Status != 429 {
				t.Errorf("the third: %d %s", a.Status, a.Body)
			}
		})
	}
}

func batchGetImage(t *testing.T) func(*ecr.Client) error {
	return func(c *ecr.Client) error {
		_, err := c.BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: aws.String("app"), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("v1")}}})
		return err
	}
}

// TestSDKsRetryWhatIsThrottled: the SDK's own rules take the answer for a
// throttled call, and come again.
func TestSDKsRetryWhatIsThrottled(t *testing.T) {
	s, clock, _ := rateWorld(t, testkit.Setting("rates", "BatchGetImage=1"))
	waits := 0
	patient := s.ECR(func(o *ecr.Options) {
		o.RetryMaxAttempts = 3
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts = 3
			r.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) {
				waits++
				clock.add(time.Second)
				return 0, nil
			})
		})
	})
	for range 3 {
		checkAWS(t, batchGetImage(t)(patient), 0, "")
	}
	if waits != 2 {
		t.Errorf("waited %d times, want before the second call and the third", waits)
	}
	err := batchGetImage(t)(s.ECR())
	checkAWS(t, err, 400, "ThrottlingException")
	throttles := retry.IsErrorThrottles(retry.DefaultThrottles)
	if throttles.IsErrorThrottle(err) != aws.TrueTernary {
		t.Errorf("to the SDK, %v is no throttled call", err)
	}
}

// TestADeniedCallTakesNothingOfARate, though it is of the same account.
func TestADeniedCallTakesNothingOfARate(t *testing.T) {
	s, _, _ := rateWorld(t, testkit.Setting("rates", "BatchGetImage=2"))
	nobody := root(s).hire(t, "nobody", "")
	for range 5 {
		checkAWS(t, batchGetImage(t)(nobody.ecr()), 400, "AccessDeniedException")
	}
	checkAWS(t, batchGetImage(t)(s.ECR()), 0, "")
	checkAWS(t, batchGetImage(t)(s.ECR()), 0, "")
	checkAWS(t, batchGetImage(t)(s.ECR()), 400, "ThrottlingException")
}

// TestStrictQuotas has those that the flag alone brings in small numbers, and
// finds that none of them holds without it.
func TestStrictQuotas(t *testing.T) {
	strict := testkit.Start(t, strictly, testkit.Setting("quotas", "images-per-repository=1,tags-per-image=2,layers-per-image=2"))
	for _, of := range []struct {
		*testkit.Server
		strict bool
	}{{strict, true}, {testkit.Start(t), false}} {
		must(t, createRepository(of.Server, "app"))
		l := of.Login()
		config, layers := []byte("{}"), [][]byte{[]byte("one"), []byte("two"), []byte("three")}
		for _, b := range append(layers, config) {
			of.PushLayer(l, "app", b)
		}
		for _, step := range []struct {
			what   string
			layers [][]byte
			tag    string
			shape  string // of the API's error
			status int    // of /v2/
			code   string
		}{
			{"an image of two layers", layers[:2], "v1", "", 201, ""},
			{"its second tag", layers[:2], "v2", "", 201, ""},
			{"its third tag", layers[:2], "v3", "LimitExceededException", 403, "DENIED"},
			{"another image", layers[:1], "v4", "LimitExceededException", 403, "DENIED"},
			{"an image of three layers", layers, "v5", "InvalidParameterException", 405, "UNSUPPORTED"},
		} {
			manifest := testkit.Manifest(config, step.layers...)
			refused := of.strict && step.shape != ""
			a := of.Do(l, "PUT", "/v2/app/manifests/"+step.tag, manifest, "Content-Type: "+testkit.ManifestType)
			if want := step.status; refused && (a.Status != want || !bytes.Contains(a.Body, []byte(`"`+step.code+`"`))) || !refused && a.Status != 201 {
				t.Errorf("%s (strict: %v): %d %s", step.what, of.strict, a.Status, a.Body)
			}
			if refused {
				_, err := of.ECR().PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: aws.String("app"), ImageManifest: aws.String(string(manifest)), ImageTag: &step.tag})
				checkAWS(t, err, 400, step.shape)
			}
		}
	}
}

// TestStrictLayerParts: the model takes 20 MiB, the quota 10.
func TestStrictLayerParts(t *testing.T) {
	part := bytes.Repeat([]byte("x"), 10<<20+1)
	for _, of := range []struct {
		*testkit.Server
		code string
	}{{testkit.Start(t, strictly), "InvalidLayerPartException"}, {testkit.Start(t), ""}} {
		must(t, createRepository(of.Server, "app"))
		upload, err := of.ECR().InitiateLayerUpload(t.Context(), &ecr.InitiateLayerUploadInput{RepositoryName: aws.String("app")})
		must(t, err)
		if *upload.PartSize != 10<<20 {
			t.Errorf("parts of %d bytes are asked for", *upload.PartSize)
		}
		send := func(at int64, b []byte) error {
			_, err := of.ECR().UploadLayerPart(t.Context(), &ecr.UploadLayerPartInput{
				RepositoryName: aws.String("app"), UploadId: upload.UploadId, PartFirstByte: aws.Int64(at), PartLastByte: aws.Int64(at + int64(len(b)) - 1), LayerPartBlob: b,
			})
			return err
		}
		checkAWS(t, send(0, part), 400, of.code)
		if of.code != "" {
			checkAWS(t, send(0, part[:10<<20]), 0, "")
		}
	}
}

// TestStrictPulls: what docker does, by way of the redirect.
func TestStrictPulls(t *testing.T) {
	s := testkit.Start(t, strictly)
	must(t, createRepository(s, "app"))
	l := s.Login()
	layer := large("layer")
	manifest, d := s.PushImage(l, "app", "v1", []byte("{}"), layer)
	if a := s.Do(l, "GET", "/v2/app/manifests/v1", nil); a.Status != 200 || !bytes.Equal(a.Body, manifest) {
		t.Errorf("the manifest %s: %d", d, a.Status)
	}
	for _, b := range [][]byte{[]byte("{}"), layer} {
		if a := s.Do(l, "GET", "/v2/app/blobs/"+testkit.Digest(b), nil); a.Status != 200 || !bytes.Equal(a.Body, b) {
			t.Errorf("a layer of %d bytes: %d, %d bytes", len(b), a.Status, len(a.Body))
		}
	}
	s.CheckInvariants(t)
}

// TestStrictLifecyclePolicies: what goes beyond ECR is refused.
func TestStrictLifecyclePolicies(t *testing.T) {
	text, err := json.Marshal(map[string]any{"rules": []any{map[string]any{
		"rulePriority": 1, "action": map[string]any{"type": "expire"},
		"selection": map[string]any{"tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 30},
	}}})
	must(t, err)
	for _, of := range []struct {
		*testkit.Server
		code string
	}{{testkit.Start(t, strictly), "InvalidParameterException"}, {testkit.Start(t), ""}} {
		must(t, createRepository(of.Server, "app"))
		_, err := of.ECR().PutLifecyclePolicy(t.Context(), &ecr.PutLifecyclePolicyInput{RepositoryName: aws.String("app"), LifecyclePolicyText: aws.String(string(text))})
		checkAWS(t, err, 400, of.code)
	}
}

// TestStrictMountingIsTurnedOn by the setting that AWS has off at first.
func TestStrictMountingIsTurnedOn(t *testing.T) {
	for _, of := range []struct {
		*testkit.Server
		want string
	}{{testkit.Start(t, strictly), "DISABLED"}, {testkit.Start(t), "ENABLED"}} {
		out, err := of.ECR().GetAccountSetting(t.Context(), &ecr.GetAccountSettingInput{Name: aws.String("BLOB_MOUNTING")})
		must(t, err)
		if aws.ToString(out.Value) != of.want {
			t.Errorf("BLOB_MOUNTING is %s, want %s", aws.ToString(out.Value), of.want)
		}
	}
}

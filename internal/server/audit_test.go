package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lighterage/lighterage/internal/audit"
	"github.com/lighterage/lighterage/internal/server"
	"github.com/lighterage/lighterage/internal/testkit"
)

// trail gives the events in a server's trail since the last call.
type trail struct {
	t    *testing.T
	dir  string
	seen map[string]bool // ids
}

func newTrail(t *testing.T, s *testkit.Server) *trail {
	return &trail{t: t, dir: s.Config.Audit.Path, seen: map[string]bool{}}
}

func (l *trail) next() (events []audit.Event) {
	l.t.Helper()
	sum, err := audit.Search(l.t.Context(), l.dir, audit.Query{OldestFirst: true}, func(e audit.Event) bool {
		if !l.seen[e.ID] {
			events = append(events, e)
		}
		l.seen[e.ID] = true
		return true
	})
	must(l.t, err)
	if sum.Broken != 0 {
		l.t.Fatalf("%d lines are no events", sum.Broken)
	}
	return events
}

// text is all that is in the files.
func (l *trail) text() []byte {
	l.t.Helper()
	paths, err := filepath.Glob(filepath.Join(l.dir, "*.jsonl"))
	must(l.t, err)
	var all []byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		must(l.t, err)
		all = append(all, text...)
	}
	return all
}

// summary is what most tests look at.
func summary(events []audit.Event) []string {
	var out []string
	for _, e := range events {
		who := e.Identity.Type
		if e.Identity.UserName != "" {
			who += " " + e.Identity.UserName
		}
		line := fmt.Sprintf("%s %s:%s", who, strings.TrimSuffix(e.Source, ".amazonaws.com"), e.Name)
		if e.ErrorCode != "" {
			line += " " + e.ErrorCode
		}
		for _, r := range e.Resources {
			_, name, _ := strings.Cut(r.ARN, ":"+r.AccountID+":")
			line += " on " + name
		}
		if e.RequestParameters != nil && string(e.RequestParameters) != "null" {
			line += " " + string(e.RequestParameters)
		}
		out = append(out, line)
	}
	return out
}

// jam lets no file of the trail follow on one that is full, as a disk does that
// has no room left.
func (l *trail) jam() (restore func()) {
	l.t.Helper()
	paths, err := filepath.Glob(filepath.Join(l.dir, "*[a-z].jsonl"))
	must(l.t, err)
	if len(paths) != 5 {
		l.t.Fatalf("the trail has %d files to write to", len(paths))
	}
	for _, path := range paths {
		must(l.t, os.Mkdir(path+".next", 0o700))
	}
	return func() {
		for _, path := range paths {
			must(l.t, os.Remove(path+".next"))
		}
	}
}

func TestATrailThatCannotBeWritten(t *testing.T) {
	s := testkit.Start(t, testkit.Setting("audit-file-bytes", "1")) // each file has a line
	login := s.Login()
	manifest, _ := s.PushImage(login, "app", "1", []byte("{}"), []byte("layer"))
	role := createRole(t, s, "ci")
	registry := s.ECR(once)
	security := sts.NewFromConfig(s.AWS(), func(o *sts.Options) { o.RetryMaxAttempts = 1 })
	restore := newTrail(t, s).jam()
	if a := s.Do(login, "GET", "/v2/app/manifests/1", nil); a.Status != 200 || !bytes.Equal(a.Body, manifest) {
		t.Errorf("a pull that cannot be recorded: %d", a.Status)
	}
	_, err := registry.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
	checkAWS(t, err, 0, "")
	_, err = security.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	checkAWS(t, err, 0, "")
	_, err = security.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
	checkAWS(t, err, 503, "ServiceUnavailable")
	_, err = security.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("job-7")})
	checkAWS(t, err, 503, "ServiceUnavailable")
	_, err = registry.GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	checkAWS(t, err, 500, "ServerException")
	_, err = registry.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("other")})
	checkAWS(t, err, 500, "ServerException")
	if a := s.Do(login, "PUT", "/v2/app/manifests/2", manifest, "Content-Type: application/vnd.oci.image.manifest.v1+json"); a.Status != 503 {
		t.Errorf("a push that cannot be recorded: %d", a.Status)
	}
	if a := s.Do(testkit.Login{}, "GET", "/readyz", nil); a.Status != 503 {
		t.Errorf("ready: %d", a.Status)
	}
	restore()
	if a := s.Do(login, "GET", "/v2/app/manifests/1", nil); a.Status != 200 {
		t.Errorf("a pull with room again: %d", a.Status)
	}
	if a := s.Do(login, "PUT", "/v2/app/manifests/2", manifest, "Content-Type: application/vnd.oci.image.manifest.v1+json"); a.Status != 201 {
		t.Errorf("a push with room again: %d %s", a.Status, a.Body)
	}
}

func once(o *ecr.Options) { o.RetryMaxAttempts = 1 }

func TestPlacesOfTheTrail(t *testing.T) {
	elsewhere := t.TempDir()
	for _, c := range []struct {
		name, audit string
		files       string // pattern of what there must be
		stdout      bool
	}{
		{"by default", "file:", "DIR/audit/audit.jsonl", false},
		{"elsewhere", "file:" + elsewhere, elsewhere + "/audit.jsonl", false},
		{"standard output", "stdout", "", true},
		{"nowhere", "off", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out buffer
			dir := t.TempDir()
			trail, closer, err := server.OpenTrail(settings(t, dir, "--audit="+c.audit), &out, time.Now)
			must(t, err)
			if trail != nil {
				must(t, trail.Record(&audit.Event{Name: "Test"}))
			}
			must(t, closer.Close())
			found, err := filepath.Glob(filepath.Join(dir, "audit", "*.jsonl"))
			must(t, err)
			if want := strings.ReplaceAll(c.files, "DIR", dir); want != "" {
				if info, err := os.Stat(want); err != nil || info.Size() == 0 {
					t.Errorf("%s: %v, %v", want, info, err)
				}
			} else if len(found) > 0 {
				t.Errorf("there is %v", found)
			}
			if c.stdout != strings.Contains(out.String(), `"eventName":"Test"`) {
				t.Errorf("standard output got %q", out.String())
			}
		})
	}
	_, _, err := server.OpenTrail(settings(t, t.TempDir(), "--audit=file:/dev/null/x"), nil, time.Now)
	if _, ok := errors.AsType[*server.StoreError](err); !ok {
		t.Errorf("a trail below a file: %v", err)
	}
}

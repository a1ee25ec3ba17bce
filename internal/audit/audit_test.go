package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/audit"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

// push is the event of an image that alice pushed.
func push(repository string) *audit.Event {
	return &audit.Event{
		Identity: audit.Identity{
			Type: "IAMUser", PrincipalID: "AIDAALICE", ARN: "arn:aws:iam::123456789012:user/dev/alice",
			AccountID: "123456789012", AccessKeyID: "AKIAALICE", UserName: "alice",
		},
		Time: noon, Source: "ecr.amazonaws.com", Name: "PutImage", Region: "eu-central-1",
		SourceIP: "192.0.2.7", UserAgent: "docker/29", RequestID: "r-1", ID: "e-1",
		RequestParameters: json.RawMessage(`{"repositoryName":"` + repository + `"}`),
		Resources: []audit.Resource{{
			AccountID: "123456789012", Type: "AWS::ECR::Repository",
			ARN: "arn:aws:ecr:eu-central-1:123456789012:repository/" + repository,
		}},
		ManagementEvent: true, RecipientAccountID: "123456789012",
	}
}

func open(t testing.TB, c audit.FileConfig) *audit.File {
	t.Helper()
	c.Clock = clock
	f, err := audit.OpenFile(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func record(t testing.TB, f *audit.File, events ...*audit.Event) {
	t.Helper()
	for _, e := range events {
		if err := f.Record(e); err != nil {
			t.Fatal(err)
		}
	}
}

// found returns the ids of the events that a search gives.
func found(t testing.TB, dir string, q audit.Query) ([]string, audit.Summary) {
	t.Helper()
	var ids []string
	sum, err := audit.Search(context.Background(), dir, q, func(e audit.Event) bool {
		ids = append(ids, e.ID)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids, sum
}

func TestALineHasCloudTrailsShape(t *testing.T) {
	var out bytes.Buffer
	e := push("team/app")
	e.Time = time.Date(2026, 3, 14, 13, 0, 0, 987654321, time.FixedZone("CET", 3600))
	e.Identity.SessionContext = &audit.SessionContext{
		Issuer: &audit.Issuer{Type: "Role", PrincipalID: "AROA1", ARN: "arn:aws:iam::123456789012:role/ci",
			AccountID: "123456789012", UserName: "ci"},
		Attributes: audit.SessionAttributes{CreationDate: "2026-03-14T11:00:00Z", MFAAuthenticated: "false"},
	}
	if err := audit.NewStream(&out, clock).Record(e); err != nil {
		t.Fatal(err)
	}
	const want = `{"eventVersion":"1.11",` +
		`"userIdentity":{"type":"IAMUser","principalId":"AIDAALICE","arn":"arn:aws:iam::123456789012:user/dev/alice",` +
		`"accountId":"123456789012","accessKeyId":"AKIAALICE","userName":"alice","sessionContext":{` +
		`"sessionIssuer":{"type":"Role","principalId":"AROA1","arn":"arn:aws:iam::123456789012:role/ci","accountId":"123456789012","userName":"ci"},` +
		`"attributes":{"creationDate":"2026-03-14T11:00:00Z","mfaAuthenticated":"false"}}},` +
		`"eventTime":"2026-03-14T12:00:00Z","eventSource":"ecr.amazonaws.com","eventName":"PutImage","awsRegion":"eu-central-1",` +
		`"sourceIPAddress":"192.0.2.7","userAgent":"docker/29","requestParameters":{"repositoryName":"team/app"},"responseElements":null,` +
		`"requestID":"r-1","eventID":"e-1","readOnly":false,"resources":[{"accountId":"123456789012","type":"AWS::ECR::Repository",` +
		`"ARN":"arn:aws:ecr:eu-central-1:123456789012:repository/team/app"}],"eventType":"AwsApiCall","managementEvent":true,` +
		`"recipientAccountId":"123456789012","eventCategory":"Management"}` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("the line differs (-want +got):\n%s", diff)
	}
	if e.Version != "" || e.Category != "" || e.Time.Nanosecond() == 0 {
		t.Error("recording changed the caller's event")
	}
}

func TestWhatACallerLeavesEmptyIsFilled(t *testing.T) {
	var out bytes.Buffer
	if err := audit.NewStream(&out, clock).Record(&audit.Event{Name: "BatchGetImage"}); err != nil {
		t.Fatal(err)
	}
	e, err := audit.Parse(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !e.Time.Equal(noon) || e.Version != audit.Version || e.Type != "AwsApiCall" || e.Category != "Data" {
		t.Errorf("filled as %+v", e)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(e.ID) {
		t.Errorf("event id %q is no UUID", e.ID)
	}
}

func TestALineStaysOneAndBounded(t *testing.T) {
	huge := strings.Repeat("\n\x01é", 1<<17)
	for name, change := range map[string]func(*audit.Event){
		"line breaks in a user agent": func(e *audit.Event) { e.UserAgent = "a\nb\r\n{\"eventName\":\"forged\"}" },
		"a line break in the parameters": func(e *audit.Event) {
			e.RequestParameters = json.RawMessage("{\n\"repositoryName\":\n\"x\"}")
		},
		"a huge user agent":             func(e *audit.Event) { e.UserAgent = huge },
		"a huge message":                func(e *audit.Event) { e.ErrorMessage = huge },
		"a huge name":                   func(e *audit.Event) { e.Identity.UserName, e.Identity.ARN = huge, huge },
		"huge parameters":               func(e *audit.Event) { e.RequestParameters, _ = json.Marshal(huge) },
		"many resources":                func(e *audit.Event) { e.Resources = make([]audit.Resource, 1<<16) },
		"parameters that are no JSON":   func(e *audit.Event) { e.RequestParameters = json.RawMessage(`{"a":`) },
		"an answer that is not UTF-8":   func(e *audit.Event) { e.ResponseElements = json.RawMessage("\"\xff\"") },
		"a user agent that is no UTF-8": func(e *audit.Event) { e.UserAgent = "\xff\xfe" },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			e := push("team/app")
			change(e)
			if err := audit.NewStream(&out, clock).Record(e); err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(out.Bytes(), []byte("\n")); n != 1 || !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
				t.Errorf("%d line breaks", n)
			}
			if out.Len() > audit.MaxLine {
				t.Errorf("a line of %d bytes, which Search would pass over", out.Len())
			}
			got, err := audit.Parse(out.Bytes())
			if err != nil || got.ID != "e-1" || got.Name != "PutImage" {
				t.Errorf("read back %+v, error %v", got, err)
			}
		})
	}
}

func TestOutcome(t *testing.T) {
	for code, want := range map[string]audit.Outcome{
		"":                            audit.OK,
		"AccessDenied":                audit.Denied,
		"AccessDeniedException":       audit.Denied,
		"UnrecognizedClientException": audit.Denied,
		"SignatureDoesNotMatch":       audit.Denied,
		"UNAUTHORIZED":                audit.Denied,
		"DENIED":                      audit.Denied,
		"RepositoryNotFoundException": audit.Failed,
		"NAME_UNKNOWN":                audit.Failed,
	} {
		if got := (&audit.Event{ErrorCode: code}).Outcome(); got != want {
			t.Errorf("%q is %s, want %s", code, got, want)
		}
	}
	throttled := audit.Event{ErrorCode: "TOOMANYREQUESTS"}
	if got := throttled.Outcome(); got != audit.Denied {
		t.Errorf("who failed to log in too often is %s", got)
	}
	if throttled.Identity.AccountID = "123456789012"; throttled.Outcome() != audit.Failed {
		t.Errorf("a principal that asks too often is %s", throttled.Outcome())
	}
	if got := (&audit.Event{ErrorMessage: "no code"}).Outcome(); got != audit.Failed {
		t.Errorf("a message without a code is %s", got)
	}
}

// brokenPipe takes n bytes, then fails until it is mended.
type brokenPipe struct {
	bytes.Buffer
	n int
}

var errPipe = errors.New("broken pipe")

func (p *brokenPipe) Write(b []byte) (int, error) {
	if len(b) <= p.n {
		p.n -= len(b)
		return p.Buffer.Write(b)
	}
	n, _ := p.Buffer.Write(b[:p.n])
	p.n = 0
	return n, errPipe
}

func TestAStreamThatFailsForAWhile(t *testing.T) {
	pipe := &brokenPipe{n: 100}
	s := audit.NewStream(pipe, clock)
	if err := s.Record(push("a")); !errors.Is(err, errPipe) {
		t.Fatalf("error %v, want %v", err, errPipe)
	}
	if got := s.Stats(); got.Failed != 1 || !errors.Is(got.Err, errPipe) {
		t.Errorf("stats %+v", got)
	}
	if err := s.Retry(); !errors.Is(err, errPipe) || s.Stats().Failed != 1 {
		t.Errorf("tried again: error %v, stats %+v", err, s.Stats())
	}
	pipe.n = 1 << 20
	if err := s.Record(push("b")); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got.Written != 1 || got.Failed != 1 || got.Err != nil {
		t.Errorf("stats %+v after it was mended", got)
	}
	lines := strings.Split(pipe.String(), "\n")
	if len(lines) != 4 || len(lines[0]) != 100 || !strings.Contains(lines[1], `"count":1,`) || !strings.Contains(lines[2], `repository/b"`) {
		t.Errorf("the lines are %q", lines)
	}
}

func TestStreamLinesDoNotMix(t *testing.T) {
	var out bytes.Buffer
	s := audit.NewStream(&out, clock)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if err := s.Record(push("team/app")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	lines := bytes.Split(bytes.TrimSuffix(out.Bytes(), []byte("\n")), []byte("\n"))
	if len(lines) != 800 {
		t.Errorf("%d lines, want 800", len(lines))
	}
	for _, line := range lines {
		if _, err := audit.Parse(line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
}

// files returns the trail's files and their sizes.
func files(t testing.TB, dir string) map[string]int64 {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.Name(), ".jsonl") {
			sizes[e.Name()] = info.Size()
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
	return sizes
}

func FuzzParse(f *testing.F) {
	var out bytes.Buffer
	if err := audit.NewStream(&out, clock).Record(push("team/app")); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Add([]byte(`{"eventName":"x","eventTime":"2026-03-14T12:00:00Z","userIdentity":null}`))
	f.Add([]byte(`{"eventName":"x","eventTime":"2026-03-14T12:00:00+25:00"}`))
	f.Add([]byte(`{"eventName":"x","eventTime":"9999-12-31T23:59:59-23:00"}`))
	f.Add([]byte("\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := audit.Parse(text)
		if err != nil {
			return
		}
		if e.Name == "" || e.Time.IsZero() {
			t.Fatal("an event without a name or a time")
		}
		// What can be read can be matched, and written and read again.
		audit.Filter{Principal: "*a?", Repository: "*", Action: "ecr:*", Outcome: audit.OK}.Matches(&e)
		var out bytes.Buffer
		if err := audit.NewStream(&out, clock).Record(&e); err != nil {
			return // a year that JSON cannot write
		}
		if bytes.Count(out.Bytes(), []byte("\n")) != 1 {
			t.Fatalf("written as %q", out.Bytes())
		}
		again, err := audit.Parse(out.Bytes())
		if err != nil || again.Outcome() != e.Outcome() {
			t.Fatalf("%s: read again as %+v, error %v", out.Bytes(), again, err)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	f := open(b, audit.FileConfig{Dir: b.TempDir()})
	e := push("team/app")
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Record(e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	s := audit.NewStream(io.Discard, clock)
	e := push("team/app")
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Record(e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	dir := b.TempDir()
	f := open(b, audit.FileConfig{Dir: dir})
	for i := range 10000 {
		record(b, f, push(fmt.Sprintf("team/app-%d", i)))
	}
	info, err := os.Stat(filepath.Join(dir, "audit.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		if ids, _ := found(b, dir, audit.Query{Filter: audit.Filter{Repository: "team/app-9999"}}); len(ids) != 1 {
			b.Fatal(ids)
		}
	}
}

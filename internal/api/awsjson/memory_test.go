package awsjson_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/fault"
)

// partHandler serves ECR's UploadLayerPart and PutImage and nothing else.
func partHandler(t testing.TB, memory int64, part func(awsmodel.Blob), image func(string)) *awsjson.Handler {
	t.Helper()
	offered := []awsjson.Operation{
		awsjson.Op("UploadLayerPart", "ecr:UploadLayerPart", awsjson.Everything[ecrmodel.UploadLayerPartRequest],
			func(_ context.Context, _ *awsjson.Call, in *ecrmodel.UploadLayerPartRequest) (*ecrmodel.UploadLayerPartResponse, error) {
				part(in.LayerPartBlob)
				return &ecrmodel.UploadLayerPartResponse{LastByteReceived: in.PartLastByte}, nil
			}),
		awsjson.Op("PutImage", "ecr:PutImage", awsjson.Everything[ecrmodel.PutImageRequest],
			func(_ context.Context, _ *awsjson.Call, in *ecrmodel.PutImageRequest) (*ecrmodel.PutImageResponse, error) {
				image(*in.ImageManifest)
				return &ecrmodel.PutImageResponse{}, nil
			}),
	}
	var others []string
	for _, o := range ecrmodel.Model.Operations {
		if o.Name != "UploadLayerPart" && o.Name != "PutImage" {
			others = append(others, o.Name)
		}
	}
	s := new(stand)
	h, err := awsjson.New(awsjson.Config{
		Services:      []awsjson.Service{{Model: ecrmodel.Model, Operations: offered, NotOffered: others, Style: awsjson.InvalidParameter}},
		Authenticator: s,
		Authorizer:    ownAccount{},
		Now:           s.now,
		Memory:        memory,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

const partTarget = "AmazonEC2ContainerRegistry_V20150921.UploadLayerPart"

// partBody streams the body of a part of size bytes, of which data is a
// repeated piece of three bytes.
func partBody(size int) (body io.Reader, length int64) {
	head := fmt.Sprintf(`{"repositoryName":"ab","uploadId":"00000000-0000-0000-0000-000000000000","partFirstByte":0,"partLastByte":%d,"layerPartBlob":"`, size-1)
	text := base64.StdEncoding.EncodeToString([]byte("abc"))
	tail := base64.StdEncoding.EncodeToString([]byte("abc")[:size%3]) + `"}`
	groups := int64(size / 3 * 4)
	return io.MultiReader(strings.NewReader(head), io.LimitReader(&repeat{text: []byte(strings.Repeat(text, 4096))}, groups), strings.NewReader(tail)),
		int64(len(head)) + groups + int64(len(tail))
}

type repeat struct {
	text []byte
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

func partRequest(size int) *http.Request {
	body, length := partBody(size)
	r := request(partTarget, body)
	r.ContentLength = length
	return r
}

func TestLargestPart(t *testing.T) {
	const largest = 20_971_520
	var got int64
	h := partHandler(t, 0, func(b awsmodel.Blob) { got, _ = io.Copy(io.Discard, b.Reader()) }, nil)

	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, partRequest(largest))
	runtime.ReadMemStats(&after)
	if w.Code != 200 || got != largest {
		t.Fatalf("got %d %s, the handler read %d bytes", w.Code, w.Body, got)
	}
	// The part itself, in chunks, and a buffer: never its 28 MB of text.
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > largest+1<<20 {
		t.Errorf("%d bytes were allocated for a part of %d", allocated, largest)
	}

	w = httptest.NewRecorder()
	h.ServeHTTP(w, partRequest(largest+1))
	if want := `Invalid parameter at 'layerPartBlob' failed to satisfy constraint: 'Member must have length less than or equal to 20971520'`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("one byte more: got %d %s", w.Code, w.Body)
	}
}

func TestLargestManifest(t *testing.T) {
	const largest = 4_194_304
	var got string
	h := partHandler(t, 0, nil, func(m string) { got = m })
	send := func(manifest string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("AmazonEC2ContainerRegistry_V20150921.PutImage", strings.NewReader(`{"repositoryName":"ab","imageManifest":"`+manifest+`"}`)))
		return w
	}
	for name, escaped := range map[string]string{"plain": "a", "every character escaped": `\u00e9`} {
		if w := send(strings.Repeat(escaped, largest)); w.Code != 200 || len([]rune(got)) != largest {
			t.Errorf("%s: got %d %.200s", name, w.Code, w.Body)
		}
	}
	if w := send(strings.Repeat("a", largest+1)); !strings.Contains(w.Body.String(), "Member must have length less than or equal to 4194304") {
		t.Errorf("one more: got %d %s", w.Code, w.Body)
	}
	if w := send(strings.Repeat("a", 30<<20)); w.Code != 413 {
		t.Errorf("far too many: got %d %.200s", w.Code, w.Body)
	}
}

func TestPartsWaitForMemory(t *testing.T) {
	const size = 3 << 20
	for _, tt := range []struct {
		name    string
		finish  bool // the first part's handler returns in time
		want    int
		message string
	}{
		{"and get it when another is done", true, 200, ""},
		{"but not for ever", false, 400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inside, finish := make(chan bool), make(chan bool)
				first := true
				h := partHandler(t, 4<<20, func(awsmodel.Blob) {
					if first {
						first = false
						inside <- true
						<-finish
					}
				}, nil)
				done := make(chan int)
				go func() {
					w := httptest.NewRecorder()
					h.ServeHTTP(w, partRequest(size))
					done <- w.Code
				}()
				<-inside
				second := httptest.NewRecorder()
				go func() {
					h.ServeHTTP(second, partRequest(size))
					done <- second.Code
				}()
				synctest.Wait() // the second waits for memory
				if tt.finish {
					close(finish)
					<-done
					<-done
				} else {
					<-done
					close(finish)
					<-done
				}
				if second.Code != tt.want || tt.message != "" && second.Body.String() != tt.message {
					t.Errorf("got %d %s, want %d %s", second.Code, second.Body, tt.want, tt.message)
				}
			})
		})
	}
}

func TestMemoryIsGivenBack(t *testing.T) {
	const size = 3 << 20
	h := partHandler(t, 4<<20, func(awsmodel.Blob) {}, func(string) {})
	broken := func() *http.Request {
		body, length := partBody(size)
		r := request(partTarget, io.MultiReader(io.LimitReader(body, length/2), strings.NewReader(`!"}`)))
		r.ContentLength = length/2 + 3
		return r
	}
	aborted := func() *http.Request {
		body, length := partBody(size)
		r := request(partTarget, io.MultiReader(io.LimitReader(body, length/2), failing{}))
		r.ContentLength = length
		return r
	}
	image := func() *http.Request {
		return request("AmazonEC2ContainerRegistry_V20150921.PutImage", strings.NewReader(`{"repositoryName":"ab","imageManifest":"`+strings.Repeat("a", 3<<20)+`"}`))
	}
	for name, tt := range map[string]struct {
		request func() *http.Request
		want    int
	}{
		"a part":           {func() *http.Request { return partRequest(size) }, 200},
		"a broken part":    {broken, 400},
		"an aborted part":  {aborted, 400},
		"a large manifest": {image, 200},
	} {
		for range 3 { // the budget holds one at a time
			w := httptest.NewRecorder()
			h.ServeHTTP(w, tt.request())
			if w.Code != tt.want || strings.Contains(w.Body.String(), "Throttling") {
				t.Errorf("%s: got %d %s, want %d", name, w.Code, w.Body, tt.want)
			}
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAbortedBodyIsNeverProven(t *testing.T) {
	s := &stand{}
	r := request("Toy_20200101.Play", io.MultiReader(strings.NewReader("{}"), failing{}))
	if w := s.send(t, r); w.Code != 400 || s.hash != "" {
		t.Errorf("got %d %s; proven over %q", w.Code, w.Body, s.hash)
	}
}

func TestUnboundedListsStayWithinTheBody(t *testing.T) {
	text := `{"inners":[` + strings.TrimSuffix(strings.Repeat(`{},`, 100_000), ",") + `]}`
	in, err := decode(t, text)
	if err != nil || len(in.Inners) != 100_000 {
		t.Errorf("got %d entries, %v", len(in.Inners), err)
	}
}

func TestFaultReasonsAllHaveAnAnswer(t *testing.T) {
	service := new(stand).service()
	for _, r := range fault.Reasons() {
		if a := service.Answer(fault.New(r)); a.Status < 400 || a.Type == "" {
			t.Errorf("%s: got %+v", r, a)
		}
	}
}

func TestBodyLimits(t *testing.T) {
	const part, manifest = 27_962_028, 6 * 4_194_304
	for operation, want := range map[string]struct{ least, most int64 }{
		"CreateRepository": {1 << 20, 1 << 20},
		"UploadLayerPart":  {part + 1000, part + 128<<10},
		"PutImage":         {manifest + 1000, manifest + 128<<10},
	} {
		o, _ := ecrmodel.Model.Operation(operation)
		if got := awsjson.BodyLimit(o.Input); got < want.least || got > want.most {
			t.Errorf("%s: got %d, want %d to %d", operation, got, want.least, want.most)
		}
	}
}

func BenchmarkDecodePart(b *testing.B) {
	const size = 10 << 20
	h := partHandler(b, 0, func(awsmodel.Blob) {}, nil)
	body, _ := partBody(size)
	text, err := io.ReadAll(body)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(partTarget, bytes.NewReader(text)))
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}

func BenchmarkPutImage(b *testing.B) {
	h := partHandler(b, 0, nil, func(string) {})
	text := []byte(`{"registryId":"123456789012","repositoryName":"team/app","imageManifest":"` + strings.Repeat(`{\"digest\": \"sha256:0123\"},\n`, 50) + `","imageTag":"latest"}`)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("AmazonEC2ContainerRegistry_V20150921.PutImage", bytes.NewReader(text)))
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}

func TestPartsThatTogetherNeedMoreThanTheMemoryAllSucceed(t *testing.T) {
	const parts, size = 12, 4 << 20
	h := partHandler(t, 4*size, func(awsmodel.Blob) {}, nil)
	server := httptest.NewServer(h)
	defer server.Close()
	text := base64.StdEncoding.EncodeToString(make([]byte, size))
	body := `{"uploadId":"00000000-0000-0000-0000-000000000000","repositoryName":"app","partFirstByte":0,"partLastByte":1,"layerPartBlob":"` + text + `"}`
	statuses := make(chan string, parts)
	for range parts {
		go func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(body))
			if err != nil {
				statuses <- err.Error()
				return
			}
			r.Header.Set("X-Amz-Target", partTarget)
			answer, err := server.Client().Do(r)
			if err != nil {
				statuses <- err.Error()
				return
			}
			defer answer.Body.Close()
			statuses <- answer.Status
		}()
	}
	for range parts {
		if got := <-statuses; got != "200 OK" {
			t.Errorf("a part: %s", got)
		}
	}
}

// stalled delivers a text and then nothing until it is told to end.
type stalled struct {
	text io.Reader
	end  chan bool
}

func (s stalled) Read(p []byte) (int, error) {
	if n, err := s.text.Read(p); err == nil {
		return n, nil
	}
	<-s.end
	return 0, io.ErrUnexpectedEOF
}

func TestWhoOnlyAnnouncesHoldsLittle(t *testing.T) {
	const largest, clients = 20_971_520, 40
	for name, sent := range map[string]int64{"and sends next to nothing": 200, "and sends some": 300 << 10} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := partHandler(t, 0, func(awsmodel.Blob) {}, nil)
				end, done := make(chan bool), make(chan bool)
				for range clients {
					go func() {
						r := partRequest(largest)
						r.Body = io.NopCloser(stalled{io.LimitReader(r.Body, sent), end})
						h.ServeHTTP(httptest.NewRecorder(), r)
						done <- true
					}()
				}
				synctest.Wait()
				w := httptest.NewRecorder()
				h.ServeHTTP(w, partRequest(largest))
				if w.Code != 200 {
					t.Errorf("beside them: %d %s", w.Code, w.Body)
				}
				close(end)
				for range clients {
					<-done
				}
			})
		})
	}
}

func TestWhatIsNoBlobIsHeldFromTheBudgetToo(t *testing.T) {
	for name, text := range map[string]string{
		"a list of small structures": `{"inners":[` + strings.Repeat(`{},`, 100_000),
		"a map":                      `{"labels":{"a":"` + strings.Repeat("b", 200_000) + `","c`,
		"a text":                     `{"text":"` + strings.Repeat("a", 200_000),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stand{handle: func(context.Context, *awsjson.Call, *toyInput) (*toyOutput, error) { return &toyOutput{}, nil }}
				h, err := awsjson.New(awsjson.Config{Services: []awsjson.Service{s.service()}, Authenticator: s, Authorizer: ownAccount{}, Now: s.now, Memory: 2 << 20})
				if err != nil {
					t.Fatal(err)
				}
				const clients = 40
				end, statuses := make(chan bool), make(chan string, clients)
				for range clients {
					go func() {
						w := httptest.NewRecorder()
						h.ServeHTTP(w, request("Toy_20200101.Play", stalled{strings.NewReader(text), end}))
						statuses <- w.Body.String()
					}()
				}
				synctest.Wait() // for bodies, or for memory
				small := httptest.NewRecorder()
				h.ServeHTTP(small, request("Toy_20200101.Play", strings.NewReader(`{"labels":{"aa":"b"}}`)))
				if small.Code != 200 {
					t.Errorf("a small request: %d %s", small.Code, small.Body)
				}
				now, cancel := context.WithCancel(t.Context())
				cancel()
				large := httptest.NewRecorder()
				h.ServeHTTP(large, request("Toy_20200101.Play", strings.NewReader(text)).WithContext(now))
				if !strings.Contains(large.Body.String(), "ThrottlingException") { // its text would be malformed
					t.Errorf("a large request: %d %.200s", large.Code, large.Body)
				}
				close(end)
				for range clients {
					<-statuses
				}
			})
		})
	}
}

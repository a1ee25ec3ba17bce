package edge

import (
	"io"
	"net/http"
	"time"
)

// exchange is a response writer that counts, and moves the connection's
// deadlines on as bytes flow. It hides nothing: files still go through the
// kernel (ReadFrom), and http.ResponseController finds the inner writer.
type exchange struct {
	http.ResponseWriter
	request Request
	asked   *http.Request
	record  func(Answer) // may be nil
	body    body
	clock   func() time.Time
	idle    time.Duration
	start   time.Time

	status   int
	bytes    int64
	next     int64 // bytes at which the write deadline is moved; 0: at firstBytes
	readOwn  bool  // the handler keeps the read deadline itself
	writeOwn bool
}

// The bytes of an answer before its first deadline, and between two.
const (
	firstBytes = 64 << 10
	pieceBytes = 1 << 20
)

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.decide(status)
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (x *exchange) Write(p []byte) (int, error) {
	x.begin()
	x.moveWriteDeadline(int64(len(p)))
	n, err := x.ResponseWriter.Write(p)
	x.bytes += int64(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom: a file goes to the inner writer in
// pieces, each of which the kernel can copy.
func (x *exchange) ReadFrom(src io.Reader) (int64, error) {
	x.begin()
	inner, ok := x.ResponseWriter.(io.ReaderFrom)
	if !ok {
		return io.Copy(struct{ io.Writer }{x}, src)
	}
	whole, ok := src.(*io.LimitedReader)
	if !ok || x.idle == 0 {
		n, err := inner.ReadFrom(src)
		x.bytes += n
		return n, err
	}
	var total int64
	for whole.N > 0 {
		piece := io.LimitedReader{R: whole.R, N: min(whole.N, pieceBytes)}
		x.moveWriteDeadline(piece.N)
		want := piece.N
		n, err := inner.ReadFrom(&piece)
		total, whole.N, x.bytes = total+n, whole.N-n, x.bytes+n
		if err != nil || n < want {
			return total, err
		}
	}
	return total, nil
}

func (x *exchange) begin() {
	if x.status == 0 {
		x.decide(http.StatusOK)
	}
}

// decide is where the answer begins.
func (x *exchange) decide(status int) {
	x.status = status
	if x.record != nil {
		x.record(Answer{HTTP: x.asked, Event: &x.request, Status: status, Header: x.Header()})
	}
}

// Unwrap lets http.ResponseController reach the inner writer.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Flush implements http.Flusher.
func (x *exchange) Flush() {
	x.begin()
	_ = http.NewResponseController(x.ResponseWriter).Flush()
}

// SetReadDeadline leaves the deadline to the handler from now on.
func (x *exchange) SetReadDeadline(t time.Time) error {
	x.readOwn = true
	return http.NewResponseController(x.ResponseWriter).SetReadDeadline(t)
}

// SetWriteDeadline leaves the deadline to the handler from now on.
func (x *exchange) SetWriteDeadline(t time.Time) error {
	x.writeOwn = true
	return http.NewResponseController(x.ResponseWriter).SetWriteDeadline(t)
}

// moveWriteDeadline is called before n bytes are written.
func (x *exchange) moveWriteDeadline(n int64) {
	if x.idle == 0 || x.writeOwn || x.bytes+n < max(x.next, firstBytes) {
		return
	}
	_ = http.NewResponseController(x.ResponseWriter).SetWriteDeadline(x.clock().Add(x.idle))
	x.next = x.bytes + n + pieceBytes
}

// endWriteDeadline takes back what was set, for the connection's next request.
// The read deadline stays if the body did not end: the server still reads some
// of it, and sets its own for the next request.
func (x *exchange) endWriteDeadline() {
	if x.next > 0 && !x.writeOwn {
		_ = http.NewResponseController(x.ResponseWriter).SetWriteDeadline(time.Time{})
	}
}

// body is a request's body that must keep arriving.
type body struct {
	io.ReadCloser
	x     *exchange
	idle  time.Duration
	moved time.Time // when the deadline was last moved; zero: none is set
}

// Read implements io.Reader. The deadline is moved at most six times in its
// length, so that a stream of small reads does not pay for it.
func (b *body) Read(p []byte) (int, error) {
	if x := b.x; !x.readOwn {
		if now := x.clock(); now.Sub(b.moved) > b.idle/6 {
			_ = http.NewResponseController(x.ResponseWriter).SetReadDeadline(now.Add(b.idle))
			b.moved = now
		}
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.endDeadline()
	}
	return n, err
}

// endDeadline must follow the body's end at once: the server goes on reading
// from the connection to see the client leave, and a deadline there would
// cancel a handler that takes its time.
func (b *body) endDeadline() {
	if !b.moved.IsZero() && !b.x.readOwn {
		_ = http.NewResponseController(b.x.ResponseWriter).SetReadDeadline(time.Time{})
		b.moved = time.Time{}
	}
}

package files

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net/http"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/pgtest"
	"github.com/skein-im/skein/test/chaos"
)

// pair is two nodes of a cluster, on one PostgreSQL and one store of files.
type pair struct {
	*world
	nodes [2]*chaos.Node
}

func newPair(t *testing.T, p place) *pair {
	t.Helper()
	dir, url := t.TempDir(), pgtest.DB(t)
	var peers []string
	for range 2 {
		addr, err := chaos.FreeAddress()
		must(t, err)
		peers = append(peers, addr)
	}
	out := &pair{}
	for i := range out.nodes {
		log := filepath.Join(dir, fmt.Sprint("log", i))
		n, err := chaos.NewNode(chaos.NodeOptions{Bin: bin, Store: []string{"--data", filepath.Join(dir, "data"), "--db", url}, Env: p.env, Log: log,
			Args: append([]string{"--cluster-listen", peers[i], "--cluster-peers", strings.Join(peers, ",")}, p.args...)})
		must(t, err)
		out.nodes[i] = n
	}
	app, err := chaos.CreateApp(t.Context(), out.nodes[0], "shop")
	must(t, err)
	for _, n := range out.nodes {
		must(t, n.Start(t.Context()))
		t.Cleanup(func() {
			n.Kill()
			if t.Failed() {
				t.Logf("a node said:\n%s", n.LogTail(4000))
			}
		})
	}
	out.world = &world{t, out.nodes[0], app, filepath.Join(dir, "data")}
	return out
}

// on makes requests of a node.
func (p *pair) on(i int) *world { return &world{p.t, p.nodes[i], p.app, p.data} }

// pipe is a PATCH whose bytes come when the test says.
func (w *world) pipe(ctx context.Context, upload string, at, length int) (*io.PipeWriter, <-chan error) {
	w.t.Helper()
	from, to := io.Pipe()
	r, err := http.NewRequestWithContext(ctx, "PATCH", w.node.URL()+upload, from)
	must(w.t, err)
	r.ContentLength = int64(length)
	w.sign(r, "ann")
	for k, v := range map[string]string{"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": fmt.Sprint(at)} {
		r.Header.Set(k, v)
	}
	done := make(chan error, 1)
	go func() { // ends with the answer, or the context
		res, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			if err = res.Body.Close(); res.StatusCode != http.StatusNoContent {
				err = errors.Join(err, fmt.Errorf("answered %s", res.Status))
			}
		}
		_ = from.CloseWithError(errors.Join(err, io.ErrClosedPipe))
		done <- err
	}()
	return to, done
}

// reads holds what ann reads of an upload's file to its bytes, on both nodes.
func (p *pair) reads(upload string, body []byte) {
	p.t.Helper()
	for i, n := range p.nodes {
		if n.PID() == 0 {
			continue
		}
		a := p.on(i).do("ann", "GET", "/v1/files/"+path.Base(upload), nil)
		for until := time.Now().Add(10 * time.Second); a.StatusCode == http.StatusServiceUnavailable && time.Now().Before(until); { // it has stood still
			<-time.After(50 * time.Millisecond)
			a = p.on(i).do("ann", "GET", "/v1/files/"+path.Base(upload), nil)
		}
		if a.StatusCode != http.StatusOK || sha256.Sum256([]byte(a.body)) != sha256.Sum256(body) {
			p.t.Errorf("node %d: %s, and %d bytes of %d, or other ones", i, a.Status, len(a.body), len(body))
		}
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// eachPair runs a test on nodes that share a folder, and on ones that share a
// bucket.
func eachPair(t *testing.T, test func(t *testing.T, p *pair)) {
	t.Parallel() // most of the time nodes wait for each other
	t.Run("a folder", func(t *testing.T) { t.Parallel(); test(t, newPair(t, places["a folder"](t))) })
	t.Run("S3", func(t *testing.T) { t.Parallel(); test(t, newPair(t, places["S3"](t))) })
}

func TestThePartsOfAnUploadGoToTwoNodesInTurns(t *testing.T) {
	eachPair(t, func(t *testing.T, p *pair) {
		body := randomBytes(2*blob.Step + 777_777)
		upload := p.begin("ann", len(body))
		for at, turn := 0, 0; at < len(body); turn++ {
			n := min(1+mrand.IntN(3<<20), len(body)-at)
			if a := p.on(turn%2).patch("ann", upload, at, body[at:at+n]); a.StatusCode != http.StatusNoContent {
				t.Fatalf("at %d: %s %s", at, a.Status, a.body)
			}
			if at += n; p.on((turn+1)%2).awaitOffset("ann", upload, 0) != at {
				t.Fatalf("the other node says %d, want %d", p.on((turn+1)%2).awaitOffset("ann", upload, 0), at)
			}
		}
		p.reads(upload, body)
	})
}

func TestANodeTakesOverFromOneThatWasKilledWhileItWrote(t *testing.T) {
	eachPair(t, func(t *testing.T, p *pair) {
		body := randomBytes(3 * blob.Step)
		upload := p.begin("ann", len(body))
		sent, done := p.on(0).pipe(t.Context(), upload, 0, len(body))
		before := blob.Step + blob.Step/2
		_, err := sent.Write(body[:before])
		must(t, err)
		p.on(1).awaitOffset("ann", upload, blob.Step) // the first part is durable
		p.nodes[0].Kill()
		began := time.Now()
		must(t, sent.Close())
		<-done
		at := p.on(1).awaitOffset("ann", upload, 0)
		if again := before - at; again > blob.Step {
			t.Errorf("%d bytes have to be sent again", again)
		}
		a := p.on(1).patch("ann", upload, at, body[at:])
		if took := time.Since(began); a.StatusCode != http.StatusNoContent || took > 15*time.Second {
			t.Errorf("the other node: %s %s after %s", a.Status, a.body, took)
		} else {
			t.Logf("%d bytes were sent again; the other node had the file %.1f s after the death", before-at, took.Seconds())
		}
		p.reads(upload, body)
	})
}

func TestANodeThatWakesUpDoesNotTouchAFileThatAnotherHasCompleted(t *testing.T) {
	eachPair(t, func(t *testing.T, p *pair) {
		body := randomBytes(blob.Step + blob.Step/2)
		upload := p.begin("ann", len(body))
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		sent, done := p.on(0).pipe(ctx, upload, 0, len(body))
		_, err := sent.Write(body[:blob.Step+100_000])
		must(t, err)
		p.on(1).awaitOffset("ann", upload, blob.Step)
		must(t, p.nodes[0].Signal(syscall.SIGSTOP))
		defer p.nodes[0].Signal(syscall.SIGCONT)
		// Somebody sends other bytes to the node that stands still: they lie in the network until it wakes up.
		go func() { // ends with the pipe
			_, _ = sent.Write(bytes.Repeat([]byte("other bytes "), (len(body)-blob.Step)/12))
		}()
		for a := p.on(1).patch("ann", upload, blob.Step, body[blob.Step:]); a.StatusCode != http.StatusNoContent; a = p.on(1).patch("ann", upload, blob.Step, body[blob.Step:]) {
			if a.StatusCode != http.StatusServiceUnavailable {
				t.Fatalf("the other node: %s %s", a.Status, a.body)
			}
		}
		must(t, p.nodes[0].Signal(syscall.SIGCONT))
		if err := <-done; err == nil {
			t.Error("the node that had lost the upload took the rest of it")
		}
		p.reads(upload, body)
	})
}

func TestOfTwoNodesThatAreSentTheSamePartAtOnceOneTakesIt(t *testing.T) {
	eachPair(t, func(t *testing.T, p *pair) {
		body := randomBytes(6 * 500_000)
		upload := p.begin("ann", len(body))
		for at := 0; at < len(body); at = p.awaitOffset("ann", upload, 0) {
			part := body[at:min(at+500_000, len(body))]
			var codes [2]int
			var all sync.WaitGroup
			for i := range codes {
				all.Go(func() { codes[i] = p.on(i).patch("ann", upload, at, part).StatusCode })
			}
			all.Wait()
			won := 0
			for _, c := range codes {
				switch c {
				case http.StatusNoContent:
					won++
				case http.StatusConflict, http.StatusServiceUnavailable:
				default:
					t.Fatalf("answers: %v", codes)
				}
			}
			if now := p.awaitOffset("ann", upload, 0); won > 1 || won == 1 && now != at+len(part) || now > at+len(part) {
				t.Fatalf("answers: %v; it stood at %d, %d bytes were sent, and it stands at %d", codes, at, len(part), now)
			}
		}
		p.reads(upload, body)
	})
}

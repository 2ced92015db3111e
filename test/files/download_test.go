package files

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/skein-im/skein/internal/bench"
)

// A film that a thousand people skip about in, and hundreds whose players stand
// still, cost the server next to nothing in memory.
func TestManyWhoReadOneFilmAtOnceCostLittleMemory(t *testing.T) {
	w := newWorld(t)
	body := randomBytes(24 << 20)
	film := w.upload("ann", "film.bin", "application/octet-stream", body)
	seq, code := w.send("ann", "@3:ann:bob", film, len(body))
	if code != "" {
		t.Fatal(code)
	}
	to := link(film, "@3:ann:bob", seq, w.key("bob"))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	defer client.CloseIdleConnections()
	before := bench.RSS(w.node.PID())

	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range 1000 {
		all.Go(func() {
			<-begin
			from := i * (len(body) - 64<<10) / 1000
			r, err := http.NewRequestWithContext(t.Context(), "GET", w.node.URL()+to, nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, from+64<<10-1))
			res, err := client.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			got, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != http.StatusPartialContent || !bytes.Equal(got, body[from:from+64<<10]) {
				t.Errorf("from %d: %s, %d bytes, %v", from, res.Status, len(got), err)
			}
		})
	}
	close(begin)
	all.Wait()
	ranges := bench.RSS(w.node.PID()) - before

	// These ask for all of it and read the first line.
	for range 300 {
		c, err := net.Dial("tcp", w.node.Addr())
		must(t, err)
		defer c.Close()
		_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", to)
		must(t, err)
		if line, err := bufio.NewReaderSize(c, 16).ReadString('\n'); err != nil || line != "HTTP/1.1 200 OK\r\n" {
			t.Fatalf("%q %v", line, err)
		}
	}
	stopped := bench.RSS(w.node.PID()) - before
	const most = 100 << 20
	if ranges > most || stopped > most {
		t.Errorf("memory grew by %d bytes, with stopped readers by %d", ranges, stopped)
	}
	t.Logf("memory grew by %d MB with 1,000 ranges, by %d MB with 300 stopped readers after them", ranges/1e6, stopped/1e6)
	if a := w.do("", "GET", to, nil, "Range", "bytes=0-9"); a.body != string(body[:10]) {
		t.Errorf("another one: %s", a.Status)
	}
}

package tlsserve

import (
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"
)

func TestHandshakesAtTheSameTimeAreBoundedAndEverybodyIsServedInTheEnd(t *testing.T) {
	const most = 4
	s, c, _, _ := files(t, func(o *Options) { o.Handshakes = most })
	trust := func() *tls.Config { return &tls.Config{ServerName: testName, RootCAs: c.pool} }

	// As many as are allowed say nothing: the next one waits for them.
	var silent []net.Conn
	for range most {
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, conn)
	}
	late, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	shaken := make(chan error, 1)
	go func() { shaken <- tls.Client(late, trust()).Handshake() }()
	select {
	case err := <-shaken:
		t.Fatalf("a fifth handshake was worked on: %v", err)
	case <-time.After(200 * time.Millisecond): // nothing can be waited for: it is the absence that counts
	}
	silent[0].Close()
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	late.Close()
	for _, conn := range silent[1:] {
		conn.Close()
	}

	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			conn, err := tls.Dial("tcp", s.Addr().String(), trust())
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		})
	}
	wg.Wait()
}

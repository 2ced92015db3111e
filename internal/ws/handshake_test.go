package ws

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// goodRequest is the handshake of RFC 6455 §1.3.
var goodRequest = []string{
	"GET /socket?a=b HTTP/1.1", "Host: server.example", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
}

// request writes lines and reads the response.
func request(t *testing.T, address string, lines []string, more string) (*http.Response, *bufio.Reader, net.Conn) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(nc, strings.Join(lines, "\r\n")+"\r\n\r\n"+more); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp, br, nc
}

func TestAGoodRequestIsUpgradedAndWhatCameWithItIsNotLost(t *testing.T) {
	address, conns := serve(t, UpgradeOptions{
		Limits: Limits{SocketRead: 64 << 10, SocketWrite: 64 << 10},
		Header: http.Header{"X-Node": {"7"}},
	}, false)
	early := strings.Repeat("x", 1000)
	resp, _, nc := request(t, address, goodRequest, string(fromClient(textBit, early))+string(fromClient(bytesBit, "cut")[:4]))
	if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ||
		resp.Header.Get("X-Node") != "7" || resp.Header.Get("Sec-WebSocket-Protocol") != "" {
		t.Fatalf("got %s %v", resp.Status, resp.Header)
	}
	c := <-conns
	defer c.Close()
	wantMessage(t, c, OpText, early)
	if _, err := nc.Write(fromClient(bytesBit, "cut")[4:]); err != nil {
		t.Fatal(err)
	}
	wantMessage(t, c, OpBinary, "cut")
	if c.RemoteAddr().String() != nc.LocalAddr().String() || c.NetConn().RemoteAddr() != c.RemoteAddr() {
		t.Errorf("remote address %v, want %v", c.RemoteAddr(), nc.LocalAddr())
	}
}

func TestABadRequestIsToldWhatIsWrongWithIt(t *testing.T) {
	with := func(i int, line ...string) []string {
		return append(append(append([]string{}, goodRequest[:i]...), line...), goodRequest[i+1:]...)
	}
	tests := []struct {
		name   string
		lines  []string
		status int
		says   string
		header string
	}{
		{"POST", with(0, "POST / HTTP/1.1"), 405, "is a GET", "Allow: GET"},
		{"HTTP/1.0", with(0, "GET / HTTP/1.0"), 505, "HTTP/1.1", ""},
		{"no Upgrade", with(2), 426, "speaks WebSocket", "Upgrade: websocket"},
		{"Upgrade to something else", with(2, "Upgrade: h2c"), 426, "speaks WebSocket", "Upgrade: websocket"},
		{"no Connection", with(3), 426, "speaks WebSocket", "Connection: Upgrade"},
		{"Connection without upgrade", with(3, "Connection: keep-alive"), 426, "speaks WebSocket", ""},
		{"no key", with(4), 400, "Sec-WebSocket-Key", ""},
		{"key of 15 bytes", with(4, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"), 400, "16 bytes", ""},
		{"key not in base64", with(4, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=!"), 400, "base64", ""},
		{"two keys", with(4, goodRequest[4], goodRequest[4]), 400, "Sec-WebSocket-Key", ""},
		{"no version", with(5), 426, "version 13", "Sec-WebSocket-Version: 13"},
		{"version 8", with(5, "Sec-WebSocket-Version: 8"), 426, "version 13", "Sec-WebSocket-Version: 13"},
		{"a body", append(with(0, goodRequest[0]), "Content-Length: 5"), 400, "no body", ""},
		{"a body in chunks", append(with(0, goodRequest[0]), "Transfer-Encoding: chunked"), 400, "no body", ""},
		{"a foreign origin", append(with(0, goodRequest[0]), "Origin: https://evil.example"), 403, "origin", ""},
		{"our name as a suffix", append(with(0, goodRequest[0]), "Origin: https://evil-server.example"), 403, "origin", ""},
		{"our name with another port", append(with(0, goodRequest[0]), "Origin: https://server.example:444"), 403, "origin", ""},
		{"the opaque origin", append(with(0, goodRequest[0]), "Origin: null"), 403, "origin", ""},
		{"two origins", append(with(0, goodRequest[0]), "Origin: http://server.example", "Origin: http://server.example"), 403, "origin", ""},
		{"foreign subprotocols", append(with(0, goodRequest[0]), "Sec-WebSocket-Protocol: mqtt, soap"), 400, "v1.proto, v1.json", ""},
	}
	address, conns := serve(t, UpgradeOptions{Subprotocols: []string{"v1.proto", "v1.json"}}, false)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			resp, _, _ := request(t, address, test.lines, "0\r\n\r\n") // 5 bytes, or no chunk, of body
			body := make([]byte, 500)
			n, _ := resp.Body.Read(body)
			if resp.StatusCode != test.status || !strings.Contains(string(body[:n]), test.says) {
				t.Errorf("got %s %q; want %d and %q", resp.Status, body[:n], test.status, test.says)
			}
			if name, value, ok := strings.Cut(test.header, ": "); ok && resp.Header.Get(name) != value {
				t.Errorf("header %s is %q, want %q", name, resp.Header.Get(name), value)
			}
			select {
			case <-conns:
				t.Error("it was upgraded all the same")
			default:
			}
		})
	}
}

func TestUpgradeReturnsTheRefusalThatItAnsweredWith(t *testing.T) {
	w := httptest.NewRecorder() // cannot be hijacked
	r := httptest.NewRequest("GET", "/", nil)
	for _, line := range goodRequest[2:] {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	_, err := Upgrade(w, r, UpgradeOptions{})
	var refused *HandshakeError
	if !errors.As(err, &refused) || refused.Status != 500 || w.Code != 500 || !strings.Contains(w.Body.String(), refused.Reason) {
		t.Errorf("got %v, and answered %d %q", err, w.Code, w.Body)
	}
}

func TestTheOriginCheckIsTheCallers(t *testing.T) {
	var asked string
	address, conns := serve(t, UpgradeOptions{CheckOrigin: func(r *http.Request) bool {
		asked = r.Header.Get("Origin")
		return asked == "https://app.example"
	}}, false)
	c, err := Dial(context.Background(), address, DialOptions{Header: http.Header{"Origin": {"https://app.example"}}})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	(<-conns).Close()
	_, err = Dial(context.Background(), address, DialOptions{Header: http.Header{"Origin": {"https://evil.example"}}})
	var refused *HandshakeError
	if !errors.As(err, &refused) || refused.Status != 403 || asked != "https://evil.example" {
		t.Errorf("got %v for %s", err, asked)
	}
}

func TestTheServersBestSubprotocolIsAgreedOn(t *testing.T) {
	address, conns := serve(t, UpgradeOptions{Subprotocols: []string{"v1.proto", "v1.json"}}, false)
	for _, test := range []struct {
		offered []string
		want    string
	}{
		{nil, ""},
		{[]string{"v1.json"}, "v1.json"},
		{[]string{"v1.json", "v1.proto"}, "v1.proto"},
		{[]string{"v2.proto", "v1.json"}, "v1.json"},
	} {
		client, err := Dial(context.Background(), address, DialOptions{Subprotocols: test.offered})
		if err != nil {
			t.Fatalf("offering %q: %v", test.offered, err)
		}
		server := <-conns
		if client.Subprotocol() != test.want || server.Subprotocol() != test.want {
			t.Errorf("offering %q: client has %q, server %q, want %q", test.offered, client.Subprotocol(), server.Subprotocol(), test.want)
		}
		client.Close()
		server.Close()
	}
}

// answering is a server that answers a handshake with text, in which KEY
// stands for the right Sec-WebSocket-Accept.
func answering(t *testing.T, text string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		r, err := http.ReadRequest(bufio.NewReader(nc))
		if err != nil {
			return
		}
		io.WriteString(nc, strings.ReplaceAll(text, "KEY", acceptKey(r.Header.Get("Sec-WebSocket-Key"))))
		if tcp, ok := nc.(*net.TCPConn); ok {
			tcp.CloseWrite()
		}
		io.Copy(io.Discard, nc)
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return "ws://" + ln.Addr().String()
}

func TestDialTakesOnlyACorrect101(t *testing.T) {
	const ok = "HTTP/1.1 101 X\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: KEY\r\n"
	for _, test := range []struct {
		name, answer string
		status       int
		says         string
	}{
		{"too busy", "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 12\r\n\r\ncome back...", 503, "come back..."},
		{"a redirect", "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 302, ""},
		{"200", "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 10000), 200, strings.Repeat("x", 512)},
		{"no Upgrade", strings.Replace(ok, "Upgrade: WebSocket\r\n", "", 1) + "\r\n", 0, "something else"},
		{"no Connection", strings.Replace(ok, "Connection: upgrade\r\n", "", 1) + "\r\n", 0, "something else"},
		{"a wrong accept", strings.Replace(ok, "KEY", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 1) + "\r\n", 0, "answer our key"},
		{"an extension", ok + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 0, "extension"},
		{"a subprotocol of its own", ok + "Sec-WebSocket-Protocol: soap\r\n\r\n", 0, "subprotocol"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Dial(context.Background(), answering(t, test.answer), DialOptions{Subprotocols: []string{"v1"}})
			var refused *HandshakeError
			if !errors.As(err, &refused) || refused.Status != test.status || !strings.Contains(refused.Reason, test.says) || len(refused.Reason) > 512 {
				t.Errorf("got %v", err)
			}
			if test.status == 503 && refused.Header.Get("Retry-After") != "7" {
				t.Errorf("the response's header is lost: %v", refused.Header)
			}
		})
	}
	for name, answer := range map[string]string{
		"nothing":       "",
		"no HTTP":       "220 mail.example ESMTP\r\n",
		"a huge header": ok + strings.Repeat("X-Pad: "+strings.Repeat("x", 1000)+"\r\n", 100) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Dial(context.Background(), answering(t, answer), DialOptions{}); err == nil || !strings.Contains(err.Error(), "no HTTP response") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("frames right behind it", func(t *testing.T) {
		c, err := Dial(context.Background(), answering(t, ok+"\r\n\x81\x05hello\x82\x01"), DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		wantMessage(t, c, OpText, "hello")
		wantFinal(t, c, func(err error) bool { return err == io.ErrUnexpectedEOF })
	})
}

func TestDialRefusesWhatCannotBeDialled(t *testing.T) {
	for _, address := range []string{"http://a", "a:80", "ws://", "ws://user:secret@a", "ws://a#b", "ws://a\r\nX: y", "::"} {
		if _, err := Dial(context.Background(), address, DialOptions{}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v", address, err)
		}
	}
	for _, field := range []string{"Host", "connection", "Upgrade", "sec-websocket-key", "Sec-WebSocket-Extensions"} {
		if _, err := Dial(context.Background(), "ws://127.0.0.1:1", DialOptions{Header: http.Header{field: {"x"}}}); err == nil || !strings.Contains(err.Error(), "itself") {
			t.Errorf("header %s: got %v", field, err)
		}
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, scheme := range []string{"ws", "wss"} {
		ctx, cancel := context.WithCancelCause(context.Background())
		done := make(chan error, 1)
		go func() {
			_, err := Dial(ctx, scheme+"://"+ln.Addr().String(), DialOptions{})
			done <- err
		}()
		nc, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Read(make([]byte, 1)); err != nil { // the request is on its way
			t.Fatal(err)
		}
		cancel(errors.New("changed my mind"))
		if err := <-done; err == nil || scheme == "ws" && !strings.Contains(err.Error(), "changed my mind") {
			t.Errorf("%s: got %v", scheme, err)
		}
		if _, err := io.Copy(io.Discard, nc); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: the socket was not closed: %v", scheme, err)
		}
		nc.Close()
	}
}

func TestADialledConnectionOutlivesItsContext(t *testing.T) {
	address, conns := serve(t, UpgradeOptions{}, false)
	ctx, cancel := context.WithCancel(context.Background())
	client, err := Dial(ctx, address, DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	cancel()
	server := <-conns
	defer server.Close()
	if err := client.WriteMessage(OpText, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	wantMessage(t, server, OpText, "still here")
}

func TestMessagesAndClosingWorkOverTLS(t *testing.T) {
	address, conns := serve(t, UpgradeOptions{Limits: Limits{ReadLimit: 1 << 20, Linger: patience, SocketRead: 64 << 10, SocketWrite: 64 << 10}}, true)
	client, err := Dial(context.Background(), address, DialOptions{
		Limits: Limits{ReadLimit: 1 << 20, Linger: patience},
		TLS:    &tls.Config{InsecureSkipVerify: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := <-conns
	if state := server.NetConn().(*tls.Conn).ConnectionState(); state.NegotiatedProtocol != "http/1.1" {
		t.Errorf("negotiated %q", state.NegotiatedProtocol)
	}
	for _, size := range []int{0, 1, 9, 10, 11, 100, 5000, 40000, 300000} {
		want := strings.Repeat("x", size)
		go func() {
			client.WriteMessages(OpText, [][]byte{[]byte(want), []byte("and one more")})
		}()
		wantMessage(t, server, OpText, want)
		wantMessage(t, server, OpText, "and one more")
		go func() {
			server.WriteMessage(OpBinary, []byte(want))
			server.Ping([]byte("ping"))
		}()
		wantMessage(t, client, OpBinary, want)
	}
	done := make(chan error, 1)
	go func() { done <- server.CloseWith(4000, "bye") }()
	wantFinal(t, client, func(err error) bool { return isClosed(err, 4000, "bye") })
	if err := client.CloseWith(CloseNormal, ""); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAnUntrustedCertificateIsRefused(t *testing.T) {
	address, _ := serve(t, UpgradeOptions{}, true)
	var invalid *tls.CertificateVerificationError
	if _, err := Dial(context.Background(), address, DialOptions{}); !errors.As(err, &invalid) {
		t.Errorf("got %v", err)
	}
}

func TestAnIPv6AddressAndACustomDiallerWork(t *testing.T) {
	address, conns := serve(t, UpgradeOptions{CheckOrigin: func(r *http.Request) bool { return r.Host == "[::1]" }}, false)
	c, err := Dial(context.Background(), "ws://[::1]/path", DialOptions{
		NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != "[::1]:80" {
				return nil, fmt.Errorf("asked to dial %s", addr)
			}
			return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(address, "ws://"))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	(<-conns).Close()
}

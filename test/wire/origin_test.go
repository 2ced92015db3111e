package wire_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/ws"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

// upgradeFrom opens a socket as a page of an origin would, and returns the
// status when it is refused, 101 when it is not.
func upgradeFrom(t *testing.T, s *server, header http.Header) int {
	t.Helper()
	conn, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(s.url, "http")+"/v1/socket",
		ws.DialOptions{Subprotocols: []string{binaryProtocol}, Header: header})
	var refused *ws.HandshakeError
	switch {
	case errors.As(err, &refused):
		return refused.Status
	case err != nil:
		t.Fatal(err)
	}
	conn.Close()
	return 101
}

func TestOnlyAllowedPagesOpenASocket(t *testing.T) {
	t.Parallel()
	s := serve(t, "--allowed-origins", "https://everywhere.example")
	for origin, want := range map[string]int{
		"https://evil.example": 403, "null": 403, "http://localhost": 403, "file://": 403,
		"https://127.0.0.1": 403, s.url + ".evil.example": 403, s.url + "/": 403,
		s.url: 101, "https://everywhere.example": 101,
		"https://everywhere.example:8443": 403, "http://everywhere.example": 403, "https://a.everywhere.example": 403,
	} {
		if got := upgradeFrom(t, s, http.Header{"Origin": {origin}}); got != want {
			t.Errorf("%s: %d, not %d", origin, got, want)
		}
	}
	s.alive(t)
}

// An app's own list opens sockets and calls for that app and no other.
func TestAnAppsOriginsSpeakForThatAppOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	apps, err := makeApps(dir, "other")
	if err != nil {
		t.Fatal(err)
	}
	s := serveOn(t, dir)
	apps["wire"] = s.app()
	const page = "https://shop.example"
	ann, _, conv := pair()
	call := func(app *app) *reply {
		c := &caller{t: t, srv: s, app: app.id, token: app.token(t, ann), origin: page}
		return c.call(sendMessage, text(conv, "from a page"))
	}
	if r := call(apps["wire"]); r.status != 403 {
		t.Errorf("a call of a page that nobody allowed: %d %s", r.status, r.body)
	}
	app := must[pb.UpdateAppResponse](backEnd(t, s), updateApp, &pb.UpdateAppRequest{AllowedOrigins: &pb.Origins{Origins: []string{page}}}).App
	if len(app.AllowedOrigins) != 1 || app.AllowedOrigins[0] != page {
		t.Fatalf("%v", app)
	}
	c := connect(t, s, ann, "tab", fromOrigin(page))
	c.say(conv, "from a page")
	if r := call(apps["wire"]); r.status != 200 || r.header.Get("Access-Control-Allow-Origin") != page {
		t.Errorf("a call of an allowed page: %d %v %s", r.status, r.header, r.body)
	}
	d := greet(t, s, ann, "tab", fromOrigin(page), asApp(apps["other"]))
	if e := d.answer(1).GetError(); e.GetCode() != pb.ErrorCode_ERROR_CODE_PERMISSION_DENIED || e.GetHint() == "" {
		t.Errorf("a hello for another app: %v", e)
	}
	d.endsWith(pb.CloseCode_CLOSE_CODE_UNAUTHENTICATED)
	if r := call(apps["other"]); r.status != 403 {
		t.Errorf("a call for another app: %d %s", r.status, r.body)
	}
	for _, bad := range []string{"shop.example", "https://*.example", "https://shop.example/path", "javascript:alert(1)", "null", ""} {
		backEnd(t, s).refused(updateApp, &pb.UpdateAppRequest{AllowedOrigins: &pb.Origins{Origins: []string{bad}}}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
	}
	must[pb.UpdateAppResponse](backEnd(t, s), updateApp, &pb.UpdateAppRequest{AllowedOrigins: &pb.Origins{}})
	until(t, "the page is refused again", func() bool { return upgradeFrom(t, s, http.Header{"Origin": {page}}) == 403 })
	s.alive(t)
}

func TestDevEndpointsAnswerThisMachinesProgramsOnly(t *testing.T) {
	t.Parallel()
	const ask = `{"user":"alice"}`
	host := strings.TrimPrefix(shared.url, "http://")
	port := host[strings.LastIndex(host, ":"):]
	for name, c := range map[string]struct {
		header http.Header
		want   int
	}{
		"a program":                    {nil, 200},
		"a page of this server":        {http.Header{"Origin": {shared.url}}, 200},
		"localhost":                    {http.Header{"Host": {"localhost" + port}}, 200},
		"a rebound name":               {http.Header{"Host": {"evil.example" + port}}, 403},
		"a rebound name like loopback": {http.Header{"Host": {"127.0.0.1.evil.example" + port}}, 403},
		"another host":                 {http.Header{"Host": {"192.168.1.7" + port}}, 403},
		"another page":                 {http.Header{"Origin": {"https://evil.example"}}, 403},
		"another port's page":          {http.Header{"Origin": {"http://127.0.0.1:1"}}, 403},
		"a sandboxed page":             {http.Header{"Origin": {"null"}}, 403},
		"X-Forwarded-For":              {http.Header{"X-Forwarded-For": {"127.0.0.1"}}, 403},
		"X-Forwarded-Host":             {http.Header{"X-Forwarded-Host": {"localhost"}}, 403},
		"X-Forwarded-Proto":            {http.Header{"X-Forwarded-Proto": {"https"}}, 403},
		"X-Real-IP":                    {http.Header{"X-Real-Ip": {"127.0.0.1"}}, 403},
		"Forwarded":                    {http.Header{"Forwarded": {"for=127.0.0.1"}}, 403},
		"Via":                          {http.Header{"Via": {"1.1 proxy"}}, 403},
	} {
		status, body := shared.do(t, "POST", "/dev/token", c.header, ask)
		if status != c.want || status == 403 && strings.Contains(body, "token\":") {
			t.Errorf("%s gets a token: %d %s", name, status, body)
		}
		if status, _ = shared.get(t, "/dev/info", c.header); status != c.want {
			t.Errorf("%s gets the info: %d", name, status)
		}
	}
	for _, bad := range []string{``, `{}`, `{"user":""}`, `{"user":"a\u0000"}`, `{"user":"` + strings.Repeat("u", 65) + `"}`, `[]`, strings.Repeat("x", 2000)} {
		if status, _ := shared.do(t, "POST", "/dev/token", nil, bad); status != 400 {
			t.Errorf("%q: %d", bad, status)
		}
	}
	if status, body := shared.get(t, "/dev/token", nil); status == 200 && strings.Contains(body, "eyJ") {
		t.Errorf("GET: %d %s", status, body)
	}
}

func TestWithoutDevModeThereAreNoDevEndpoints(t *testing.T) {
	t.Parallel()
	s := serve(t)
	if status, body := s.do(t, "POST", "/dev/token", nil, `{"user":"alice"}`); status != 404 && status != 405 || strings.Contains(body, "eyJ") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := s.get(t, "/dev/info", nil); status == 200 && strings.Contains(body, "users") {
		t.Errorf("%d %s", status, body)
	}
	// What a server in dev mode has signed is worth nothing here.
	status, body := shared.do(t, "POST", "/dev/token", nil, `{"user":"alice"}`)
	var dev struct{ Token, App string }
	if err := json.Unmarshal([]byte(body), &dev); status != 200 || err != nil || dev.App != "demo" {
		t.Fatal(status, body)
	}
	c := greet(t, s, "alice", "phone", withToken(dev.Token))
	if e := c.answer(1).GetError(); e.GetCode() != pb.ErrorCode_ERROR_CODE_UNAUTHENTICATED {
		t.Errorf("%v", e)
	}
	c.endsWith(pb.CloseCode_CLOSE_CODE_UNAUTHENTICATED)
	// Nor is it on the same data folder, once dev mode is off.
	d := serve(t, "--dev")
	if _, body = d.do(t, "POST", "/dev/token", nil, `{"user":"alice"}`); json.Unmarshal([]byte(body), &dev) != nil {
		t.Fatal(body)
	}
	demo := &caller{t: t, srv: d, app: "demo", token: dev.Token}
	must[pb.ListDevicesResponse](demo, listDevices, &pb.ListDevicesRequest{})
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	demo.srv = d.again(t)
	demo.refused(listDevices, &pb.ListDevicesRequest{}, pb.ErrorCode_ERROR_CODE_UNAUTHENTICATED)
}

func TestDevModeAndPlainHTTPStayOnLoopback(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"--dev off loopback":          {[]string{"--dev", "--listen", "0.0.0.0:0"}, "loopback"},
		"--dev on all of IPv6":        {[]string{"--dev", "--listen", "[::]:0"}, "loopback"},
		"--dev on every address":      {[]string{"--dev", "--listen", ":0"}, "loopback"},
		"--dev behind a proxy":        {[]string{"--dev", "--behind-proxy", "10.0.0.0/8"}, "proxy"},
		"plain HTTP off loopback":     {[]string{"--listen", "0.0.0.0:0"}, "--tls-cert"},
		"a proxy that is everybody":   {[]string{"--listen", "0.0.0.0:0", "--behind-proxy", "0.0.0.0/0"}, "everybody"},
		"an option that there is not": {[]string{"--listten", "127.0.0.1:0"}, "listen"},
	} {
		out, err := exec.Command(bin, append([]string{"serve", "--data", t.TempDir()}, c.args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.says) || strings.Contains(string(out), "listening") {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}

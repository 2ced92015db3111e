package wire_test

import (
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

func TestCallsAreUnavailableWhenTheMediaPortIsTakenAndAllElseGoesOn(t *testing.T) {
	port, number := takenPort(t)
	defer port.Close()
	s := serve(t, "--sfu", "process", "--rtc-listen", "127.0.0.1", "--rtc-port", strconv.Itoa(number), "--admin-listen", "127.0.0.1:0", "--log-level", "debug")
	awaitIn(t, s, "set rtc.port")
	if log := s.logs.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "127.0.0.1:"+strconv.Itoa(number)+": bind: address already in use") {
		t.Errorf("the log does not say why: %s", log)
	}
	ann, bob := as(t, s, "ann"), as(t, s, "bob")
	ann.say(direct("ann", "bob"), "call me")
	e := ann.refused("/skein.v1.CallService/StartCall", &pb.StartCallRequest{Conversation: direct("ann", "bob"), ClientId: newID(0)}, pb.ErrorCode_ERROR_CODE_UNAVAILABLE)
	if !strings.Contains(e.GetHint(), "docs/ops/calls.md") {
		t.Errorf("the hint is %q", e.GetHint())
	}
	bob.say(direct("ann", "bob"), "I can not")
	if status, body := s.get(t, "/readyz", nil); status != http.StatusOK {
		t.Errorf("not ready: %s", body)
	}
	metrics := func() string {
		_, body := page(t, "http://"+awaitIn(t, s, `"operators are answered" addr=`)+"/metrics")
		return body
	}
	if body := metrics(); !strings.Contains(body, "skein_sfu_up 0") {
		t.Error("the metrics say that it is up")
	}
	port.Close()
	awaitIn(t, s, "the SFU answers")
	started := must[pb.StartCallResponse](ann, "/skein.v1.CallService/StartCall", &pb.StartCallRequest{Conversation: direct("ann", "bob"), ClientId: newID(0)})
	if a := started.GetAccess(); a.GetUrl() != "" || a.GetToken() == "" {
		t.Errorf("access %v", a)
	}
	if status, body := s.get(t, "/rtc/validate?access_token="+started.GetAccess().GetToken(), nil); status != http.StatusOK || body != "success" {
		t.Errorf("the token is not good at the server's own address: %d %s", status, body)
	}
	if log := s.logs.String(); strings.Contains(log, started.GetAccess().GetToken()) || strings.Contains(log, "SKEIN_SFU_") {
		t.Errorf("a token or a secret is in the log: %s", log)
	}
	if body := metrics(); !strings.Contains(body, "skein_sfu_up 1") || strings.Contains(body, "skein_sfu_restarts_total 0") {
		t.Error("the metrics do not say that it was started again and is up")
	}
}

func TestTheMediaServerMayBeInsideTheServer(t *testing.T) {
	s := serve(t, "--sfu", "inline", "--rtc-listen", "127.0.0.1", "--rtc-port", "0")
	ann := as(t, s, "ann")
	started := must[pb.StartCallResponse](ann, "/skein.v1.CallService/StartCall", &pb.StartCallRequest{Conversation: direct("ann", "bob"), ClientId: newID(0)})
	token := started.GetAccess().GetToken()
	if status, body := s.get(t, "/rtc/validate?access_token="+token, nil); status != http.StatusOK || body != "success" {
		t.Errorf("its token: %d %s", status, body)
	}
	if status, _ := s.get(t, "/rtc/validate?access_token="+token+"x", nil); status != http.StatusUnauthorized {
		t.Errorf("a forged one: %d", status)
	}
}

// takenPort takes a UDP port below those that clients get, so that nobody has it
// for TCP when it is given up.
func takenPort(t *testing.T) (net.PacketConn, int) {
	t.Helper()
	for number := 20000 + os.Getpid()%10000; number < 32000; number++ {
		at := net.JoinHostPort("127.0.0.1", strconv.Itoa(number))
		tcp, err := net.Listen("tcp", at)
		if err != nil {
			continue
		}
		tcp.Close()
		if udp, err := net.ListenPacket("udp", at); err == nil {
			return udp, number
		}
	}
	t.Fatal("no port is free")
	return nil, 0
}

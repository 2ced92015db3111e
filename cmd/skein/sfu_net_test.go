package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"

	"github.com/skein-im/skein/internal/im"
)

func TestOptionsOfNetworksThatDoNotFitAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"--turn-port", "70000"}, {"--turn-cert", "x.pem"}, {"--turn-cert", "x.pem", "--turn-key", "y.pem"}, {"--turn-relay-ports", "9"}, {"--turn-relay-ports", "9-8"},
		{"--ice-servers", "https://turn.example.org"},
	} {
		if _, err := parseSFU(args, io.Discard); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	if _, err := parseSFU([]string{"--turn-relay-ports", "50000-50099", "--ice-servers", "stun:s.example.org:3478, turns:t.example.org:443?transport=tcp"}, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestClientsAreToldWhereTURNIsAndItRelaysToTheSFU(t *testing.T) {
	t.Setenv("SKEIN_SFU_KEY", "key")
	t.Setenv("SKEIN_SFU_SECRET", strings.Repeat("s", 32))
	t.Setenv("SKEIN_SFU_TURN_SECRET", "a secret of the tests")
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- sfuCommand(ctx, []string{"--listen", "127.0.0.1:0", "--rtc-listen", "127.0.0.1", "--rtc-port", "0", "--rtc-address", "203.0.113.9", "--turn", "--turn-port", "0"}, in, io.Discard)
		in.Close()
	}()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err, <-done)
	}
	var told struct {
		RTCPort uint16 `json:"rtc_port"`
		Turn    []string
	}
	if err := json.Unmarshal(line, &told); err != nil || len(told.Turn) != 2 || !strings.HasPrefix(told.Turn[0], "turn:203.0.113.9:") || !strings.HasSuffix(told.Turn[1], "?transport=tcp") {
		t.Fatalf("it says %s, %v", line, err)
	}
	port, _, _ := strings.Cut(told.Turn[0][len("turn:203.0.113.9:"):], "?")
	n := &sfuNet{secret: "a secret of the tests", f: sfuNetFlags{iceServers: "turn:elsewhere.example.org"}}
	server := n.iceServers("ann")[0]
	if strings.Contains(server.Username, "ann") {
		t.Errorf("the user name %s tells who somebody is", server.Username)
	}
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	c, err := turn.NewClient(&turn.ClientConfig{TURNServerAddr: "127.0.0.1:" + port, Conn: pc, Username: server.Username, Password: server.Credential, Realm: "skein",
		LoggerFactory: &logging.DefaultLoggerFactory{Writer: io.Discard}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	relay, err := c.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	if _, err := relay.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr("203.0.113.9"), told.RTCPort))); err != nil {
		t.Errorf("to the SFU: %v", err)
	}
	if _, err := relay.WriteTo([]byte("hello"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 53}); err == nil {
		t.Error("to loopback: no error")
	}
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the SFU does not end")
	}
}

func TestACertificateIsReadAgainWhenItHasChanged(t *testing.T) {
	if _, err := (&keyPair{cert: t.TempDir() + "/none.pem"}).get(nil); err == nil {
		t.Error("a certificate that is not there is read")
	}
	before := &tls.Certificate{}
	k := &keyPair{cert: t.TempDir() + "/none.pem", pair: before, at: im.SystemClock{}.Now()}
	if got, err := k.get(nil); err != nil || got != before {
		t.Errorf("while the file is away: %v, %v", got, err)
	}
}

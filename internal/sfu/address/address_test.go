package address

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/im"
)

func ifaces(list ...string) func() ([]Interface, error) {
	return func() (out []Interface, err error) {
		for _, s := range list {
			name, a, _ := strings.Cut(s, " ")
			out = append(out, Interface{name, netip.MustParseAddr(a)})
		}
		return out, nil
	}
}

func finder(t testing.TB, cfg Config) *Finder {
	t.Helper()
	cfg.Clock, cfg.Entropy, cfg.Log = im.SystemClock{}, im.SystemEntropy(), slog.New(slog.DiscardHandler)
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func words(r Result) string {
	var out []string
	for _, p := range r.Pairs {
		if p.Told == p.Local {
			out = append(out, p.Told.String())
		} else {
			out = append(out, p.Told.String()+"="+p.Local.String())
		}
	}
	if !r.Sure {
		out = append(out, "?")
	}
	return strings.Join(out, " ")
}

func TestWhatIsToldFollowsFromTheList(t *testing.T) {
	machine := ifaces("lo 127.0.0.1", "lo ::1", "eth0 10.0.0.5", "eth0 fe80::1", "eth0 2001:db8::5", "eth1 192.168.7.5", "docker0 172.17.0.1")
	for spec, want := range map[string]string{
		"":                                  "10.0.0.5 2001:db8::5 192.168.7.5 172.17.0.1",
		"!docker0":                          "10.0.0.5 2001:db8::5 192.168.7.5",
		"!172.16.0.0/12, !2001:db8::5":      "10.0.0.5 192.168.7.5",
		"203.0.113.9":                       "203.0.113.9=10.0.0.5",
		"192.168.7.5":                       "192.168.7.5",
		"203.0.113.9=192.168.7.5":           "203.0.113.9=192.168.7.5",
		"2001:db8::99=2001:db8::5,10.0.0.5": "2001:db8::99=2001:db8::5 10.0.0.5",
		"eth1,eth0":                         "192.168.7.5 10.0.0.5 2001:db8::5",
		"eth*,!eth1":                        "10.0.0.5 2001:db8::5",
		"10.0.0.0/8,192.168.0.0/16":         "10.0.0.5 192.168.7.5",
		"203.0.113.9,10.0.0.0/8":            "203.0.113.9=10.0.0.5 10.0.0.5",
		"lo":                                "127.0.0.1 ::1",
		"127.0.0.1":                         "127.0.0.1",
		"eth0,eth0,10.0.0.5":                "10.0.0.5 2001:db8::5",
		"203.0.113.9,!10.0.0.0/8":           "", // what leads there is not wanted
		"wlan0":                             "",
	} {
		r, err := finder(t, Config{Spec: spec, Interfaces: machine, Metadata: "off"}).Find(t.Context())
		if want == "" {
			if !errors.Is(err, ErrNone) {
				t.Errorf("%q: %s, %v", spec, words(r), err)
			}
		} else if err != nil || words(r) != want {
			t.Errorf("%q: got %s, %v; want %s", spec, words(r), err, want)
		}
	}
	// Only what is listened on can be told.
	r, err := finder(t, Config{Listen: []netip.Addr{netip.IPv6Unspecified(), netip.MustParseAddr("192.168.7.5")}, Interfaces: machine}).Find(t.Context())
	if err != nil || words(r) != "2001:db8::5 192.168.7.5" {
		t.Errorf("got %s, %v", words(r), err)
	}
	// Loopback is told where there is nothing else.
	alone := finder(t, Config{Interfaces: ifaces("lo 127.0.0.1")})
	if r, err := alone.Find(t.Context()); err != nil || words(r) != "127.0.0.1" {
		t.Errorf("got %s, %v", words(r), err)
	}
}

func TestAListThatMeansNothingIsAnError(t *testing.T) {
	for _, spec := range []string{"10.0.0.0/99", "1.2.3", "1.2.3.4.5", "203.0.113.9=", "=10.0.0.1", "203.0.113.9=2001:db8::1", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "!auto",
		"!1.2.3.4=5.6.7.8", "fe80::1%eth0", "eth0 eth1", "[", "a/b"} {
		if _, err := New(Config{Spec: spec}); err == nil {
			t.Errorf("%q is understood", spec)
		}
	}
	if _, err := New(Config{STUN: []string{"stun.example.org"}}); err == nil {
		t.Error("a STUN server without a port is understood")
	}
}

// The services of the clouds, as strict as they are documented to be: a
// request that was forwarded, lacks its header or comes by the wrong method is
// refused.
func awsService(t *testing.T, paths map[string]string) http.Handler {
	const token = "AQAEAtoken=="
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Forwarded-For") != "":
			http.Error(w, "Forbidden", http.StatusForbidden)
		case r.URL.Path == "/latest/api/token":
			ttl := r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds")
			var n int
			if _, err := fmt.Sscan(ttl, &n); r.Method != http.MethodPut || err != nil || n < 1 || n > 21600 {
				http.Error(w, "Bad Request", http.StatusBadRequest)
				return
			}
			fmt.Fprint(w, token)
		case r.Header.Get("X-aws-ec2-metadata-token") != token:
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
		default:
			body, ok := paths[strings.TrimPrefix(r.URL.Path, "/latest/meta-data/network/interfaces/macs/")]
			if !ok || r.Method != http.MethodGet {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, body)
		}
	})
}

func azureService(t *testing.T, network, balancer string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := r.URL.Query().Get("api-version")
		switch {
		case r.Method != http.MethodGet:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case r.Header.Get("Metadata") != "true" || r.Header.Get("X-Forwarded-For") != "" || v == "":
			http.Error(w, `{"error":"Bad request"}`, http.StatusBadRequest)
		case r.URL.Path == "/metadata/instance/network" && v == "2021-02-01":
			fmt.Fprint(w, network)
		case r.URL.Path == "/metadata/loadbalancer" && v == "2020-10-01" && balancer != "":
			fmt.Fprint(w, balancer)
		default:
			http.Error(w, `{"error":"Not found"}`, http.StatusNotFound)
		}
	})
}

func gcpService(t *testing.T, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Metadata-Flavor") != "Google" || r.Header.Get("X-Forwarded-For") != "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("Metadata-Flavor", "Google")
		if r.URL.Path != "/computeMetadata/v1/instance/network-interfaces/" || r.URL.Query().Get("recursive") != "true" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, body)
	})
}

const azureNetwork = `{"interface":[{"ipv4":{"ipAddress":[{"privateIpAddress":"10.0.0.5","publicIpAddress":"%s"}],"subnet":[{"address":"10.0.0.0","prefix":"24"}]},"ipv6":{"ipAddress":[]},"macAddress":"0022489B5A11"}]}`

func TestTheMetadataOfCloudsTellThePublicAddress(t *testing.T) {
	machine := ifaces("lo 127.0.0.1", "eth0 10.0.0.5", "eth0 10.0.0.6", "eth1 10.1.0.5", "eth0 2600:1f18::5")
	for name, c := range map[string]struct {
		service http.Handler
		want    string
	}{
		"aws": {awsService(t, map[string]string{
			"":                                     "0e:49:61:0f:c3:11/\n0e:49:61:0f:c3:12/",
			"0e:49:61:0f:c3:11/ipv4-associations/": "203.0.113.9\n203.0.113.10",
			"0e:49:61:0f:c3:11/ipv4-associations/203.0.113.9":  "10.0.0.5",
			"0e:49:61:0f:c3:11/ipv4-associations/203.0.113.10": "10.0.0.6",
		}), "203.0.113.9=10.0.0.5 203.0.113.10=10.0.0.6 2600:1f18::5"},
		"aws without a public address":       {awsService(t, map[string]string{"": "0e:49:61:0f:c3:11/"}), "2600:1f18::5 ?"},
		"aws that lies about paths":          {awsService(t, map[string]string{"": "../../../user-data\n0e:49:61:0f:c3:11/", "0e:49:61:0f:c3:11/ipv4-associations/": "../x 203.0.113.9"}), "2600:1f18::5 ?"},
		"azure, basic":                       {azureService(t, fmt.Sprintf(azureNetwork, "203.0.113.9"), ""), "203.0.113.9=10.0.0.5 2600:1f18::5"},
		"azure, standard":                    {azureService(t, fmt.Sprintf(azureNetwork, ""), `{"loadbalancer":{"publicIpAddresses":[{"frontendIpAddress":"203.0.113.9","privateIpAddress":"10.0.0.5"}],"inboundRules":[],"outboundRules":[]}}`), "203.0.113.9=10.0.0.5 2600:1f18::5"},
		"azure, none":                        {azureService(t, fmt.Sprintf(azureNetwork, ""), ""), "2600:1f18::5 ?"},
		"gcp":                                {gcpService(t, `[{"accessConfigs":[{"externalIp":"203.0.113.9","type":"ONE_TO_ONE_NAT"}],"ip":"10.0.0.5","mac":"42:01:0a:80:00:02"},{"accessConfigs":[{"externalIp":"203.0.113.11","type":"ONE_TO_ONE_NAT"}],"ip":"10.1.0.5"}]`), "203.0.113.9=10.0.0.5 203.0.113.11=10.1.0.5 2600:1f18::5"},
		"gcp without a public address":       {gcpService(t, `[{"accessConfigs":[{"externalIp":"","type":"ONE_TO_ONE_NAT"}],"ip":"10.0.0.5"}]`), "2600:1f18::5 ?"},
		"gcp, of an address not listened on": {gcpService(t, `[{"accessConfigs":[{"externalIp":"203.0.113.9"}],"ip":"10.9.9.9"}]`), "2600:1f18::5 ?"},
		"somebody else":                      {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>hello") }), "2600:1f18::5 ?"},
		"a redirect":                         {http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound), "2600:1f18::5 ?"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.service)
			defer s.Close()
			r, err := finder(t, Config{Spec: "auto", Interfaces: machine, Metadata: s.URL}).Find(t.Context())
			if err != nil || words(r) != c.want {
				t.Errorf("got %s, %v; want %s", words(r), err, c.want)
			}
		})
	}
}

// stunServer answers as if it had seen what seen says, after it has lost so many requests.
func stunServer(t *testing.T, seen string, lose int32) string {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var left atomic.Int32
	left.Store(lose)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if n < 20 || left.Add(-1) >= 0 {
				continue
			}
			c.WriteToUDPAddrPort(answer([12]byte(b[8:20]), attrXorMapped, xored(netip.MustParseAddr(seen), [12]byte(b[8:20]))), from)
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	return c.LocalAddr().String()
}

func answer(id [12]byte, attrs ...any) []byte {
	b := make([]byte, 20)
	binary.BigEndian.PutUint16(b, stunAnswer)
	binary.BigEndian.PutUint32(b[4:], stunCookie)
	copy(b[8:], id[:])
	for i := 0; i+1 < len(attrs); i += 2 {
		v := attrs[i+1].([]byte)
		b = binary.BigEndian.AppendUint16(b, uint16(attrs[i].(int)))
		b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
		b = append(b, v...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-20))
	return b
}

func xored(a netip.Addr, id [12]byte) []byte {
	mask := append(binary.BigEndian.AppendUint32(nil, stunCookie), id[:]...)
	v := []byte{0, 1, 0, 0}
	if a.Is6() {
		v[1] = 2
	}
	for i, x := range a.AsSlice() {
		v = append(v, x^mask[i])
	}
	return v
}

// The machine of these tests has loopback addresses only, under other names:
// what is bound has to be there.
func TestASTUNServerTellsThePublicAddress(t *testing.T) {
	servers := []string{stunServer(t, "203.0.113.9", 1), stunServer(t, "203.0.113.9", 100)}
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	f := finder(t, Config{Spec: "auto", Metadata: "off", STUN: servers, Interfaces: ifaces("eth0 127.0.0.1"), Timeout: 5 * time.Second})
	r, err := f.Find(t.Context())
	if err != nil || words(r) != "203.0.113.9=127.0.0.1" {
		t.Errorf("got %s, %v", words(r), err)
	}
}

func TestNobodyWhoDoesNotAnswerIsWaitedForLong(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	f := finder(t, Config{Spec: "auto", Metadata: "http://" + deaf.Addr().String(), STUN: []string{stunServer(t, "203.0.113.9", 1000)}, Interfaces: ifaces("eth0 127.0.0.1"), Timeout: 300 * time.Millisecond})
	began := im.SystemClock{}.Now()
	r, err := f.Find(t.Context())
	took := im.SystemClock{}.Now().Sub(began)
	if err != nil || words(r) != "127.0.0.1 ?" || took > 2*time.Second {
		t.Errorf("got %s, %v after %v", words(r), err, took)
	}
}

func TestAPublicAddressIsNotGivenUpWhenNobodyAnswersAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // guards the two
		addrs, down := []string{"eth0 8.8.4.4"}, false
		f := finder(t, Config{Spec: "auto", Metadata: "off", Interfaces: func() ([]Interface, error) {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return nil, errors.New("down")
			}
			return ifaces(addrs...)()
		}})
		now, err := f.Find(t.Context())
		if err != nil || words(now) != "8.8.4.4" {
			t.Fatalf("got %s, %v", words(now), err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var got []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			f.Watch(ctx, time.Minute, now, func(r Result) { got = append(got, words(r)) })
		}()
		round := func(lost bool, set ...string) {
			mu.Lock()
			addrs, down = set, lost
			mu.Unlock()
			time.Sleep(61 * time.Second)
			synctest.Wait()
		}
		round(false, "eth0 8.8.4.4")
		round(false, "eth0 10.0.0.5") // only a guess
		round(true)
		round(false, "eth0 9.9.9.9")
		round(false, "eth0 9.9.9.9", "eth1 1.1.1.1")
		stop()
		<-done
		if s := strings.Join(got, "; "); s != "9.9.9.9; 9.9.9.9 1.1.1.1" {
			t.Errorf("changes were: %s", s)
		}
	})
}

func TestAnswersOfSTUNAreReadWithCare(t *testing.T) {
	id := [12]byte{1, 2, 3}
	v4, v6 := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::9")
	good := answer(id, attrXorMapped, xored(v4, id))
	for name, c := range map[string]struct {
		b    []byte
		want netip.Addr
	}{
		"IPv4":                     {good, v4},
		"IPv6":                     {answer(id, attrXorMapped, xored(v6, id)), v6},
		"not masked":               {answer(id, attrMapped, append([]byte{0, 1, 0, 0}, v4.AsSlice()...)), v4},
		"both":                     {answer(id, attrMapped, append([]byte{0, 1, 0, 0}, 1, 1, 1, 1), attrXorMapped, xored(v4, id)), v4},
		"others before":            {answer(id, 0x8022, []byte("abc"), attrXorMapped, xored(v4, id)), v4},
		"empty (CVE-2026-54909)":   {b: answer(id, attrXorMapped, []byte{})},
		"too short":                {b: answer(id, attrXorMapped, []byte{0, 1, 0})},
		"family and length differ": {b: answer(id, attrXorMapped, append([]byte{0, 2, 0, 0}, 1, 2, 3, 4))},
		"loopback":                 {b: answer(id, attrXorMapped, xored(netip.MustParseAddr("127.0.0.1"), id))},
		"of another request":       {b: answer([12]byte{9}, attrXorMapped, xored(v4, id))},
		"a request":                {b: bindingRequest(id)},
		"cut off":                  {b: good[:len(good)-1]},
		"nothing":                  {},
	} {
		got, err := bindingAnswer(c.b, id)
		if (err == nil) != c.want.IsValid() || got != c.want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func FuzzSTUNAnswer(f *testing.F) {
	id := [12]byte{1, 2, 3}
	f.Add(answer(id, attrXorMapped, xored(netip.MustParseAddr("203.0.113.9"), id)))
	f.Add(answer(id, attrXorMapped, []byte{}, attrMapped, []byte{0, 1}))
	f.Add(answer(id, 0x8022, []byte("abcde")))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := bindingAnswer(b, id)
		if err == nil && (!a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback()) {
			t.Fatalf("%s was taken for an address", a)
		}
	})
}

func FuzzAddressList(f *testing.F) {
	for _, s := range []string{"auto", "!eth0,10.0.0.0/8", "203.0.113.9=10.0.0.5", "eth[", "::1", "=", "!", ",,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, err := New(Config{Spec: s, Metadata: "off", Interfaces: ifaces("eth0 10.0.0.5", "eth0 2001:db8::5"), Clock: im.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return
		}
		r, err := x.Find(context.Background())
		for _, p := range r.Pairs {
			if !p.Told.IsValid() || !p.Local.IsValid() || p.Told.IsUnspecified() || len(r.Pairs) > maxPairs {
				t.Fatalf("%q tells %v, %v", s, r.Pairs, err)
			}
		}
	})
}

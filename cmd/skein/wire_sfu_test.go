package main

import (
	"cmp"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/metrics"
)

// everyOption is a configuration in which no option of the SFU has its default.
func everyOption() *config.Config {
	cfg := config.Default()
	cfg.RTC = config.RTC{Port: 7000, Listen: []string{"127.0.0.1", "::1"}, Address: []string{"auto", "!eth0"}, STUN: []string{"stun.example.org:3478"}, Metadata: "off",
		ICEServers: []string{"turn:turn.example.org:3478"}, Readers: 3}
	cfg.TURN = config.TURN{Enabled: true, Port: 3000, TLSPort: 443, Domain: "turn.example.org", Cert: "a.pem", Key: "b.pem", Listen: []string{"127.0.0.1"}, Public: true,
		RelayPorts: "50000-50999", Secret: "a secret that a TURN server elsewhere knows"}
	return cfg
}

func TestEveryOptionOfTheSFUReachesItAndNoSecretIsAnArgument(t *testing.T) {
	cfg := everyOption()
	key, err := auth.ParseMasterKey(strings.Repeat("1f", 32))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ownKeys(cfg, key)
	if err != nil || len(keys.secret) != 64 || keys.turn != cfg.TURN.Secret || strings.Contains(keys.secret, strings.TrimPrefix(keys.key, "skein")) {
		t.Errorf("%d characters, %v", len(keys.secret), err)
	}
	if again, err := ownKeys(cfg, key); err != nil || again != keys {
		t.Error("another node of the cluster has other keys")
	}
	f, err := ownFlags(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.webhooks, f.supervised, f.maxParticipants = "http://127.0.0.1:1/hook", true, 7
	f.recordBytes = cmp.Or(f.recordBytes, 5<<30)
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		if v.Field(i).IsZero() && !slices.Contains([]string{"rtcTCP", "recordTo"}, v.Type().Field(i).Name) {
			t.Errorf("%s is not set", v.Type().Field(i).Name)
		}
	}
	v = reflect.ValueOf(f.net)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("net.%s is not set", v.Type().Field(i).Name)
		}
	}
	args := f.args()
	for _, a := range args {
		for _, secret := range []string{keys.secret, keys.turn, keys.key} {
			if strings.Contains(a, secret) {
				t.Error("a secret is an argument, which other users of a machine see")
			}
		}
	}
	if got, err := parseSFU(args[2:], io.Discard); err != nil || got != f {
		t.Errorf("it understands %+v, %v\nand not       %+v", got, err, f)
	}
}

func TestAnAddressThatIsNoneIsRefusedAtTheStart(t *testing.T) {
	for _, bad := range []string{"chat.example.com:7882", "!auto", "10.0.0.1=there"} {
		cfg := config.Default()
		cfg.RTC.Address = []string{bad}
		if _, err := ownFlags(cfg); err == nil || !strings.Contains(err.Error(), "rtc.address: ") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestAMediaServerElsewhereOrNoneLeavesTheServerWithoutItsOwn(t *testing.T) {
	for name, change := range map[string]func(*config.Config){
		"off":       func(c *config.Config) { c.SFU = "off" },
		"elsewhere": func(c *config.Config) { c.Calls.URL = "wss://calls.example.com" },
	} {
		cfg := config.Default()
		change(cfg)
		set := metrics.New(im.SystemClock{})
		own, err := newOwnSFU(nil, cfg, auth.MasterKey{}, set, nil)
		if err != nil || own != nil {
			t.Errorf("%s: %v, %v", name, own, err)
		}
		if err := own.start(nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := own.close(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := &server{}
	if m := s.mediaServer(&config.Calls{}); m != nil {
		t.Error("there are calls without a media server")
	}
	m := s.mediaServer(&config.Calls{URL: "wss://calls.example.com", Key: "k", Secret: "s"})
	if base, err := m.Where(t.Context(), "r"); err != nil || base != "https://calls.example.com" || m.URL != "wss://calls.example.com" {
		t.Errorf("%q %v", base, err)
	}
}

package skein

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Version of the SDK, as the server's log shows it.
const Version = "0.1.0"

// Platform groups devices for the app's login policy.
type Platform string

// The platforms. The zero value is none of them.
const (
	Web     Platform = "web"
	Android Platform = "android"
	IOS     Platform = "ios"
	Desktop Platform = "desktop"
	Server  Platform = "server" // a bot
)

func (p Platform) wire() skeinv1.Platform {
	return skeinv1.Platform(skeinv1.Platform_value["PLATFORM_"+strings.ToUpper(string(p))])
}

func platformOf(p skeinv1.Platform) Platform {
	if p == skeinv1.Platform_PLATFORM_UNSPECIFIED {
		return ""
	}
	return Platform(strings.ToLower(strings.TrimPrefix(p.String(), "PLATFORM_")))
}

// Options is what a Client is made of. Endpoint, AppID and Token are needed,
// everything else has a default. There is no place for a secret: it belongs
// to the app's back end, which signs the tokens.
type Options struct {
	// Endpoint is the server's address, such as "https://im.example.com".
	Endpoint string
	// AppID names the app.
	AppID string
	// Token returns a user token, each time one is needed: ask your back end.
	// It is called on a goroutine of the client, never twice at the same
	// time. An error is shown in the state and tried again with back-off.
	Token func(ctx context.Context) (string, error)

	// User is who the tokens are for. Needed only to open conversations by
	// user id before the first token was fetched, on an empty store.
	User string
	// DeviceID names this installation, 1 to 64 bytes; empty: made once and
	// kept in the store. Two clients at a time with one id replace each other.
	DeviceID string
	// Platform and DeviceName (at most 64 bytes) are shown in the device list.
	Platform   Platform
	DeviceName string

	// Store keeps messages, outbox and cursor; nil keeps them in memory. It
	// serves one client at a time and stays the caller's to close, after the
	// client.
	Store Store
	// OpenUpload opens what was given as Upload.Ref, in an earlier process: its
	// bytes, and how many there are. What it returns is closed if it can be. nil:
	// uploads of a Path alone go on after a restart.
	OpenUpload func(ref string) (r io.ReaderAt, size int64, err error)
	// Logger gets what an operator may want to know; nil drops it. Never the
	// text of messages or a token.
	Logger *slog.Logger

	// HTTPClient makes the calls; nil makes one. Transport opens the socket;
	// nil speaks WebSocket. Clock and Entropy default to the machine's.
	HTTPClient *http.Client
	Transport  Transport
	Clock      Clock
	Entropy    io.Reader

	ownHTTP bool // HTTPClient was made here
}

// normalise checks the options and fills the defaults.
func (o Options) normalise() (Options, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return o, &Error{Code: InvalidArgument, Message: "Options.Endpoint must be the server's http or https address",
			Hint: `such as "https://im.example.com"`, Cause: err}
	}
	o.Endpoint = strings.TrimRight(o.Endpoint, "/")
	switch {
	case o.AppID == "" || len(o.AppID) > 64:
		return o, errorf(InvalidArgument, nil, "Options.AppID must be 1 to 64 bytes")
	case o.Token == nil:
		return o, &Error{Code: InvalidArgument, Message: "Options.Token is missing", Hint: "give a function that asks your back end for a user token"}
	case len(o.DeviceID) > 64 || len(o.DeviceName) > 64 || len(o.User) > 64:
		return o, errorf(InvalidArgument, nil, "Options.DeviceID, DeviceName and User are at most 64 bytes")
	case o.Platform != "" && o.Platform.wire() == skeinv1.Platform_PLATFORM_UNSPECIFIED:
		return o, errorf(InvalidArgument, nil, "Options.Platform %q is none of the platforms", o.Platform)
	}
	if o.Store == nil {
		o.Store = NewMemoryStore()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.HTTPClient == nil {
		o.ownHTTP = true
		o.HTTPClient = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	if o.Transport == nil {
		o.Transport = webSocket{}
	}
	if o.Clock == nil {
		o.Clock = SystemClock{}
	}
	if o.Entropy == nil {
		o.Entropy = rand.Reader
	}
	return o, nil
}

// socketAddress is the address of the socket.
func (o Options) socketAddress() string {
	return "ws" + strings.TrimPrefix(o.Endpoint, "http") + "/v1/socket"
}

// uniform returns numbers in [0, 1) from a source of random bytes.
func uniform(entropy io.Reader) func() float64 {
	return func() float64 {
		var b [8]byte
		if _, err := io.ReadFull(entropy, b[:]); err != nil {
			return 0.5 // no dice is no reason to stop; it only spreads load
		}
		return float64(binary.BigEndian.Uint64(b[:])>>11) / (1 << 53)
	}
}

// newClientID makes a UUIDv7 (RFC 9562 §5.7) for a time in milliseconds.
func newClientID(ms int64, entropy io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(entropy, b[6:]); err != nil {
		return "", errorf(Internal, err, "no random bytes for a client id")
	}
	var t [8]byte
	binary.BigEndian.PutUint64(t[:], uint64(ms)<<16)
	copy(b[:6], t[:6])
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return idText(b[:]), nil
}

// idTime is the time in milliseconds that a client id carries.
func idTime(id string) int64 {
	b := idBytes(id)
	if b == nil {
		return 0
	}
	var t [8]byte
	copy(t[2:], b[:6])
	return int64(binary.BigEndian.Uint64(t[:]))
}

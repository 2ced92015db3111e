// Package server is for a customer's own back end: it calls what only a back
// end may (users, suspensions, erasures, any group, messages and files in
// somebody's name, history in and out), with tokens of scope "server".
//
// It belongs on a machine of yours. Nothing that runs at a user's may hold the
// app's secret, so package skein, the client, never imports this one.
//
// Every call may be made again. A request that has a client_id is given one
// when it has none, in place: calling again with the same request is a retry,
// and has no second effect. What the server could not be asked is asked again
// by itself, see Options.Attempts.
//
// A change returns its entry, nil when nothing had to be changed.
//
// A list is an iterator that reads page by page; an error is the last that it
// gives. What is refused comes as *skein.Error.
package server

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
	skein "github.com/skein-im/skein/sdk/go"
)

// Options are what a Client is made of.
type Options struct {
	// Endpoint is the server's address, such as https://im.example.com.
	Endpoint string
	// App is the app's id.
	App string
	// Token returns a token of scope "server"; it is asked before each call.
	// See Secret.Token.
	Token func(ctx context.Context) (string, error)
	// HTTPClient makes the calls; nil = one that gives a call 30 s. What uploads
	// takes as long as bytes move.
	HTTPClient *http.Client
	// Attempts is how often a call is tried when the server does not answer or
	// asks to wait (Unavailable, RateLimited); 0 = 4, 1 = once. Between them
	// is what the server asks for, or 0.2 s, 0.4 s and so on.
	Attempts int
	// Clock tells the time and wakes what waits; nil = the machine's.
	Clock skein.Clock
	// Entropy is where random bytes come from; nil = the machine's.
	Entropy io.Reader
}

// Client makes calls of a back end. It is safe for concurrent use.
type Client struct {
	endpoint string
	app      string
	token    func(ctx context.Context) (string, error)
	http     *http.Client
	clock    skein.Clock
	entropy  io.Reader
	attempts int

	admin         skeinv1connect.AdminServiceClient
	archive       skeinv1connect.ArchiveServiceClient
	boards        skeinv1connect.BoardServiceClient
	calls         skeinv1connect.CallServiceClient
	broadcasts    skeinv1connect.BroadcastServiceClient
	contacts      skeinv1connect.ContactServiceClient
	conversations skeinv1connect.ConversationServiceClient
	extensions    skeinv1connect.ExtensionServiceClient
	forwards      skeinv1connect.ForwardServiceClient
	groups        skeinv1connect.GroupServiceClient
	joins         skeinv1connect.JoinServiceClient
	messages      skeinv1connect.MessageServiceClient
	pins          skeinv1connect.PinServiceClient
	polls         skeinv1connect.PollServiceClient
	profiles      skeinv1connect.ProfileServiceClient
	receipts      skeinv1connect.ReceiptServiceClient
	rooms         skeinv1connect.RoomServiceClient
	files         skeinv1connect.FileServiceClient
	threads       skeinv1connect.ThreadServiceClient
	users         skeinv1connect.UserServiceClient
}

// New returns a client. It makes no call.
func New(o Options) (*Client, error) {
	if o.Endpoint == "" || o.App == "" || o.Token == nil {
		return nil, &skein.Error{Code: skein.InvalidArgument, Message: "Endpoint, App and Token are needed"}
	}
	h, at := o.HTTPClient, o.Endpoint
	if h == nil {
		h = &http.Client{Timeout: 30 * time.Second}
	}
	with := connect.WithInterceptors(connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
			token, err := o.Token(ctx)
			if err != nil {
				return nil, tokenError(err)
			}
			sign(r.Header(), o.App, token)
			return next(ctx, r)
		}
	}))
	c := &Client{endpoint: strings.TrimRight(at, "/"), app: o.App, token: o.Token, http: h,
		clock: o.Clock, entropy: o.Entropy, attempts: o.Attempts,
		admin:         skeinv1connect.NewAdminServiceClient(h, at, with),
		archive:       skeinv1connect.NewArchiveServiceClient(h, at, with),
		boards:        skeinv1connect.NewBoardServiceClient(h, at, with),
		calls:         skeinv1connect.NewCallServiceClient(h, at, with),
		broadcasts:    skeinv1connect.NewBroadcastServiceClient(h, at, with),
		contacts:      skeinv1connect.NewContactServiceClient(h, at, with),
		conversations: skeinv1connect.NewConversationServiceClient(h, at, with),
		extensions:    skeinv1connect.NewExtensionServiceClient(h, at, with),
		forwards:      skeinv1connect.NewForwardServiceClient(h, at, with),
		groups:        skeinv1connect.NewGroupServiceClient(h, at, with),
		joins:         skeinv1connect.NewJoinServiceClient(h, at, with),
		messages:      skeinv1connect.NewMessageServiceClient(h, at, with),
		pins:          skeinv1connect.NewPinServiceClient(h, at, with),
		polls:         skeinv1connect.NewPollServiceClient(h, at, with),
		profiles:      skeinv1connect.NewProfileServiceClient(h, at, with),
		receipts:      skeinv1connect.NewReceiptServiceClient(h, at, with),
		rooms:         skeinv1connect.NewRoomServiceClient(h, at, with),
		files:         skeinv1connect.NewFileServiceClient(h, at, with),
		threads:       skeinv1connect.NewThreadServiceClient(h, at, with),
		users:         skeinv1connect.NewUserServiceClient(h, at, with),
	}
	if c.clock == nil {
		c.clock = skein.SystemClock{}
	}
	if c.entropy == nil {
		c.entropy = rand.Reader
	}
	if c.attempts <= 0 {
		c.attempts = 4
	}
	return c, nil
}

// sign says who makes a request.
func sign(h http.Header, app, token string) {
	h.Set("Authorization", "Bearer "+token)
	h.Set("Skein-App", app)
	h.Set("User-Agent", "skein-go-server/"+skein.Version)
}

// NewID makes an id for a request or an import: a UUIDv7 of now (RFC 9562
// §5.7). Keep it where a retry finds it.
func (c *Client) NewID() ([]byte, error) {
	var b [16]byte
	if _, err := io.ReadFull(c.entropy, b[6:]); err != nil {
		return nil, &skein.Error{Code: skein.Internal, Message: "no random bytes for an id", Cause: err}
	}
	var t [8]byte
	binary.BigEndian.PutUint64(t[:], uint64(c.clock.Now().UnixMilli())<<16)
	copy(b[:6], t[:6])
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return b[:], nil
}

// firstWait is how long a call waits before its second attempt, where the
// server does not say; each further one waits twice as long.
const firstWait = 200 * time.Millisecond

// call makes a call, again where that can help, and gives its error the form
// of the SDK. A request that has room for a client id and none gets one.
func call[Req, Res any, R interface {
	*Req
	proto.Message
}](ctx context.Context, c *Client, verb func(context.Context, *connect.Request[Req]) (*connect.Response[Res], error), r R) (*Res, error) {
	if err := c.identify(r.ProtoReflect()); err != nil {
		return nil, err
	}
	for n, wait := 1, firstWait; ; n, wait = n+1, 2*wait {
		res, err := verb(ctx, connect.NewRequest((*Req)(r)))
		if err == nil {
			return res.Msg, nil
		}
		e := asError(ctx, err)
		if n >= c.attempts || e.Code != skein.Unavailable && e.Code != skein.RateLimited {
			return nil, e
		}
		if err := c.wait(ctx, max(wait, e.RetryAfter)); err != nil {
			return nil, err
		}
	}
}

// identify gives a request a client id where it has none.
func (c *Client) identify(m protoreflect.Message) error {
	f := m.Descriptor().Fields().ByName("client_id")
	if f == nil || m.Has(f) {
		return nil
	}
	id, err := c.NewID()
	if err == nil {
		m.Set(f, protoreflect.ValueOfBytes(id))
	}
	return err
}

// wait lets time pass.
func (c *Client) wait(ctx context.Context, d time.Duration) error {
	over := make(chan struct{})
	stop := c.clock.AfterFunc(d, func() { close(over) })
	defer stop()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return aborted(ctx)
	}
}

// pages is a list that is read page by page; fetch returns a page and the name
// of the next, "" when there is none.
func pages[T any](fetch func(page string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page := ""; ; {
			items, next, err := fetch(page)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, it := range items {
				if !yield(it, nil) {
					return
				}
			}
			if page = next; page == "" {
				return
			}
		}
	}
}

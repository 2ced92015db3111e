package file

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Reader reads as an actor; package chat.
type Reader interface {
	// Glance returns the messages at some places of a conversation, as they are
	// now, without those that the actor may not read.
	Glance(ctx context.Context, actor im.Actor, conv im.ConvID, seqs []im.Seq) ([]im.Entry, error)
}

// row is a file as it is stored.
type row struct {
	owner   im.UserID
	sum     []byte
	size    int64
	name    string
	mime    string
	shown   bool // it may be shown in a page
	created im.Micros
	touched im.Micros
	key     string
	store   string // see Stores
	app     im.AppID
	id      string
	variant string // of the ETag, for a smaller picture of it
}

// load reads a file. NotFound when there is none.
func load(tx db.Tx, app im.AppID, id string) (*row, error) {
	f := &row{app: app, id: id}
	var shown int64
	err := tx.QueryRow(`SELECT f.owner, f.sum, f.size, f.name, f.mime, f.shown, f.created, f.touched, b.key, b.store
		FROM file f JOIN file_bytes b ON b.app = f.app AND b.sum = f.sum WHERE f.app = $1 AND f.id = $2`, app, id).
		Scan(&f.owner, &f.sum, &f.size, &f.name, &f.mime, &shown, &f.created, &f.touched, &f.key, &f.store)
	if errors.Is(err, db.ErrNoRows) {
		return nil, im.ErrNotFound
	}
	f.shown = shown != 0
	return f, err
}

func fetch(ctx context.Context, d *db.DB, app im.AppID, id string) (f *row, err error) {
	err = d.Read(ctx, func(tx db.Tx) (err error) {
		f, err = load(tx, app, id)
		return err
	})
	return f, err
}

// mine tells whether a file is the actor's without any message.
func (f *row) mine(a im.Actor) bool { return a.Server || a.User != "" && f.owner == a.User }

// GetFile answers skein.v1.FileService.
func (s *Service) GetFile(ctx context.Context, a im.Actor, r *skeinv1.GetFileRequest) (*skeinv1.GetFileResponse, error) {
	var f *row
	var m *skeinv1.Media
	err := s.d.DB.Read(ctx, func(tx db.Tx) (err error) {
		if f, err = load(tx, a.App, r.Id); err == nil && !f.mine(a) {
			err = im.ErrNotFound
		}
		if err == nil {
			m, err = loadMedia(tx, a.App, f.sum)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.GetFileResponse{File: &skeinv1.File{Id: f.id, Name: f.name, Mime: f.mime, Size: uint64(f.size), Sha256: f.sum, CreatedUs: int64(f.created), Media: m}}, nil
}

// open finds the file that an actor asks for, as one of a message or, without
// one, as their own. NotFound for whatever they may not read at this moment.
func (s *Service) open(ctx context.Context, a im.Actor, id string, conv im.ConvID, seq im.Seq) (*row, error) {
	f, err := fetch(ctx, s.d.DB, a.App, id)
	if err != nil || conv == "" && seq == 0 && f.mine(a) {
		return f, err
	}
	es, err := s.d.Chat.Glance(ctx, a, conv, []im.Seq{seq})
	if err != nil {
		return nil, err
	}
	for i := range es {
		for _, at := range attachments(contentOf(es[i].Body)) {
			if at.File == id || at.Poster == id {
				return f, nil
			}
		}
	}
	return nil, im.ErrNotFound
}

// contentOf decodes a readable body; nil when it is none.
func contentOf(body []byte) *skeinv1.Content {
	var b skeinv1.Body
	if proto.Unmarshal(body, &b) != nil {
		return nil
	}
	return b.Content
}

// attachments are the files of a content, those of messages in it included.
func attachments(c *skeinv1.Content) []*skeinv1.Attachment {
	switch k := c.GetKind().(type) {
	case *skeinv1.Content_Attachments:
		return k.Attachments.GetItems()
	case *skeinv1.Content_Merged:
		var out []*skeinv1.Attachment
		for _, it := range k.Merged.GetItems() {
			out = append(out, attachments(it.GetContent())...)
		}
		return out
	}
	return nil
}

const (
	// keyLife is how long a key for URLs is good.
	keyLife = time.Hour
	macSize = 16
)

// CreateFileKey answers skein.v1.FileService.
func (s *Service) CreateFileKey(_ context.Context, a im.Actor, _ *skeinv1.CreateFileKeyRequest) (*skeinv1.CreateFileKeyResponse, error) {
	now := s.d.Clock.Now()
	text := strings.Join([]string{string(a.App), string(a.User), string(a.Device), strconv.FormatBool(a.Server), strconv.FormatInt(now.UnixMicro(), 10)}, "\x00")
	return &skeinv1.CreateFileKeyResponse{Key: base64.RawURLEncoding.EncodeToString(append(s.mac(text), text...)), ExpiresUs: now.Add(keyLife).UnixMicro(), Origin: s.d.Origin}, nil
}

func (s *Service) mac(text string) []byte {
	h := hmac.New(sha256.New, s.d.Key)
	h.Write([]byte(text))
	return h.Sum(nil)[:macSize]
}

// holder reads a key: who made it, when. Errors: Unauthenticated, Expired.
func (s *Service) holder(key string) (a im.Actor, since im.Micros, err error) {
	bad := im.Errorf(im.Unauthenticated, "the key of the URL is none")
	b, derr := base64.RawURLEncoding.Strict().DecodeString(key)
	if derr != nil || len(b) < macSize || subtle.ConstantTimeCompare(b[:macSize], s.mac(string(b[macSize:]))) != 1 {
		return a, 0, bad
	}
	parts := strings.Split(string(b[macSize:]), "\x00")
	if len(parts) != 5 {
		return a, 0, bad
	}
	at, err := strconv.ParseInt(parts[4], 10, 64)
	if err != nil {
		return a, 0, bad
	}
	since = im.Micros(at)
	if s.d.Clock.Now().After(since.Time().Add(keyLife)) {
		return a, 0, &im.Error{Code: im.Expired, Message: "the key of the URL has expired", Hint: "CreateFileKey gives a new one"}
	}
	return im.Actor{App: im.AppID(parts[0]), User: im.UserID(parts[1]), Device: im.DeviceID(parts[2]), Server: parts[3] == "true"}, since, nil
}

package chat

import (
	"context"
	"crypto/sha256"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Bounds of an import.
const (
	MaxImport   = 500 // messages of a call
	MaxImportID = 64  // bytes of a message's id in the system that it comes from
)

// Import appends messages of another system to a conversation, in the order
// given, each by who sent it there, and returns their positions. The app's
// back end alone may. Every message is held to the rules before the first is
// appended.
//
// run names the import: with it, the sender and the message's own id a message
// is stored once, however often it is brought. It is the moment in run that
// counts for the idempotency window, not when the message was sent. An
// imported message is silent and counts for nobody as unread; its entry has
// the time at which it came, and its content that at which it was first sent.
//
// Errors: NotFound, InvalidArgument, TooLarge, ClockSkew, FailedPrecondition
// (the group stores no messages or has ended), ClientIDReused (the message was
// brought with other content), ResourceExhausted (the app has no more messages
// today); with these two the messages before it are stored.
func (s *Service) Import(ctx context.Context, a im.Actor, conv im.ConvID, run im.ClientID, ms []*skeinv1.ImportedMessage) ([]uint64, error) {
	if !a.Server || conv.Kind() == im.ConvInvalid {
		return nil, im.ErrNotFound
	}
	if len(ms) < 1 || len(ms) > MaxImport {
		return nil, im.Errorf(im.InvalidArgument, "1 to %d messages are imported at once", MaxImport)
	}
	if err := s.checkID(run); err != nil {
		return nil, err
	}
	room, err := s.rooms.get(ctx, a.App, conv)
	if err != nil {
		return nil, err
	}
	contents := make([]*skeinv1.Content, len(ms))
	for i, m := range ms {
		if contents[i], err = s.imported(room, m); err != nil {
			return nil, inMessage(err, i)
		}
	}
	seqs := make([]uint64, len(ms))
	for i, m := range ms {
		// One after the other: were one not stored for want of room, those
		// behind it would have taken its place.
		res, err := s.importOne(ctx, a, conv, importID(run, conv, m), im.UserID(m.Sender), contents[i])
		if err != nil {
			return nil, inMessage(err, i)
		}
		seqs[i] = uint64(res.Entry.Seq)
	}
	return seqs, nil
}

func (s *Service) importOne(ctx context.Context, actor im.Actor, conv im.ConvID, id im.ClientID, sender im.UserID, c *skeinv1.Content) (journal.Result, error) {
	body := encodeContent(c)
	return s.applyUpTo(ctx, maxRetries, s.quota.Imported, actor, conv, id, func(ctx context.Context, room *Room, a *journal.Append) error {
		a.Kind, a.Sender, a.Body, a.Silent, a.Uncounted, a.Create = im.KindMessage, sender, body, true, true, create(room)
		if err := keeping(room); err != nil {
			return err
		}
		return s.decide(ctx, &Action{Verb: VerbSend, Actor: actor, Room: room, Content: c})
	})
}

// imported holds a message to the rules and returns its content as it will be
// stored.
func (s *Service) imported(room *Room, m *skeinv1.ImportedMessage) (*skeinv1.Content, error) {
	if !im.ValidName(m.GetSender()) {
		return nil, im.Errorf(im.InvalidArgument, "sender is not a user id")
	}
	// Who was in a group when they wrote need not be in it now.
	if _, in := room.Member(im.UserID(m.Sender)); room.Kind != im.ConvGroup && !in {
		return nil, im.Errorf(im.InvalidArgument, "sender is not in the conversation")
	}
	if m.TimeUs <= 0 || im.Micros(m.TimeUs) > s.Now() {
		return nil, im.Errorf(im.InvalidArgument, "time_us is when it was first sent, and not in the future")
	}
	if n := len(m.ClientId); n < 1 || n > MaxImportID {
		return nil, im.Errorf(im.InvalidArgument, "client_id is 1 to %d bytes", MaxImportID)
	}
	raw, err := proto.Marshal(m.GetBody())
	if err != nil {
		return nil, im.Errorf(im.InvalidArgument, "the body is not a skein.v1.Body")
	}
	c, err := s.checkBody(raw)
	if err != nil {
		return nil, err
	}
	switch c.GetKind().(type) {
	case *skeinv1.Content_Text, *skeinv1.Content_Custom, *skeinv1.Content_Location, *skeinv1.Content_ContactCard,
		*skeinv1.Content_Sticker, *skeinv1.Content_Attachments, *skeinv1.Content_Notice:
	default:
		return nil, im.Errorf(im.InvalidArgument, "what is imported is readable: text, custom, a place, a card, a sticker, files or a notice")
	}
	c.ImportedUs = m.TimeUs
	return c, nil
}

// importID is the client id of an imported message: of the time of its import,
// so that it is remembered for as long as a new message's.
func importID(run im.ClientID, conv im.ConvID, m *skeinv1.ImportedMessage) im.ClientID {
	h := sha256.New()
	for _, part := range []string{"skein import", string(run[:]), string(conv), string(m.ClientId)} {
		h.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	id := run
	copy(id[6:], h.Sum(nil))
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}

// inMessage says which message of a call an error is about.
func inMessage(err error, i int) error {
	e, ours := im.Shown(err)
	if !ours {
		return err
	}
	said := *e
	said.Message = "messages[" + strconv.Itoa(i) + "]: " + e.Message
	return &said
}

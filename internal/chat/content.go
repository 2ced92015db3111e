package chat

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// checkBody holds an encoded body to the rules of the protocol: a known
// scheme, exactly what the scheme needs, a kind that a user may send, sizes. It
// returns the content of a readable one, nil of any other.
func (s *Service) checkBody(raw []byte) (*skeinv1.Content, error) {
	if len(raw) > s.limits.BodyBytes {
		return nil, im.Errorf(im.TooLarge, "a body has at most %d bytes", s.limits.BodyBytes)
	}
	var b skeinv1.Body
	if err := proto.Unmarshal(raw, &b); err != nil {
		return nil, im.Errorf(im.InvalidArgument, "the body is not a skein.v1.Body")
	}
	if hasGroups(&b) || hasGroups(b.Content) {
		return nil, errGroups()
	}
	switch b.Scheme {
	case skeinv1.BodyScheme_BODY_SCHEME_CONTENT:
		if len(b.Opaque) > 0 || b.Content == nil {
			return nil, im.Errorf(im.InvalidArgument, "a readable body has content and nothing opaque")
		}
		return b.Content, s.checkContent(b.Content)
	case skeinv1.BodyScheme_BODY_SCHEME_MLS, skeinv1.BodyScheme_BODY_SCHEME_OPAQUE:
		if b.Content != nil || len(b.Opaque) == 0 {
			return nil, im.Errorf(im.InvalidArgument, "an opaque body has opaque bytes and no content")
		}
		return nil, nil
	}
	return nil, im.Errorf(im.Unsupported, "body scheme %d is not known", b.Scheme)
}

func (s *Service) checkContent(c *skeinv1.Content) error {
	if len(c.Request) > 0 || c.GroupChange != nil {
		return im.Errorf(im.InvalidArgument, "content.request and content.group_change are the server's")
	}
	if c.Forwarded != nil {
		return im.Errorf(im.InvalidArgument, "only ForwardMessages says that a message was forwarded")
	}
	if c.ImportedUs != 0 {
		return im.Errorf(im.InvalidArgument, "only ImportMessages says that a message was imported")
	}
	if c.Format < 0 || c.Format > skeinv1.TextFormat_TEXT_FORMAT_MARKDOWN {
		return im.Errorf(im.InvalidArgument, "a text is plain or Markdown")
	}
	if len(c.Mentions) > MaxMentions {
		return im.Errorf(im.InvalidArgument, "a message mentions at most %d users", MaxMentions)
	}
	for _, u := range c.Mentions {
		if !im.ValidName(u) {
			return im.Errorf(im.InvalidArgument, "a mention is not a user id")
		}
	}
	if err := checkRoles(c); err != nil {
		return err
	}
	switch k := c.Kind.(type) {
	case *skeinv1.Content_Text:
		return s.checkText(k.Text)
	case *skeinv1.Content_Custom:
		if hasGroups(k.Custom) {
			return errGroups()
		}
		return checkCustom(k.Custom)
	}
	return s.checkKind(c)
}

// hasGroups tells whether a message has a group among the fields that this
// version does not know. The protocol has no groups and will have none. They
// can nest, and protobuf libraries give up at some depth, JavaScript's at 100,
// Go's at 10,000: a body in between is stored, and whoever is to read it can
// not decode the packet, or any sync page with it, ever again.
func hasGroups(m proto.Message) bool {
	for b := m.ProtoReflect().GetUnknown(); len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || typ == protowire.StartGroupType {
			return true
		}
		size := protowire.ConsumeFieldValue(num, typ, b[n:])
		if size < 0 {
			return true
		}
		b = b[n+size:]
	}
	return false
}

func errGroups() error {
	return im.Errorf(im.InvalidArgument, "a body has no groups, a form of protobuf that the protocol does not use")
}

func checkCustom(c *skeinv1.Custom) error {
	if !validCode(c.GetType()) {
		return im.Errorf(im.InvalidArgument, "a custom message has a type of 1 to 64 bytes of a-z A-Z 0-9 . _ -")
	}
	if len(c.Data) > 16<<10 {
		return im.Errorf(im.TooLarge, "custom data has at most 16384 bytes")
	}
	if len(c.Summary) > 256 || !utf8.ValidString(c.Summary) {
		return im.Errorf(im.InvalidArgument, "a custom summary has at most 256 bytes")
	}
	return nil
}

// encodeContent makes the body of an entry that the server itself writes.
func encodeContent(c *skeinv1.Content) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: c})
	if err != nil { // only invalid UTF-8 can do that, and every id was checked
		return nil
	}
	return b
}

package chat

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Bounds of the kinds of content; the protocol's, the same on every server.
const (
	MaxMentions     = 100     // users whom a message mentions
	MaxMentionRoles = 10      // roles that it mentions
	MaxAttachments  = 20      // files of a message
	MaxThumb        = 1 << 10 // bytes of a file's thumb
)

const (
	maxPlaceName    = 128
	maxAddress      = 256
	maxShownName    = 128
	maxURL          = 2048
	maxFileName     = 255
	maxMime         = 127
	maxFileSize     = 1 << 50 // a JavaScript number still counts it exactly
	maxPixels       = 100_000
	maxWaveform     = 128
	maxDurationMS   = 31 * 24 * 3600 * 1000
	maxNoticeText   = 1024
	maxNoticeParams = 20
)

// checkKind holds the kinds of content beside text and custom to the rules of
// content.proto. What the server alone writes, a merged forward, nobody sends.
func (s *Service) checkKind(c *skeinv1.Content) error {
	switch k := c.Kind.(type) {
	case *skeinv1.Content_Location:
		return checkLocation(k.Location)
	case *skeinv1.Content_ContactCard:
		return checkCard(k.ContactCard)
	case *skeinv1.Content_Sticker:
		return checkSticker(k.Sticker)
	case *skeinv1.Content_Attachments:
		return s.checkAttachments(k.Attachments)
	case *skeinv1.Content_Notice:
		return checkNotice(k.Notice)
	case *skeinv1.Content_Private:
		return nil // held to its key by checkPrivate
	case *skeinv1.Content_Poll:
		return checkPoll(k.Poll)
	case *skeinv1.Content_Topic:
		return im.Errorf(im.InvalidArgument, "a topic is made by CreateTopic")
	case *skeinv1.Content_Merged:
		return im.Errorf(im.InvalidArgument, "a merged forward is made by ForwardMessages")
	}
	return im.Errorf(im.InvalidArgument, "a message has no such content; edits, reactions and changes of a conversation have verbs of their own")
}

// checkSpeaker is the base rule on who may say what: a notice is the app's own
// word, so its back end alone sends one.
func checkSpeaker(a *Action) error {
	if a.Content == nil {
		return nil
	}
	if a.Content.GetNotice() != nil && !a.Actor.Server {
		return im.Errorf(im.PermissionDenied, "only the app's back end sends a notice")
	}
	if a.Room.Kind != im.ConvGroup && MentionsMany(a.Content) {
		return im.Errorf(im.InvalidArgument, "all, here and roles are mentioned in groups")
	}
	return nil
}

// MentionsMany tells whether a content calls more than the users whom it
// names: all, who is online, or a role. Policies decide who may.
func MentionsMany(c *skeinv1.Content) bool {
	return c != nil && (c.MentionAll || c.MentionHere || len(c.MentionRoles) > 0)
}

// checkRoles holds the roles that a content mentions to their form.
func checkRoles(c *skeinv1.Content) error {
	if len(c.MentionRoles) > MaxMentionRoles {
		return im.Errorf(im.InvalidArgument, "a message mentions at most %d roles", MaxMentionRoles)
	}
	for _, r := range c.MentionRoles {
		if !validCode(r) || len(r) > 32 {
			return im.Errorf(im.InvalidArgument, "a role has an id of 1 to 32 bytes of a-z A-Z 0-9 . _ -")
		}
	}
	return nil
}

// checkText holds a text to its limits.
func (s *Service) checkText(t *skeinv1.Text) error {
	switch n := len(t.GetText()); {
	case hasGroups(t):
		return errGroups()
	case n == 0:
		return im.Errorf(im.InvalidArgument, "a text is not empty")
	case n > s.limits.TextBytes:
		return im.Errorf(im.TooLarge, "a text has at most %d bytes", s.limits.TextBytes)
	}
	return nil
}

func checkLocation(l *skeinv1.Location) error {
	switch {
	case l == nil || hasGroups(l):
		return errGroups()
	case l.LatitudeE7 < -900_000_000 || l.LatitudeE7 > 900_000_000:
		return im.Errorf(im.InvalidArgument, "a latitude is -90 to 90 degrees")
	case l.LongitudeE7 < -1_800_000_000 || l.LongitudeE7 > 1_800_000_000:
		return im.Errorf(im.InvalidArgument, "a longitude is -180 to 180 degrees")
	}
	if err := checkLine(l.Name, "a place's name", 0, maxPlaceName); err != nil {
		return err
	}
	return checkLine(l.Address, "an address", 0, maxAddress)
}

func checkCard(c *skeinv1.ContactCard) error {
	if c == nil || hasGroups(c) {
		return errGroups()
	}
	if !im.ValidName(c.User) {
		return im.Errorf(im.InvalidArgument, "a contact card has a user id")
	}
	return checkLine(c.Name, "a contact card's name", 0, maxShownName)
}

func checkSticker(k *skeinv1.Sticker) error {
	if k == nil || hasGroups(k) {
		return errGroups()
	}
	if !validCode(k.Pack) || !validCode(k.Id) {
		return im.Errorf(im.InvalidArgument, "a sticker has a pack and an id of 1 to 64 bytes of a-z A-Z 0-9 . _ -")
	}
	if k.Url != "" {
		if err := checkURL(k.Url); err != nil {
			return err
		}
	}
	return checkLine(k.Alt, "a sticker's alt", 1, maxShownName)
}

func (s *Service) checkAttachments(a *skeinv1.Attachments) error {
	if a == nil || hasGroups(a) {
		return errGroups()
	}
	if n := len(a.Items); n < 1 || n > MaxAttachments {
		return im.Errorf(im.InvalidArgument, "a message has 1 to %d attachments", MaxAttachments)
	}
	for _, it := range a.Items {
		if err := checkAttachment(it); err != nil {
			return err
		}
	}
	if len(a.Caption) > s.limits.TextBytes {
		return im.Errorf(im.TooLarge, "a caption has at most %d bytes", s.limits.TextBytes)
	}
	return nil
}

func checkAttachment(a *skeinv1.Attachment) error {
	if a == nil || hasGroups(a) {
		return errGroups()
	}
	if err := checkLine(a.Name, "an attachment's name", 1, maxFileName); err != nil {
		return err
	}
	switch {
	case !validMime(a.Mime):
		return im.Errorf(im.InvalidArgument, "an attachment has a media type such as image/png")
	case a.Size > maxFileSize:
		return im.Errorf(im.InvalidArgument, "an attachment has at most 2^50 bytes")
	case a.Width > maxPixels || a.Height > maxPixels:
		return im.Errorf(im.InvalidArgument, "a picture has at most %d pixels a side", maxPixels)
	case a.DurationMs > maxDurationMS:
		return im.Errorf(im.InvalidArgument, "a recording lasts at most 31 days")
	case len(a.Thumb) > MaxThumb:
		return im.Errorf(im.TooLarge, "a thumb has at most %d bytes", MaxThumb)
	case len(a.Sha256) != 0 && len(a.Sha256) != 32:
		return im.Errorf(im.InvalidArgument, "sha256 has 32 bytes")
	}
	if len(a.Waveform) > maxWaveform {
		return im.Errorf(im.TooLarge, "a waveform has at most %d bytes", maxWaveform)
	}
	// Whether there are such files, and whose, the policy of files tells.
	if a.Poster != "" && !validFile(a.Poster) {
		return im.Errorf(im.InvalidArgument, "a poster is the id of a file")
	}
	if a.File != "" {
		if a.Url != "" || !validFile(a.File) {
			return im.Errorf(im.InvalidArgument, "an attachment has a url, or the id of a file")
		}
		return nil
	}
	return checkURL(a.Url)
}

// validFile tells ids of files: 32 hex digits.
func validFile(id string) bool {
	return len(id) == 32 && strings.Trim(id, "0123456789abcdef") == ""
}

func checkNotice(n *skeinv1.Notice) error {
	if n == nil || hasGroups(n) {
		return errGroups()
	}
	if !validCode(n.Code) {
		return im.Errorf(im.InvalidArgument, "a notice has a code of 1 to 64 bytes of a-z A-Z 0-9 . _ -")
	}
	if err := checkLine(n.Text, "a notice's text", 1, maxNoticeText); err != nil {
		return err
	}
	if len(n.Params) > maxNoticeParams {
		return im.Errorf(im.InvalidArgument, "a notice has at most %d params", maxNoticeParams)
	}
	seen := make(map[string]bool, len(n.Params))
	for _, p := range n.Params {
		if p == nil || hasGroups(p) {
			return errGroups()
		}
		if !validCode(p.Name) || seen[p.Name] {
			return im.Errorf(im.InvalidArgument, "a notice's params have different names of 1 to 64 bytes of a-z A-Z 0-9 . _ -")
		}
		seen[p.Name] = true
		if err := checkLine(p.Value, "a notice's param", 0, maxAddress); err != nil {
			return err
		}
	}
	return nil
}

// checkLine holds a short text to a number of bytes and to one line: who shows
// it in a list must not be made to show more by a line break, or backwards by
// a control character.
func checkLine(v, what string, least, most int) error {
	if len(v) < least || len(v) > most {
		return im.Errorf(im.InvalidArgument, "%s has %d to %d bytes", what, least, most)
	}
	if !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool {
		return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	}) {
		return im.Errorf(im.InvalidArgument, "%s has no control characters", what)
	}
	return nil
}

// checkURL takes https alone: what a reader's app loads by itself must not be
// a script, a file of theirs, or something on their own network without TLS.
func checkURL(v string) error {
	u, err := url.Parse(v)
	if len(v) > maxURL || err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return im.Errorf(im.InvalidArgument, "a url is https, has a host and at most %d bytes", maxURL)
	}
	return nil
}

// validCode tells names that programs make: 1 to 64 of a-z A-Z 0-9 . _ -
func validCode(v string) bool {
	if len(v) == 0 || len(v) > 64 {
		return false
	}
	for i := 0; i < len(v); i++ {
		ch := v[i]
		if !(ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || ch == '.' || ch == '_' || ch == '-') {
			return false
		}
	}
	return true
}

// validMime tells a media type of RFC 6838 without parameters.
func validMime(v string) bool {
	major, minor, ok := strings.Cut(v, "/")
	return ok && len(v) <= maxMime && validToken(major) && validToken(minor)
}

func validToken(v string) bool {
	for i := 0; i < len(v); i++ {
		ch := v[i]
		if !(ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || strings.IndexByte("!#$&-^_.+", ch) >= 0) {
			return false
		}
	}
	return v != ""
}

// isForward tells whether an encoded body was forwarded.
func isForward(body []byte) bool {
	var b skeinv1.Body
	if proto.Unmarshal(body, &b) != nil {
		return false
	}
	c := b.GetContent()
	return c.GetForwarded() != nil || c.GetMerged() != nil
}

// isImported tells whether a stored body came from another system.
func isImported(body []byte) bool {
	var b skeinv1.Body
	return proto.Unmarshal(body, &b) == nil && b.GetContent().GetImportedUs() != 0
}

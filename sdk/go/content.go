package skein

import (
	"math"
	"slices"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Format says how a text is to be read.
type Format string

// The formats of a text. Markdown is the subset that docs/guide/markdown.md
// describes; package markdown parses it.
const (
	Plain    Format = ""
	Markdown Format = "markdown"
)

func formatOf(f skeinv1.TextFormat) Format {
	if f == skeinv1.TextFormat_TEXT_FORMAT_MARKDOWN {
		return Markdown
	}
	return Plain
}

func (f Format) wire() skeinv1.TextFormat {
	if f == Markdown {
		return skeinv1.TextFormat_TEXT_FORMAT_MARKDOWN
	}
	return skeinv1.TextFormat_TEXT_FORMAT_UNSPECIFIED
}

// Location is a place on Earth (WGS 84). The wire keeps ten-millionths of a
// degree, which is about a centimetre.
type Location struct {
	// Latitude is -90 to 90 degrees, north positive.
	Latitude float64
	// Longitude is -180 to 180 degrees, east positive.
	Longitude float64
	Name      string // at most 128 bytes
	Address   string // at most 256 bytes
}

// ContactCard recommends a user of the same app.
type ContactCard struct {
	User string
	// Name is what the sender saw; at most 128 bytes.
	Name string
}

// Sticker is a picture out of a pack.
type Sticker struct {
	// Pack and ID are 1 to 64 of a-z A-Z 0-9 . _ -
	Pack, ID string
	// URL is https, or empty for a pack that the app has itself.
	URL string
	// Alt says what it shows; 1 to 128 bytes.
	Alt string
}

// Attachment is a file: one that was uploaded to the app, or one that lies
// somewhere else.
type Attachment struct {
	Name string // 1 to 255 bytes
	MIME string // such as image/png
	Size uint64 // bytes
	URL  string // https, at most 2,048 bytes
	// Width and Height of a picture or film in pixels, 0 = unknown.
	Width, Height uint32
	// Duration of sound or film, 0 = unknown; kept in milliseconds.
	Duration time.Duration
	// Thumb is shown until the file is here; at most 1 KiB.
	Thumb []byte
	// SHA256 of the file: 32 bytes, or none.
	SHA256 []byte

	// File is the id of a file that was uploaded, in place of URL: Client.Files
	// reads it. It is the sender's own, or comes with what is forwarded.
	File string
	// Poster is the id of a picture that is shown in place of a film until it
	// plays; empty = none.
	Poster string
	// Voice: it was spoken for this message. Waveform is how loud it is from
	// its beginning to its end, 0 to 255 each; empty = unknown.
	Voice    bool
	Waveform []byte
	// Animated: a picture that moves.
	Animated bool
}

// Notice is a line that the app itself says in a conversation: its back end
// alone sends one.
type Notice struct {
	// Code is for the app to say it in the reader's language.
	Code string
	// Text is for those who do not know the code.
	Text   string
	Params map[string]string
}

// Forwarded says who sent a content first, and when. The server writes it.
type Forwarded struct {
	Sender string
	Time   time.Time
}

// Merged is a piece of another conversation as it was when it was forwarded.
type Merged struct {
	Title string
	// Items are oldest first; none in a merged forward inside another one.
	Items []MergedItem
	// Count is how many messages were merged.
	Count int
}

// MergedItem is one message of a merged forward. Its Content is the message's
// kind and what goes with it: it has no position, state or reactions.
type MergedItem struct {
	Sender  string
	Time    time.Time
	Content Message
}

func locationOf(l *skeinv1.Location) *Location {
	return &Location{Latitude: float64(l.GetLatitudeE7()) / 1e7, Longitude: float64(l.GetLongitudeE7()) / 1e7, Name: l.GetName(), Address: l.GetAddress()}
}

func attachmentsOf(a *skeinv1.Attachments) []Attachment {
	out := make([]Attachment, 0, len(a.GetItems()))
	for _, it := range a.GetItems() {
		out = append(out, Attachment{Name: it.GetName(), MIME: it.GetMime(), Size: it.GetSize(), URL: it.GetUrl(), Width: it.GetWidth(), Height: it.GetHeight(),
			Duration: time.Duration(it.GetDurationMs()) * time.Millisecond, Thumb: slices.Clone(it.GetThumb()), SHA256: slices.Clone(it.GetSha256()),
			File: it.GetFile(), Poster: it.GetPoster(), Voice: it.GetVoice(), Waveform: slices.Clone(it.GetWaveform()), Animated: it.GetAnimated()})
	}
	return out
}

func noticeOf(n *skeinv1.Notice) *Notice {
	out := &Notice{Code: n.GetCode(), Text: n.GetText(), Params: map[string]string{}}
	for _, p := range n.GetParams() {
		out.Params[p.GetName()] = p.GetValue()
	}
	return out
}

func mergedOf(m *skeinv1.Merged) *Merged {
	out := &Merged{Title: m.GetTitle(), Count: int(m.GetCount())}
	for _, it := range m.GetItems() {
		item := MergedItem{Sender: it.GetSender(), Time: time.UnixMicro(it.GetTimeUs()).UTC()}
		item.Content.setContent(it.GetContent())
		out.Items = append(out.Items, item)
	}
	return out
}

// setKind takes the kinds of content beside the first ones.
func (v *Message) setKind(c *skeinv1.Content) {
	switch k := c.GetKind().(type) {
	case *skeinv1.Content_Poll:
		v.Kind, v.Poll = KindPoll, pollOf(k.Poll)
		v.Edited = false // it was closed
	case *skeinv1.Content_Topic:
		v.Kind, v.Topic = KindTopic, &Topic{Name: k.Topic.GetName(), Icon: k.Topic.GetIcon(), Closed: k.Topic.GetClosed()}
		v.Edited = false
	case *skeinv1.Content_Pin:
		v.Kind, v.Pin = KindPin, &Pin{Seq: k.Pin.GetSeq(), Removed: k.Pin.GetRemoved()}
	case *skeinv1.Content_Location:
		v.Kind, v.Location = KindLocation, locationOf(k.Location)
	case *skeinv1.Content_ContactCard:
		v.Kind, v.ContactCard = KindContactCard, &ContactCard{User: k.ContactCard.GetUser(), Name: k.ContactCard.GetName()}
	case *skeinv1.Content_Sticker:
		s := k.Sticker
		v.Kind, v.Sticker = KindSticker, &Sticker{Pack: s.GetPack(), ID: s.GetId(), URL: s.GetUrl(), Alt: s.GetAlt()}
	case *skeinv1.Content_Attachments:
		v.Kind, v.Attachments = KindAttachments, attachmentsOf(k.Attachments)
		v.Text = k.Attachments.GetCaption()
	case *skeinv1.Content_Notice:
		v.Kind, v.Notice = KindNotice, noticeOf(k.Notice)
	case *skeinv1.Content_Merged:
		v.Kind, v.Merged = KindMerged, mergedOf(k.Merged)
	}
}

// kinds counts the contents that are set: a message has exactly one.
func (o Outgoing) kinds() (n int) {
	for _, set := range []bool{o.Text != "" && len(o.Attachments) == 0 && len(o.Files) == 0, len(o.Files) > 0, o.Custom != nil, len(o.Opaque) > 0,
		o.Location != nil, o.ContactCard != nil, o.Sticker != nil, len(o.Attachments) > 0, o.Poll != nil} {
		if set {
			n++
		}
	}
	return n
}

// fill puts what is to be sent into a content.
func (o Outgoing) fill(c *skeinv1.Content) error {
	if o.Text != "" {
		c.Format = o.Format.wire()
	}
	switch {
	case o.Custom != nil:
		c.Kind = &skeinv1.Content_Custom{Custom: &skeinv1.Custom{Type: o.Custom.Type, Data: slices.Clone(o.Custom.Data), Summary: o.Custom.Summary}}
	case o.Location != nil:
		l := o.Location
		if !(math.Abs(l.Latitude) <= 90 && math.Abs(l.Longitude) <= 180) {
			return errorf(InvalidArgument, nil, "a latitude is -90 to 90 degrees, a longitude -180 to 180")
		}
		c.Kind = &skeinv1.Content_Location{Location: &skeinv1.Location{LatitudeE7: int32(math.Round(l.Latitude * 1e7)),
			LongitudeE7: int32(math.Round(l.Longitude * 1e7)), Name: l.Name, Address: l.Address}}
	case o.ContactCard != nil:
		c.Kind = &skeinv1.Content_ContactCard{ContactCard: &skeinv1.ContactCard{User: o.ContactCard.User, Name: o.ContactCard.Name}}
	case o.Sticker != nil:
		c.Kind = &skeinv1.Content_Sticker{Sticker: &skeinv1.Sticker{Pack: o.Sticker.Pack, Id: o.Sticker.ID, Url: o.Sticker.URL, Alt: o.Sticker.Alt}}
	case o.Poll != nil:
		c.Kind = &skeinv1.Content_Poll{Poll: o.Poll.wire()}
	case len(o.Attachments) > 0:
		return o.fillAttachments(c)
	case len(o.Files) > 0:
		c.Kind = &skeinv1.Content_Attachments{Attachments: &skeinv1.Attachments{Caption: o.Text}}
	default:
		c.Kind = &skeinv1.Content_Text{Text: &skeinv1.Text{Text: o.Text}}
	}
	return nil
}

func (o Outgoing) fillAttachments(c *skeinv1.Content) error {
	if len(o.Attachments) > 20 {
		return errorf(InvalidArgument, nil, "a message has at most 20 attachments")
	}
	as := &skeinv1.Attachments{}
	for _, a := range o.Attachments {
		if a.Duration < 0 || a.Duration > 31*24*time.Hour {
			return errorf(InvalidArgument, nil, "a recording lasts at most 31 days")
		}
		as.Items = append(as.Items, &skeinv1.Attachment{Name: a.Name, Mime: a.MIME, Size: a.Size, Url: a.URL, Width: a.Width, Height: a.Height,
			DurationMs: uint32(a.Duration.Milliseconds()), Thumb: slices.Clone(a.Thumb), Sha256: slices.Clone(a.SHA256),
			File: a.File, Poster: a.Poster, Voice: a.Voice, Waveform: slices.Clone(a.Waveform), Animated: a.Animated})
	}
	as.Caption = o.Text
	c.Kind = &skeinv1.Content_Attachments{Attachments: as}
	return nil
}

// searchableContent is the text that a content can be found by.
func searchableContent(c *skeinv1.Content) string {
	switch k := c.GetKind().(type) {
	case *skeinv1.Content_Text:
		return k.Text.GetText()
	case *skeinv1.Content_Custom:
		return k.Custom.GetSummary()
	case *skeinv1.Content_Location:
		return k.Location.GetName() + "\n" + k.Location.GetAddress()
	case *skeinv1.Content_ContactCard:
		return k.ContactCard.GetName() + "\n" + k.ContactCard.GetUser()
	case *skeinv1.Content_Sticker:
		return k.Sticker.GetAlt()
	case *skeinv1.Content_Attachments:
		text := k.Attachments.GetCaption()
		for _, a := range k.Attachments.GetItems() {
			text += "\n" + a.GetName()
		}
		return text
	case *skeinv1.Content_Notice:
		return k.Notice.GetText()
	case *skeinv1.Content_Merged:
		return k.Merged.GetTitle()
	}
	return ""
}

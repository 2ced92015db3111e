package search

import (
	"slices"
	"strings"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// words returns what a message says, one thing a line: what people read in it,
// not what machines do. nil says nothing.
func words(c *skeinv1.Content) string {
	var lines []string
	collect(c, &lines, 0)
	return strings.Join(lines, "\n")
}

// maxNesting bounds forwards in forwards.
const maxNesting = 3

func collect(c *skeinv1.Content, lines *[]string, depth int) {
	say := func(texts ...string) {
		for _, t := range texts {
			if t != "" {
				*lines = append(*lines, t)
			}
		}
	}
	switch k := c.GetKind().(type) {
	case *skeinv1.Content_Text:
		say(k.Text.GetText())
	case *skeinv1.Content_Custom:
		say(k.Custom.GetSummary())
	case *skeinv1.Content_Location:
		say(k.Location.GetName(), k.Location.GetAddress())
	case *skeinv1.Content_ContactCard:
		say(k.ContactCard.GetName(), k.ContactCard.GetUser())
	case *skeinv1.Content_Sticker:
		say(k.Sticker.GetAlt())
	case *skeinv1.Content_Notice:
		say(k.Notice.GetText())
	case *skeinv1.Content_Attachments:
		say(k.Attachments.GetCaption())
		for _, a := range k.Attachments.GetItems() {
			say(a.GetName())
		}
	case *skeinv1.Content_Poll:
		say(k.Poll.GetQuestion())
		for _, o := range k.Poll.GetOptions() {
			say(o.GetText())
		}
	case *skeinv1.Content_Topic:
		say(k.Topic.GetName())
	case *skeinv1.Content_Merged:
		say(k.Merged.GetTitle())
		for _, it := range k.Merged.GetItems() {
			if depth < maxNesting {
				collect(it.GetContent(), lines, depth+1)
			}
		}
	}
}

// kindsOf returns what a message can be filtered by.
func kindsOf(c *skeinv1.Content) []skeinv1.SearchKind {
	switch k := c.GetKind().(type) {
	case *skeinv1.Content_Text:
		if t := strings.ToLower(k.Text.GetText()); strings.Contains(t, "https://") || strings.Contains(t, "http://") {
			return []skeinv1.SearchKind{skeinv1.SearchKind_SEARCH_KIND_TEXT, skeinv1.SearchKind_SEARCH_KIND_LINK}
		}
		return []skeinv1.SearchKind{skeinv1.SearchKind_SEARCH_KIND_TEXT}
	case *skeinv1.Content_Attachments:
		return append(fileKinds(k.Attachments), skeinv1.SearchKind_SEARCH_KIND_ATTACHMENT)
	case *skeinv1.Content_Location:
		return []skeinv1.SearchKind{skeinv1.SearchKind_SEARCH_KIND_LOCATION}
	case *skeinv1.Content_Poll:
		return []skeinv1.SearchKind{skeinv1.SearchKind_SEARCH_KIND_POLL}
	case *skeinv1.Content_ContactCard:
		return []skeinv1.SearchKind{skeinv1.SearchKind_SEARCH_KIND_CARD}
	}
	return []skeinv1.SearchKind{skeinv1.SearchKind_SEARCH_KIND_OTHER}
}

// finer are the kinds of files; a message of files has one or more.
func finer() []skeinv1.SearchKind {
	return []skeinv1.SearchKind{skeinv1.SearchKind_SEARCH_KIND_MEDIA, skeinv1.SearchKind_SEARCH_KIND_FILE, skeinv1.SearchKind_SEARCH_KIND_VOICE}
}

// fileKinds returns those of them that a message's files are of.
func fileKinds(a *skeinv1.Attachments) (out []skeinv1.SearchKind) {
	for _, item := range a.GetItems() {
		if k := fileKind(item); !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

func fileKind(a *skeinv1.Attachment) skeinv1.SearchKind {
	mime := strings.ToLower(a.GetMime())
	switch {
	// A browser records what is spoken as video/webm as well, so that this comes first.
	case a.GetVoice(), strings.HasPrefix(mime, "audio/"):
		return skeinv1.SearchKind_SEARCH_KIND_VOICE
	case strings.HasPrefix(mime, "image/") && !strings.HasPrefix(mime, "image/svg"), strings.HasPrefix(mime, "video/"):
		return skeinv1.SearchKind_SEARCH_KIND_MEDIA
	}
	return skeinv1.SearchKind_SEARCH_KIND_FILE
}

// An excerpt shows so many bytes before the first hit, and altogether.
const (
	excerptBefore = 48
	excerptBytes  = 320
)

// excerpt cuts a text to what is around the first hit, in pieces. The pieces
// end at characters.
func excerpt(text string, hits []span) []*skeinv1.SearchPiece {
	from, to := 0, len(text)
	if len(hits) > 0 && hits[0].from > excerptBefore {
		from = start(text, hits[0].from-excerptBefore)
	}
	if to-from > excerptBytes {
		to = start(text, from+excerptBytes)
	}
	var out []*skeinv1.SearchPiece
	say := func(a, b int, hit bool) {
		if a = max(a, from); a < min(b, to) {
			out = append(out, &skeinv1.SearchPiece{Text: text[a:min(b, to)], Hit: hit})
		}
	}
	if from > 0 {
		out = append(out, &skeinv1.SearchPiece{Text: "…"})
	}
	at := 0
	for _, h := range hits {
		say(at, h.from, false)
		say(h.from, h.to, true)
		at = h.to
	}
	say(at, len(text), false)
	if to < len(text) {
		out = append(out, &skeinv1.SearchPiece{Text: "…"})
	}
	return out
}

// start moves an offset back to the beginning of a character.
func start(text string, i int) int {
	for i > 0 && i < len(text) && text[i]&0xc0 == 0x80 {
		i--
	}
	return i
}

package chat

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"math"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Bounds of what the app's back end reads at once.
const (
	MaxExport  = 500
	exportStep = 50 // entries that are read before their size is looked at
)

// Groups pages through all groups of an app, for its back end alone. Errors:
// NotFound, InvalidArgument.
func (s *Service) Groups(ctx context.Context, a im.Actor, limit int, page string) (*skeinv1.ListGroupsResponse, error) {
	if !a.Server {
		return nil, im.ErrNotFound
	}
	if limit == 0 {
		limit = 100
	}
	if limit < 1 || limit > maxPage {
		return nil, im.Errorf(im.InvalidArgument, "limit is 1 to %d", maxPage)
	}
	after, err := s.cursors.openGroups(a, page)
	if err != nil {
		return nil, err
	}
	var out *skeinv1.ListGroupsResponse
	err = s.j.View(ctx, func(v journal.View) error {
		out = &skeinv1.ListGroupsResponse{}
		cs, err := v.Groups(a.App, after, limit)
		for i := range cs {
			c := &cs[i]
			out.Groups = append(out.Groups, &skeinv1.Conversation{Id: string(c.ID), Kind: skeinv1.ConversationKind(c.Kind), Title: c.Title,
				HeadSeq: uint64(c.HeadSeq), HeadOrd: uint64(c.HeadOrd), AclVersion: uint64(c.ACLVersion), MemberCount: uint32(c.Members),
				CreatedUs: int64(c.Created), Settings: DecodeSettings(c.Attrs)})
		}
		if len(cs) == limit {
			out.NextPage = s.cursors.sealGroups(a, cs[limit-1].ID)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// sealGroups makes the page token of the list of an app's groups.
func (c *cursorCodec) sealGroups(a im.Actor, after im.ConvID) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte(after), c.mac(a, 'g', []byte(after))...))
}

// openGroups reads one; "" for the first page.
func (c *cursorCodec) openGroups(a im.Actor, s string) (im.ConvID, error) {
	if s == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	n := len(raw) - macBytes
	if err != nil || n < 1 || !hmac.Equal(raw[n:], c.mac(a, 'g', raw[:n])) {
		return "", im.Errorf(im.InvalidArgument, "page is not one that this list gave")
	}
	return im.ConvID(raw[:n]), nil
}

// Export returns the entries of a conversation behind a position as they are
// now, whoever of its members reads them, for the app's back end alone. A
// damaged entry comes with its seq and nothing else. Errors: NotFound,
// InvalidArgument.
func (s *Service) Export(ctx context.Context, a im.Actor, conv im.ConvID, after im.Seq, limit int) (*skeinv1.ExportMessagesResponse, error) {
	if !a.Server {
		return nil, im.ErrNotFound
	}
	if limit == 0 {
		limit = MaxExport
	}
	if limit < 1 || limit > MaxExport || after < 0 || after == math.MaxInt64 {
		return nil, im.Errorf(im.InvalidArgument, "limit is 1 to %d, after_seq a seq", MaxExport)
	}
	kind := conv.Kind()
	if kind == im.ConvInvalid {
		return nil, im.ErrNotFound
	}
	var out *skeinv1.ExportMessagesResponse
	err := s.j.View(ctx, func(v journal.View) error {
		out = &skeinv1.ExportMessagesResponse{Incarnation: s.j.Incarnation()}
		c, err := v.Conv(a.App, conv)
		if im.CodeOf(err) == im.NotFound && kind != im.ConvGroup {
			return nil // exists from the start, with nothing in it
		}
		if err != nil {
			return err
		}
		out.HeadSeq = uint64(c.HeadSeq)
		for size := 0; len(out.Entries) < limit && size < pageBytes && after < c.HeadSeq; {
			es, err := entries(v, a.App, conv, after+1, c.HeadSeq, min(exportStep, limit-len(out.Entries)), false)
			if err != nil {
				return err
			}
			if len(es) == 0 {
				return nil
			}
			for i := range es {
				out.Entries = append(out.Entries, ProtoEntry(&es[i]))
				after, size = es[i].Seq, size+len(es[i].Body)+len(es[i].Previous)
				if size >= pageBytes {
					break
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

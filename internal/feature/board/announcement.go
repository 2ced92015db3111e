package board

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func announcementContent(n *skeinv1.Announcement) *skeinv1.Content {
	return &skeinv1.Content{Kind: &skeinv1.Content_Announcement{Announcement: n}}
}

func checkAnnouncement(title, text string) error {
	if err := checkLine("title", title, maxTitle); err != nil {
		return err
	}
	return checkValue("text", text)
}

// find returns the announcement of an id.
func find(items []item, id string) (*item, error) {
	for i := range items {
		if n := items[i].content.GetAnnouncement(); n.GetId() == id && !n.GetRemoved() {
			return &items[i], nil
		}
	}
	return nil, im.ErrNotFound
}

// CreateAnnouncement answers skein.v1.BoardService.CreateAnnouncement.
func (s *Service) CreateAnnouncement(ctx context.Context, a im.Actor, r *skeinv1.CreateAnnouncementRequest) (*skeinv1.CreateAnnouncementResponse, error) {
	if err := checkAnnouncement(r.Title, r.Text); err != nil {
		return nil, err
	}
	// From the client id, so that a retry makes the same one.
	made := &skeinv1.Announcement{Id: hex.EncodeToString(r.ClientId), Title: r.Title, Text: r.Text, Pinned: r.Pinned}
	made.Editor, made.UpdatedUs = s.stamp(a)
	made.Creator, made.CreatedUs = made.Editor, made.UpdatedUs
	sh := announcements()
	res, err := s.change(ctx, a, im.ConvID(r.Conversation), r.ClientId, sh, func(items []item) (chat.Keyed, error) {
		key, newest, err := sh.free(items)
		return sh.put(key, newest, true, announcementContent(made)), err
	})
	if err != nil {
		return nil, err
	}
	if res.Duplicate {
		n, err := s.shown(ctx, a, im.ConvID(r.Conversation), made.Id)
		return &skeinv1.CreateAnnouncementResponse{Announcement: n}, err
	}
	return &skeinv1.CreateAnnouncementResponse{Announcement: made}, nil
}

// shown returns an announcement as it is now.
func (s *Service) shown(ctx context.Context, a im.Actor, conv im.ConvID, id string) (*skeinv1.Announcement, error) {
	items, err := s.list(ctx, a, conv, announcements())
	if err != nil {
		return nil, err
	}
	i, err := find(items, id)
	if err != nil {
		return nil, err
	}
	return i.content.GetAnnouncement(), nil
}

// UpdateAnnouncement answers skein.v1.BoardService.UpdateAnnouncement.
func (s *Service) UpdateAnnouncement(ctx context.Context, a im.Actor, r *skeinv1.UpdateAnnouncementRequest) (*skeinv1.UpdateAnnouncementResponse, error) {
	if err := checkAnnouncement(r.Title, r.Text); err != nil {
		return nil, err
	}
	sh := announcements()
	_, err := s.change(ctx, a, im.ConvID(r.Conversation), r.ClientId, sh, func(items []item) (chat.Keyed, error) {
		i, err := find(items, r.Id)
		if err != nil {
			return chat.Keyed{}, err
		}
		was := i.content.GetAnnouncement()
		next := &skeinv1.Announcement{Id: r.Id, Title: r.Title, Text: r.Text, Pinned: r.Pinned, Creator: was.Creator, CreatedUs: was.CreatedUs}
		next.Editor, next.UpdatedUs = s.stamp(a)
		return sh.put(i.key, i.entry.Seq, false, announcementContent(next)), nil
	})
	if err != nil {
		return nil, err
	}
	n, err := s.shown(ctx, a, im.ConvID(r.Conversation), r.Id)
	return &skeinv1.UpdateAnnouncementResponse{Announcement: n}, err
}

// DeleteAnnouncement answers skein.v1.BoardService.DeleteAnnouncement.
func (s *Service) DeleteAnnouncement(ctx context.Context, a im.Actor, r *skeinv1.DeleteAnnouncementRequest) (*skeinv1.DeleteAnnouncementResponse, error) {
	sh := announcements()
	_, err := s.change(ctx, a, im.ConvID(r.Conversation), r.ClientId, sh, func(items []item) (chat.Keyed, error) {
		i, err := find(items, r.Id)
		if err != nil {
			return chat.Keyed{}, err
		}
		gone := &skeinv1.Announcement{Id: r.Id, Removed: true}
		gone.Editor, gone.UpdatedUs = s.stamp(a)
		return sh.put(i.key, i.entry.Seq, false, announcementContent(gone)), nil
	})
	return &skeinv1.DeleteAnnouncementResponse{}, err
}

// ListAnnouncements answers skein.v1.BoardService.ListAnnouncements.
func (s *Service) ListAnnouncements(ctx context.Context, a im.Actor, r *skeinv1.ListAnnouncementsRequest) (*skeinv1.ListAnnouncementsResponse, error) {
	items, err := s.list(ctx, a, im.ConvID(r.Conversation), announcements())
	if err != nil {
		return nil, err
	}
	out := &skeinv1.ListAnnouncementsResponse{}
	for i := range items {
		out.Announcements = append(out.Announcements, items[i].content.GetAnnouncement())
	}
	slices.SortFunc(out.Announcements, func(a, b *skeinv1.Announcement) int {
		if a.Pinned != b.Pinned {
			if a.Pinned {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.UpdatedUs, a.UpdatedUs), cmp.Compare(a.Id, b.Id))
	})
	return out, nil
}

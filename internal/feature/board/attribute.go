package board

import (
	"cmp"
	"context"
	"slices"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func attributeContent(v *skeinv1.GroupAttribute) *skeinv1.Content {
	return &skeinv1.Content{Kind: &skeinv1.Content_Attribute{Attribute: v}}
}

// named returns the attribute of a name, or nil.
func named(items []item, name string) *item {
	for i := range items {
		if v := items[i].content.GetAttribute(); v.GetName() == name && !v.GetRemoved() {
			return &items[i]
		}
	}
	return nil
}

// SetGroupAttribute answers skein.v1.BoardService.SetGroupAttribute.
func (s *Service) SetGroupAttribute(ctx context.Context, a im.Actor, r *skeinv1.SetGroupAttributeRequest) (*skeinv1.SetGroupAttributeResponse, error) {
	if err := checkLine("name", r.Name, MaxName); err != nil {
		return nil, err
	}
	if err := checkValue("value", r.Value); err != nil {
		return nil, err
	}
	sh := attributes()
	_, err := s.change(ctx, a, im.ConvID(r.Conversation), r.ClientId, sh, func(items []item) (chat.Keyed, error) {
		next := &skeinv1.GroupAttribute{Name: r.Name, Value: r.Value, Version: 1}
		next.Editor, next.UpdatedUs = s.stamp(a)
		if i := named(items, r.Name); i != nil {
			next.Version = i.content.GetAttribute().Version + 1
			return sh.put(i.key, i.entry.Seq, false, attributeContent(next)), sameVersion(r.Version, next.Version-1)
		}
		if err := sameVersion(r.Version, 0); err != nil {
			return chat.Keyed{}, err
		}
		key, newest, err := sh.free(items)
		return sh.put(key, newest, true, attributeContent(next)), err
	})
	if err != nil {
		return nil, err
	}
	items, err := s.list(ctx, a, im.ConvID(r.Conversation), sh)
	if err != nil {
		return nil, err
	}
	out := &skeinv1.SetGroupAttributeResponse{}
	if i := named(items, r.Name); i != nil { // else somebody has removed it since
		out.Attribute = i.content.GetAttribute()
	}
	return out, nil
}

// sameVersion refuses a change that was decided on another version.
func sameVersion(want *skeinv1.AttributeVersion, is uint64) error {
	if want == nil || want.Version == is {
		return nil
	}
	return &im.Error{Code: im.FailedPrecondition, Message: "the attribute has another version", Hint: "read it again, then decide"}
}

// RemoveGroupAttribute answers skein.v1.BoardService.RemoveGroupAttribute.
func (s *Service) RemoveGroupAttribute(ctx context.Context, a im.Actor, r *skeinv1.RemoveGroupAttributeRequest) (*skeinv1.RemoveGroupAttributeResponse, error) {
	sh := attributes()
	_, err := s.change(ctx, a, im.ConvID(r.Conversation), r.ClientId, sh, func(items []item) (chat.Keyed, error) {
		i := named(items, r.Name)
		if i == nil {
			return chat.Keyed{}, im.ErrNotFound
		}
		gone := &skeinv1.GroupAttribute{Name: r.Name, Removed: true}
		gone.Editor, gone.UpdatedUs = s.stamp(a)
		return sh.put(i.key, i.entry.Seq, false, attributeContent(gone)), sameVersion(r.Version, i.content.GetAttribute().Version)
	})
	return &skeinv1.RemoveGroupAttributeResponse{}, err
}

// ListGroupAttributes answers skein.v1.BoardService.ListGroupAttributes.
func (s *Service) ListGroupAttributes(ctx context.Context, a im.Actor, r *skeinv1.ListGroupAttributesRequest) (*skeinv1.ListGroupAttributesResponse, error) {
	items, err := s.list(ctx, a, im.ConvID(r.Conversation), attributes())
	if err != nil {
		return nil, err
	}
	out := &skeinv1.ListGroupAttributesResponse{}
	for i := range items {
		out.Attributes = append(out.Attributes, items[i].content.GetAttribute())
	}
	slices.SortFunc(out.Attributes, func(a, b *skeinv1.GroupAttribute) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

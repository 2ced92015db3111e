package journal

import "github.com/skein-im/skein/internal/im"

// MembersSince implements View. The two halves have an index each, because
// memberships that have ended are never looked at otherwise.
func (v *sqlView) MembersSince(app im.AppID, conv im.ConvID, after im.Pos, limit int) ([]Member, error) {
	limit = max(limit, 0)
	now, err := v.members(selectMembers+" AND m.changed_pos > $3 AND m.latest = 1 AND m.to_seq = 0 ORDER BY m.changed_pos LIMIT $4", app, conv, after, limit)
	if err != nil || len(now) == limit {
		return now, err
	}
	ended, err := v.members(selectMembers+" AND m.changed_pos > $3 AND m.latest = 1 AND m.to_seq > 0 ORDER BY m.changed_pos LIMIT $4", app, conv, after, limit-len(now))
	return append(now, ended...), err
}

// MembersSince implements View.
func (v *memView) MembersSince(app im.AppID, conv im.ConvID, after im.Pos, limit int) (out []Member, err error) {
	c := v.convs[convKey{app, conv}]
	if c == nil {
		return nil, nil
	}
	for _, list := range c.intervals {
		if m := list[len(list)-1]; m.changed > after {
			out = append(out, m.member())
		}
	}
	return out[:min(len(out), max(limit, 0))], nil
}

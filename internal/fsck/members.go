package fsck

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/skein-im/skein/internal/im"
)

// interval is a row of the membership table.
type interval struct {
	no                     int64
	app                    im.AppID
	user                   im.UserID
	role                   im.Role
	joined, from, to, read im.Seq
	ord                    im.Ord
	changed                im.Pos
	latest                 int64
}

func (c *check) memberships(context.Context) error {
	var before interval
	err := c.each(func(scan func(...any) error) error {
		var m interval
		err := scan(&m.no, &m.app, &m.user, &m.role, &m.joined, &m.from, &m.to, &m.read, &m.ord, &m.changed, &m.latest)
		if err != nil {
			return err
		}
		c.r.Memberships++
		v := c.convs[m.no]
		if v == nil || v.app != m.app {
			c.r.add(Finding{Check: "reference", Detail: fmt.Sprintf("a membership of %s/%s in number %d, which is not there", m.app, m.user, m.no)})
			return nil
		}
		if before.no == m.no && before.user == m.user {
			// One entry may end an interval and begin the next.
			if before.to == 0 || m.joined < before.to-1 || before.latest != 0 {
				c.r.add(v.finding("membership", m.joined, "the interval of %s from %d runs into the one before", m.user, m.joined))
			}
		} else {
			c.lastOf(before)
		}
		c.interval(v, &m)
		before = m
		return nil
	}, `SELECT conv_no, app, usr, role, joined, from_seq, to_seq, read_seq, read_ord, changed_pos, latest FROM membership
ORDER BY conv_no, usr, joined`)
	c.lastOf(before)
	return err
}

// lastOf checks what holds of a user's newest interval.
func (c *check) lastOf(m interval) {
	if v := c.convs[m.no]; v != nil && m.latest != 1 {
		c.r.add(v.finding("membership", m.joined, "the newest interval of %s is not marked as such", m.user))
	}
}

func (c *check) interval(v *conv, m *interval) {
	if m.joined < 1 || m.joined > v.headSeq || m.from != 1 && m.from != m.joined || m.to != 0 && (m.to <= m.joined || m.to-1 > v.headSeq) {
		c.r.add(v.finding("membership", m.joined, "the interval of %s is [%d, %d) from entry %d, the head is %d", m.user, m.from, m.to, m.joined, v.headSeq))
	}
	if m.role < im.RoleMember || m.role > im.RoleOwner {
		c.r.add(v.finding("membership", m.joined, "%s has role %d", m.user, m.role))
	}
	if m.changed > c.head(v.shard)+1 {
		c.r.add(v.finding("membership", m.joined, "%s changed at %d, past the shard's head %d", m.user, m.changed, c.head(v.shard)))
	}
	want := im.Ord(0)
	if m.read > 0 {
		want = c.ords[rowKey{m.no, m.read}]
	}
	if m.read < 0 || m.read > v.headSeq || m.ord != want {
		c.r.add(v.finding("marker", m.read, "the read marker of %s is at %d with ord %d; the head is %d, the entry's ord %d", m.user, m.read, m.ord, v.headSeq, want))
	}
	if m.joined > 1 {
		v.raises[m.joined] = true
	}
	if m.to > 2 {
		v.raises[m.to-1] = true
	}
	if m.to != 0 {
		return
	}
	v.current++
	if m.role == im.RoleOwner {
		v.owners++
	}
	if a, b := v.id.Pair(); v.kind != im.ConvGroup && (m.user == a || m.user == b || m.user == v.id.Owner()) {
		v.named++
	}
}

// sums compares conversations with what their entries and members add up to.
func (c *check) sums(context.Context) error {
	for _, no := range slices.Sorted(maps.Keys(c.convs)) {
		v := c.convs[no]
		if v.headSeq == 0 {
			c.r.add(v.finding("reference", 0, "it has no entry, not even the one that made it"))
		}
		if v.members != v.current {
			c.r.add(v.finding("head", 0, "it counts %d members and has %d", v.members, v.current))
		}
		// Each entry raises acl_version by one at most; those that began or
		// ended a membership have raised it.
		if low, high := int64(len(v.raises))+1, int64(v.headSeq)+1; v.acl < low || v.acl > high {
			c.r.add(v.finding("acl", 0, "acl_version is %d, should be between %d and %d", v.acl, low, high))
		}
		switch {
		case v.kind == im.ConvGroup && v.current > 0 && v.owners != 1:
			c.r.add(v.finding("owner", 0, "the group has %d owners", v.owners))
		case v.kind == im.ConvDirect && (v.current != 2 || v.named != 2):
			c.r.add(v.finding("owner", 0, "a direct conversation is of its two users"))
		case v.kind == im.ConvSelf && (v.current != 1 || v.named != 1):
			c.r.add(v.finding("owner", 0, "a self conversation is of its user"))
		}
	}
	return nil
}

// followers checks that no follower is ahead of its shard.
func (c *check) followers(context.Context) error {
	if ok, err := c.has("follower"); err != nil || !ok {
		return err
	}
	return c.each(func(scan func(...any) error) error {
		var name, incarnation string
		var shard int
		var pos im.Pos
		if err := scan(&name, &shard, &incarnation, &pos); err != nil {
			return err
		}
		c.r.Followers++
		if incarnation != c.r.Incarnation {
			return nil // it starts over, by rule
		}
		if shard < 0 || shard >= len(c.heads) || pos < 0 || pos > c.head(shard) {
			c.r.add(Finding{Check: "cursor", Detail: fmt.Sprintf("follower %s is at %d of shard %d, whose head is %d", name, pos, shard, c.head(shard))})
		}
		return nil
	}, "SELECT name, shard, incarnation, pos FROM follower")
}

// Layout of a device's cursor, which package chat makes: a version, the
// incarnation, the number of shards, and for each shard three positions, the
// second and third as differences; a MAC follows that only chat can check.
const (
	cursorVersion = 1
	cursorMAC     = 12
)

// devices checks that no device has acknowledged what is not there.
func (c *check) devices(context.Context) error {
	if ok, err := c.has("device"); err != nil || !ok {
		return err
	}
	incarnation, err := hex.DecodeString(c.r.Incarnation)
	if err != nil {
		c.r.add(Finding{Check: "head", Detail: "the incarnation is not hexadecimal"})
		return nil //nolint:nilerr // it is a finding
	}
	return c.each(func(scan func(...any) error) error {
		var app im.AppID
		var user, device string
		var raw []byte
		if err := scan(&app, &user, &device, &raw); err != nil {
			return err
		}
		for shard, pos := range positions(raw, incarnation) {
			if pos > uint64(c.head(shard)) {
				c.r.add(Finding{Check: "cursor", App: app, Detail: fmt.Sprintf("device %s of %s has acknowledged %d of shard %d, whose head is %d", device, user, pos, shard, c.head(shard))})
			}
			c.r.Devices++
		}
		return nil
	}, "SELECT app, user_id, id, cursor_ack FROM device WHERE cursor_ack IS NOT NULL")
}

// positions reads the newest position of each shard out of a cursor; nothing
// when it is of another version or incarnation.
func positions(raw, incarnation []byte) (out []uint64) {
	n := len(raw) - cursorMAC
	if n < 18 || raw[0] != cursorVersion || !bytes.Equal(raw[1:17], incarnation) {
		return nil
	}
	b := raw[17:n]
	next := func() uint64 {
		v, w := binary.Uvarint(b)
		if w <= 0 {
			b = nil
			return 0
		}
		b = b[w:]
		return v
	}
	for shards := next(); shards > 0 && len(b) > 0; shards-- {
		out = append(out, next()+next()+next())
	}
	return out
}

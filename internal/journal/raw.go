package journal

import (
	"bytes"
	"math"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// EntryColumns are the columns of the table entry in the order of Raw.Values.
func EntryColumns() []string {
	return []string{"conv_no", "seq", "shard", "pos", "ord", "kind", "sender", "device", "time", "client_id", "version", "target",
		"key", "slot", "flags", "devices", "body", "previous", "hash", "extra"}
}

// Indexes into Raw.Values.
const (
	rawConvNo = iota
	rawSeq
	rawShard
	rawPos
	rawOrd
	rawKind
	rawSender
	rawDevice
	rawTime
	rawClientID
	rawVersion
	rawTarget
	rawKey
	rawSlot
	rawFlags
	rawDevices
	rawBody
	rawPrevious
	rawHash
	rawExtra
	rawLen
)

const selectRaw = `SELECT e.conv_no, e.seq, e.shard, e.pos, e.ord, e.kind, e.sender, e.device, e.time, e.client_id, e.version, e.target,
  e.key, e.slot, e.flags, e.devices, e.body, e.previous, e.hash, e.extra, c.app, c.conv
FROM entry e JOIN conversation c ON c.conv_no = e.conv_no`

// Raw is an entry's row on its way from one database to another, with the
// names that its hash covers. It keeps what it does not understand: a damaged
// row arrives damaged, and is found out there as it was here.
type Raw struct {
	App    im.AppID
	Conv   im.ConvID
	Values []any // int64, string, []byte or nil, in the order of EntryColumns
}

// RawBytes is about how many bytes of contents RawAfter reads at once.
const RawBytes = 32 << 20

// RawAfter reads up to limit rows of a shard with pos > after, ascending; fewer
// when they are large: it ends with the row that reaches RawBytes. The slices
// are the caller's.
func RawAfter(tx db.Tx, shard int, after im.Pos, limit int) ([]Raw, error) {
	if tx.Dialect() == db.SQLite { // pos is the rowid there, and shard in no index
		return readRaw(tx, RawBytes, selectRaw+" WHERE e.pos > $1 ORDER BY e.pos LIMIT $2", after, limit)
	}
	return readRaw(tx, RawBytes, selectRaw+" WHERE e.shard = $1 AND e.pos > $2 ORDER BY e.pos LIMIT $3", shard, after, limit)
}

// RawEntry reads one row; ok is false when it is not there.
func RawEntry(tx db.Tx, convNo int64, seq im.Seq) (r Raw, ok bool, err error) {
	list, err := readRaw(tx, math.MaxInt, selectRaw+" WHERE e.conv_no = $1 AND e.seq = $2", convNo, seq)
	if err != nil || len(list) == 0 {
		return Raw{}, false, err
	}
	return list[0], true, nil
}

// readRaw ends with the row by which the contents have so many bytes.
func readRaw(tx db.Tx, most int, query string, args ...any) ([]Raw, error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Raw
	dest := make([]any, rawLen+2)
	for size := 0; size < most && rows.Next(); {
		r := Raw{Values: make([]any, rawLen)}
		for i := range r.Values {
			dest[i] = &r.Values[i]
		}
		dest[rawLen], dest[rawLen+1] = &r.App, &r.Conv
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		out = append(out, r)
		size += r.Size()
	}
	return out, rows.Err()
}

// Heads returns the newest position of each shard.
func Heads(tx db.Tx) ([]im.Pos, error) {
	rows, err := tx.Query("SELECT head FROM shard ORDER BY shard")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []im.Pos
	for rows.Next() {
		var p im.Pos
		if err := rows.Scan(&p); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// Size is how many bytes the row's contents have.
func (r *Raw) Size() int {
	body, _ := r.Values[rawBody].([]byte)
	previous, _ := r.Values[rawPrevious].([]byte)
	return len(body) + len(previous)
}

// row gives the values their names. What has another type than its column is
// left out, and then the hash does not fit.
func (r *Raw) row() *row {
	n := func(i int) int64 { v, _ := r.Values[i].(int64); return v }
	s := func(i int) string { v, _ := r.Values[i].(string); return v }
	b := func(i int) []byte { v, _ := r.Values[i].([]byte); return v }
	x := &row{hash: n(rawHash), Entry: im.Entry{App: r.App, Conv: r.Conv, Seq: im.Seq(n(rawSeq)), Ord: im.Ord(n(rawOrd)),
		Shard: int(n(rawShard)), Pos: im.Pos(n(rawPos)), Kind: im.Kind(n(rawKind)), Sender: im.UserID(s(rawSender)),
		Device: im.DeviceID(s(rawDevice)), Time: im.Micros(n(rawTime)), Version: int32(n(rawVersion)), Target: im.Seq(n(rawTarget)),
		Key: s(rawKey), ToDevices: unpackDevices(b(rawDevices)), Body: b(rawBody), Previous: b(rawPrevious)}}
	copy(x.ClientID[:], b(rawClientID))
	x.setFlags(n(rawFlags))
	x.setExtra(b(rawExtra))
	return x
}

// ConvNo is the number of the row's conversation.
func (r *Raw) ConvNo() int64 { v, _ := r.Values[rawConvNo].(int64); return v }

// Seq is the row's place in its conversation.
func (r *Raw) Seq() im.Seq { v, _ := r.Values[rawSeq].(int64); return im.Seq(v) }

// Pos is the row's place in its shard.
func (r *Raw) Pos() im.Pos { v, _ := r.Values[rawPos].(int64); return im.Pos(v) }

// Shard is where the row lies.
func (r *Raw) Shard() int { v, _ := r.Values[rawShard].(int64); return int(v) }

// Message tells whether it is an entry of kind message.
func (r *Raw) Message() bool { v, _ := r.Values[rawKind].(int64); return im.Kind(v) == im.KindMessage }

// Sound tells whether the row fits its hash.
func (r *Raw) Sound() bool {
	x := r.row()
	sum, _ := x.sum(nil)
	return sum == x.hash
}

// Place moves the row to another place in another journal, which its hash
// covers, and reports whether it was sound. A row that was not is not made so:
// its hash stays as wrong as it was.
func (r *Raw) Place(shard int, pos im.Pos) (sound bool) {
	x := r.row()
	old, buf := x.sum(nil)
	x.Shard, x.Pos = shard, pos
	sum, _ := x.sum(buf)
	r.Values[rawShard], r.Values[rawPos], r.Values[rawHash] = int64(shard), int64(pos), sum+(x.hash-old)
	return old == x.hash
}

// Same tells whether two rows hold the same entry, wherever they lie: every
// column but the place, and either both are sound or neither is.
func (r *Raw) Same(other *Raw) bool {
	if r.App != other.App || r.Conv != other.Conv || r.Sound() != other.Sound() {
		return false
	}
	for i := range r.Values {
		if i != rawShard && i != rawPos && i != rawHash && !SameValue(r.Values[i], other.Values[i]) {
			return false
		}
	}
	return true
}

// SameValue compares two columns. Bytes of length 0 and none are the same:
// which of them comes back is the driver's choice.
func SameValue(a, b any) bool {
	x, isBytes := a.([]byte)
	y, alsoBytes := b.([]byte)
	if (isBytes || a == nil) && (alsoBytes || b == nil) {
		return bytes.Equal(x, y)
	}
	return !isBytes && !alsoBytes && a == b
}

// RawEntries reads the rows of several entries; those that are not there are
// left out. Both lists have the same length.
func RawEntries(tx db.Tx, convNos, seqs []int64) ([]Raw, error) {
	if tx.Dialect() == db.Postgres {
		return readRaw(tx, math.MaxInt, selectRaw+" JOIN unnest($1::bigint[], $2::bigint[]) k(no, seq) ON e.conv_no = k.no AND e.seq = k.seq", convNos, seqs)
	}
	var out []Raw
	for i := range convNos {
		r, ok, err := RawEntry(tx, convNos[i], im.Seq(seqs[i]))
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, r)
		}
	}
	return out, nil
}

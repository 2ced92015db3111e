package journal

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/skein-im/skein/internal/im"
)

// row is an entry as it is stored.
type row struct {
	im.Entry
	c    *convState // its conversation
	hash int64
	// slot tells that this is the newest entry of its Key.
	slot bool
	// What a plan has to do with the row: fresh rows are inserted, changed
	// ones are written over.
	fresh, changed bool
	checked        bool // the hash was compared
}

// Flags of a stored entry.
const (
	flagHandshake = 1
	flagRecalled  = 2
	flagSilent    = 4
	flagUncounted = 8
	flagExpired   = 16
	flagPriority  = 32 // and 64: the priority
)

func (r *row) flags() int64 {
	var f int64
	if r.Handshake {
		f |= flagHandshake
	}
	if r.Recalled {
		f |= flagRecalled
	}
	if r.Silent {
		f |= flagSilent
	}
	if r.Uncounted {
		f |= flagUncounted
	}
	if r.Expired {
		f |= flagExpired
	}
	return f | int64(r.Priority&3)*flagPriority
}

func (r *row) setFlags(f int64) {
	r.Handshake, r.Recalled = f&flagHandshake != 0, f&flagRecalled != 0
	r.Silent, r.Uncounted, r.Expired = f&flagSilent != 0, f&flagUncounted != 0, f&flagExpired != 0
	r.Priority = im.Priority(f / flagPriority & 3)
}

// plain tells whether the defaults of most columns fit, as they do for nearly
// every message.
func (r *row) plain() bool {
	return r.Kind == im.KindMessage && r.Version == 1 && r.Target == 0 && r.Key == "" && r.flags() == 0 && len(r.ToDevices) == 0 &&
		len(r.Previous) == 0 && r.usual()
}

// usual tells whether the column extra is empty.
func (r *row) usual() bool { return r.Expires == 0 && r.Burn == 0 && len(r.ToUsers) == 0 }

// extra is what few entries have, in one column: a tag and a value each.
func (r *row) extra() []byte {
	var b []byte
	if r.Expires != 0 {
		b = binary.AppendUvarint(append(b, extraExpires), uint64(r.Expires))
	}
	if r.Burn != 0 {
		b = binary.AppendUvarint(append(b, extraBurn), uint64(r.Burn))
	}
	for _, u := range r.ToUsers {
		b = appendText(append(b, extraToUser), string(u))
	}
	return b
}

// The tags of the column extra.
const (
	extraExpires = 1
	extraBurn    = 2
	extraToUser  = 3
)

// setExtra reads the column back. What cannot be read gives values that do not
// fit the row's hash.
func (r *row) setExtra(b []byte) {
	for len(b) > 0 {
		tag := b[0]
		n, w := binary.Uvarint(b[1:])
		if w <= 0 || tag < extraExpires || tag > extraToUser || tag == extraToUser && n > uint64(len(b)-1-w) {
			r.ToUsers = append(r.ToUsers, "?")
			return
		}
		b = b[1+w:]
		switch tag {
		case extraExpires:
			r.Expires = im.Micros(n)
		case extraBurn:
			r.Burn = int32(n)
		case extraToUser:
			r.ToUsers = append(r.ToUsers, im.UserID(b[:n]))
			b = b[n:]
		}
	}
}

// beside tells whether the entry carries a part of its target, which goes with
// the target's body.
func (r *row) beside() bool { return r.Kind == im.KindEdit || r.Kind == im.KindExtension }

// ownBits are the bits that an entry sets in Conv.Bits by itself.
func ownBits(r *row) uint64 {
	var bits uint64
	if r.Key != "" {
		bits |= BitKeyed
	}
	if r.Kind == im.KindMessage && r.Target > 0 {
		bits |= BitThreads
	}
	return bits
}

// slotKey is the value of the column slot.
func (r *row) slotKey() string {
	if r.slot {
		return r.Key
	}
	return ""
}

// rowColumns of an entry e are what scan reads.
const rowColumns = `e.shard, e.pos, e.seq, e.ord, e.kind, e.sender, e.device, e.time, e.client_id, e.version, e.target, e.key,
  e.slot, e.flags, e.devices, e.body, e.previous, e.hash, e.extra`

// scanner is a row of a result.
type scanner interface{ Scan(dest ...any) error }

// scan reads rowColumns, and the columns that follow them into more. App and
// Conv are among those, or set by the caller.
func (r *row) scan(from scanner, more ...any) error {
	var id, devices, extra []byte
	var slot string
	var flags int64
	dest := append([]any{&r.Shard, &r.Pos, &r.Seq, &r.Ord, &r.Kind, &r.Sender, &r.Device, &r.Time, &id, &r.Version, &r.Target, &r.Key,
		&slot, &flags, &devices, &r.Body, &r.Previous, &r.hash, &extra}, more...)
	if err := from.Scan(dest...); err != nil {
		return err
	}
	copy(r.ClientID[:], id)
	r.slot = slot != "" && slot == r.Key
	r.setFlags(flags)
	r.ToDevices = unpackDevices(devices)
	r.setExtra(extra)
	return nil
}

// sum is the content hash: the first 64 bits of SHA-256 over every column but
// slot, and over the names of app and conversation in place of their number,
// so that a row that turns up under another conversation does not fit either.
//
// SHA-256, because processors have instructions for it (0.2 µs for a usual
// row, as a CRC in software) and because nobody can make two contents of one
// hash by hand. 64 bits: a damaged row passes once in 1.8e19.
func (r *row) sum(b []byte) (int64, []byte) {
	b = append(b[:0], byte(r.Kind), byte(r.flags()))
	for _, n := range [...]int64{int64(r.Shard), int64(r.Pos), int64(r.Seq), int64(r.Ord), int64(r.Kind),
		int64(r.Time), int64(r.Version), int64(r.Target)} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	b = append(b, r.ClientID[:]...)
	b = appendText(b, string(r.App), string(r.Conv), string(r.Sender), string(r.Device), r.Key)
	b = binary.AppendUvarint(b, uint64(len(r.ToDevices)))
	for _, d := range r.ToDevices {
		b = appendText(b, string(d))
	}
	b = appendText(b, string(r.Body), string(r.Previous))
	if !r.usual() { // rows from before the column have the hash that they had
		b = append(b, r.extra()...)
	}
	return short(b), b
}

func appendText(b []byte, texts ...string) []byte {
	for _, s := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

func short(b []byte) int64 {
	h := sha256.Sum256(b)
	return int64(binary.LittleEndian.Uint64(h[:8]))
}

// seal sets the hash after a change.
func (r *row) seal(b []byte) []byte {
	r.hash, b = r.sum(b)
	r.checked = true
	return b
}

// verify compares the hash of a row that was read.
func (r *row) verify(b []byte) ([]byte, error) {
	if r.checked {
		return b, nil
	}
	h, b := r.sum(b)
	if h != r.hash {
		return b, im.Errorf(im.DataLoss, "entry %d of conversation %q does not fit its hash", r.Seq, r.Conv)
	}
	r.checked = true
	return b, nil
}

// requestHash is what a retry must have in common with the first attempt: what
// was said and where. Preconditions are not in it, because a caller reads them
// again for a retry; nor is the device, nor what the caller derives (effects,
// changes of membership), because that follows from the body.
func requestHash(a *Append) int64 {
	b := make([]byte, 0, 128+len(a.Body))
	b = binary.LittleEndian.AppendUint64(b, uint64(a.Kind))
	b = binary.LittleEndian.AppendUint64(b, uint64(a.Target))
	b = append(b, a.ClientID[:]...)
	if a.Handshake {
		b = append(b, 1)
	}
	b = appendText(b, string(a.App), string(a.Conv), string(a.Sender), a.Key)
	b = binary.AppendUvarint(b, uint64(len(a.ToDevices)))
	for _, d := range a.ToDevices {
		b = appendText(b, string(d))
	}
	b = append(b, a.Body...)
	if len(a.ToUsers) > 0 || a.Silent || a.Priority != 0 || a.Burn != 0 || a.TTL != 0 {
		r := row{Entry: im.Entry{ToUsers: a.ToUsers, Silent: a.Silent, Priority: a.Priority, Burn: a.Burn, Expires: im.Micros(a.TTL.Microseconds())}}
		b = append(append(b, 0, byte(r.flags())), r.extra()...)
	}
	return short(b)
}

// packDevices stores a list of devices in one column; nil = none.
func packDevices(list []im.DeviceID) []byte {
	var b []byte
	for _, d := range list {
		b = appendText(b, string(d))
	}
	return b
}

// unpackDevices reads it back. What cannot be read gives a list that does not
// fit the row's hash.
func unpackDevices(b []byte) []im.DeviceID {
	var list []im.DeviceID
	for len(b) > 0 {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			return append(list, "?")
		}
		list = append(list, im.DeviceID(b[w:w+int(n)]))
		b = b[w+int(n):]
	}
	return list
}

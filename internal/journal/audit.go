package journal

import (
	"context"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// StoredEntry is an entry as it lies in the database, for a check of the whole
// journal: unlike View, Audit also gives those that are damaged.
type StoredEntry struct {
	im.Entry
	ConvNo int64
	Slot   bool // it is marked as the newest of its key
	Sound  bool // its hash fits
	// Request is the hash that the idempotency row of the entry must have
	// while the entry's content is as it was sent (Version 1).
	Request int64
}

// Audit reads every entry whose conversation exists, conversation after
// conversation, each by seq.
func Audit(ctx context.Context, tx db.Tx, each func(*StoredEntry) error) error {
	rows, err := tx.Query("SELECT " + rowColumns + `, c.conv_no, c.app, c.conv FROM entry e JOIN conversation c ON c.conv_no = e.conv_no
ORDER BY e.conv_no, e.seq`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var buf []byte
	for n := 0; rows.Next(); n++ {
		var r row
		var s StoredEntry
		if err := r.scan(rows, &s.ConvNo, &r.App, &r.Conv); err != nil {
			return err
		}
		var sum int64
		sum, buf = r.sum(buf)
		s.Entry, s.Slot, s.Sound = r.Entry, r.slot, sum == r.hash
		s.Request = requestHash(&Append{App: r.App, Conv: r.Conv, Kind: r.Kind, Sender: r.Sender, ClientID: r.ClientID, Target: r.Target,
			Key: r.Key, Handshake: r.Handshake, ToDevices: r.ToDevices, Body: r.Body})
		if err := each(&s); err != nil {
			return err
		}
	}
	return rows.Err()
}

// ShardOf tells which of n shards a conversation belongs to.
func ShardOf(app im.AppID, conv im.ConvID, n int) int { return shardOf(app, conv, n) }

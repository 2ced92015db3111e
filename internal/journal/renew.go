package journal

import (
	"context"
	"fmt"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Renew gives the journal in d a new incarnation and returns it. It is for a
// database that was restored from a backup, while nothing has it open: the
// positions that devices remember may have been given to other entries, so
// that every device has to compare what it holds by (conversation, seq, client
// id). Example: a device holds 1 2 3; the backup ends with 2; the next message
// becomes another 3. With the old incarnation the device would keep its own.
func Renew(ctx context.Context, d *db.DB, e im.Entropy) (string, error) {
	id, err := im.RandomID(e)
	if err != nil {
		return "", err
	}
	err = d.Write(ctx, func(tx db.Tx) error {
		n, err := tx.Exec("UPDATE journal_meta SET value = $1 WHERE name = 'incarnation'", id)
		if err == nil && n != 1 {
			err = im.Errorf(im.NotFound, "there is no journal to renew")
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("renew the journal's incarnation: %w", err)
	}
	return id, nil
}

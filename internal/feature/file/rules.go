package file

import (
	"context"
	"time"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// touchEvery is how often a file's row is told that it is still sent.
const touchEvery = time.Hour

// Rules is the policy of what files a message may have. It reads a table, but
// only for a message that has some.
type Rules struct {
	db    *db.DB
	clock im.Clock
}

// NewRules builds the policy.
func NewRules(d *db.DB, clock im.Clock) *Rules { return &Rules{d, clock} }

// Policy is the chat.Policy of what is sent and edited in: a file is the
// sender's own, or the message was forwarded, which the server does for those
// alone who may read the original; what the app's back end has sent may have any
// file of the app.
func (r *Rules) Policy(ctx context.Context, a *chat.Action) error {
	if a.Verb != chat.VerbSend && a.Verb != chat.VerbEdit {
		return nil
	}
	forwarded := a.Content.GetForwarded() != nil || a.Content.GetMerged() != nil
	var old []string
	now := im.MicrosOf(r.clock.Now())
	allowed := func(id string) (*row, error) {
		f, err := fetch(ctx, r.db, a.Room.App, id)
		if err == nil && !f.mine(a.Actor) && !a.FromApp && !forwarded {
			err = im.ErrNotFound
		}
		if err != nil {
			return nil, absent(err)
		}
		if now-f.touched > im.Micros(touchEvery.Microseconds()) {
			old = append(old, f.id)
		}
		return f, nil
	}
	for _, at := range attachments(a.Content) {
		if at.Poster != "" {
			if _, err := allowed(at.Poster); err != nil {
				return err
			}
		}
		if at.File == "" {
			continue
		}
		f, err := allowed(at.File)
		if err != nil {
			return err
		}
		if at.Size != uint64(f.size) || len(at.Sha256) > 0 && string(at.Sha256) != string(f.sum) {
			return im.Errorf(im.InvalidArgument, "an attachment has not the size or the sha256 of its file")
		}
	}
	if len(old) == 0 {
		return nil
	}
	return r.db.Write(ctx, func(tx db.Tx) error {
		for _, id := range old {
			n, err := tx.Exec("UPDATE file SET touched = $3 WHERE app = $1 AND id = $2", a.Room.App, id, now)
			if err != nil {
				return err
			}
			if n == 0 { // it was collected a moment ago
				return absent(im.ErrNotFound)
			}
		}
		return nil
	})
}

// absent says which part of a send is not there.
func absent(err error) error {
	if im.CodeOf(err) == im.NotFound {
		return &im.Error{Code: im.FailedPrecondition, Message: "an attachment names no file of yours", Hint: "upload it to the end first; a file of somebody else's message is forwarded with it"}
	}
	return err
}

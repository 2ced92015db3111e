package file

import (
	"context"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
)

// Follower counts which files messages have: what is in one, or in an edit of
// one, is kept until the message is emptied.
func Follower() follow.Follower {
	return follow.Follower{Name: "files", Origin: follow.FromStart, Wants: concerns, Apply: apply, Reset: reset}
}

// concerns tells whether an entry brings files, or takes some away.
func concerns(e *im.Entry) bool {
	switch e.Kind {
	case im.KindRecall, im.KindExpire:
		return true
	case im.KindMessage, im.KindEdit:
		return len(filesOf(e.Body)) > 0
	case im.KindKeyed:
		// A value of the user's own making may have files, and may follow one that
		// had some. What the server writes, and drafts and the like, have none.
		return e.Conv.Kind() == im.ConvSelf && contentOf(e.Body).GetPrivate().GetValue() == nil
	}
	return false
}

// filesOf are the ids of the files in a body, each once.
func filesOf(body []byte) []string {
	var out []string
	seen := map[string]bool{}
	for _, at := range attachments(contentOf(body)) {
		for _, id := range []string{at.File, at.Poster} {
			if id != "" && !seen[id] {
				seen[id] = true
				out = append(out, id)
			}
		}
	}
	return out
}

func apply(_ context.Context, tx db.Tx, entries []im.Entry) error {
	for i := range entries {
		e := &entries[i]
		if e.Kind == im.KindRecall || e.Kind == im.KindExpire {
			if err := drop(tx, e.App, e.Conv, e.Target); err != nil {
				return err
			}
			continue
		}
		conv, message := e.Conv, e.Seq
		switch e.Kind {
		case im.KindEdit:
			message = e.Target
		case im.KindKeyed: // in place of the key's value before
			conv, message = im.ConvID(string(e.Conv)+"\n"+e.Key), 0
			if err := drop(tx, e.App, conv, message); err != nil {
				return err
			}
		}
		for _, id := range filesOf(e.Body) {
			// Of a message that has it already it is counted once.
			n, err := tx.Exec("INSERT INTO file_ref (app, conv, message, file) VALUES ($1, $2, $3, $4) ON CONFLICT (app, conv, message, file) DO NOTHING",
				e.App, conv, message, id)
			if err == nil && n > 0 {
				_, err = tx.Exec("UPDATE file SET refs = refs + 1 WHERE app = $1 AND id = $2", e.App, id)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// drop takes back what a message had; a file that is in none then is kept for a
// while more, as one that was just uploaded is, unless its owner was erased.
func drop(tx db.Tx, app im.AppID, conv im.ConvID, message im.Seq) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	const which = "app = $1 AND conv = $2 AND message = $3"
	n, err := tx.Exec("UPDATE file SET refs = refs - 1, touched = CASE WHEN touched = 0 THEN touched ELSE $4 END WHERE app = $1 AND id IN (SELECT file FROM file_ref WHERE "+which+")", app, conv, message, now)
	if err != nil || n == 0 {
		return err
	}
	var nobodys int
	if _, err = tx.Exec("DELETE FROM file_ref WHERE "+which, app, conv, message); err == nil {
		err = tx.QueryRow("SELECT count(*) FROM file WHERE refs = 0 AND touched = $1", erased).Scan(&nobodys)
	}
	if err != nil || nobodys == 0 {
		return err
	}
	return dropUnused(tx, erased+1)
}

// reset forgets nothing: what is read again is there already.
func reset(context.Context, db.Tx, int) error { return nil }

package file

import (
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Holds keeps the files of bodies that are no messages yet: of what is sent
// later, or to many one after the other. Without it a file that waits for longer
// than files are kept would be collected. It works in the caller's transaction,
// so that a body and its files stay together.
type Holds struct{}

// Hold keeps the files of a body under a name of the caller's, in place of those
// that it kept under that name. The files are the actor's own, or the app's when
// the actor is its back end; a body that is not readable has none. Errors:
// FailedPrecondition.
func (h Holds) Hold(tx db.Tx, a im.Actor, name string, body []byte) error {
	if err := h.Release(tx, a.App, name); err != nil {
		return err
	}
	for _, id := range filesOf(body) {
		q, args := "UPDATE file SET refs = refs + 1 WHERE app = $1 AND id = $2", []any{a.App, id}
		if !a.Server {
			q, args = q+" AND owner = $3", append(args, a.User)
		}
		n, err := tx.Exec(q, args...)
		if err == nil && n == 0 {
			err = absent(im.ErrNotFound)
		}
		if err == nil {
			_, err = tx.Exec("INSERT INTO file_ref (app, conv, message, file) VALUES ($1, $2, 0, $3)", a.App, held(name), id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Release keeps what is held under a name no longer than any other file.
func (Holds) Release(tx db.Tx, app im.AppID, name string) error { return drop(tx, app, held(name), 0) }

// held is what stands in place of a conversation, of which no id begins so.
func held(name string) im.ConvID { return im.ConvID("!" + name) }

package journal

import (
	"context"
	"testing"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/pgtest"
)

func TestARenewedJournalHasAnotherIncarnationAndTheSameEntries(t *testing.T) {
	for name, target := range map[string]string{"sqlite": t.TempDir(), "postgres": pgtest.DB(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			d, err := db.Open(ctx, target, db.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if _, err := Renew(ctx, d, im.SystemEntropy()); err == nil {
				t.Error("a journal that was never made was renewed")
			}
			j, err := Open(ctx, d, Options{})
			if err != nil {
				t.Fatal(err)
			}
			before := j.Incarnation()
			if err := j.Close(ctx); err != nil {
				t.Fatal(err)
			}
			made, err := Renew(ctx, d, im.SystemEntropy())
			if err != nil || made == before {
				t.Fatal(made, err)
			}
			if j, err = Open(ctx, d, Options{}); err != nil {
				t.Fatal(err)
			}
			defer j.Close(ctx)
			if j.Incarnation() != made {
				t.Errorf("opened as %s, renewed as %s", j.Incarnation(), made)
			}
		})
	}
}

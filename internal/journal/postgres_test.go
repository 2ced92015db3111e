package journal_test

import (
	"testing"

	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/journal/journaltest"
	"github.com/skein-im/skein/internal/pgtest"
)

func TestPostgresKeepsTheContract(t *testing.T) {
	journaltest.Run(t, func(t *testing.T, o journal.Options) (journal.Journal, func() journal.Journal) {
		url := pgtest.DB(t)
		o.Shards = 4
		j, _ := openAt(t, url, o)
		return j, func() journal.Journal {
			o.Shards = 8 // what is stored counts
			j, _ := openAt(t, url, o)
			return j
		}
	})
}

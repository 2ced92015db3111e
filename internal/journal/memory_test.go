package journal_test

import (
	"context"
	"testing"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/journal/journaltest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	for _, shards := range []int{1, 5} {
		journaltest.Run(t, func(t *testing.T, o journal.Options) (journal.Journal, func() journal.Journal) {
			m, err := journal.NewMemory(shards, im.SystemEntropy())
			if err != nil {
				t.Fatal(err)
			}
			open := func() journal.Journal {
				j := m.Open(o)
				t.Cleanup(func() { _ = j.Close(context.Background()) })
				return j
			}
			return open(), open
		})
	}
}

func TestFullMemoryRecovers(t *testing.T) {
	m, err := journal.NewMemory(1, im.SystemEntropy())
	if err != nil {
		t.Fatal(err)
	}
	j := m.Open(journal.Options{})
	defer func() { _ = j.Close(t.Context()) }()
	id, err := im.NewClientID(im.SystemClock{}.Now(), im.SystemEntropy())
	if err != nil {
		t.Fatal(err)
	}
	a := &journal.Append{App: "demo", Conv: "g1", Kind: im.KindMessage, ClientID: id, ACLVersion: -1, Create: &journal.Create{Kind: im.ConvGroup}}
	m.SetFull(true)
	if _, err := journal.AppendWait(t.Context(), j, a); im.CodeOf(err) != im.ResourceExhausted {
		t.Fatal(err)
	}
	m.SetFull(false)
	if r, err := journal.AppendWait(t.Context(), j, a); err != nil || r.Duplicate || r.Entry.Seq != 1 {
		t.Fatal(r, err)
	}
}

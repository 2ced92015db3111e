package db

import "testing"

func TestAReaderThatNobodyUsesIsTakenOutAndTheLastUsedIsUsedNext(t *testing.T) {
	a, b := &liteConn{}, &liteConn{}
	var r idleReaders
	r.put(a)
	r.put(b)
	for range oldTrims {
		if c := r.take(); c != b {
			t.Fatal("not the connection that was used last")
		}
		b.uses = 7
		r.put(b)
		if closing, uses := r.unused(); len(closing) != 0 || uses != 7 {
			t.Fatalf("%d closed, %d uses", len(closing), uses)
		}
	}
	if closing, _ := r.unused(); len(closing) != 1 || closing[0] != a {
		t.Fatalf("%d closed", len(closing))
	}
	if left := r.all(); len(left) != 1 || left[0] != b || r.take() != nil {
		t.Fatal("the other one is not there")
	}
}

func TestACacheIsEmptiedInACalmAndAgainWhenItMayHaveFilled(t *testing.T) {
	var c calmer
	for i, step := range []struct {
		uses int
		now  bool
	}{{busyUses, false}, {3, false}, {3, true}, {3, false}, {0, false}, {0, false}, {fewUses, true}, {0, false}, {0, false},
		{busyUses, false}, {busyUses, false}, {0, false}, {0, true}} {
		if c.now(step.uses) != step.now {
			t.Errorf("step %d", i)
		}
	}
}

func TestWhatIsUrgentReadsWhileEveryReaderIsAtWork(t *testing.T) {
	d := openTest(t, t.TempDir(), Options{Conns: 1})
	err := d.Read(t.Context(), func(Tx) error {
		return d.Urgent().Read(t.Context(), func(tx Tx) error {
			var one int64
			return tx.QueryRow("SELECT 1").Scan(&one)
		})
	})
	if err != nil {
		t.Error(err)
	}
}

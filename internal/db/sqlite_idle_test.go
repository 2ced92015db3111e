package db

import "testing"

func TestAReaderThatNobodyUsesIsTakenOutAndTheLastUsedIsUsedNext(t *testing.T) {
	a, b := &liteConn{}, &liteConn{}
	var r idleReaders
	r.put(a)
	r.put(b)
	if closing, uses := r.unused(); len(closing) != 0 || uses != 0 {
		t.Fatalf("%d closed at once, %d uses", len(closing), uses)
	}
	for range busyUses {
		if c := r.take(); c != b {
			t.Fatal("not the connection that was used last")
		}
		r.put(b)
	}
	closing, uses := r.unused()
	if len(closing) != 1 || closing[0] != a || uses != busyUses {
		t.Fatalf("%d closed, %d uses", len(closing), uses)
	}
	if closing, _ = r.unused(); len(closing) != 1 || closing[0] != b || r.take() != nil {
		t.Fatal("the other one was not let go")
	}
}

func TestACacheIsEmptiedInACalmAndAgainWhenItMayHaveFilled(t *testing.T) {
	var c calmer
	for i, step := range []struct {
		uses int
		now  bool
	}{{busyUses, false}, {3, true}, {3, false}, {fewUses, true}, {0, false}, {busyUses, false}, {0, true}} {
		if c.now(step.uses) != step.now {
			t.Errorf("step %d", i)
		}
	}
}

package pgtest

import (
	"testing"
)

func TestAPromotedStandbyHasWhatWasAcknowledgedAndANewTimeline(t *testing.T) {
	primary, standby := Pair(t)
	primary.Exec("CREATE TABLE kept (n INT)")
	primary.Exec("INSERT INTO kept VALUES (7)")
	if got := primary.Timeline(); got != 1 {
		t.Fatalf("the primary begins on timeline %d", got)
	}
	if pids := primary.Kill(); len(pids) < 3 {
		t.Fatalf("only %v were killed", pids)
	}
	standby.Promote()
	var n int
	if err := standby.Query("postgres", "SELECT n FROM kept", &n); err != nil || n != 7 {
		t.Fatal(n, err)
	}
	standby.Exec("INSERT INTO kept VALUES (8)") // would hang with the copied setting
	if got := standby.Timeline(); got != 2 {
		t.Fatalf("timeline %d after a promotion", got)
	}
	primary.Start()
	if got := primary.Timeline(); got != 1 {
		t.Fatalf("the old primary is back on timeline %d", got)
	}
	primary.Kill()
	primary.Rejoin(standby)
	standby.Exec("INSERT INTO kept VALUES (9)")    // waits for the other one
	primary.Await("SELECT count(*) = 3 FROM kept") // it is on its disk, and applied in a moment
}

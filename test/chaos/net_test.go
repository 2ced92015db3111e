package chaos_test

import (
	"testing"
	"time"

	"github.com/skein-im/skein/test/chaos"
)

// networks skips a test where nobody may make a network; test/skips.txt says so.
func networks(t *testing.T) {
	t.Helper()
	if !chaos.MayNetwork() {
		t.Skip("this system lets nobody make a network namespace with a tun device")
	}
}

func TestTheUsersOfALostNodeAreBackAndTheOthersNoticeNothing(t *testing.T) {
	r, err := chaos.NodeLoss(bounded(t, 2*time.Minute), env, chaos.LossOptions{Kills: 2, Users: 24, Watch: 3 * time.Second})
	prove(t, r, err)
}

func TestPartitionsLossAndDelayLoseNothing(t *testing.T) {
	networks(t)
	r, err := chaos.Partition(bounded(t, 3*time.Minute), env, chaos.PartitionOptions{Seed: 1, Hold: 2500 * time.Millisecond, Cycles: 1, Few: true})
	prove(t, r, err)
}

func TestWhoIsRemovedWhileANodeIsCutOffHearsAndSaysNothingMore(t *testing.T) {
	networks(t)
	r, err := chaos.Revoke(bounded(t, 3*time.Minute), env, chaos.RevokeOptions{Seed: 1, Each: 2, Hold: 1500 * time.Millisecond, Few: true})
	prove(t, r, err)
}

func TestNoMessageIsLostWithNATSAndItsHints(t *testing.T) {
	r, err := chaos.NATS(bounded(t, 3*time.Minute), env, chaos.NATSOptions{Seed: 1, Hold: 1500 * time.Millisecond})
	prove(t, r, err)
}

package chaos_test

import (
	"testing"
	"time"

	"github.com/skein-im/skein/test/chaos"
)

func TestTheUsersOfALostNodeAreBackAndTheOthersNoticeNothing(t *testing.T) {
	r, err := chaos.NodeLoss(bounded(t, 2*time.Minute), env, chaos.LossOptions{Kills: 2, Users: 24, Watch: 3 * time.Second})
	prove(t, r, err)
}

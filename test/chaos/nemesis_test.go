package chaos_test

import (
	"testing"
	"time"

	"github.com/skein-im/skein/test/chaos"
)

var engines = []chaos.Engine{chaos.SQLite, chaos.PostgreSQL}

// mounts skips a test where nobody may mount a disk; test/skips.txt says so.
func mounts(t *testing.T) {
	t.Helper()
	if !chaos.MayMount() {
		t.Skip("this system lets nobody mount a disk")
	}
}

func TestNothingAcknowledgedIsLostWhenThePowerIsCut(t *testing.T) {
	mounts(t)
	for _, engine := range engines {
		t.Run(string(engine), func(t *testing.T) {
			r, err := chaos.Power(bounded(t, 2*time.Minute), env, chaos.PowerOptions{Engine: engine, Cuts: 4, Apart: time.Second, Rate: 20})
			prove(t, r, err)
		})
	}
}

func TestAServerThatAcknowledgesTooEarlyIsFoundOutByAPowerCut(t *testing.T) {
	mounts(t)
	r, err := chaos.Red(bounded(t, 2*time.Minute), env)
	prove(t, r, err)
}

func TestAFullASlowAndAReadOnlyDiskLoseNothing(t *testing.T) {
	mounts(t)
	for _, engine := range engines {
		t.Run(string(engine), func(t *testing.T) {
			r, err := chaos.Faults(bounded(t, 3*time.Minute), env, chaos.FaultOptions{Engine: engine, Hold: time.Second})
			prove(t, r, err)
		})
	}
}

func TestAFlippedBitIsNeverServed(t *testing.T) {
	for _, engine := range engines {
		t.Run(string(engine), func(t *testing.T) {
			r, err := chaos.Flip(bounded(t, time.Minute), env, chaos.FlipOptions{Engine: engine, Flips: 40})
			prove(t, r, err)
		})
	}
}

func TestLostAcknowledgementsMakeNoDuplicates(t *testing.T) {
	r, err := chaos.AckLoss(bounded(t, 2*time.Minute), env, chaos.AckLossOptions{Engine: chaos.SQLite, Acks: 4000, Kills: 2})
	prove(t, r, err)
}

func TestAThousandClientsComeBackAtOnce(t *testing.T) {
	r, err := chaos.Storm(bounded(t, 2*time.Minute), env, chaos.StormOptions{Engine: chaos.SQLite, Clients: 1000})
	prove(t, r, err)
}

func TestStoppedReadersCostLittle(t *testing.T) {
	r, err := chaos.Stalled(bounded(t, 2*time.Minute), env, chaos.StalledOptions{Engine: chaos.SQLite, Readers: 200, Hold: 6 * time.Second})
	prove(t, r, err)
}

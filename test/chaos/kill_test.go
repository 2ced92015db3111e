package chaos_test

import (
	"testing"
	"time"

	"github.com/skein-im/skein/test/chaos"
)

func TestNothingAcknowledgedIsLostWhenTheServerIsKilled(t *testing.T) {
	for _, engine := range []chaos.Engine{chaos.SQLite, chaos.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			r, err := chaos.Kill(bounded(t, 2*time.Minute), env, chaos.KillOptions{Engine: engine, Kills: 8, Acks: 5000, Apart: time.Second, Rate: 20})
			prove(t, r, err)
		})
	}
}

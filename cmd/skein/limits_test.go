package main

import (
	"fmt"
	"maps"
	"testing"

	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/feature/board"
	"github.com/skein-im/skein/internal/feature/join"
)

func TestDocumentedLimitsOfFeaturesAreTheEnforcedOnes(t *testing.T) {
	want := map[string]string{
		"Invitations of a group that work":                       fmt.Sprint(join.MaxInvites),
		"The uses of an invitation, or any number":               fmt.Sprint(join.MaxUses),
		"Open requests to join of a user":                        fmt.Sprint(join.MaxOpen),
		"Open requests to join a group":                          fmt.Sprint(join.MaxWaiting),
		"How long a request to join is open":                     fmt.Sprint(int(join.RequestLife.Hours())/24, " days"),
		"Users on a group's allow list":                          fmt.Sprint(join.MaxAllowed),
		"Announcements of a group":                               fmt.Sprint(board.MaxAnnouncements),
		"Attributes of a group":                                  fmt.Sprint(board.MaxAttributes),
		"Counters of a group":                                    fmt.Sprint(board.MaxCounters),
		"The name of an attribute or counter":                    fmt.Sprint(board.MaxName, " bytes"),
		"The text of an announcement, the value of an attribute": fmt.Sprint(board.MaxValue/1024, " KiB"),
	}
	if got := config.FeatureLimits(); !maps.Equal(got, want) {
		t.Errorf("the page says %v, the code %v", got, want)
	}
}

package main

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/feature/board"
	"github.com/skein-im/skein/internal/feature/broadcast"
	"github.com/skein-im/skein/internal/feature/group"
	"github.com/skein-im/skein/internal/feature/join"
	"github.com/skein-im/skein/internal/feature/timed"
	"github.com/skein-im/skein/internal/media"
)

func TestDocumentedLimitsOfFeaturesAreTheEnforcedOnes(t *testing.T) {
	want := map[string]string{
		"Invitations of a group that work":                              fmt.Sprint(join.MaxInvites),
		"The uses of an invitation, or any number":                      fmt.Sprint(join.MaxUses),
		"Open requests to join of a user":                               fmt.Sprint(join.MaxOpen),
		"Open requests to join a group":                                 fmt.Sprint(join.MaxWaiting),
		"How long a request to join is open":                            fmt.Sprint(int(join.RequestLife.Hours())/24, " days"),
		"Users on a group's allow list":                                 fmt.Sprint(join.MaxAllowed),
		"Announcements of a group":                                      fmt.Sprint(board.MaxAnnouncements),
		"Attributes of a group":                                         fmt.Sprint(board.MaxAttributes),
		"Counters of a group":                                           fmt.Sprint(board.MaxCounters),
		"The name of an attribute or counter":                           fmt.Sprint(board.MaxName, " bytes"),
		"The text of an announcement, the value of an attribute":        fmt.Sprint(board.MaxValue/1024, " KiB"),
		"Users whom a message mentions":                                 fmt.Sprint(chat.MaxMentions),
		"Roles that a message mentions":                                 fmt.Sprint(chat.MaxMentionRoles),
		"Members of a group in which everybody may mention all":         fmt.Sprint(group.SmallGroup),
		"Users whom a message or a command is for":                      fmt.Sprint(chat.MaxToUsers),
		"Attachments of a message":                                      fmt.Sprint(chat.MaxAttachments),
		"The thumb of an attachment":                                    fmt.Sprint(chat.MaxThumb/1024, " KiB"),
		"The file of a picture that is looked at":                       fmt.Sprint(media.MaxPicture>>20, " MiB"),
		"Frames of a picture that moves":                                fmt.Sprint(media.MaxFrames),
		"How long a picture, a sound or a film is looked at":            fmt.Sprint(media.TimeLimit.Seconds(), " s"),
		"Messages in a merged forward":                                  fmt.Sprint(chat.MaxMerged),
		"Messages that are forwarded one by one in a call":              fmt.Sprint(chat.MaxForwarded),
		"The data of a command":                                         fmt.Sprint(chat.MaxCommandBytes/1024, " KiB"),
		"Members of a conversation all of whom get a command":           fmt.Sprint(chat.MaxCommandMembers),
		"Pinned conversations of a user":                                fmt.Sprint(chat.MaxPins),
		"Folders of a user":                                             fmt.Sprint(chat.MaxFolders),
		"Conversations in a folder":                                     fmt.Sprint(chat.MaxInFolder),
		"Pieces of a conversation that a user has deleted for themself": fmt.Sprint(chat.MaxHidden),
		"The description of a group":                                    fmt.Sprint(group.MaxDescription/1024, " KiB"),
		"Nicknames, and the names of a group's roles":                   fmt.Sprint(group.MaxNickname, " bytes"),
		"Roles of a group, and of a member":                             fmt.Sprint(group.MaxRoles, ", ", group.MaxMemberRoles),
		"Slow mode":                                                     map[bool]string{true: "a day"}[group.MaxSlowMode == 24*60*60],
		"A mute":                                                        map[bool]string{true: "a year"}[group.MaxMute == 366*24*time.Hour],
		"Messages in a call of ImportMessages":                          fmt.Sprint(chat.MaxImport),
		"The id of an imported message":                                 fmt.Sprint(chat.MaxImportID, " B"),
		"Entries in a call of ExportMessages":                           fmt.Sprint(chat.MaxExport, ", about 1 MiB"),
		"Groups in a page of ListGroups, of a back end":                 "200", // the most of any page
		"Broadcasts of an app that run at once":                         fmt.Sprint(broadcast.MaxRunning),
		"Users whom a broadcast names":                                  fmt.Sprint(broadcast.MaxUsers),
		"A draft":                                                       fmt.Sprint(chat.MaxDraftBytes/1024, " KiB"),
		"Scheduled messages of a user":                                  fmt.Sprint(timed.MaxScheduled),
		"How far ahead a message is scheduled":                          fmt.Sprint(int(timed.MaxAhead.Hours())/24, " days"),
	}
	if got := config.FeatureLimits(); !maps.Equal(got, want) {
		t.Errorf("the page says %v, the code %v", got, want)
	}
}

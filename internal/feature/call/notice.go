package call

import (
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The codes of the notices that a call leaves in its conversation.
const (
	codeStarted  = "call.started"
	codeEnded    = "call.ended"
	codeMissed   = "call.missed"
	codeDeclined = "call.declined"

	codeRecording = "call.recording"
	codeRecorded  = "call.recorded"
)

// startNotice says in a group that there is a call.
func startNotice(c *call) *skeinv1.Notice {
	return notice(c, codeStarted, "Started a "+medium(c)+" call")
}

// endNotice says what came of a call.
func endNotice(c *call) *skeinv1.Notice {
	title := map[bool]string{true: "Video call", false: "Voice call"}[c.video != 0]
	switch skeinv1.CallEnd(c.ending) {
	case skeinv1.CallEnd_CALL_END_COMPLETED:
		seconds := int64((c.ended - c.answered) / 1_000_000)
		return notice(c, codeEnded, title+", "+clockOf(seconds), param("duration_s", strconv.FormatInt(seconds, 10)))
	case skeinv1.CallEnd_CALL_END_DECLINED:
		return notice(c, codeDeclined, "Declined "+medium(c)+" call")
	case skeinv1.CallEnd_CALL_END_BUSY:
		return notice(c, codeMissed, "Missed "+medium(c)+" call", param("reason", "busy"))
	case skeinv1.CallEnd_CALL_END_CANCELLED:
		if c.quiet != 0 { // nobody was rung
			return notice(c, codeEnded, title+" ended", param("duration_s", "0"))
		}
		return notice(c, codeMissed, "Missed "+medium(c)+" call", param("reason", "cancelled"))
	}
	return notice(c, codeMissed, "Missed "+medium(c)+" call", param("reason", "no_answer"))
}

// recordingNotice says that a call is being recorded.
func recordingNotice(c *call, r *recording) *skeinv1.Notice {
	return notice(c, codeRecording, "The call is being recorded", param("recording", r.id), param("recorder", string(r.recorder)))
}

// recordedNotice says that a recording is in the conversation.
func recordedNotice(c *call, r *recording, tracks int) *skeinv1.Notice {
	seconds := int64((r.ended - r.started) / 1_000_000)
	return notice(c, codeRecorded, "Recording of a call, "+clockOf(seconds), param("recording", r.id), param("recorder", string(r.recorder)),
		param("duration_s", strconv.FormatInt(seconds, 10)), param("tracks", strconv.Itoa(tracks)))
}

// noticeBody is a notice as a message's body.
func noticeBody(n *skeinv1.Notice) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Notice{Notice: n}}})
}

func medium(c *call) string {
	if c.video != 0 {
		return "video"
	}
	return "voice"
}

func notice(c *call, code, text string, more ...*skeinv1.NoticeParam) *skeinv1.Notice {
	params := []*skeinv1.NoticeParam{param("call", c.id), param("video", strconv.FormatBool(c.video != 0)), param("starter", string(c.starter))}
	return &skeinv1.Notice{Code: code, Text: text, Params: append(params, more...)}
}

func param(name, value string) *skeinv1.NoticeParam {
	return &skeinv1.NoticeParam{Name: name, Value: value}
}

// clockOf is a duration as people read it: 3:12, 1:02:03.
func clockOf(seconds int64) string {
	if seconds < 3600 {
		return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}

// lost is how long somebody who is in a call may be away from its room before
// they count as gone: longer than their token, and than two looks at it.
const lost = im.Micros(60_000_000)

// reload is how long it may take to load a page anew, and to press there what
// leads back into the call, before whoever was in it counts as gone.
const reload = 30 * time.Second

// emptied is how long a room is empty before it ends.
const emptied = im.Micros(departureTimeout * 1_000_000)

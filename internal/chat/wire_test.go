package chat

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// full is an entry in which every field is set.
func full() im.Entry {
	return im.Entry{App: "demo", Conv: "@5:alice:bob", Seq: 7, Ord: 5, Pos: 99, Kind: im.KindEdit, Sender: "alice", Time: 1_790_000_000_000_001,
		ClientID: im.ClientID{1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, 16}, Version: 2, Target: 3, Key: "k", Handshake: true,
		ToDevices: []im.DeviceID{"d1", "d2"}, Recalled: true, ToUsers: []im.UserID{"u1", "u2"}, Silent: true,
		Priority: im.PriorityHigh, Burn: 30, Expires: 9, Uncounted: true, Expired: true,
		Body:     encodeContent(&skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: "new"}}}),
		Previous: encodeContent(&skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: "old"}}})}
}

func TestTheHandWrittenEncodingOfAnEntryIsThatOfTheGeneratedCode(t *testing.T) {
	for name, e := range map[string]im.Entry{"full": full(), "bare": {Conv: "g1", Seq: 1, Kind: im.KindMessage, Sender: "a", Version: 1}} {
		t.Run(name, func(t *testing.T) {
			got := AppendEntry(nil, &e)
			var p skeinv1.Entry
			if err := proto.Unmarshal(got, &p); err != nil {
				t.Fatal(err)
			}
			want, err := proto.MarshalOptions{Deterministic: true}.Marshal(&p)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("encoding differs:\n got %x\nwant %x", got, want)
			}
			if len(p.ProtoReflect().GetUnknown()) > 0 {
				t.Errorf("unknown fields: %x", p.ProtoReflect().GetUnknown())
			}
			if p.Conversation != string(e.Conv) || p.Seq != uint64(e.Seq) || p.Ord != uint64(e.Ord) || p.Key != e.Key ||
				p.Recalled != e.Recalled || p.Handshake != e.Handshake || len(p.ToDevices) != len(e.ToDevices) || p.TargetSeq != uint64(e.Target) ||
				len(p.ToUsers) != len(e.ToUsers) || p.Silent != e.Silent || p.Priority != skeinv1.Priority(e.Priority) || p.ExpiresUs != int64(e.Expires) ||
				p.BurnAfterS != uint32(e.Burn) || p.Uncounted != e.Uncounted || p.Expired != e.Expired {
				t.Errorf("a field got lost: %v", &p)
			}
		})
	}
}

func TestAMembersEntryNamesWhomItAffects(t *testing.T) {
	e := im.Entry{Kind: im.KindMembers, Body: encodeContent(&skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{
		Added: []string{"a"}, Removed: []string{"b"}, Left: []string{"c"}, RoleChanged: []string{"d"}}}})}
	added, ended, changed := Affected(&e)
	if len(added) != 1 || added[0] != "a" || len(ended) != 2 || ended[0] != "b" || ended[1] != "c" || len(changed) != 1 || changed[0] != "d" {
		t.Errorf("added %v, ended %v, changed %v", added, ended, changed)
	}
	e.Kind = im.KindMessage
	if a, b, c := Affected(&e); a != nil || b != nil || c != nil {
		t.Error("a message affects nobody's membership")
	}
}

// An engine that can not read its file says nothing about one message: who
// sends goes on trying, and who signs in comes back.
func TestADamagedFileIsToldAsUnavailableAndADamagedRowAsWhatItIs(t *testing.T) {
	engine := fmt.Errorf("append: %w", fmt.Errorf("%w (%w)", im.ErrDamaged, errors.New("database disk image is malformed")))
	row := im.Errorf(im.DataLoss, "entry 3 does not fit its hash")
	for want, err := range map[skeinv1.ErrorCode]error{skeinv1.ErrorCode_ERROR_CODE_UNAVAILABLE: engine, skeinv1.ErrorCode_ERROR_CODE_DATA_LOSS: row,
		skeinv1.ErrorCode_ERROR_CODE_INTERNAL: errors.New("x")} {
		if got := ProtoError(err); got.Code != want {
			t.Errorf("%v is told as %v, want %v", err, got, want)
		}
	}
}

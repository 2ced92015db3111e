package auth

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Bounds of settings.
const (
	maxSettingsBytes = 16 << 10
	maxWindow        = 365 * 24 * 60 * 60 // seconds
	// maxDirectoryFields is how many custom fields of profiles can be looked up.
	maxDirectoryFields = 20
	// settingsTimeout bounds the one read that Settings may need.
	settingsTimeout = time.Second
)

// Settings returns what applies to an app: its own settings over the server's
// defaults, every field set. The value is shared: read only.
//
// It is asked on hot paths, so it costs a look into a map. A change is a fence
// like a sign-out: when UpdateApp returns, every node that serves has
// forgotten what it knew. The first question about an app reads the database;
// while that cannot be read the defaults are returned, and nothing is
// remembered.
func (a *Auth) Settings(app im.AppID) *skeinv1.AppSettings { return a.rules(app).settings }

// rules are what applies to an app: what it has decided for its users, and what
// the operator allows it. Both are shared and read only.
type rules struct {
	settings *skeinv1.AppSettings
	quotas   *skeinv1.AppQuotas
}

// rules finds an app's, as Settings says.
func (a *Auth) rules(app im.AppID) *rules {
	if r, ok := a.known.rules.Load(app); ok {
		return r.(*rules)
	}
	ctx, cancel := context.WithTimeout(context.Background(), settingsTimeout)
	defer cancel()
	var row App
	var head int64
	err := a.db.Read(ctx, func(tx db.Tx) (err error) {
		if head, err = fenceHead(tx); err != nil {
			return err
		}
		row, err = loadApp(tx, app)
		return err
	})
	if err != nil {
		if im.CodeOf(err) != im.NotFound {
			a.log.Warn("the settings and quotas of an app were not read", "app", app, "err", err)
		}
		return &rules{a.defaults, a.quotas}
	}
	r := &rules{a.Effective(row.Own), a.EffectiveQuotas(row.OwnQuotas)}
	a.known.keepRules(app, r, head)
	return r
}

// Effective lays an app's own settings over the server's defaults.
func (a *Auth) Effective(own *skeinv1.AppSettings) *skeinv1.AppSettings {
	return merge(a.defaults, own)
}

// merge returns base with every field that is set in top, as a whole: lists
// and messages are replaced, not joined.
func merge[M proto.Message](base, top M) M {
	out := proto.CloneOf(base)
	proto.CloneOf(top).ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		out.ProtoReflect().Set(f, v)
		return true
	})
	return out
}

// baseDefaults are the settings of an app that has decided nothing on a server
// that was told nothing.
func baseDefaults() *skeinv1.AppSettings {
	return &skeinv1.AppSettings{RecallWindowS: proto.Uint32(0), EditWindowS: proto.Uint32(0),
		ContactPolicy: skeinv1.ContactPolicy_CONTACT_POLICY_REQUEST.Enum(), DirectoryFields: &skeinv1.DirectoryFields{}, Guests: proto.Bool(false)}
}

// checkSettings holds a change to the rules of its proto that need no
// vocabulary: calls have been held to all of them before.
func checkSettings(s *skeinv1.AppSettings) error {
	if proto.Size(s) > maxSettingsBytes {
		return im.Errorf(im.TooLarge, "settings have at most %d bytes", maxSettingsBytes)
	}
	if s.GetRecallWindowS() > maxWindow || s.GetEditWindowS() > maxWindow {
		return im.Errorf(im.InvalidArgument, "a window is at most one year: %d s", maxWindow)
	}
	if len(s.GetDirectoryFields().GetNames()) > maxDirectoryFields {
		return im.Errorf(im.TooLarge, "the directory looks up at most %d fields", maxDirectoryFields)
	}
	return nil
}

// storeSettings writes an app's own settings after a change.
func storeSettings(tx db.Tx, app im.AppID, own, change *skeinv1.AppSettings) error {
	next := merge(own, change)
	next.ProtoReflect().SetUnknown(nil)
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(next)
	if err != nil {
		return im.Errorf(im.InvalidArgument, "the settings are not UTF-8")
	}
	if len(raw) > maxSettingsBytes {
		return im.Errorf(im.TooLarge, "settings have at most %d bytes", maxSettingsBytes)
	}
	_, err = tx.Exec("UPDATE app SET settings = $2 WHERE id = $1", app, raw)
	return err
}

func parseSettings(app im.AppID, raw []byte) (*skeinv1.AppSettings, error) {
	s := new(skeinv1.AppSettings)
	if err := proto.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("the settings of app %s: %w", app, err)
	}
	return s, nil
}

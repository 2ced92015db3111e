package auth

import (
	"context"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// QuotasDoc is where a refusal sends the reader.
const QuotasDoc = "docs/ops/quotas.md"

// Quotas returns what the operator allows an app: its own quotas over the
// server's defaults, every field set, 0 = no bound of its own. The value is
// shared: read only. It costs and follows a change as Settings does.
func (a *Auth) Quotas(app im.AppID) *skeinv1.AppQuotas { return a.rules(app).quotas }

// EffectiveQuotas lays an app's own quotas over the server's defaults.
func (a *Auth) EffectiveQuotas(own *skeinv1.AppQuotas) *skeinv1.AppQuotas {
	return merge(a.quotas, own)
}

// QuotaChange says which quotas of an app change.
type QuotaChange struct {
	// Set are the new ones: the fields that are set replace the app's.
	Set *skeinv1.AppQuotas
	// Default names fields, as the proto does, that follow the server's defaults again.
	Default []string
}

// SetQuotas changes what an app may use; for the operator, never for the app.
// When it returns, every node goes by it. What the app uses already stays, also
// beyond a quota. The users are counted anew, which takes a moment for an app
// with very many. Errors: NotFound, InvalidArgument, Unavailable (see awaitFence).
func (a *Auth) SetQuotas(ctx context.Context, app im.AppID, c QuotaChange) error {
	if err := checkQuotas(c); err != nil {
		return err
	}
	var fence Fence
	err := a.writeFence(ctx, func(tx db.Tx) error {
		row, err := loadApp(tx, app)
		if im.CodeOf(err) == im.NotFound {
			return errNoApp(app)
		} else if err != nil {
			return err
		}
		next := merge(row.OwnQuotas, c.Set)
		for _, name := range c.Default {
			next.ProtoReflect().Clear(quotaField(name))
		}
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(next)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE app SET quotas = $2 WHERE id = $1", app, raw); err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO app_count (app, users) VALUES ($1, (SELECT count(*) FROM app_user WHERE app = $1))
			ON CONFLICT (app) DO UPDATE SET users = excluded.users`, app); err != nil {
			return err
		}
		fence, err = a.insertFence(tx, Fence{Kind: FenceSettings, App: app})
		return err
	})
	if err != nil {
		return err
	}
	return a.awaitFence(ctx, fence.ID)
}

// checkQuotas holds a change to what can be counted.
func checkQuotas(c QuotaChange) (err error) {
	for _, name := range c.Default {
		if quotaField(name) == nil {
			return im.Errorf(im.InvalidArgument, "there is no quota %q", name)
		}
	}
	c.Set.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		n, most := 0.0, float64(1<<53) // what every language counts exactly
		switch f.Kind() {
		case protoreflect.Uint64Kind, protoreflect.Uint32Kind:
			n = float64(v.Uint())
		default:
			n, most = v.Float(), 1e6
		}
		if f.Name() == "group_members" {
			most = 100_000
		}
		if math.IsNaN(n) || n < 0 || n > most || n > 0 && n < 0.001 || f.Name() == "group_members" && n == 1 {
			err = im.Errorf(im.InvalidArgument, "the quota %s can not be %g", f.Name(), n)
		}
		return err == nil
	})
	return err
}

func quotaField(name string) protoreflect.FieldDescriptor {
	return (*skeinv1.AppQuotas)(nil).ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(name))
}

// baseQuotas are those of an app for which nobody has decided anything.
func baseQuotas() *skeinv1.AppQuotas {
	return &skeinv1.AppQuotas{Users: proto.Uint64(0), Groups: proto.Uint64(0), GroupMembers: proto.Uint32(0), DevicesOnline: proto.Uint64(0),
		MessagesPerDay: proto.Uint64(0), MessagesPerSecond: proto.Float64(0), CallsPerSecond: proto.Float64(0),
		StoredBytes: proto.Uint64(0), UserStoredBytes: proto.Uint64(0), UserUploadedBytesPerDay: proto.Uint64(0)}
}

func parseQuotas(app im.AppID, raw []byte) (*skeinv1.AppQuotas, error) {
	q := new(skeinv1.AppQuotas)
	if err := proto.Unmarshal(raw, q); err != nil {
		return nil, fmt.Errorf("the quotas of app %s: %w", app, err)
	}
	return q, nil
}

// Users is how many users an app has, those who are suspended or erased included.
func (a *Auth) Users(ctx context.Context, app im.AppID) (n uint64, err error) {
	err = a.db.Read(ctx, func(tx db.Tx) error {
		_, err := one(tx.QueryRow("SELECT users FROM app_count WHERE app = $1", app), &n)
		return err
	})
	return n, err
}

// addUsers counts users that this transaction adds, n > 0. full tells that there
// is no room for them, and then nothing was written. The row of app_count holds
// every other transaction back that adds users to the app, so that two of them
// can not take the same last place.
func addUsers(tx db.Tx, app im.AppID, n int, most uint64) (full bool, err error) {
	if most > 0 && uint64(n) > most {
		return true, nil
	}
	changed, err := tx.Exec(`INSERT INTO app_count (app, users) VALUES ($1, $2)
		ON CONFLICT (app) DO UPDATE SET users = app_count.users + excluded.users
		WHERE CAST($3 AS BIGINT) = 0 OR app_count.users + excluded.users <= CAST($3 AS BIGINT)`, app, int64(n), int64(min(most, math.MaxInt64)))
	return changed == 0, err
}

// errTooManyUsers ends a transaction, which may run again: it is turned into
// errUsers, which counts, behind it.
var errTooManyUsers = errors.New("there is no room for more users")

// errUsers answers who would be one user too many.
func (a *Auth) errUsers(most uint64) error {
	a.refusedUsers()
	return &im.Error{Code: im.ResourceExhausted, Message: fmt.Sprintf("the app has all of the %d users that it may have", most),
		Hint: "the operator of the server raises the quota; see " + QuotasDoc}
}

// NewUsers tells which of some users the app does not have yet and has no room
// for, by their places in the list: those behind the last that fits. Between
// the answer and PutAccounts others may come. For the app's back end only.
func (a *Auth) NewUsers(ctx context.Context, actor im.Actor, list []im.UserID) (refused map[int]error, err error) {
	if !actor.Server {
		return nil, im.ErrNotFound
	}
	most := a.Quotas(actor.App).GetUsers()
	if most == 0 || len(list) == 0 {
		return nil, nil
	}
	known := make(map[im.UserID]bool)
	var users uint64
	args := []any{actor.App}
	for _, u := range list {
		args = append(args, u)
	}
	err = a.db.Read(ctx, func(tx db.Tx) error {
		if _, err := one(tx.QueryRow("SELECT users FROM app_count WHERE app = $1", actor.App), &users); err != nil {
			return err
		}
		return db.Each(tx, func(r db.Rows) error {
			var u im.UserID
			err := r.Scan(&u)
			known[u] = true
			return err
		}, "SELECT id FROM app_user WHERE app = $1 AND id IN ("+db.List(2, len(list))+")", args...)
	})
	if err != nil {
		return nil, err
	}
	refused = make(map[int]error)
	for i, u := range list {
		switch {
		case known[u]:
		case users < most:
			users++
			known[u] = true
		default:
			refused[i] = a.errUsers(most)
		}
	}
	return refused, nil
}

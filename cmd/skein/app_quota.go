package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/feature/usage"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// quotaFlags are the flags of skein app quota, by the quota's field.
type quotaFlags map[string]*string

// byDefault gives a quota back to the server's default.
const byDefault = "default"

func newQuotaFlags(flags *flag.FlagSet) quotaFlags {
	q := quotaFlags{}
	for _, f := range []struct{ field, name, what string }{
		{"users", "max-users", "users"},
		{"groups", "max-groups", "groups that are not dissolved"},
		{"group_members", "max-group-members", "members of each group; in place of limits.group_members"},
		{"devices_online", "max-devices-online", "devices with an open socket"},
		{"messages_per_day", "messages-per-day", "messages from 00:00 to 24:00 UTC"},
		{"messages_per_second", "messages-per-second", "messages a second and server"},
		{"stored_bytes", "max-stored-bytes", "bytes of files, such as 100GiB, open uploads included"},
		{"user_stored_bytes", "max-user-stored-bytes", "bytes of files of each user"},
		{"user_uploaded_bytes_per_day", "user-uploaded-bytes-per-day", "bytes that each user uploads from 00:00 to 24:00 UTC"},
		{"calls_per_second", "calls-per-second", "calls of the back end a second and server; in place of limits.back_end_rate"},
	} {
		q[f.field] = flags.String(f.name, "", "With quota: "+f.what+". 0 is no bound, default what the server's options say.")
	}
	return q
}

// change reads what the flags say; ok is false when none was given.
func (q quotaFlags) change() (c auth.QuotaChange, ok bool, err error) {
	c.Set = &skeinv1.AppQuotas{}
	m := c.Set.ProtoReflect()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		text := *q[string(f.Name())]
		switch {
		case text == "":
			continue
		case text == byDefault:
			c.Default = append(c.Default, string(f.Name()))
		case f.Kind() == protoreflect.DoubleKind:
			var v float64
			v, err = strconv.ParseFloat(text, 64)
			m.Set(f, protoreflect.ValueOfFloat64(v))
		case f.Kind() == protoreflect.Uint32Kind:
			var v uint64
			v, err = strconv.ParseUint(text, 10, 32)
			m.Set(f, protoreflect.ValueOfUint32(uint32(v)))
		case strings.Contains(string(f.Name()), "bytes") && text != "0":
			var v int64
			v, err = byteSize(text)
			m.Set(f, protoreflect.ValueOfUint64(uint64(v)))
		default:
			var v uint64
			v, err = strconv.ParseUint(text, 10, 64)
			m.Set(f, protoreflect.ValueOfUint64(v))
		}
		if err != nil {
			return c, true, fmt.Errorf("%s is not a quota: give a number that is not negative, 0 for no bound, or %q", text, byDefault)
		}
		ok = true
	}
	return c, ok, nil
}

// errQuotaFlags tells where the flags belong.
var errQuotaFlags = errors.New("--max-… and --…-per-… go with: skein app quota NAME")

// changeQuotas sets quotas, if any are given, and prints those of an app with
// what it uses of them.
func changeQuotas(ctx context.Context, d *db.DB, a *auth.Auth, app im.AppID, q quotaFlags, stdout io.Writer) error {
	c, given, err := q.change()
	if err != nil {
		return err
	}
	counted := func(context.Context, *db.DB, im.AppID) error { return nil }
	if given {
		if err := a.SetQuotas(ctx, app, c); err != nil {
			return withHint(err)
		}
		counted = file.Recount
	}
	row, err := a.FindApp(ctx, app)
	if err != nil {
		return withHint(err)
	}
	err = errors.Join(d.Migrate(ctx, "usage", usage.Migrations()), d.Migrate(ctx, "file", file.Migrations()))
	if err == nil { // those that an older server has not counted too
		err = counted(ctx, d, app)
	}
	if err != nil {
		return err
	}
	use := map[string]string{}
	users, err := a.Users(ctx, app)
	if err != nil {
		return err
	}
	groups, taken, err := usage.Counts(ctx, d, app, usage.DayOf(im.SystemClock{}.Now()))
	if err != nil {
		return err
	}
	var files skeinv1.AppUsage
	if err := file.Usage(ctx, d, app, &files); err != nil {
		return err
	}
	use["stored_bytes"] = strconv.FormatUint(files.StoredBytes, 10)
	use["users"], use["groups"] = strconv.FormatUint(users, 10), strconv.FormatUint(groups, 10)
	if row.OwnQuotas.GetMessagesPerDay() > 0 || taken > 0 {
		use["messages_per_day"] = strconv.FormatUint(taken, 10)
	}
	return printQuotas(row.OwnQuotas, use, stdout)
}

// printQuotas writes a table: what the servers know alone, such as how many
// devices are online, has no figure.
func printQuotas(own *skeinv1.AppQuotas, use map[string]string, stdout io.Writer) error {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "QUOTA\tALLOWED\tUSED")
	m := proto.CloneOf(own).ProtoReflect()
	fields := (*skeinv1.AppQuotas)(nil).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		allowed, used := byDefault, use[string(f.Name())]
		if m.Has(f) {
			allowed = m.Get(f).String()
		}
		if allowed == "0" {
			allowed = "no bound"
		}
		if used == "" {
			used = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name(), allowed, used)
	}
	return w.Flush()
}

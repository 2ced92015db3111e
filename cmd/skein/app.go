package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

const appHelp = `skein app makes and lists apps (tenants) and changes their secrets.

  skein app create NAME    make an app; prints its id and its secret, once
  skein app list           list the apps
  skein app rotate NAME    make a new secret; the one before stays good until the next rotation
  skein app suspend NAME   refuse every token of an app and end its sessions
  skein app resume NAME    take that back
  skein app quota NAME     print what an app may use and what it uses; with flags, change it
  skein app bucket NAME    print where new files of an app go; with a URL behind it, or with --remove, change it

It works beside a running server. Options:
`

// appCommand makes, lists and changes apps.
func appCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("app", flag.ContinueOnError)
	alg := flags.String("alg", "", "Algorithm of the new secret: HS256 (default) or EdDSA.")
	publicKey := flags.String("public-key", "", "File with an Ed25519 public key in PEM: the private key stays with you.")
	origins := flags.String("allowed-origins", "", "With create: web origins, with commas between them, whose pages may speak for the app.")
	quotas := newQuotaFlags(flags)
	buckets := newBucketFlags(flags)
	retire := flags.Bool("retire-old", false, "With rotate: the older secrets stop working at once, for a secret that leaked.")
	src := config.Source{Args: args, Environ: os.Environ(), Extra: flags, Only: []string{"data", "db"}}
	cfg, operands, err := config.Read(src)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, appHelp)
		config.Usage(stdout, src)
		return nil
	} else if err != nil {
		return err
	}
	verb, name, rest, err := appOperands(operands)
	if err != nil {
		return err
	}
	if _, given, err := quotas.change(); err != nil {
		return err
	} else if given && verb != "quota" {
		return errQuotaFlags
	}
	if buckets.given() && verb != "bucket" {
		return errors.New("--remove and --server-identity go with: skein app bucket NAME")
	}
	if *retire && verb != "rotate" {
		return errors.New("--retire-old goes with: skein app rotate NAME")
	}
	if *origins != "" && verb != "create" {
		return errors.New("--allowed-origins goes with: skein app create NAME; later the app's back end changes them, with AdminService.UpdateApp")
	}
	pages, err := splitOrigins(*origins)
	if err != nil {
		return withHint(err)
	}
	pem := ""
	if *publicKey != "" {
		b, err := os.ReadFile(*publicKey)
		if err != nil {
			return err
		}
		pem = string(b)
	}
	d, a, done, err := openApps(ctx, cfg, verb == "create", stderr)
	if err != nil {
		return err
	}
	defer done()
	var s auth.Secret
	switch verb {
	case "quota":
		return changeQuotas(ctx, d, a, im.AppID(name), quotas, stdout)
	case "bucket":
		return changeBucket(ctx, cfg, d, a, im.AppID(name), strings.Join(rest, ""), buckets, stdout)
	case "list":
		return listApps(ctx, a, stdout)
	case "create":
		s, err = a.CreateApp(ctx, newApp(name, auth.Alg(*alg), pem))
		if err == nil && len(pages) > 0 {
			_, err = a.UpdateApp(ctx, im.Actor{App: s.App, Server: true}, auth.AppUpdate{AllowedOrigins: &pages})
		}
	case "rotate":
		s, err = a.RotateSecret(ctx, im.AppID(name), auth.Rotation{Alg: auth.Alg(*alg), PublicKey: pem, RetireOld: *retire})
	case "suspend":
		return withHint(a.SuspendApp(ctx, im.AppID(name)))
	case "resume":
		return withHint(a.ResumeApp(ctx, im.AppID(name)))
	}
	if err != nil && (s.KID == "" || im.CodeOf(err) != im.Unavailable) {
		return withHint(err)
	}
	// A secret was made: it is shown also when a node has not confirmed the
	// change in time, because it can never be shown again.
	return errors.Join(printSecret(s, stdout, stderr), withHint(err))
}

// withHint writes an error out for a person: what is wrong, and what to do.
func withHint(err error) error {
	var e *im.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &e):
		return err
	case e.Hint == "":
		return errors.New(e.Message)
	}
	return fmt.Errorf("%s; %s", e.Message, e.Hint)
}

// splitOrigins checks a list of origins before anything is made with it.
func splitOrigins(list string) (origins []string, err error) {
	for o := range strings.SplitSeq(list, ",") {
		if o = strings.TrimSpace(o); o == "" {
			continue
		}
		if o, err = auth.ParseOrigin(o); err != nil {
			return nil, err
		}
		origins = append(origins, o)
	}
	return origins, nil
}

// appOperands reads VERB [NAME [URL]].
func appOperands(operands []string) (verb, name string, rest []string, err error) {
	if len(operands) == 0 {
		return "", "", nil, errors.New("say what to do: skein app create|list|rotate|suspend|resume|quota|bucket (see skein app --help)")
	}
	verb = operands[0]
	least, most := 2, 2
	switch verb {
	case "list":
		least, most = 1, 1
	case "bucket":
		most = 3
	case "create", "rotate", "suspend", "resume", "quota":
	default:
		return "", "", nil, fmt.Errorf("skein app knows create, list, rotate, suspend, resume, quota and bucket, not %q", verb)
	}
	switch {
	case len(operands) < least:
		return "", "", nil, fmt.Errorf("name the app: skein app %s NAME", verb)
	case len(operands) > most:
		return "", "", nil, fmt.Errorf("%q is one name too many", operands[most])
	}
	if least == 2 {
		name, rest = operands[1], operands[2:]
	}
	return verb, name, rest, nil
}

// newApp takes a name that can be an id for the id, and makes an id for any
// other name.
func newApp(name string, alg auth.Alg, publicKey string) auth.NewApp {
	n := auth.NewApp{Name: name, Alg: alg, PublicKey: publicKey}
	if im.ValidToken(name) {
		n.ID = im.AppID(name)
	}
	return n
}

// printSecret writes what a back end needs: names and values for programs to
// standard output, what to do with them to people.
func printSecret(s auth.Secret, stdout, stderr io.Writer) error {
	_, err := fmt.Fprintf(stdout, "app:    %s\nkid:    %s\nalg:    %s\n", s.App, s.KID, s.Alg)
	switch {
	case err != nil:
		return err
	case s.Text == "":
		fmt.Fprintln(stderr, "Sign tokens with your private key and put the kid into their header.")
		return nil
	case strings.Contains(s.Text, "\n"):
		_, err = fmt.Fprintf(stdout, "secret: |\n%s", s.Text)
	default:
		_, err = fmt.Fprintf(stdout, "secret: %s\n", s.Text)
	}
	fmt.Fprintln(stderr, "The secret is shown this once. Keep it on your back end; no client ever needs it.")
	return err
}

func listApps(ctx context.Context, a *auth.Auth, stdout io.Writer) error {
	apps, err := a.ListApps(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "APP\tNAME\tCREATED\tSTATE\tSECRETS")
	for _, app := range apps {
		state := "active"
		if app.Suspended {
			state = "suspended"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", app.ID, app.Name, app.Created.Time().Format(time.RFC3339), state, strings.Join(app.KIDs, " "))
	}
	return w.Flush()
}

// openAuth opens the apps of a data folder or database, also while a server
// runs on it. A folder is made only for who creates something.
func openAuth(ctx context.Context, cfg *config.Config, create bool, stderr io.Writer) (a *auth.Auth, done func(), err error) {
	_, a, done, err = openApps(ctx, cfg, create, stderr)
	return a, done, err
}

// openApps is openAuth with the database.
func openApps(ctx context.Context, cfg *config.Config, create bool, stderr io.Writer) (d *db.DB, a *auth.Auth, done func(), err error) {
	if !create && cfg.DB == "" {
		if _, err := os.Stat(filepath.Join(cfg.Data, "skein.db")); errors.Is(err, os.ErrNotExist) {
			return nil, nil, nil, fmt.Errorf("there is no data in the folder %s; name the server's with --data DIR, or its database with --db URL", cfg.Data)
		}
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	clock, entropy := im.SystemClock{}, im.SystemEntropy()
	key, err := masterKey(cfg, entropy)
	if err != nil {
		return nil, nil, nil, err
	}
	d, err = openDB(ctx, cfg, clock, log)
	if err != nil {
		return nil, nil, nil, err
	}
	a, err = auth.New(ctx, auth.Options{DB: d, Clock: clock, Entropy: entropy, Key: key, Log: log})
	if err != nil {
		d.Close()
		return nil, nil, nil, err
	}
	return d, a, func() { d.Close() }, nil
}

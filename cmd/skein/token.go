package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/im"
)

const tokenHelp = `skein token prints a token, alone on one line, for trying things out. In
production your back end signs tokens with its secret: docs/guide/tokens.md

  skein token --data DIR --app demo --user alice

It works beside a running server. Options:
`

// tokenCommand prints a token.
func tokenCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("token", flag.ContinueOnError)
	app := flags.String("app", "", "The app's id.")
	user := flags.String("user", "", "The user's id.")
	device := flags.String("device", "", "Bind the token to this device.")
	server := flags.Bool("server", false, "A token of the app's own back end instead of a user's.")
	ttl := flags.Duration("ttl", time.Hour, "How long it lives, at most 24h.")
	src := config.Source{Args: args, Environ: os.Environ(), Extra: flags, Only: []string{"data", "db"}}
	cfg, operands, err := readOptions(config.Read, src, tokenHelp, stdout)
	switch {
	case err != nil || cfg == nil:
		return err
	case len(operands) > 0:
		return fmt.Errorf("token takes options only, not %q", operands[0])
	case *app == "":
		return errors.New("name the app: --app demo")
	case *user == "" && !*server:
		return errors.New("name the user: --user alice, or ask for the back end's own token with --server")
	}
	a, done, err := openAuth(ctx, cfg, false, stderr)
	if err != nil {
		return err
	}
	defer done()
	token, _, err := a.MintToken(ctx, auth.Grant{App: im.AppID(*app), User: im.UserID(*user), Device: im.DeviceID(*device), Server: *server, TTL: *ttl})
	if im.CodeOf(err) == im.NotFound && im.AppID(*app) == auth.DemoApp {
		return fmt.Errorf("there is no app %q here yet: run skein serve --dev on this folder once, or skein app create %s", *app, *app)
	}
	if err != nil {
		return withHint(err)
	}
	_, err = fmt.Fprintln(stdout, token)
	return err
}

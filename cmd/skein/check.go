package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/config"
)

const checkHelp = `skein check reads the options of "skein serve" from the same places, flags,
variables and file, and tells what is wrong with them. It opens nothing and
starts nothing: run it before a restart. Options:
`

// checkCommand checks options as serveCommand would read them.
func checkCommand(_ context.Context, args []string, stdout, _ io.Writer) error {
	src := config.Source{Args: args, Environ: os.Environ()}
	cfg, operands, err := readOptions(config.Load, src, checkHelp, stdout)
	switch {
	case err != nil || cfg == nil:
		return err
	case len(operands) > 0:
		return fmt.Errorf("check takes options only, not %q", operands[0])
	}
	if cfg.SecretKey != "" {
		if _, err := auth.ParseMasterKey(cfg.SecretKey); err != nil {
			return fmt.Errorf("secret_key: %w", err)
		}
	}
	if _, err := blobKeys(cfg); err != nil {
		return err
	}
	if _, err := filesOrigin(cfg); err != nil {
		return err
	}
	if _, err := ownFlags(cfg); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, "the options are good")
	return err
}

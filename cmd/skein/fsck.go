package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/fsck"
)

// fsckCommand proves the invariants of a data folder or a database, also
// while a server runs on it. It ends with status 1 when it has findings.
func fsckCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("fsck", flag.ContinueOnError)
	deep := fs.Bool("deep", false, "read every file and compare its bytes with its hash, not only its size")
	noFiles := fs.Bool("no-files", false, "do not look at the bytes of users' files at all")
	asJSON := fs.Bool("json", false, "print the whole report as one JSON object")
	src := config.Source{Args: args, Environ: os.Environ(), Extra: fs, Only: []string{"data", "db", "blobs"}}
	cfg, operands, err := readOptions(config.Read, src, "skein fsck proves the invariants of a data folder or a database. Options:\n", stdout)
	switch {
	case err != nil || cfg == nil:
		return err
	case len(operands) > 0:
		return fmt.Errorf("fsck takes options only, not %q", operands[0])
	}
	target := cfg.Data
	if cfg.DB != "" {
		target = cfg.DB
	} else if _, err := os.Stat(target); err != nil {
		return fmt.Errorf("there is no data folder %s", target)
	}
	d, err := db.Open(ctx, target, db.Options{Postgres: db.PostgresOptions{StatementTimeout: -1}}) // it reads everything
	if err != nil {
		return err
	}
	defer d.Close()
	r, err := fsck.Check(ctx, d)
	if err != nil {
		return err
	}
	var files fsck.FilesReport
	if !*noFiles {
		if files, err = checkFiles(ctx, cfg, d, *deep); err != nil {
			return err
		}
		r.Findings, r.More = append(r.Findings, files.Findings...), r.More+files.More
	}
	if *asJSON {
		err = json.NewEncoder(stdout).Encode(struct {
			fsck.Report
			Files fsck.FilesReport `json:"files"`
		}{r, files})
	} else {
		for _, f := range r.Findings {
			fmt.Fprintln(stdout, f)
		}
		tellUnseen(stdout, &files)
		fmt.Fprintf(stdout, "%d conversations, %d entries (%d messages), %d memberships, %d idempotency keys, %d objects of files: %d findings\n",
			r.Conversations, r.Entries, r.Messages, r.Memberships, r.Keys, files.Objects, int64(len(r.Findings))+r.More)
	}
	if err == nil && !r.Sound() {
		err = exitCode(1)
	}
	return err
}

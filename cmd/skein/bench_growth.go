package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/skein-im/skein/internal/bench"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// growthReport is what "bench growth" prints.
type growthReport struct {
	Kind string `json:"kind"`
	bench.GrowthResult
	engine
}

// benchGrowth needs no server: sockets do not grow.
func benchGrowth(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	if f.growth.Pairs < 10 || f.growth.Pairs > 1000 || f.endpoint != "" {
		return fmt.Errorf("--growth-pairs is 10 to 1000; growth starts no server and takes no --endpoint")
	}
	r := growthReport{Kind: "growth", engine: f.engine()}
	sv, err := newChild(ctx, f, stderr)
	if err != nil {
		return err
	}
	defer sv.end()
	j, c, err := sv.frontDoor(ctx)
	if err != nil {
		return err
	}
	defer j.Close(context.WithoutCancel(ctx))
	t := sv.target()
	t.PID = os.Getpid()
	o := f.growth
	o.App, o.CPU, o.Size = sv.app, t.TreeCPU, func() (int64, error) { return sv.size(ctx) }
	o.Step = func(s bench.GrowthStep) { fmt.Fprintf(stderr, "%+v\n", s) }
	r.GrowthResult, err = bench.Growth(ctx, j, c, o)
	return printReport(stdout, r, err)
}

// size is what the store takes on disk, in bytes.
func (c *child) size(ctx context.Context) (total int64, err error) {
	if p := c.db.Pool(); p != nil {
		err = p.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&total)
		return total, err
	}
	err = filepath.WalkDir(c.dbTarget, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// messages counts what is stored already: a database of --db need not be empty.
func (c *child) messages(ctx context.Context) (n int64, err error) {
	err = c.db.Read(ctx, func(tx db.Tx) error {
		return tx.QueryRow("SELECT count(*) FROM entry WHERE kind = $1", im.KindMessage).Scan(&n)
	})
	return n, err
}

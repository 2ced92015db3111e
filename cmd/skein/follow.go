package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"text/tabwriter"

	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/feature/admin"
	"github.com/skein-im/skein/internal/feature/call"
	"github.com/skein-im/skein/internal/feature/contact"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/feature/search"
	"github.com/skein-im/skein/internal/feature/timed"
	"github.com/skein-im/skein/internal/feature/usage"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
)

const followUsage = `skein follow shows and mends the followers: what counts, and later pushes and
indexes, because of an entry. An entry that failed five times is parked.

  skein follow status                       where each follower stands
  skein follow parked                       the parked entries
  skein follow replay NAME SHARD POS        apply a parked entry
  skein follow forget NAME SHARD POS        give a parked entry up
  skein follow rebuild NAME                 start a follower again from the first entry
`

// followCommand looks at followers and mends them, also while a server runs.
func followCommand(ctx context.Context, args []string, stdout, _ io.Writer) error {
	src := config.Source{Args: args, Environ: os.Environ(), Only: []string{"data", "db"}}
	cfg, words, err := config.Read(src)
	if errors.Is(err, flag.ErrHelp) || err == nil && len(words) == 0 {
		fmt.Fprint(stdout, followUsage+"\n")
		config.Usage(stdout, src)
		return nil
	}
	if err != nil {
		return err
	}
	d, err := openDB(ctx, cfg, im.SystemClock{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer d.Close()
	j, err := journal.Open(ctx, d, journal.Options{})
	if err != nil {
		return err
	}
	defer j.Close(ctx)
	jobs, err := job.New(job.Options{DB: d, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: slog.New(slog.DiscardHandler)}, append(append(timed.Kinds(nil, nil), contact.Jobs(nil)), call.Kinds(nil)...)...)
	if err != nil {
		return err
	}
	r, err := follow.New(follow.Options{DB: d, Journal: j, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: slog.New(slog.DiscardHandler)},
		admin.New(nil, nil, d).Usage(), timed.NewBurns(d, j, jobs).Follower(), contactsFollower(jobs), callsFollower(jobs), search.Index(), usage.New(usage.Deps{DB: d}).Follower(), file.Follower())
	if err != nil {
		return err
	}
	defer r.Close(ctx)
	return runFollow(ctx, r, words, stdout)
}

func runFollow(ctx context.Context, r *follow.Runner, words []string, stdout io.Writer) error {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	defer w.Flush() //nolint:errcheck // the reader's loss
	switch {
	case words[0] == "status" && len(words) == 1:
		all, err := r.Status(ctx)
		fmt.Fprintln(w, "FOLLOWER\tSHARD\tPOS\tBEHIND\tPARKED")
		for _, s := range all {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", s.Follower, s.Shard, s.Pos, s.Behind, s.Parked)
		}
		return err
	case words[0] == "parked" && len(words) == 1:
		fmt.Fprintln(w, "FOLLOWER\tSHARD\tPOS\tAPP\tCONVERSATION\tSEQ\tTRIES\tERROR")
		for after := (*follow.Parked)(nil); ; {
			page, err := r.Parked(ctx, after, 100)
			for _, p := range page {
				fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\t%d\t%d\t%s\n", p.Follower, p.Shard, p.Pos, p.App, p.Conv, p.Seq, p.Tries, p.Error)
			}
			if err != nil || len(page) < 100 {
				return err
			}
			after = &page[99]
		}
	case words[0] == "rebuild" && len(words) == 2:
		return r.Rebuild(ctx, words[1])
	case (words[0] == "replay" || words[0] == "forget") && len(words) == 4:
		shard, err := strconv.Atoi(words[2])
		if err != nil {
			return fmt.Errorf("the shard %q is no number", words[2])
		}
		pos, err := strconv.ParseInt(words[3], 10, 64)
		if err != nil {
			return fmt.Errorf("the position %q is no number", words[3])
		}
		if words[0] == "replay" {
			return r.Replay(ctx, words[1], shard, im.Pos(pos))
		}
		return r.Forget(ctx, words[1], shard, im.Pos(pos))
	}
	return fmt.Errorf("follow does not understand %q; see skein follow --help", words)
}

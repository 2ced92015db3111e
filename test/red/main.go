// Command red shows that the tests of the promises can fail. It plants one bug
// after the other into a copy of the tree (plants.go), builds the server, and
// runs the behaviour scripts that have to notice, through the Go SDK over
// SQLite. A bug that stays green fails the run, and so does one whose place in
// the source is no longer found, so that the list stays true.
//
//	go run ./test/red            all of them; `make red` is the same
//	go run ./test/red -only D3   those whose name contains "D3"
//
// The copy is a git worktree of the last commit in a temporary folder: the work
// tree itself is never touched, and what is not committed is not tested.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
)

func main() {
	only := flag.String("only", "", "run the bugs whose name contains this")
	jobs := flag.Int("j", 3, "scripts of how many bugs run at the same time; they mostly wait")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *only, *jobs); err != nil {
		fmt.Fprintln(os.Stderr, "red:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, jobs int) (err error) {
	var wanted []plant
	for _, p := range plants {
		if strings.Contains(p.name, only) {
			wanted = append(wanted, p)
		}
	}
	if len(wanted) == 0 {
		return fmt.Errorf("no bug's name contains %q", only)
	}
	c, err := newCopy(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.remove()) }()
	if err := c.allFound(wanted); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "first without a bug: everything named below must be green")
	if err := c.clean(ctx, wanted); err != nil {
		return err
	}
	return c.each(ctx, wanted, jobs)
}

// allFound checks that every bug has its place.
func (c *copied) allFound(wanted []plant) error {
	var errs []error
	for _, p := range wanted {
		for _, e := range p.edits {
			if _, err := e.read(c.tree()); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// clean runs all that the plants name on the tree as it is.
func (c *copied) clean(ctx context.Context, wanted []plant) error {
	all := plant{name: "none"}
	seen := map[any]bool{}
	for _, p := range wanted {
		for _, s := range p.scripts {
			if !seen[s] {
				seen[s], all.scripts = true, append(all.scripts, s)
			}
		}
		for _, t := range p.tests {
			if !seen[t] {
				seen[t], all.tests = true, append(all.tests, t)
			}
		}
	}
	m, err := c.build(ctx, all)
	if err != nil {
		return err
	}
	for _, r := range m.run(ctx) {
		if r.err != nil {
			return fmt.Errorf("without a bug: %w", r.err)
		}
		if r.red {
			return fmt.Errorf("without a bug %s is red: %s", r.what, r.why)
		}
	}
	return ctx.Err()
}

// each plants the bugs one by one. One is built while the scripts of others
// run: a script that turns red does so by waiting for what does not come.
func (c *copied) each(ctx context.Context, wanted []plant, jobs int) error {
	results := make([][]result, len(wanted))
	slots := make(chan struct{}, max(jobs, 1))
	var wg sync.WaitGroup
	for i, p := range wanted {
		slots <- struct{}{}
		m, err := c.build(ctx, p)
		if err != nil {
			<-slots
			results[i] = []result{{what: "build", err: err}}
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			results[i] = m.run(ctx)
		}()
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return report(wanted, results)
}

// report prints the table and says which bugs nobody noticed.
func report(wanted []plant, results [][]result) error {
	var errs []error
	fmt.Println("| bug | what turned red | at |\n|---|---|---|")
	for i, p := range wanted {
		for _, r := range results[i] {
			word := r.why
			switch {
			case r.err != nil:
				word = "**failed**"
				errs = append(errs, fmt.Errorf("%s: %s: %w", p.name, r.what, r.err))
			case !r.red:
				word = "**stayed green**"
				errs = append(errs, fmt.Errorf("%s: %s stayed green", p.name, r.what))
			}
			fmt.Printf("| %s: %s | %s | %s |\n", p.name, p.says, r.what, word)
		}
	}
	return errors.Join(errs...)
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// copied is a copy of the tree that bugs are planted into.
type copied struct {
	root    string // the repository
	dir     string // temporary; the copy is dir/tree
	scripts string // the compiled script tests, of the tree without a bug
}

// newCopy checks the last commit out into a temporary folder and compiles the
// script tests, with the SDK in them, before any bug is there.
func newCopy(ctx context.Context) (*copied, error) {
	root, err := output(exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel"))
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "skein-red-")
	if err != nil {
		return nil, err
	}
	c := &copied{root: strings.TrimSpace(root), dir: dir, scripts: filepath.Join(dir, "script.test")}
	if _, err := output(c.git(ctx, "worktree", "add", "--quiet", "--detach", c.tree(), "HEAD")); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	// The object stores that scripts/setup.sh has built are no part of the tree.
	if err := os.Symlink(filepath.Join(c.root, ".tools"), filepath.Join(c.tree(), ".tools")); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	if _, err := output(c.goTool(ctx, "test", "-c", "-o", c.scripts, "./test/script")); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	return c, nil
}

func (c *copied) tree() string { return filepath.Join(c.dir, "tree") }

// remove takes the copy away, also when the run was interrupted.
func (c *copied) remove() error {
	_, err := output(c.git(context.Background(), "worktree", "remove", "--force", c.tree()))
	return errors.Join(err, os.RemoveAll(c.dir))
}

func (c *copied) git(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "git", append([]string{"-C", c.root}, args...)...)
}

func (c *copied) goTool(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = c.tree()
	return cmd
}

// output runs a command and puts what it complained of into its error.
func output(cmd *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return string(out), nil
}

// read returns the file of a tree in which an edit has its place.
func (e edit) read(tree string) (string, error) {
	b, err := os.ReadFile(filepath.Join(tree, e.file))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(b), e.old); n != 1 {
		return "", fmt.Errorf("%s has this text %d times, not once; give the bug its new place:\n%s", e.file, n, e.old)
	}
	return string(b), nil
}

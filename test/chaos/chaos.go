// Package chaos breaks a running server on purpose, under load, and proves
// from what its clients saw that it kept its promises.
//
// A nemesis is a function: it starts nodes (Node: the real binary, in processes
// of its own), puts a Load on them, does harm, heals, ends the load and has
// the recorded history checked (test/history). Its Result says what was
// proven, and how often the harm was really done: a run in which the nemesis
// did not act proves nothing, and is red.
//
// The short forms are tests of this package and part of `make test`; the full
// figures come from `make chaos`, which is `go run ./test/chaos/run all`. What
// was measured is in docs/reliability.md.
//
// Everything is bounded in time and heals itself: processes die with the one
// that started them, file systems are mounted in a namespace of the run's own,
// and images are unlinked as soon as they are attached.
package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/skein-im/skein/test/history"
)

// Env is what all nemeses of a run share.
type Env struct {
	Dir string // temporary; gone after Close
	Bin string // the server
	Log io.Writer
}

// NewEnv makes the folder and builds the server.
func NewEnv(ctx context.Context, log io.Writer) (*Env, error) {
	dir, err := os.MkdirTemp("", "skein-chaos-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL runs as somebody else
		return nil, err
	}
	bin, err := Binary(ctx, dir)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return &Env{Dir: dir, Bin: bin, Log: log}, nil
}

// Close removes the folder.
func (e *Env) Close() error { return os.RemoveAll(e.Dir) }

// Logf tells how far a run is.
func (e *Env) Logf(format string, args ...any) {
	if e.Log != nil {
		fmt.Fprintf(e.Log, "%s "+format+"\n", append([]any{time.Now().UTC().Format("15:04:05")}, args...)...)
	}
}

// Folder makes a folder of a nemesis' own.
func (e *Env) Folder(name string) (string, error) {
	dir, err := os.MkdirTemp(e.Dir, name+"-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}

// path is a file in the run's folder.
func (e *Env) path(name string) string { return filepath.Join(e.Dir, name) }

// Figure is one number of a result.
type Figure struct {
	Name  string
	Value float64
	Unit  string
}

// String prints it as a document does.
func (f Figure) String() string {
	v := fmt.Sprintf("%.4g", f.Value)
	if f.Value == float64(int64(f.Value)) {
		v = fmt.Sprint(int64(f.Value))
	}
	return strings.TrimSpace(f.Name + " " + v + " " + f.Unit)
}

// Result is what a nemesis has to say.
type Result struct {
	Proof    string // what was done, in a few words
	Engine   string // SQLite, PostgreSQL
	Nodes    int
	Command  string
	Began    time.Time
	Took     time.Duration
	Acted    []Figure // proof that the nemesis did something
	Measured []Figure
	Report   *history.Report `json:"-"` // nil when no history was recorded
	Problems []string        // what is wrong beside the history

	brokenDisk bool // the engine's own errors are part of the harm
}

// Act notes harm that was done.
func (r *Result) Act(name string, n int64) {
	r.Acted = append(r.Acted, Figure{Name: name, Value: float64(n)})
}

// Measure notes a figure.
func (r *Result) Measure(name string, v float64, unit string) {
	r.Measured = append(r.Measured, Figure{name, v, unit})
}

// Problem notes what is wrong.
func (r *Result) Problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// OK tells whether the server kept its promises and the nemesis acted.
func (r *Result) OK() bool {
	for _, f := range r.Acted {
		if f.Value <= 0 {
			return false
		}
	}
	return len(r.Acted) > 0 && len(r.Problems) == 0 && (r.Report == nil || r.Report.OK())
}

// Why says what is wrong; empty when OK.
func (r *Result) Why() string {
	why := append([]string{}, r.Problems...)
	if len(r.Acted) == 0 {
		why = append(why, "the nemesis did nothing")
	}
	for _, f := range r.Acted {
		if f.Value <= 0 {
			why = append(why, "the nemesis did not act: "+f.String())
		}
	}
	if r.Report != nil && !r.Report.OK() {
		why = append(why, r.Report.String())
	}
	return strings.Join(why, "\n")
}

// Row is the line of docs/reliability.md.
func (r *Result) Row() string {
	var acted, measured []string
	for _, f := range r.Acted {
		acted = append(acted, f.String())
	}
	if r.Report != nil {
		c := r.Report.Counts
		measured = append(measured, fmt.Sprintf("%d acknowledged, %d unknown, %d delivered: **%d lost, %d duplicated**", c.Acked, c.Unknown, c.Delivered, r.Report.Lost, r.Report.Duplicated))
	}
	for _, f := range r.Measured {
		measured = append(measured, f.String())
	}
	verdict := "kept"
	if !r.OK() {
		verdict = "**broken**"
	}
	engine := r.Engine
	if r.Nodes > 1 {
		engine = fmt.Sprintf("%s, %d nodes", engine, r.Nodes)
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s | `%s` |", r.Proof, engine, r.Began.UTC().Format(time.DateOnly),
		strings.Join(acted, ", "), strings.Join(measured, "; "), r.Took.Round(time.Second), verdict, r.Command)
}

// RowHead is the head of the table that Row's lines belong to.
const RowHead = "| proof | engine | date | what was done | what came of it | took | promises | command |\n|---|---|---|---|---|---|---|---|"

// JSON is the result for a program.
func (r *Result) JSON() string {
	type plain Result
	v := struct {
		*plain
		OK             bool
		TookS          float64
		Counts         *history.Counts
		Lost, Repeated int64
	}{plain: (*plain)(r), OK: r.OK(), TookS: r.Took.Seconds()}
	if r.Report != nil {
		v.Counts, v.Lost, v.Repeated = &r.Report.Counts, r.Report.Lost, r.Report.Duplicated
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

package journal

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/metrics"
	"github.com/skein-im/skein/internal/turn"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Options of Open. The zero value works.
type Options struct {
	// Clock; nil = the machine's. One that is a turn.Scheduler runs the writers.
	Clock   im.Clock
	Entropy im.Entropy   // of the incarnation; nil = the machine's
	Log     *slog.Logger // nil = none
	// Shards is the number of shards of a journal that is made now; a journal
	// that exists keeps its own. 0 = 1 on SQLite, which has one writer
	// anyway, and 64 on PostgreSQL.
	Shards int
	// MaxQueue bounds what waits in a shard (0 = 65,536); beyond it Submit
	// answers Unavailable. MaxBatch bounds a transaction (0 = 2,048).
	MaxQueue int
	MaxBatch int
	Metrics  *metrics.Set // nil = counted for nobody
	// Patience is for how long a batch that the database did not answer is
	// tried again, before its callers get Unavailable; 0 = 10 s on PostgreSQL,
	// where another server takes over meanwhile, and not at all on SQLite;
	// below 0 = not at all.
	Patience time.Duration
	// Committed is told of every commit; nil = nobody.
	Committed Committed
}

func (o *Options) defaults() {
	if o.Clock == nil {
		o.Clock = im.SystemClock{}
	}
	if o.Entropy == nil {
		o.Entropy = im.SystemEntropy()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxQueue == 0 {
		o.MaxQueue = 1 << 16
	}
	if o.MaxBatch == 0 {
		o.MaxBatch = 2048
	}
}

const (
	pgShards   = 64
	pgPatience = 10 * time.Second
	// cachedConvs is how many conversations all writers together remember
	// at least; at most twice as many.
	cachedConvs = 32 << 10
	// MaxBody bounds Append.Body, in bytes. It is a last line of defence, far
	// above what callers allow.
	MaxBody = 16 << 20
)

// engine is a Journal over a store.
type engine struct {
	opts        Options
	tasks       turn.Scheduler
	store       store
	reader      reader
	incarnation string
	cached      int // conversations per writer
	writers     []*writer
	counts      *counts
	ctx         context.Context // of the commits; ends when Close gives up
	cancel      context.CancelFunc
}

// reader opens snapshots.
type reader interface {
	view(ctx context.Context, fn func(View) error) error
	purge(ctx context.Context, before im.ClientID, upTo im.Micros) (int64, error)
}

// Open makes or opens the journal in d, with its tables. Close must be called,
// before d is closed.
func Open(ctx context.Context, d *db.DB, o Options) (Journal, error) {
	o.defaults()
	if err := d.Migrate(ctx, "journal", db.Migrations(migrations)); err != nil {
		return nil, err
	}
	s := &sqlStore{d: d, log: o.Log, damaged: o.Metrics.Counter("journal_damaged_rows_total",
		"Rows that were read and did not fit their hash; each time that one is read counts.")}
	incarnation, shards, err := found(ctx, d, o)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	var st store = &liteStore{d: d}
	if d.Dialect() == db.Postgres {
		st = &pgStore{d: d}
		if o.Patience == 0 {
			o.Patience = pgPatience
		}
	}
	return newEngine(o, st, s, incarnation, shards), nil
}

func newEngine(o Options, st store, r reader, incarnation string, shards int) *engine {
	j := &engine{opts: o, tasks: turn.Of(o.Clock), store: st, reader: r, incarnation: incarnation, cached: max(cachedConvs/shards, 2*o.MaxBatch)}
	j.ctx, j.cancel = context.WithCancel(context.Background())
	j.counts = newCounts(o.Metrics, j)
	for i := range shards {
		j.writers = append(j.writers, j.newWriter(i))
	}
	return j
}

// found reads the journal's meta rows, or makes them.
func found(ctx context.Context, d *db.DB, o Options) (incarnation string, shards int, err error) {
	wanted := o.Shards
	if wanted == 0 {
		if wanted = 1; d.Dialect() == db.Postgres {
			wanted = pgShards
		}
	}
	if d.Dialect() == db.SQLite && wanted != 1 {
		return "", 0, im.Errorf(im.InvalidArgument, "SQLite has one shard")
	}
	fresh, err := im.RandomID(o.Entropy)
	if err != nil {
		return "", 0, err
	}
	// A journal that is there is only read: its shards' rows move all the time
	// under other nodes, and a transaction that touched them would not be
	// serializable.
	err = d.Read(ctx, func(tx db.Tx) error {
		if err := mayOpen(tx); err != nil {
			return err
		}
		incarnation, shards, err = meta(tx)
		return err
	})
	if !errors.Is(err, db.ErrNoRows) {
		return incarnation, shards, err
	}
	err = d.Write(ctx, func(tx db.Tx) error {
		if err := mayOpen(tx); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO journal_meta (name, value) VALUES ('incarnation', $1), ('shards', $2) ON CONFLICT DO NOTHING",
			fresh, strconv.Itoa(wanted))
		if err != nil {
			return err
		}
		if incarnation, shards, err = meta(tx); err != nil {
			return err
		}
		for i := range shards {
			if _, err := tx.Exec("INSERT INTO shard (shard, head, commits) VALUES ($1, 0, 0) ON CONFLICT DO NOTHING", i); err != nil {
				return err
			}
		}
		return nil
	})
	return incarnation, shards, err
}

// mayOpen refuses a store that is being filled, or has moved.
func mayOpen(tx db.Tx) error {
	m, marked, err := ReadMark(tx)
	if err == nil && marked {
		err = m.refuse()
	}
	return err
}

// meta reads what a journal is, or ErrNoRows.
func meta(tx db.Tx) (incarnation string, shards int, err error) {
	if err := tx.QueryRow("SELECT value FROM journal_meta WHERE name = 'incarnation'").Scan(&incarnation); err != nil {
		return "", 0, err
	}
	var n string
	if err := tx.QueryRow("SELECT value FROM journal_meta WHERE name = 'shards'").Scan(&n); err != nil {
		return "", 0, err
	}
	shards, err = strconv.Atoi(n)
	return incarnation, shards, err
}

// shardOf tells where a conversation lives. It must never change while a
// journal has its number of shards.
func shardOf(app im.AppID, conv im.ConvID, shards int) int {
	if shards == 1 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(app))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(conv))
	x := h.Sum64() // FNV's low bits are weak on short texts; fold the high ones in
	return int((x ^ x>>32) % uint64(shards))
}

// Submit implements Journal.
func (j *engine) Submit(a *Append, done func(Result, error)) {
	if err := check(a); err != nil {
		turn.Go(j.tasks, func() { done(Result{}, err) }) // never on the caller's own stack, where a lock may be held
		return
	}
	w := j.writers[shardOf(a.App, a.Conv, len(j.writers))]
	if w.event(event{kind: evSubmit, item: &item{a: a, req: requestHash(a), done: done, span: a.Trace.Child("journal.append")}}).refuse {
		turn.Go(j.tasks, func() { done(Result{}, errRefused()) })
	}
}

func errRefused() error {
	return &im.Error{Code: im.Unavailable, Message: "the journal takes no more at the moment", Hint: "retry with the same client id"}
}

// check refuses what no engine can store, before it can spoil a batch.
func check(a *Append) error {
	switch {
	case a.App == "" || a.Conv == "" || a.Kind == 0:
		return im.Errorf(im.InvalidArgument, "an entry has an app, a conversation and a kind")
	case a.ClientID == im.ClientID{}:
		return im.Errorf(im.InvalidArgument, "an entry has a client id")
	case len(a.Body) > MaxBody:
		return im.Errorf(im.TooLarge, "a body has at most %d bytes", MaxBody)
	}
	texts := []string{string(a.App), string(a.Conv), string(a.Sender), string(a.Device), a.Key}
	if a.Title != nil {
		texts = append(texts, *a.Title)
	}
	if a.Create != nil {
		texts = append(texts, a.Create.Title)
		for _, m := range a.Create.Members {
			texts = append(texts, string(m.User))
		}
	}
	for _, m := range a.Members {
		texts = append(texts, string(m.User))
	}
	for _, s := range texts {
		if !storable(s) {
			return im.Errorf(im.InvalidArgument, "a text is not UTF-8 or has a NUL in it")
		}
	}
	return nil
}

// storable tells whether both engines can keep a text.
func storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// Mark implements Journal.
func (j *engine) Mark(ctx context.Context, app im.AppID, conv im.ConvID, user im.UserID, seq im.Seq) (Marker, error) {
	if !storable(string(app)) || !storable(string(conv)) || !storable(string(user)) {
		return Marker{}, im.ErrNotFound
	}
	type outcome struct {
		m   Marker
		err error
	}
	ch := make(chan outcome, 1)
	it := &item{mark: &markRequest{app, conv, user, seq}, markDone: func(m Marker, err error) { ch <- outcome{m, err} }}
	if j.writers[shardOf(app, conv, len(j.writers))].event(event{kind: evSubmit, item: it}).refuse {
		return Marker{}, errRefused()
	}
	if o, ok := turn.ReceiveOr(j.tasks, ch, ctx.Done()); ok {
		return o.m, o.err
	}
	return Marker{}, im.Errorf(im.Unavailable, "the call was given up before the journal answered")
}

// View implements Journal.
func (j *engine) View(ctx context.Context, fn func(View) error) error { return j.reader.view(ctx, fn) }

// Incarnation implements Journal.
func (j *engine) Incarnation() string { return j.incarnation }

// Shards implements Journal.
func (j *engine) Shards() int { return len(j.writers) }

// Close implements Journal.
func (j *engine) Close(ctx context.Context) error {
	for _, w := range j.writers {
		w.event(event{kind: evClose})
	}
	var err error
	for _, w := range j.writers {
		select {
		case <-w.stopped:
		case <-ctx.Done():
			if err == nil {
				err = im.Errorf(im.Unavailable, "the journal was closed before all was stored")
				j.cancel() // what is queued now fails one batch after the other
			}
			<-w.stopped
		}
	}
	j.cancel()
	return err
}

// AppendWait submits and waits for the outcome. When ctx ends first the
// outcome is unknown: Unavailable.
func AppendWait(ctx context.Context, j Journal, a *Append) (Result, error) {
	type outcome struct {
		r   Result
		err error
	}
	ch := make(chan outcome, 1)
	j.Submit(a, func(r Result, err error) { ch <- outcome{r, err} })
	select {
	case o := <-ch:
		return o.r, o.err
	case <-ctx.Done():
		return Result{}, &im.Error{Code: im.Unavailable, Message: "the outcome is not known yet", Hint: "retry with the same client id"}
	}
}

// PurgeIdempotency forgets the keys of client ids that were made before a
// time, and returns how many there were. Whoever accepts client ids must
// refuse older ones from then on; callers keep at least 30 days.
func PurgeIdempotency(ctx context.Context, j Journal, before im.Micros) (int64, error) {
	e, ok := j.(*engine)
	if !ok {
		return 0, im.Errorf(im.Unsupported, "this journal keeps its keys for ever")
	}
	return e.reader.purge(ctx, FirstClientID(before), before)
}

// FirstClientID returns an id that no id made before t is greater than, and
// none made at t or later smaller than.
func FirstClientID(t im.Micros) (first im.ClientID) {
	ms := uint64(max(t, 0)) / 1000
	for i := range 6 {
		first[i] = byte(ms >> (40 - 8*i))
	}
	return first
}

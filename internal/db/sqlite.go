package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skein-im/skein/internal/im"
)

const (
	litePage     = 4096
	liteFile     = "skein.db"
	liteReaders  = 8
	spareReaders = 2 // besides, for what is urgent
	liteWALPages = 16000
	liteBusyMS   = 10_000 // how long to wait for another process
	checkpointMS = 200    // how long a checkpoint may hold up writers to wait for readers
	statEvery    = 16     // commits between two looks at the log's size

	// What a connection may cache, in KiB: the writer keeps the ends of its
	// indexes, readers little.
	writerPragma = "PRAGMA cache_size = -32768"
	readerPragma = "PRAGMA cache_size = -4096"
)

// lite is an open SQLite folder.
type lite struct {
	clock im.Clock
	log   *slog.Logger
	sql   *sql.DB // opens connections; which is used for what is decided here

	wlock  chan struct{} // holds one token; who has it may use writer
	writer *liteConn     // guarded by wlock
	closed bool          // guarded by wlock

	slots chan struct{} // a token for each reader that may be at work
	spare chan struct{} // the same for urgent ones
	idle  idleReaders

	wal        string // path of the write-ahead log
	walLimit   int64  // bytes
	commits    uint   // guarded by wlock
	checkpoint chan struct{}
	took       prometheus.Observer // by checkpoints, in seconds
	stop       chan struct{}
	stopped    sync.WaitGroup
}

func openLite(ctx context.Context, dir string, o Options, took prometheus.Observer) (*lite, error) {
	path, err := filepath.Abs(filepath.Join(dir, liteFile))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); o.Existing && errors.Is(err, fs.ErrNotExist) {
		return nil, im.Errorf(im.NotFound, "there is no database in %s", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// SQLite would make the file readable for everybody; its log and index
	// inherit the mode.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	db, err := sql.Open(liteDriver, liteDSN(path))
	if err != nil {
		return nil, err
	}
	if o.Conns == 0 {
		o.Conns = liteReaders
	}
	if o.CheckpointPages == 0 {
		o.CheckpointPages = liteWALPages
	}
	l := &lite{clock: o.Clock, log: o.Log, sql: db, wlock: make(chan struct{}, 1),
		slots: make(chan struct{}, o.Conns), spare: make(chan struct{}, spareReaders), wal: path + "-wal", walLimit: int64(o.CheckpointPages) * litePage,
		checkpoint: make(chan struct{}, 1), took: took, stop: make(chan struct{})}
	if l.writer, err = l.connect(ctx, writerPragma); err != nil {
		return nil, errors.Join(mapError(err), db.Close())
	}
	for range o.Conns {
		l.slots <- struct{}{}
	}
	for range spareReaders {
		l.spare <- struct{}{}
	}
	l.wlock <- struct{}{}
	l.stopped.Add(2)
	go l.checkpoints()
	go l.trims()
	return l, nil
}

// liteDSN names the file.
func liteDSN(path string) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: liteOptions().Encode()}).String()
}

// litePragmas is what holds for every connection, in the order in which it has
// to be said: how long to wait first, because a change of journal_mode waits.
// cell_size_check finds more kinds of damage when a page is read and costs
// little.
func litePragmas() []string {
	return []string{fmt.Sprintf("PRAGMA busy_timeout = %d", liteBusyMS), fmt.Sprintf("PRAGMA page_size = %d", litePage),
		"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA wal_autocheckpoint = 0", "PRAGMA foreign_keys = 1",
		"PRAGMA cell_size_check = 1", "PRAGMA temp_store = MEMORY"}
}

// connect opens a connection; pragmas come on top of what every one has.
func (l *lite) connect(ctx context.Context, pragmas ...string) (*liteConn, error) {
	c, err := l.sql.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range append(litePragmas(), pragmas...) {
		if _, err := c.ExecContext(ctx, p); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return &liteConn{conn: c, stmts: map[string]*liteStmt{}}, nil
}

// lock takes the writing connection.
func (l *lite) lock(ctx context.Context) error {
	select {
	case <-l.wlock:
	case <-ctx.Done():
		return mapError(ctx.Err())
	}
	if l.closed {
		l.wlock <- struct{}{}
		return im.Errorf(im.Unavailable, "the database is closed")
	}
	return nil
}

func (l *lite) unlock() { l.wlock <- struct{}{} }

func (l *lite) write(ctx context.Context, fn func(Tx) error) error {
	if err := l.lock(ctx); err != nil {
		return err
	}
	defer l.unlock()
	defer l.grown()
	if l.writer.broken {
		var err error
		if l.writer, err = l.connect(ctx, writerPragma); err != nil {
			l.writer = &liteConn{broken: true}
			return mapError(err)
		}
	}
	return l.writer.transact(ctx, l.clock, "BEGIN IMMEDIATE", fn)
}

func (l *lite) read(ctx context.Context, urgent bool, fn func(Tx) error) error {
	slots := l.slots
	if urgent {
		slots = l.spare
	}
	select {
	case <-slots:
	case <-l.stop:
		return im.Errorf(im.Unavailable, "the database is closed")
	case <-ctx.Done():
		return mapError(ctx.Err())
	}
	defer func() { slots <- struct{}{} }()
	c := l.idle.take()
	if c == nil || c.broken {
		var err error
		if c, err = l.connect(ctx, readerPragma, "PRAGMA query_only = 1"); err != nil {
			return mapError(err)
		}
	}
	defer l.idle.put(c)
	return c.transact(ctx, l.clock, "BEGIN", fn)
}

// grown looks at the size of the log now and then and wakes the checkpointer.
func (l *lite) grown() {
	if l.commits++; l.commits%statEvery != 0 {
		return
	}
	if st, err := os.Stat(l.wal); err == nil && st.Size() >= l.walLimit {
		select {
		case l.checkpoint <- struct{}{}:
		default:
		}
	}
}

// checkpoints moves the log into the database file whenever it has grown.
func (l *lite) checkpoints() {
	defer l.stopped.Done()
	ctx := context.Background()
	var c *liteConn
	defer func() {
		if c != nil {
			_ = c.close()
		}
	}()
	for {
		select {
		case <-l.stop:
			return
		case <-l.checkpoint:
		}
		var err error
		if c == nil {
			c, err = l.connect(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", checkpointMS))
		}
		if err == nil {
			began := l.clock.Now()
			err = l.checkpointOnce(ctx, c)
			l.took.Observe(l.clock.Now().Sub(began).Seconds())
		}
		if err != nil {
			l.log.Warn("checkpoint", "err", err)
		}
	}
}

// checkpointOnce copies what it can while writers go on, until little is left,
// then holds the writers for the rest: only when every page is copied and
// nobody reads the log can the next writer start it afresh. Without the second
// step a busy writer is always ahead of the copy, and the log grows for ever.
//
// The file never shrinks, so a large file with few pages in use is normal: the
// answer of the first step tells, and the second is left out.
func (l *lite) checkpointOnce(ctx context.Context, c *liteConn) error {
	limit := l.walLimit / litePage
	for pass := 0; ; pass++ {
		_, pages, copied, err := c.checkpoint(ctx, "PASSIVE")
		if err != nil {
			return err
		}
		if int64(pages) < limit*3/4 && pass == 0 {
			return nil
		}
		if int64(pages-copied) < limit/16 || pass == 4 {
			break
		}
	}
	if err := l.lock(ctx); err != nil {
		return nil // closed
	}
	defer l.unlock()
	// RESTART also waits for the readers of the log, for checkpointMS at most;
	// when they take longer, the log grows on and the next call tries again.
	_, _, _, err := c.checkpoint(ctx, "RESTART")
	return err
}

func (l *lite) close() error {
	<-l.wlock
	if l.closed {
		l.unlock()
		return nil
	}
	l.closed = true
	l.unlock() // who waits finds it closed
	close(l.stop)
	l.stopped.Wait()
	var errs []error
	for _, slots := range []chan struct{}{l.slots, l.spare} { // who reads now ends first
		for range cap(slots) {
			<-slots
		}
	}
	for _, c := range l.idle.all() {
		errs = append(errs, c.close())
	}
	// The writer goes last: with the last connection SQLite copies the log
	// into the file and removes it.
	return errors.Join(append(errs, l.writer.close(), l.sql.Close())...)
}

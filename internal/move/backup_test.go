package move_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/move"
	"github.com/skein-im/skein/internal/pgtest"
)

func restore(t *testing.T, file []byte, d *db.DB) (move.Restored, error) {
	t.Helper()
	return move.Restore(t.Context(), bytes.NewReader(file), move.RestoreOptions{To: d, ToName: "there", Schema: makeSchema})
}

func TestBackupTakenUnderLoadRestoresToAPrefixOnEitherEngine(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		w := newWorld(t, from)
		w.others()
		w.fill(200)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if err := w.say(); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		var file bytes.Buffer
		m, err := move.Backup(t.Context(), w.d, &file, move.BackupOptions{Program: "test", Key: []byte("a key")})
		if err != nil {
			t.Fatal(err)
		}
		stop()
		wg.Wait()
		w.fill(50)
		if v, err := move.Verify(bytes.NewReader(file.Bytes())); err != nil || v.Entries != m.Entries || v.Sum != m.Sum || v.Bytes != int64(file.Len()) {
			t.Fatalf("%+v %v", v, err)
		}
		target := open(t, to)
		var key []byte
		r, err := move.Restore(t.Context(), bytes.NewReader(file.Bytes()), move.RestoreOptions{To: target, ToName: "there", Schema: makeSchema,
			Key: func(b []byte) error { key = bytes.Clone(b); return nil }})
		if err != nil {
			t.Fatal(err)
		}
		report := sound(t, target)
		if report.Entries != m.Entries || report.Incarnation != r.Fresh || r.Fresh == w.j.Incarnation() || string(key) != "a key" {
			t.Errorf("%+v %+v", report, r)
		}
		prefix(t, w.d, target, m.Heads)
		n := &world{t: t, d: target, n: w.n}
		n.open()
		n.fill(50)
		n.close()
		sound(t, target)
	})
}

// prefix checks that a restored store holds exactly the entries up to the
// heads, as they were or as they were before they were changed.
func prefix(t *testing.T, from, to *db.DB, heads []im.Pos) {
	t.Helper()
	type id struct {
		no  int64
		seq im.Seq
	}
	want := map[id]im.ClientID{}
	read := func(d *db.DB, each func(*journal.StoredEntry)) {
		err := d.Read(t.Context(), func(tx db.Tx) error {
			return journal.Audit(t.Context(), tx, func(s *journal.StoredEntry) error { each(s); return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read(from, func(s *journal.StoredEntry) {
		if s.Pos <= heads[s.Shard] {
			want[id{s.ConvNo, s.Seq}] = s.ClientID
		}
	})
	read(to, func(s *journal.StoredEntry) {
		k := id{s.ConvNo, s.Seq}
		if c, ok := want[k]; !ok || c != s.ClientID {
			t.Errorf("entry %v is none of the prefix", k)
		}
		delete(want, k)
	})
	if len(want) > 0 {
		t.Errorf("%d entries of the prefix are missing", len(want))
	}
}

func TestBackupOfAStandingStoreIsThatStore(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		w := newWorld(t, from)
		w.others()
		w.fill(120)
		w.close()
		var file bytes.Buffer
		if _, err := move.Backup(t.Context(), w.d, &file, move.BackupOptions{}); err != nil {
			t.Fatal(err)
		}
		target := open(t, to)
		if _, err := restore(t, file.Bytes(), target); err != nil {
			t.Fatal(err)
		}
		same(t, dump(t, w.d), dump(t, target))
		if _, err := restore(t, file.Bytes(), target); im.CodeOf(err) != im.FailedPrecondition || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("restored over a store that is used: %v", err)
		}
		before := dump(t, target)
		_, err := move.Restore(t.Context(), bytes.NewReader(file.Bytes()), move.RestoreOptions{To: target, Schema: makeSchema, Overwrite: true})
		if err != nil {
			t.Fatal(err)
		}
		same(t, before, dump(t, target))
	})
}

// small is a backup of a few entries.
func small(t *testing.T) []byte {
	t.Helper()
	w := newWorld(t, t.TempDir())
	w.others()
	w.fill(40)
	w.close()
	var file bytes.Buffer
	if _, err := move.Backup(t.Context(), w.d, &file, move.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestEveryFlippedBitOfABackupIsFound(t *testing.T) {
	file := small(t)
	for i := range file {
		b := bytes.Clone(file)
		b[i] ^= 1 << (i % 8)
		if _, err := move.Verify(bytes.NewReader(b)); err == nil {
			t.Fatalf("a flipped bit in byte %d of %d was not found", i, len(file))
		}
	}
}

func TestBackupThatIsCutOffOrGoesOnIsFound(t *testing.T) {
	file := small(t)
	for n := range len(file) {
		if _, err := move.Verify(bytes.NewReader(file[:n])); err == nil {
			t.Fatalf("%d bytes of %d pass for a backup", n, len(file))
		}
	}
	if _, err := move.Verify(bytes.NewReader(append(bytes.Clone(file), 0))); im.CodeOf(err) != im.DataLoss {
		t.Errorf("a byte too many: %v", err)
	}
	if _, err := move.Verify(bytes.NewReader(append(bytes.Clone(file), file...))); im.CodeOf(err) != im.DataLoss {
		t.Errorf("twice: %v", err)
	}
}

func TestDamagedBackupLeavesNothingThatCouldBeServed(t *testing.T) {
	for name, target := range map[string]string{"SQLite": t.TempDir(), "PostgreSQL": pgtest.DB(t)} {
		t.Run(name, func(t *testing.T) {
			file := small(t)
			d := open(t, target)
			if _, err := restore(t, file[:len(file)-10], d); im.CodeOf(err) != im.DataLoss {
				t.Fatal(err)
			}
			if _, err := journal.Open(t.Context(), d, journal.Options{}); im.CodeOf(err) != im.FailedPrecondition {
				t.Fatalf("what was restored in part opens: %v", err)
			}
			if _, err := restore(t, file, d); im.CodeOf(err) != im.FailedPrecondition {
				t.Fatalf("restored over what was restored in part: %v", err)
			}
			if _, err := move.Restore(t.Context(), bytes.NewReader(file), move.RestoreOptions{To: d, Schema: makeSchema, Overwrite: true}); err != nil {
				t.Fatal(err)
			}
			sound(t, d)
		})
	}
}

func TestDamagedEntryStaysDamagedThroughBackupAndMove(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.fill(30)
	w.close()
	w.exec("UPDATE entry SET body = $1 WHERE pos = 9", []byte("something else"))
	var file bytes.Buffer
	m, err := move.Backup(t.Context(), w.d, &file, move.BackupOptions{})
	if err != nil || m.Damaged != 1 {
		t.Fatal(m.Damaged, err)
	}
	restored, moved := open(t, t.TempDir()), open(t, pgtest.DB(t))
	if _, err := restore(t, file.Bytes(), restored); err != nil {
		t.Fatal(err)
	}
	mv, err := move.New(t.Context(), move.Options{From: w.d, To: moved, Schema: makeSchema})
	if err != nil {
		t.Fatal(err)
	}
	if err := mv.Copy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := mv.Switch(t.Context(), func(context.Context) error { return nil }); err != nil || r.Damaged != 1 {
		t.Fatal(r, err)
	}
	for _, d := range []*db.DB{restored, moved} {
		r := checkAll(t, d)
		if len(r) != 1 || r[0] != "hash" {
			t.Errorf("the damage shows as %v", r)
		}
	}
}

// Thousands of entries are read at once. Were they written as one chunk, it
// could be larger than any reader takes.
func TestLargeEntriesAreBackedUpInChunksOfABoundedSize(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.fill(1)
	for i := range 5 {
		id, err := im.NewClientID(time.Now(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		_, err = journal.AppendWait(t.Context(), w.j, &journal.Append{App: "demo", Conv: "g1", Kind: im.KindMessage, Sender: "ann", Device: "phone",
			ClientID: id, ACLVersion: -1, Body: bytes.Repeat([]byte{byte(i)}, 12<<20)})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.close()
	var file bytes.Buffer
	if _, err := move.Backup(t.Context(), w.d, &file, move.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	d := open(t, t.TempDir())
	if r, err := restore(t, file.Bytes(), d); err != nil || r.Entries != 6 {
		t.Fatal(r.Entries, err)
	}
	sound(t, d)
	chunks := 0
	for b := file.Bytes()[bytes.IndexByte(file.Bytes(), '\n')+1:]; len(b) > 0; {
		n := 5 + int(binary.BigEndian.Uint32(b)) + sha256.Size
		if b[4] == 'e' {
			chunks++
		}
		b = b[n:]
	}
	if chunks != 3 {
		t.Errorf("60 MiB of entries are in %d chunks, want 3", chunks)
	}
}

func TestWriterThatFailsFailsTheBackup(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.fill(5)
	if _, err := move.Backup(t.Context(), w.d, full{}, move.BackupOptions{}); !errors.Is(err, io.ErrShortWrite) {
		t.Fatal(err)
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestSecretsAreInABackupOnlyWhenTheyWereAskedFor(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.fill(5)
	var file bytes.Buffer
	m, err := move.Backup(t.Context(), w.d, &file, move.BackupOptions{})
	if err != nil || m.WithKey {
		t.Fatal(m.WithKey, err)
	}
	asked := false
	_, err = move.Restore(t.Context(), bytes.NewReader(file.Bytes()), move.RestoreOptions{To: open(t, t.TempDir()), Schema: makeSchema,
		Key: func([]byte) error { asked = true; return nil }})
	if err != nil || asked {
		t.Fatal("a key came out of a backup without one", err)
	}
}

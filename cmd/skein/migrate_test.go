package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/move"
	"github.com/skein-im/skein/internal/pgtest"
)

// notice is a log that tells of its first line.
type notice struct {
	once sync.Once
	said chan struct{}
}

// Write implements io.Writer.
func (n *notice) Write(p []byte) (int, error) {
	n.once.Do(func() { close(n.said) })
	return len(p), nil
}

func TestServerWaitsForACopyIntoItsDatabaseAndRefusesOneThatWasInterrupted(t *testing.T) {
	d, err := db.Open(t.Context(), pgtest.DB(t), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := awaitWhole(t.Context(), d, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatalf("an empty database: %v", err)
	}
	if err := makeTables(0)(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	mark := func(fn func(db.Tx) error) {
		t.Helper()
		if err := d.Write(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	mark(func(tx db.Tx) error { return journal.SetMark(tx, journal.Mark{Where: "/var/lib/skein", Run: "r"}) })
	if err := awaitWhole(t.Context(), d, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Fatalf("a copy that nobody makes: %v", err)
	}
	release, err := move.Hold(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := move.Hold(t.Context(), d); im.CodeOf(err) != im.FailedPrecondition {
		t.Errorf("two copies at once: %v", err)
	}
	n := &notice{said: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- awaitWhole(context.Background(), d, slog.New(slog.NewTextHandler(n, nil))) }()
	<-n.said
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	mark(journal.ClearMark)
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestNamesOfStoresShowNoPasswords(t *testing.T) {
	for in, want := range map[string]string{
		"postgres://skein:secret@db.internal:5432/skein?sslmode=require":    "postgres://db.internal:5432/skein",
		"postgresql://u:secret@/skein?host=/run/postgresql&password=secret": "postgres:///run/postgresql/skein",
		"/var/lib/skein": "/var/lib/skein",
	} {
		if got := shown(in); got != want || strings.Contains(got, "secret") {
			t.Errorf("%s is shown as %s", in, got)
		}
	}
}

// Every table of the server is one that a copy knows what to do with.
func TestEveryTableOfTheServerCanBeCopied(t *testing.T) {
	d, err := db.Open(t.Context(), t.TempDir(), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := makeTables(0)(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	m, err := move.Backup(t.Context(), d, &file, move.BackupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, table := range m.Tables {
		names = append(names, table.Name)
	}
	// A table that is new here has to be in this list, so that somebody has
	// thought about it: is it a fact (copied), or made from facts (ownTables)?
	want := "app app_count app_origin app_secret app_user broadcast burning call call_party call_recording call_track conversation device device_token fence fence_head file file_app file_bytes file_media file_preview file_ref file_store file_trash file_upload file_user idempotency job join_allowed join_ban join_gate join_invite join_request join_told join_use membership profile profile_field quota_day scheduled signin_code user_erasure user_follow user_follow_count user_status"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("copied are %s", got)
	}
}

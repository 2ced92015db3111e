package skein_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	skein "github.com/skein-im/skein/sdk/go"
)

func TestAnUploadIsPausedResumedAndCancelled(t *testing.T) {
	s := serve(t)
	store := skein.NewMemoryStore()
	kept := func(o *skein.Options) { o.Store = store }
	body := noise(6, 20*mib)
	open := func(o *skein.Options) {
		o.OpenUpload = func(ref string) (io.ReaderAt, int64, error) {
			if ref != "asset-7" {
				return nil, 0, errors.New("unknown")
			}
			return bytes.NewReader(body), int64(len(body)), nil
		}
	}
	a, b := s.connected("alice", kept), s.connected("bob")
	g := newGate(body, 10*mib)
	up := g.upload("film.bin")
	up.Ref = "asset-7"
	_, err := a.With("bob").Enqueue(soon(t), skein.Outgoing{Files: []skein.Upload{up}})
	must(t, err)
	within(t, "10 MiB", g.there)
	tr := a.Uploads()[0]
	must(t, tr.Pause(soon(t)))
	close(g.opened)
	until(t, a, "that it is paused", func() bool { return a.Uploads()[0].State == skein.TransferPaused })
	a.Close()

	// Paused it stays, in another process too.
	a = s.connected("alice", kept, open)
	if tr = a.Uploads()[0]; tr.State != skein.TransferPaused {
		t.Fatalf("after a restart: %+v", tr)
	}
	must(t, tr.Resume(soon(t)))
	reads(t, b, only(t, b, b.With("alice")), 0, body)
	until(t, a, "nothing on its way", func() bool { return len(a.Uploads()) == 0 })
	if err := tr.Pause(soon(t)); skein.CodeOf(err) != skein.NotFound {
		t.Errorf("pause of what is sent: %v", err)
	}

	// Cancelled, by the transfer and by the context of Send, it is gone here and there.
	g = newGate(body, 5*mib)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := a.With("carol").Send(ctx, skein.Outgoing{Files: []skein.Upload{g.upload("x")}})
		ended <- err
	}()
	within(t, "5 MiB", g.there)
	cancel()
	if err := <-ended; skein.CodeOf(err) != skein.Aborted {
		t.Errorf("Send said %v", err)
	}
	close(g.opened)
	g = newGate(body, 5*mib)
	_, err = a.With("carol").Enqueue(soon(t), skein.Outgoing{Files: []skein.Upload{g.upload("y")}})
	must(t, err)
	within(t, "5 MiB", g.there)
	must(t, a.Uploads()[0].Cancel(soon(t)))
	close(g.opened)
	if list, err := a.With("carol").Messages(soon(t), 10); err != nil || len(list) != 0 || len(a.Uploads()) != 0 {
		t.Errorf("left over: %+v, %+v, %v", list, a.Uploads(), err)
	}

	// What was a Reader and nobody opens again fails, and says why.
	g = newGate(body, 5*mib)
	defer close(g.opened)
	_, err = a.With("carol").Enqueue(soon(t), skein.Outgoing{Files: []skein.Upload{g.upload("z")}})
	must(t, err)
	within(t, "5 MiB", g.there)
	go a.Close() // it waits for the reader
	a2 := s.client("alice", func(o *skein.Options) { o.Store = copied(t, store) })
	defer a2.Close()
	must(t, a2.Connect(soon(t)))
	until(t, a2, "the failure", func() bool { list := a2.Uploads(); return len(list) == 1 && list[0].State == skein.TransferFailed })
	if err := a2.Uploads()[0].Err; err.Code != skein.FailedPrecondition || err.Hint == "" {
		t.Errorf("it failed with %v", err)
	}
}

// copied is a store with what another one has.
func copied(t *testing.T, s *skein.MemoryStore) *skein.MemoryStore {
	t.Helper()
	saved, err := s.Load(t.Context())
	must(t, err)
	out := skein.NewMemoryStore()
	must(t, out.Apply(t.Context(), skein.Batch{Meta: &saved.Meta, Conversations: saved.Conversations, Items: saved.Outbox}))
	return out
}

func TestWhatIsDoneToAMessageWaitsForItsFiles(t *testing.T) {
	s := serve(t)
	a, b := s.connected("alice"), s.connected("bob")
	v := a.With("bob")
	g := newGate(noise(16, 3*mib), mib)
	m, err := v.Enqueue(soon(t), skein.Outgoing{Files: []skein.Upload{g.upload("x.bin")}})
	must(t, err)
	within(t, "1 MiB", g.there)
	done := make(chan error, 2)
	go func() { done <- v.React(soon(t), m, "👍") }()
	until(t, a, "the reaction of one's own", func() bool {
		list, err := v.Messages(soon(t), 1)
		return err == nil && len(list) == 1 && list[0].Pending
	})
	_, err = v.Send(soon(t), skein.Outgoing{Text: "faster"}) // others do not wait for it
	must(t, err)
	close(g.opened)
	must(t, <-done)
	until(t, b, "all three", func() bool {
		list, err := b.With("alice").Messages(soon(t), 10)
		return err == nil && len(list) == 2 && list[0].Text == "faster" && len(list[1].Reactions) == 1
	})

	// With the message goes what waits for it.
	g = newGate(noise(17, 3*mib), mib)
	defer close(g.opened)
	m, err = v.Enqueue(soon(t), skein.Outgoing{Files: []skein.Upload{g.upload("y.bin")}})
	must(t, err)
	within(t, "1 MiB", g.there)
	go func() { done <- v.Recall(soon(t), m) }()
	until(t, a, "the recall", func() bool {
		list, err := v.Messages(soon(t), 1)
		return err == nil && list[0].Recalled
	})
	must(t, v.Discard(soon(t), m))
	if err := <-done; skein.CodeOf(err) != skein.FailedPrecondition {
		t.Errorf("the recall of what was discarded: %v", err)
	}
}

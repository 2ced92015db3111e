package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/skein-im/skein/internal/bench"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// searchReport is what "bench search" prints.
type searchReport struct {
	Kind          string  `json:"kind"`
	Messages      int     `json:"messages"`
	Conversations int     `json:"conversations"`
	Mine          int     `json:"conversations_of_the_asker"`
	IndexPerS     float64 `json:"index_per_s"` // messages indexed a second after the start, nothing else to do
	Queries       int     `json:"queries"`
	Found         int     `json:"queries_with_hits"`
	P50           float64 `json:"p50_ms"` // of a query over HTTP, one after the other
	P95           float64 `json:"p95_ms"`
	P99           float64 `json:"p99_ms"`
	Max           float64 `json:"max_ms"`
	engine
}

// searchQueries is how many queries are made; one in five is within one
// conversation.
const searchQueries = 1000

// indexPatience bounds the wait for the index, for each million messages.
const indexPatience = 10 * time.Minute

func benchSearch(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	r := searchReport{Kind: "search", Messages: f.messages, Conversations: f.conversations, Mine: max(f.conversations/10, 1), engine: f.engine()}
	if f.endpoint != "" || f.conversations < 10 || f.messages < f.conversations {
		return fmt.Errorf("search starts a server of its own; --conversations starts at 10, and each gets a message at least")
	}
	sv, err := newChild(ctx, f, stderr)
	if err != nil {
		return err
	}
	defer sv.end()
	fmt.Fprintf(stderr, "%d messages in %d conversations\n", f.messages, f.conversations)
	if err := sv.talk(ctx, f.messages, f.conversations, r.Mine); err != nil {
		return err
	}
	sv.serve = append(sv.serve, "--limits-call-rate", "1000000", "--limits-call-burst", "1000000")
	began := time.Now()
	if err := sv.start(); err != nil {
		return err
	}
	fmt.Fprintln(stderr, "the index is made")
	if err := sv.indexed(ctx, f.messages); err != nil {
		return err
	}
	r.IndexPerS = float64(f.messages) / time.Since(began).Seconds()
	corpus := bench.NewCorpus(2)
	queries := make([]string, searchQueries)
	for i := range queries {
		queries[i] = corpus.Query()
	}
	run, err := bench.Search(ctx, sv.target(), bench.SearchOptions{User: reader, Queries: queries, Within: func(i int) im.ConvID {
		if i%5 > 0 {
			return ""
		}
		return im.Direct(partner(i%r.Mine), reader)
	}})
	if err != nil {
		return err
	}
	n := len(run.Took)
	r.Queries, r.Found = n, run.Found
	r.P50, r.P95, r.P99, r.Max = ms(run.Took[n/2]), ms(run.Took[n*95/100]), ms(run.Took[n*99/100]), ms(run.Took[n-1])
	return printReport(stdout, r, nil)
}

func partner(i int) im.UserID { return im.UserID(fmt.Sprintf("p%05d", i)) }

// talk fills direct conversations with messages; the first ones are the
// reader's, the others those of two others.
func (c *child) talk(ctx context.Context, messages, conversations, mine int) error {
	j, front, err := c.frontDoor(ctx)
	if err != nil {
		return err
	}
	corpus := bench.NewCorpus(1)
	texts := make([]string, messages)
	for i := range texts {
		texts[i] = corpus.Message()
	}
	err = bench.Each(messages, 512, func(i int) error {
		n := i % conversations
		other := reader
		if n >= mine {
			other = im.UserID(fmt.Sprintf("q%05d", n))
		}
		a := im.Actor{App: c.app, User: partner(n), Device: "bench"}
		_, err := front.Send(ctx, a, chat.SendRequest{Conv: im.Direct(a.User, other), ClientID: bench.ClientID(uint32(i), 3), Body: bench.TextBody(texts[i])})
		return err
	})
	if closing := j.Close(ctx); err == nil {
		err = closing
	}
	return err
}

// indexed waits until so many messages are in the index.
func (c *child) indexed(ctx context.Context, messages int) error {
	ctx, cancel := context.WithTimeout(ctx, indexPatience*time.Duration(1+messages/1_000_000))
	defer cancel()
	for tick := time.NewTicker(500 * time.Millisecond); ; {
		var n int
		err := c.db.Read(ctx, func(tx db.Tx) error {
			return tx.QueryRow("SELECT CAST(coalesce(sum(pos), 0) AS BIGINT) FROM follower WHERE name = 'search'").Scan(&n)
		})
		if err == nil && n >= messages {
			tick.Stop()
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the index has %d of %d messages: %w", n, messages, ctx.Err())
		}
	}
}

package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	skein "github.com/skein-im/skein/sdk/go"
	"github.com/skein-im/skein/sdk/go/sqlitestore"
)

func TestAFileOfTheGoSDKOutlivesItsProcessTheServerAndTheNetwork(t *testing.T) {
	for name, of := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outlives(t, of(t), uploader{program: []string{os.Args[0], asGoClient}, dies: true}, func(w *world) {
				c, err := goUser(w.node.URL(), "shop", "bob", w.app.Token("bob"), nil)
				must(t, err)
				defer c.Close()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				must(t, c.Connect(ctx))
				list, err := c.With("ann").Messages(ctx, 10)
				must(t, err)
				if len(list) != 1 || list[0].Text != "the film" || len(list[0].Attachments) != 1 || list[0].Attachments[0].Size != uint64(size()) {
					t.Errorf("bob has %+v", list)
				}
			})
		})
	}
}

// asGoClient is the first argument of a process that sends a file by the Go SDK.
const asGoClient = "go-client"

// goClient sends a file as an app does that may be killed at any moment, and
// goes on with what the process before it had begun: ENDPOINT APP TOKEN FILE
// STATE. It prints the file's id when the message is sent.
func goClient(args []string) int {
	id, err := goSend(args[0], args[1], args[2], args[3], args[4])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(id)
	return 0
}

func goUser(endpoint, app, user, token string, store skein.Store) (*skein.Client, error) {
	return skein.New(skein.Options{Endpoint: endpoint, AppID: app, User: user, Store: store, Token: func(context.Context) (string, error) { return token, nil }})
}

func goSend(endpoint, app, token, file, state string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	store, err := sqlitestore.Open(state)
	if err != nil {
		return "", err
	}
	defer store.Close()
	c, err := goUser(endpoint, app, "ann", token, store)
	if err != nil {
		return "", err
	}
	defer c.Close()
	bell := make(chan struct{}, 1)
	ring := func() {
		select {
		case bell <- struct{}{}:
		default:
		}
	}
	c.OnMessageUpdated(func(skein.MessageEvent) { ring() })
	c.OnMessage(func(skein.MessageEvent) { ring() })
	bob := c.With("bob")
	if err := c.Connect(ctx); err != nil {
		return "", err
	}
	for {
		list, err := bob.Messages(ctx, 10)
		if err != nil {
			return "", err
		}
		switch {
		case len(list) == 0:
			_, err = bob.Enqueue(ctx, skein.Outgoing{Text: "the film", Files: []skein.Upload{{Path: file, Name: "film.bin"}}})
		case len(list) > 1:
			err = fmt.Errorf("%d messages", len(list))
		case list[0].State == skein.Sent:
			return list[0].Attachments[0].File, nil
		case list[0].State == skein.Failed:
			err = list[0].Err
		}
		if err != nil {
			return "", err
		}
		select {
		case <-bell:
		case <-ctx.Done():
			return "", errors.New("it was not sent in time")
		}
	}
}

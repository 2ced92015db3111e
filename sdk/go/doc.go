// Package skein is the Go client of Skein: instant messaging for servers,
// bots and desktop programs.
//
// A Client is one device of one user. It keeps what it knows in a Store,
// connects, catches up with what it missed, and tells its handlers what
// happens. Conversations are values to hold:
//
//	client, err := skein.New(skein.Options{
//		Endpoint: "https://im.example.com",
//		AppID:    "demo",
//		Token:    func(ctx context.Context) (string, error) { return myBackEnd.Token(ctx) },
//	})
//	...
//	bob := client.With("bob")
//	sent, err := bob.Send(ctx, skein.Outgoing{Text: "hi"})
//
// What it promises (docs/sdk-spec.md): a message is in the store before Send
// goes on, and is sent until the server has answered, over lost connections
// and restarts, exactly once; nothing is shown out of order or across a gap;
// and there is no place for a secret, since tokens come from the app's own
// back end.
//
// Inside, three step machines (the reducer, the connection, the outbox) are
// driven by one goroutine. They are specified in docs/sdk-spec.md and pinned
// by the vectors in sdk/testdata, which every SDK keeps.
package skein

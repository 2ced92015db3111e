package skein_test

import (
	"context"
	"fmt"
	"log"

	skein "github.com/skein-im/skein/sdk/go"
)

// A bot that answers, and a user who talks to it. demoServer stands for your
// server: give Endpoint, AppID and a Token function that asks your back end.
func Example() {
	server := demoServer()
	ctx := context.Background()

	bot, err := skein.New(server.Options("echo-bot"))
	if err != nil {
		log.Fatal(err)
	}
	defer bot.Close()
	bot.OnMessage(func(e skein.MessageEvent) {
		if _, err := e.Conversation.Send(ctx, skein.Outgoing{Text: "You said: " + e.Message.Text, ReplyTo: e.Message.Seq}); err != nil {
			log.Print(err)
		}
	})
	if err := bot.Connect(ctx); err != nil {
		log.Fatal(err)
	}

	ann, err := skein.New(server.Options("ann"))
	if err != nil {
		log.Fatal(err)
	}
	defer ann.Close()
	answer := make(chan skein.Message, 1)
	ann.OnMessage(func(e skein.MessageEvent) { answer <- e.Message })
	if err := ann.Connect(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := ann.With("echo-bot").Send(ctx, skein.Outgoing{Text: "hello"}); err != nil {
		log.Fatal(err)
	}
	fmt.Println((<-answer).Text)

	for page, err := range ann.With("echo-bot").History(ctx, skein.HistoryOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		for _, m := range page {
			fmt.Println(m.Seq, m.Sender+":", m.Text)
		}
	}
	// Output:
	// You said: hello
	// 1 ann: hello
	// 2 echo-bot: You said: hello
}

// demoServer is a server in this process.
func demoServer() skein.DemoServer { return skein.NewDemoServer() }

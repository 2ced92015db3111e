// Command go-bot is a bot in Go. It answers commands in every conversation
// that it is in, rolls dice, reminds, takes polls, and counts who wrote how
// much. It runs beside your back end, so it may hold the app's secret and sign
// its own tokens.
package main

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"time"

	skein "github.com/skein-im/skein/sdk/go"
)

const help = `I know these:
/roll 2d6 – throw dice
/remind 10m tea – write "tea" in ten minutes
/poll Where to? | Sea | Mountains – a question to react to
/stats – who wrote how much here`

// env is a variable of the environment, with a default.
func env(name, otherwise string) string { return cmp.Or(os.Getenv(name), otherwise) }

// sign makes a token for the bot's own user: a JWT that is good for an hour.
func sign(context.Context) (string, error) {
	part := func(v map[string]any) string {
		b, _ := json.Marshal(v) // strings and numbers always have an encoding
		return base64.RawURLEncoding.EncodeToString(b)
	}
	now := time.Now().Unix()
	text := part(map[string]any{"alg": "HS256", "typ": "JWT", "kid": os.Getenv("SKEIN_KID")}) + "." +
		part(map[string]any{"iss": env("SKEIN_APP", "demo"), "sub": "bot", "aud": "skein", "iat": now, "exp": now + 3600})
	mac := hmac.New(sha256.New, []byte(os.Getenv("SKEIN_SECRET")))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	im, err := skein.New(skein.Options{Endpoint: env("SKEIN_ENDPOINT", "http://127.0.0.1:8080"), AppID: env("SKEIN_APP", "demo"),
		User: "bot", DeviceID: "bot", Platform: skein.Server, DeviceName: "the bot", Token: sign})
	if err != nil {
		log.Fatal(err)
	}
	defer im.Close()
	im.OnMessage(func(e skein.MessageEvent) {
		direct := e.Conversation.Kind() == skein.Direct
		if e.Message.Sender == "bot" || e.Message.Kind != skein.KindText || !direct && !strings.HasPrefix(e.Message.Text, "/") {
			return
		}
		go answer(ctx, e.Conversation, e.Message) // other commands do not wait for this one
	})
	if err := im.Connect(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("online as", im.UserID())
	<-ctx.Done()
}

// answer does what a command asks for.
func answer(ctx context.Context, c *skein.Conversation, m skein.Message) {
	verb, rest, _ := strings.Cut(strings.TrimSpace(m.Text), " ")
	text := help
	switch verb {
	case "/roll":
		text = roll(rest)
	case "/remind":
		text = remind(ctx, c, m, rest)
	case "/stats":
		text = stats(ctx, c)
	case "/poll":
		poll(ctx, c, rest)
		return
	}
	say(ctx, c, skein.Outgoing{Text: text, ReplyTo: m.Seq})
}

// say sends. The outbox keeps trying, so that only a refusal is an error.
func say(ctx context.Context, c *skein.Conversation, o skein.Outgoing) {
	if _, err := c.Send(ctx, o); err != nil {
		log.Print(err)
	}
}

func roll(dice string) string {
	n, sides := 1, 6
	if _, err := fmt.Sscanf(dice, "%dd%d", &n, &sides); dice != "" && err != nil || n < 1 || n > 100 || sides < 2 || sides > 1000 {
		return "Write it like this: /roll 2d6"
	}
	sum := 0
	for range n {
		sum += 1 + rand.IntN(sides)
	}
	return fmt.Sprintf("🎲 %d", sum)
}

func remind(ctx context.Context, c *skein.Conversation, m skein.Message, rest string) string {
	after, what, _ := strings.Cut(rest, " ")
	d, err := time.ParseDuration(after)
	if err != nil || d <= 0 || what == "" {
		return "Write it like this: /remind 10m tea"
	}
	time.AfterFunc(d, func() {
		say(ctx, c, skein.Outgoing{Text: "⏰ " + what, ReplyTo: m.Seq, Mentions: []string{m.Sender}})
	})
	return "I will."
}

func poll(ctx context.Context, c *skein.Conversation, rest string) {
	numbers := []string{"1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣"}
	lines := strings.Split(rest, "|")
	options := lines[1:min(len(lines), len(numbers)+1)]
	text := "📊 " + strings.TrimSpace(lines[0])
	for i, option := range options {
		text += "\n" + numbers[i] + " " + strings.TrimSpace(option)
	}
	sent, err := c.Send(ctx, skein.Outgoing{Text: text})
	for i := 0; err == nil && i < len(options); i++ {
		err = c.React(ctx, sent, numbers[i])
	}
	if err != nil {
		log.Print(err)
	}
}

func stats(ctx context.Context, c *skein.Conversation) string {
	count := map[string]int{}
	for page, err := range c.History(ctx, skein.HistoryOptions{Limit: 200}) {
		if err != nil {
			return "I could not read everything: " + err.Error()
		}
		for _, m := range page {
			count[m.Sender]++
		}
	}
	return strings.TrimPrefix(fmt.Sprint(count), "map")
}

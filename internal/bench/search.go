package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// Corpus makes messages of about the length that people write, half of them
// Chinese, out of words that are as unevenly common as those of languages are.
type Corpus struct {
	rng   *rand.Rand
	words *rand.Zipf
	signs *rand.Zipf
}

// Sizes of a corpus's vocabulary.
const (
	corpusWords = 20_000
	corpusSigns = 3_000
)

// NewCorpus makes a corpus; the same seed makes the same messages.
func NewCorpus(seed uint64) *Corpus {
	r := rand.New(rand.NewPCG(seed, 1))
	return &Corpus{rng: r, words: rand.NewZipf(r, 1.1, 8, corpusWords-1), signs: rand.NewZipf(r, 1.05, 40, corpusSigns-1)}
}

// word is the nth most common word.
func word(n uint64) string {
	const consonants, vowels = "bdfgklmnprstvz", "aeiou"
	var b strings.Builder
	for n += 30; n > 0; n /= 70 {
		b.WriteByte(consonants[n%14])
		b.WriteByte(vowels[n/14%5])
	}
	return b.String()
}

// sign is the nth most common character.
func sign(n uint64) string { return string(rune(0x4e00 + n*6)) }

// Message returns the next one.
func (c *Corpus) Message() string {
	var b strings.Builder
	if c.rng.IntN(2) == 0 {
		for i := range 4 + c.rng.IntN(12) {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(word(c.words.Uint64()))
		}
		return b.String()
	}
	for i := range 8 + c.rng.IntN(24) {
		if i > 0 && c.rng.IntN(8) == 0 {
			b.WriteString("，")
		}
		b.WriteString(sign(c.signs.Uint64()))
	}
	return b.String()
}

// Query returns something to search: a word, two, the beginning of one, or two
// to four characters of a message that there is.
func (c *Corpus) Query() string {
	said := c.Message()
	if strings.Contains(said, " ") {
		words := strings.Fields(said)
		switch w := words[c.rng.IntN(len(words))]; c.rng.IntN(3) {
		case 0:
			return w + " " + words[c.rng.IntN(len(words))]
		case 1:
			return w[:min(len(w), 4)]
		default:
			return w + " "
		}
	}
	runs := strings.FieldsFunc(said, func(r rune) bool { return r == '，' })
	run := []rune(runs[c.rng.IntN(len(runs))])
	n := min(len(run), 2+c.rng.IntN(3))
	at := c.rng.IntN(len(run) - n + 1)
	return string(run[at : at+n])
}

// SearchOptions is somebody who searches, one query after the other.
type SearchOptions struct {
	User    im.UserID
	Queries []string
	// Within returns a conversation to search in, "" = all.
	Within func(i int) im.ConvID
}

// SearchRun is what the queries took, ascending, and how many found something.
type SearchRun struct {
	Took  []time.Duration
	Found int
	Hits  int
}

// Search makes the queries over HTTP.
func Search(ctx context.Context, t *Target, o SearchOptions) (r SearchRun, err error) {
	token, err := t.Token(o.User)
	if err != nil {
		return r, err
	}
	base := "http" + strings.TrimSuffix(strings.TrimPrefix(t.URL, "ws"), "/v1/socket")
	client := skeinv1connect.NewSearchServiceClient(http.DefaultClient, base)
	for i, q := range o.Queries {
		req := connect.NewRequest(&skeinv1.SearchMessagesRequest{Query: q, Conversation: string(o.Within(i))})
		req.Header().Set("Authorization", "Bearer "+token)
		req.Header().Set("Skein-App", string(t.App))
		began := time.Now()
		res, err := client.SearchMessages(ctx, req)
		if err != nil {
			return r, fmt.Errorf("search %q: %w", q, err)
		}
		r.Took = append(r.Took, time.Since(began))
		if len(res.Msg.Hits) > 0 {
			r.Found++
		}
		r.Hits += len(res.Msg.Hits)
	}
	slices.Sort(r.Took)
	return r, nil
}

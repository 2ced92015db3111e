package search

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Bounds of a search.
const (
	maxQuery  = 256
	defaultN  = 20
	maxN      = 50
	maxPlaces = 10_000
	// The index is asked for the app's messages, and what is not the caller's
	// is passed over: enough for what is rare and for whoever is in a good part
	// of the conversations. After so many candidates, and some for each mark of
	// the caller's, because looking one up costs what passing over some does, the
	// index is asked for what has one of these marks, too, when they are few.
	openly   = 200
	perMark  = 5
	fewMarks = 300
	// scanned bounds the candidates of one call: what is full of hits that the
	// caller may not read costs a short page rather than a slow one.
	scanned   = 2000
	candidate = 100 // candidates read at a time
)

// Search answers SearchMessages.
func (s *Service) Search(ctx context.Context, actor im.Actor, r *skeinv1.SearchMessagesRequest) (*skeinv1.SearchMessagesResponse, error) {
	q, err := s.compile(ctx, actor, r)
	out := &skeinv1.SearchMessagesResponse{}
	if err != nil || q == nil {
		return out, err
	}
	for seen := 0; seen < scanned; seen += candidate {
		q.narrow = seen >= openly+perMark*len(q.any)
		list, err := s.candidates(ctx, q)
		if err != nil {
			return nil, err
		}
		end := len(list) < candidate
		for len(list) > 0 {
			n := q.enough(list, q.limit-len(out.Hits))
			entries, err := s.read(ctx, actor, q, list[:n])
			if err != nil {
				return nil, err
			}
			for i := range n {
				q.last = list[i].key
				if h := hit(q, entries[list[i].place]); h != nil {
					out.Hits = append(out.Hits, h)
				}
			}
			if list = list[n:]; len(out.Hits) == q.limit {
				if len(list) > 0 || !end {
					out.NextPage = s.seal(actor, q)
				}
				return out, nil
			}
		}
		if end {
			return out, nil
		}
	}
	out.NextPage = s.seal(actor, q)
	return out, nil
}

// enough returns how many of the candidates have so many among them that may
// be hits: more need not be read before these have been.
func (q *query) enough(list []found, hits int) int {
	for i := range list {
		if q.mine == nil || q.mine[list[i].conv] {
			if hits--; hits == 0 {
				return i + 1
			}
		}
	}
	return len(list)
}

// query is a request as the index is asked.
type query struct {
	app    im.AppID
	list   string // all that was asked for, but the page
	limit  int
	terms  []term
	kind   skeinv1.SearchKind // 0 = any
	must   []string           // tokens, all of them
	starts []string           // and one of these, when there are any: a short beginning of a word
	prefix string             // or, longer, what a token begins with
	any    []string           // marks of what is the caller's, when they are few
	narrow bool               // ask for one of those, too
	mine   map[im.ConvID]bool
	after  int64 // times from here on
	before int64 // and before this
	last   key   // the candidate that was looked at last
}

// compile checks a request; nil when it can find nothing.
func (s *Service) compile(ctx context.Context, actor im.Actor, r *skeinv1.SearchMessagesRequest) (*query, error) {
	q := &query{app: actor.App, kind: r.Kind, limit: int(r.Limit), terms: parse(r.Query), last: key{math.MaxInt64, math.MaxInt64}, before: math.MaxInt64}
	in := scope(actor.App)
	if q.limit == 0 {
		q.limit = defaultN
	}
	filtered := r.Conversation != "" || r.Sender != "" || r.Kind != 0
	switch {
	case q.limit < 1 || q.limit > maxN:
		return nil, im.Errorf(im.InvalidArgument, "limit is 1 to %d", maxN)
	case len(r.Query) > maxQuery || !utf8.ValidString(r.Query):
		return nil, im.Errorf(im.InvalidArgument, "a query has at most %d bytes", maxQuery)
	case len(q.terms) > maxTerms:
		return nil, im.Errorf(im.InvalidArgument, "a query has at most %d words", maxTerms)
	case strings.TrimSpace(r.Query) == "" && !filtered:
		return nil, im.Errorf(im.InvalidArgument, "say what to search for, or where")
	case len(q.terms) == 0 && strings.TrimSpace(r.Query) != "": // signs alone
		return nil, nil
	case r.Sender != "" && !im.ValidName(r.Sender):
		return nil, im.Errorf(im.InvalidArgument, "sender is not a user id")
	case r.Conversation != "" && im.ConvID(r.Conversation).Kind() == im.ConvInvalid:
		return nil, nil // no conversation can have such an id
	}
	if err := q.times(r); err != nil {
		return nil, err
	}
	for i := range q.terms {
		t := &q.terms[i]
		if t.prefix {
			if q.prefix = in + string(t.runes); len(t.runes) <= maxBegin {
				q.starts, q.prefix = []string{q.prefix, in + begins + string(t.runes)}, ""
			}
			continue
		}
		for _, token := range t.tokens() {
			q.must = append(q.must, in+token)
		}
	}
	if r.Sender != "" {
		q.must = append(q.must, senderMark(actor.App, im.UserID(r.Sender)))
	}
	if err := s.page(actor, r, q); err != nil {
		return nil, err
	}
	if err := s.where(ctx, actor, r, q); err != nil || q.mine != nil && len(q.mine) == 0 {
		return nil, err
	}
	return q, nil
}

// times takes the bounds over.
func (q *query) times(r *skeinv1.SearchMessagesRequest) error {
	if r.AfterUs < 0 || r.BeforeUs < 0 {
		return im.Errorf(im.InvalidArgument, "times are microseconds since 1970")
	}
	q.after = r.AfterUs
	if r.BeforeUs > 0 {
		q.before = r.BeforeUs
	}
	return nil
}

// where narrows a query to what the actor is or was in. The app's back end
// sees all of its app.
func (s *Service) where(ctx context.Context, actor im.Actor, r *skeinv1.SearchMessagesRequest, q *query) error {
	if r.Kind != 0 && !slices.Contains(finer(), r.Kind) {
		q.must = append(q.must, kindMark(actor.App, r.Kind))
	}
	if !actor.Server {
		places, err := s.chat.Places(ctx, actor, maxPlaces)
		if err != nil {
			return err
		}
		q.mine = make(map[im.ConvID]bool, len(places))
		for _, p := range places {
			if r.Conversation == "" || p.Conv == im.ConvID(r.Conversation) {
				q.mine[p.Conv] = true
			}
		}
	}
	switch {
	case r.Conversation != "":
		q.must = append(q.must, convMark(actor.App, im.ConvID(r.Conversation)))
	case q.mine != nil:
		q.any = marksOf(actor, q.mine)
	}
	return nil
}

// marksOf returns marks of which each message of a user's conversations has
// one; nil when there are many.
func marksOf(actor im.Actor, mine map[im.ConvID]bool) []string {
	out := []string{senderMark(actor.App, actor.User), toMark(actor.App, actor.User)} // conversations of two
	for c := range mine {
		if c.Kind() != im.ConvDirect {
			out = append(out, convMark(actor.App, c))
		}
	}
	if len(out) > fewMarks {
		return nil
	}
	return out
}

// page goes on where the page before ended.
func (s *Service) page(actor im.Actor, r *skeinv1.SearchMessagesRequest, q *query) error {
	bare := proto.Clone(r).(*skeinv1.SearchMessagesRequest)
	bare.Page, bare.Limit = "", 0
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(bare)
	if err != nil {
		return im.Errorf(im.InvalidArgument, "the query is not UTF-8")
	}
	q.list = "search " + string(raw)
	after, err := s.pages.Open(actor, q.list, r.Page)
	if err != nil || after == "" {
		return err
	}
	q.last = key{int64(binary.BigEndian.Uint64([]byte(after))), int64(binary.BigEndian.Uint64([]byte(after[8:])))}
	return nil
}

func (s *Service) seal(actor im.Actor, q *query) string {
	return s.pages.Seal(actor, q.list, string(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(q.last.time)), uint64(q.last.doc))))
}

// place is where a message is.
type place struct {
	conv im.ConvID
	seq  im.Seq
}

// key is where a candidate stands among the others: by time, then by number.
type key struct{ time, doc int64 }

// found is a candidate.
type found struct {
	place
	key
}

// On SQLite, which has one shard, documents are numbered in the order of their
// times, and the index gives them in the order of their numbers: it is read
// from the newest on, and only as far as it takes. The numbers at which a time
// begins and ends bound it.
const lite = `SELECT d.conv, d.seq, d.doc, d.time FROM search_token CROSS JOIN search_doc d ON d.doc = search_token.rowid
WHERE search_token MATCH $1 AND search_token.rowid < $2
  AND search_token.rowid >= coalesce((SELECT doc FROM search_doc WHERE time >= $3 ORDER BY time, doc LIMIT 1), 9223372036854775807)
  AND search_token.rowid <= coalesce((SELECT doc FROM search_doc WHERE time < $4 ORDER BY time DESC, doc DESC LIMIT 1), -1)
  AND d.time >= $3 AND d.time < $4 AND d.app = $6
ORDER BY search_token.rowid DESC LIMIT $5`

const postgres = `SELECT conv, seq, doc, time FROM search_doc
WHERE tokens @@ $1::tsquery AND (time, doc) < ($7, $2) AND time >= $3 AND time < $4 AND app = $6 ORDER BY time DESC, doc DESC LIMIT $5`

// candidates asks the index.
func (s *Service) candidates(ctx context.Context, q *query) (out []found, err error) {
	err = s.db.Read(ctx, func(tx db.Tx) error {
		out = out[:0]
		text, args := lite, []any{q.expression(tx.Dialect()), q.last.doc, q.after, q.before, candidate, q.app}
		if tx.Dialect() == db.Postgres {
			text, args = postgres, append(args, q.last.time)
		}
		rows, err := db.QueryPlanned(tx, text, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var f found
			if err := rows.Scan(&f.conv, &f.seq, &f.doc, &f.time); err != nil {
				return err
			}
			out = append(out, f)
		}
		return rows.Err()
	})
	return out, err
}

// expression writes a query for an engine. Tokens are letters, digits, marks
// and characters of private use, so that quotes suffice.
func (q *query) expression(d db.Dialect) string {
	quote, and, or, not, prefix := `"`, " AND ", " OR ", " NOT ", "*"
	if d == db.Postgres {
		quote, and, or, not, prefix = "'", " & ", " | ", " & !", ":*"
	}
	one := func(tokens []string) string {
		return "(" + quote + strings.Join(tokens, quote+or+quote) + quote + ")"
	}
	parts := make([]string, 0, len(q.must)+2)
	for _, t := range q.must {
		parts = append(parts, quote+t+quote)
	}
	if slices.Contains(finer(), q.kind) {
		parts = append(parts, q.ofFiles(one, or, not))
	}
	if len(q.starts) > 0 {
		parts = append(parts, one(q.starts))
	}
	if q.prefix != "" {
		parts = append(parts, quote+q.prefix+quote+prefix)
	}
	if q.narrow && len(q.any) > 0 {
		parts = append(parts, one(q.any))
	}
	return strings.Join(parts, and)
}

// ofFiles asks for messages with files of one kind: those that have its mark,
// and those of an index that was made before files had kinds, which have the
// mark of all files and none of theirs. Of the latter some are not meant; hit
// tells.
func (q *query) ofFiles(one func([]string) string, or, not string) string {
	var others []string
	for _, k := range finer() {
		if k != q.kind {
			others = append(others, kindMark(q.app, k))
		}
	}
	return "(" + one([]string{kindMark(q.app, q.kind)}) + or +
		"(" + one([]string{kindMark(q.app, skeinv1.SearchKind_SEARCH_KIND_ATTACHMENT)}) + not + one(others) + "))"
}

// read reads candidates as the actor.
func (s *Service) read(ctx context.Context, actor im.Actor, q *query, list []found) (map[place]*im.Entry, error) {
	seqs := map[im.ConvID][]im.Seq{}
	var order []im.ConvID
	for _, f := range list {
		if q.mine != nil && !q.mine[f.conv] {
			continue
		}
		if seqs[f.conv] == nil {
			order = append(order, f.conv)
		}
		seqs[f.conv] = append(seqs[f.conv], f.seq)
	}
	out := make(map[place]*im.Entry, len(list))
	for _, c := range order {
		entries, err := s.chat.Glance(ctx, actor, c, seqs[c])
		if err != nil {
			return nil, err
		}
		for i := range entries {
			out[place{c, entries[i].Seq}] = &entries[i]
		}
	}
	return out, nil
}

// hit is a candidate as it is shown; nil when it is none after all: it cannot
// be read, or says something else by now.
func hit(q *query, e *im.Entry) *skeinv1.SearchHit {
	if e == nil {
		return nil
	}
	content := contentOf(e)
	if q.kind != 0 && !slices.Contains(kindsOf(content), q.kind) {
		return nil
	}
	text := words(content)
	spans, ok := matches(text, q.terms)
	if !ok {
		return nil
	}
	return &skeinv1.SearchHit{Entry: chat.ProtoEntry(e), Excerpt: excerpt(text, spans)}
}

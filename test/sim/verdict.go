package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skein "github.com/skein-im/skein/sdk/go"
)

// patience is how long a healed world has to come to rest: the longest
// back-off of the SDK, a few times.
const patience = 150 * time.Second

// settle heals everything and waits until nothing is under way any more.
func (w *world) settle() {
	w.heal()
	w.run(w.now+25*time.Second, nil) // what was crashed comes back
	for _, d := range w.devices {
		if d.client != nil {
			w.spawn(d.proc, d.client.Online)
		}
	}
	w.run(w.now+patience, func() bool { return len(w.broken) > 0 })
}

// verdict holds every device to the log and to a fresh device of its user.
func (w *world) verdict() {
	w.scan()
	for _, d := range w.devices {
		if !d.online() {
			w.fail("D8", "%s is not online when all is well again", d.name)
			return
		}
		if d.calls > 0 {
			w.fail("D8", "%s still waits for %d calls when all is well again", d.name, d.calls)
		}
	}
	w.checkSends()
	w.checkEffects()
	for _, reads := range []bool{false, true} {
		for _, user := range w.users {
			if w.checkUser(user, reads); len(w.broken) > 0 {
				return
			}
		}
		if reads {
			return
		}
		for _, d := range w.devices { // then all read everything, and sync
			c := d.client
			w.ask(d, func() error {
				for _, v := range c.Conversations() {
					if err := v.ReadAll(context.Background()); err != nil {
						return err
					}
				}
				return c.Self().ReadAll(context.Background())
			})
		}
		w.run(w.now+5*time.Second, func() bool { return len(w.broken) > 0 })
		for _, d := range w.devices {
			for _, c := range w.socksOf(d) {
				c.abort()
			}
		}
		w.run(w.now+patience, func() bool { return len(w.broken) > 0 })
	}
}

// ask runs something that waits on a device's process, and lets time pass
// until it has ended.
func (w *world) ask(d *device, fn func() error) bool {
	done := false
	var err error
	w.spawn(d.proc, func() {
		err = fn()
		done = true
	})
	w.run(w.now+patience, func() bool { return done || len(w.broken) > 0 })
	if !done {
		w.fail("D8", "%s does not answer", d.name)
	} else if err != nil {
		w.fail("I10", "%v", err)
	}
	return done && err == nil
}

// checkUser compares the devices of a user with a fresh one.
func (w *world) checkUser(user string, reads bool) {
	fresh := &device{w: w, name: fmt.Sprint(user, "/new", reads), user: user, id: fmt.Sprint(user, "-new", reads), store: skein.NewMemoryStore()}
	w.serials[fresh.name] = 1
	fresh.start()
	w.run(w.now+patience, fresh.online)
	if !fresh.online() {
		w.fail("D8", "a fresh device of %s does not come online", user)
		return
	}
	var truth []string
	if !w.ask(fresh, func() (err error) { truth, err = fresh.dump(true); return err }) {
		return
	}
	w.checkTruth(fresh, truth)
	if !reads && !w.ask(fresh, func() (err error) { truth, err = fresh.dump(false); return err }) {
		return
	}
	for _, d := range w.devices {
		if d.user != user {
			continue
		}
		var mine []string
		if !w.ask(d, func() (err error) { mine, err = d.dump(reads); return err }) {
			return
		}
		if diff := difference(mine, truth, d.id, fresh.id); diff != "" {
			w.fail("I2", "%s is not as a fresh device:\n%s", d.name, diff)
			return
		}
	}
	w.kill(fresh.proc)
}

// difference shows the first lines in which two dumps differ; what is for one
// of the two devices only is left out.
func difference(mine, truth []string, me, other string) string {
	ours := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return strings.HasSuffix(s, "]") && !strings.HasSuffix(s, "[]") })
	}
	_, _ = me, other
	a, b := ours(mine), ours(truth)
	var out []string
	for i := 0; i < len(a) || i < len(b); i++ {
		x, y := "(nothing)", "(nothing)"
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			if out = append(out, "  has    "+x, "  fresh  "+y); len(out) >= 6 {
				break
			}
		}
	}
	return strings.Join(out, "\n")
}

// checkTruth holds a fresh device to the journal itself: everything that its
// user may read is there as it is now, and unread is what D3 says.
func (w *world) checkTruth(d *device, dump []string) {
	shown := map[string]string{}
	heads := map[string]string{}
	for _, line := range dump {
		parts := strings.SplitN(line, " ", 3)
		if seq, _, ok := strings.Cut(parts[1], "/"); ok && !strings.HasPrefix(parts[1], "kind=") {
			shown[parts[0]+" "+seq] = line
		} else if strings.HasPrefix(parts[1], "kind=") {
			heads[parts[0]] = line
		}
	}
	err := w.reader.View(context.Background(), func(v journal.View) error {
		rows, err := v.Changes(app, im.UserID(d.user), nil, nil, 1000)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := w.checkConv(v, d, row, shown, heads[string(row.Conv.ID)]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.fail("I2", "the log can not be read: %v", err)
	}
	for text := range w.gone {
		for _, line := range dump {
			if strings.Contains(line, fmt.Sprintf("%q", text)) && strings.Contains(line, "recalled=false") {
				w.fail("I11", "%s reads %q, which was recalled: %s", d.name, text, line)
			}
		}
	}
}

func (w *world) checkConv(v journal.View, d *device, row journal.Changed, shown map[string]string, head string) error {
	conv := row.Conv.ID
	if head == "" && row.Member.To > 0 {
		return nil // left
	}
	if head == "" {
		w.fail("I10", "%s does not know %s", d.name, conv)
		return nil
	}
	last, ord := row.Conv.HeadSeq, row.Conv.HeadOrd
	if row.Member.To > 0 {
		last = row.Member.To - 1
		var err error
		if ord, err = v.OrdAt(app, conv, last); err != nil {
			return err
		}
	}
	if want := fmt.Sprintf(" unread=%d ", ord-row.Member.ReadOrd); !strings.Contains(head, want) && conv.Kind() != im.ConvSelf {
		w.fail("I9", "%s has %q, the log says%s", d.name, head, want)
	}
	es, err := v.Entries(app, conv, 1, last, 1<<20, false)
	for i := range es {
		e := &es[i]
		if e.Kind != im.KindMessage || e.Withheld(im.UserID(d.user), im.DeviceID(d.id)) || !w.mayRead(d.user, conv, e.Seq) || e.Seq < row.Member.From {
			continue
		}
		line, ok := shown[fmt.Sprintf("%s %d", conv, e.Seq)]
		switch {
		case !ok:
			w.fail("I10", "%s lacks %s %d", d.name, conv, e.Seq)
			return nil
		case !strings.Contains(line, fmt.Sprintf("recalled=%v", e.Recalled)) || !e.Recalled && !strings.Contains(line, fmt.Sprintf("%q", textOf(e.Body))):
			w.fail("I11", "%s shows %q for %s %d, the log has %q", d.name, line, conv, e.Seq, textOf(e.Body))
			return nil
		}
	}
	return err
}

// followers are what every node runs: one counts each entry, the other refuses
// some of them for good.
func (w *world) followers() []follow.Follower {
	apply := func(name string, refuses func(e *im.Entry) bool) func(context.Context, db.Tx, []im.Entry) error {
		return func(_ context.Context, tx db.Tx, entries []im.Entry) error {
			// Five failures in a row, on whatever nodes, would park an entry, as
			// they should.
			line := fmt.Sprint(name, "/", entries[0].Shard)
			if w.applyFailed[line] < 3 && w.chance(w.faults.applyFails) {
				w.applyFailed[line]++
				w.acted["follower failed"]++
				return im.Errorf(im.Unavailable, "the database does not answer")
			}
			w.applyFailed[line] = 0
			counts := map[string]int{}
			for i := range entries {
				if refuses(&entries[i]) {
					return errDisk
				}
				counts[string(entries[i].Conv)]++
			}
			shard, last := entries[0].Shard, entries[len(entries)-1].Pos
			for _, conv := range sortedKeys(counts) {
				if _, err := tx.Exec(`INSERT INTO effect (name, shard, conv, n, last) VALUES ($1, $2, $3, $4, $5)
					ON CONFLICT (name, shard, conv) DO UPDATE SET n = effect.n + excluded.n, last = excluded.last`, name, shard, conv, counts[conv], last); err != nil {
					return err
				}
			}
			return nil
		}
	}
	reset := func(name string) func(context.Context, db.Tx, int) error {
		return func(_ context.Context, tx db.Tx, shard int) error {
			_, err := tx.Exec("DELETE FROM effect WHERE name = $1 AND shard = $2", name, shard)
			return err
		}
	}
	return []follow.Follower{
		{Name: "all", Apply: apply("all", func(*im.Entry) bool { return false }), Reset: reset("all")},
		{Name: "some", Apply: apply("some", poisoned), Reset: reset("some"), Wants: func(e *im.Entry) bool { return e.Kind == im.KindMessage }},
	}
}

// poisoned is an entry that the second follower can not apply.
func poisoned(e *im.Entry) bool { return e.ClientID[15] < 6 }

// checkEffects holds the followers to a recount of the log.
func (w *world) checkEffects() {
	type key struct{ name, conv string }
	want, have := map[key]int{}, map[key]int{}
	parked := 0
	for _, list := range w.log {
		for i := range list {
			e := &list[i].Entry
			want[key{"all", string(e.Conv)}]++
			if e.Kind == im.KindMessage {
				if poisoned(e) {
					parked++
				} else {
					want[key{"some", string(e.Conv)}]++
				}
			}
		}
	}
	found := 0
	err := w.db.Read(context.Background(), func(tx db.Tx) error {
		rows, err := tx.Query("SELECT name, conv, n FROM effect")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var k key
			var n int
			if err := rows.Scan(&k.name, &k.conv, &n); err != nil {
				return err
			}
			have[k] += n
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return tx.QueryRow("SELECT count(*) FROM parked_entry").Scan(&found)
	})
	if err != nil {
		w.fail("I14", "the effects can not be read: %v", err)
	}
	var text []string
	for k, n := range want {
		if have[k] != n {
			text = append(text, fmt.Sprintf("follower %s counted %d of %d entries in %s", k.name, have[k], n, k.conv))
		}
	}
	for k, n := range have {
		if want[k] == 0 {
			text = append(text, fmt.Sprintf("follower %s counted %d entries in %s, which has none", k.name, n, k.conv))
		}
	}
	if parked != found {
		text = append(text, fmt.Sprintf("%d entries are parked, not %d", found, parked))
	}
	if len(text) > 0 {
		slices.Sort(text)
		w.fail("I14", "%s", strings.Join(text, "; "))
	}
}

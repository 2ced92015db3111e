package job

import (
	"encoding/hex"
	"errors"
	"io"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// maxErrorBytes bounds the error text that is kept with a job.
const maxErrorBytes = 2000

var errLost = errors.New("the node that ran it was lost")

func hexID(id im.ClientID) string { return hex.EncodeToString(id[:]) }

func micros(d time.Duration) im.Micros { return im.Micros(d / time.Microsecond) }

func clip(err error) string {
	s := err.Error()
	return s[:min(len(s), maxErrorBytes)]
}

func insert(tx db.Tx, id string, s Spec, now im.Micros) (string, bool, error) {
	var key any
	if s.Key != "" {
		key = s.Key
	}
	if s.Body == nil {
		s.Body = []byte{}
	}
	n, err := tx.Exec(`INSERT INTO job (id, kind, app, target, lane, key, body, state, run_at, tries, owner, lease_until, created, finished, error)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, 0, '', 0, $9, 0, '') ON CONFLICT (kind, app, key) WHERE key IS NOT NULL DO NOTHING`,
		id, s.Kind, s.App, s.Target, laneName(s.App, s.Target), key, s.Body, now+micros(s.Delay), now)
	if err != nil || n == 1 {
		return id, err == nil, err
	}
	err = tx.QueryRow("SELECT id FROM job WHERE kind = $1 AND app = $2 AND key = $3 AND key IS NOT NULL", s.Kind, s.App, s.Key).Scan(&id)
	return id, false, err
}

// schedule makes the one row of a periodic kind, or brings its next run
// forward when the period has become shorter.
func schedule(tx db.Tx, k *Kind) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	_, _, err = insert(tx, "every."+k.Name, Spec{Kind: k.Name, Key: "every", Delay: k.Every}, now)
	if err == nil {
		_, err = tx.Exec("UPDATE job SET run_at = $1 WHERE id = $2 AND state = 0 AND run_at > $1", now+micros(k.Every), "every."+k.Name)
	}
	return err
}

// earliest returns when the next waiting job of a kind is due, -1 = never.
func earliest(tx db.Tx, kind string) (at im.Micros, err error) {
	err = tx.QueryRow("SELECT run_at FROM job WHERE state = 0 AND kind = $1 ORDER BY run_at LIMIT 1", kind).Scan(&at)
	if errors.Is(err, db.ErrNoRows) {
		return -1, nil
	}
	return at, err
}

// laneName is a lane of a kind as it is stored: never empty, and no two lanes
// share it, because an app's id has no slash.
func laneName(app im.AppID, target string) string { return string(app) + "/" + target }

func laneOf(j Job) lane { return lane{j.Kind, laneName(j.App, j.Target)} }

// runningLanes counts the running jobs of each lane, on all nodes. (The lease
// is always after 0; it names the index that is to be used.)
func runningLanes(tx db.Tx) (map[lane]int, error) {
	rows, err := tx.Query("SELECT kind, lane, count(*) FROM job WHERE state = 1 AND lease_until > 0 GROUP BY kind, lane")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := make(map[lane]int)
	for rows.Next() {
		var l lane
		var n int
		if err := rows.Scan(&l.kind, &l.name, &n); err != nil {
			return nil, err
		}
		out[l] = n
	}
	return out, rows.Err()
}

// lanesSQL jumps from lane to lane along the index job_lane: its cost is the
// number of lanes, however many jobs wait in them.
const lanesSQL = `WITH RECURSIVE next (lane, run_at) AS (
	SELECT lane, run_at FROM job WHERE id = (
		SELECT id FROM job WHERE state = 0 AND kind = $1 AND lane > $2 ORDER BY lane, run_at, id LIMIT 1)
	UNION ALL
	SELECT j.lane, j.run_at FROM next n JOIN job j ON j.id = (
		SELECT w.id FROM job w WHERE w.state = 0 AND w.kind = $1 AND w.lane > n.lane ORDER BY w.lane, w.run_at, w.id LIMIT 1))
	SELECT lane, run_at FROM next LIMIT $3`

// waiting is a lane with waiting jobs, the first of which is due at at.
type waiting struct {
	lane
	at im.Micros
}

// lanes returns up to limit lanes of a kind that have waiting jobs, in order
// of their names: those after the given name.
func lanes(tx db.Tx, kind, after string, limit int) ([]waiting, error) {
	rows, err := tx.Query(lanesSQL, kind, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []waiting
	for rows.Next() {
		w := waiting{lane: lane{kind: kind}}
		if err := rows.Scan(&w.name, &w.at); err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, rows.Err()
}

// round returns lanes with waiting jobs that come after the given name, going
// on from the first at the end, each once and at most limit.
func round(tx db.Tx, kind, after string, limit int) ([]waiting, error) {
	out, err := lanes(tx, kind, after, limit)
	if err != nil || after == "" || len(out) == limit {
		return out, err
	}
	head, err := lanes(tx, kind, "", limit-len(out))
	for _, w := range head {
		if w.name > after {
			break
		}
		out = append(out, w)
	}
	return out, err
}

// dueJobs returns the first due jobs of a lane.
func dueJobs(tx db.Tx, l lane, now im.Micros, limit int) ([]Job, error) {
	rows, err := tx.Query(`SELECT id, app, target, coalesce(key, ''), body, tries, created FROM job
		WHERE state = 0 AND kind = $1 AND lane = $2 AND run_at <= $3 ORDER BY run_at, id LIMIT $4`, l.kind, l.name, now, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Job
	for rows.Next() {
		j := Job{Kind: l.kind}
		if err := rows.Scan(&j.ID, &j.App, &j.Target, &j.Key, &j.Body, &j.Try, &j.Created); err != nil {
			return nil, err
		}
		j.Try++
		out = append(out, j)
	}
	return out, rows.Err()
}

// claim takes those of the jobs that still wait and fit their lanes' limits.
// Two nodes that count the same lane at once cannot both commit, because
// transactions that write are serializable.
func (q *Queue) claim(tx db.Tx, jobs []Job, now im.Micros) (claimed []Job, err error) {
	busy, err := runningLanes(tx)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		k, l := q.named[j.Kind], laneOf(j)
		if busy[l] >= k.PerTarget {
			continue
		}
		// Still due: since it was seen, another node may have run it and put
		// it back for its next turn, with the same number of tries.
		n, err := tx.Exec("UPDATE job SET state = 1, tries = $1, owner = $2, lease_until = $3 WHERE id = $4 AND state = 0 AND tries = $5 AND run_at <= $6",
			j.Try, q.owner, now+micros(k.Timeout+leaseMargin), j.ID, j.Try-1, now)
		if err != nil {
			return nil, err
		}
		if n == 1 {
			busy[l]++
			claimed = append(claimed, j)
		}
	}
	return claimed, nil
}

// finish writes down how a run ended. It reports false when the job was not
// this run's any more, and when at the latest the job is due again, 0 = never.
func (q *Queue) finish(tx db.Tx, r result, now im.Micros) (mine bool, again time.Duration, err error) {
	k := q.named[r.job.Kind]
	const where = " WHERE id = $1 AND state = 1 AND owner = $2 AND tries = $3"
	args := []any{r.job.ID, q.owner, r.job.Try}
	set := func(again time.Duration, what string, more ...any) (bool, time.Duration, error) {
		n, err := tx.Exec("UPDATE job SET "+what+where, append(args, more...)...)
		return n == 1, again, err
	}
	var permanent *permanentError
	switch spent := errors.As(r.err, &permanent) || r.job.Try >= k.Tries; {
	case r.dropped:
		return set(time.Millisecond, "state = 0, tries = tries - 1, owner = '', run_at = $4", now)
	case k.Every > 0 && (r.err == nil || spent):
		// The next turn, counted from this one so that it does not drift, but
		// none is made up for.
		text := ""
		if r.err != nil {
			text = clip(r.err)
		}
		return set(k.Every, `state = 0, tries = 0, owner = '', error = $6,
			run_at = CASE WHEN run_at + $4 > $5 THEN run_at + $4 ELSE $5 + $4 END`, micros(k.Every), now, text)
	case r.err == nil && k.Keep <= 0:
		n, err := tx.Exec("DELETE FROM job"+where, args...)
		return n == 1, 0, err
	case r.err == nil:
		return set(0, "state = 2, owner = '', finished = $4", now)
	case spent:
		return set(0, "state = 3, owner = '', finished = $4, error = $5", now, clip(r.err))
	}
	delay, err := q.spread(k.retryIn(r.job.Try, r.err))
	if err != nil {
		return false, 0, err
	}
	return set(delay, "state = 0, owner = '', run_at = $4, error = $5", now+micros(delay), clip(r.err))
}

// spread adds up to a quarter, so that what failed together is not tried
// again together.
func (q *Queue) spread(d time.Duration) (time.Duration, error) {
	var b [1]byte
	_, err := io.ReadFull(q.o.Entropy, b[:])
	return d + d/4*time.Duration(b[0])/255, err
}

// overdue returns running jobs whose lease has ended.
func overdue(tx db.Tx) ([]Job, error) {
	now, err := tx.Now()
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query("SELECT id, kind, tries FROM job WHERE state = 1 AND lease_until <= $1 ORDER BY lease_until LIMIT 1000", now)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Job
	for rows.Next() {
		var j Job
		if err := rows.Scan(&j.ID, &j.Kind, &j.Try); err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, rows.Err()
}

// giveBack counts the end of a lease as a failure, for the kinds that this
// node knows.
func (q *Queue) giveBack(tx db.Tx, lost []Job) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	for _, j := range lost {
		k := q.named[j.Kind]
		if k == nil {
			continue
		}
		state, finished := 0, im.Micros(0)
		if j.Try >= k.Tries && k.Every == 0 {
			state, finished = 3, now
		}
		_, err := tx.Exec(`UPDATE job SET state = $1, finished = $2, run_at = $3, error = $4, owner = ''
			WHERE id = $5 AND state = 1 AND tries = $6 AND lease_until <= $7`,
			state, finished, now+micros(k.Backoff), errLost.Error(), j.ID, j.Try, now)
		if err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/bench"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/im"
)

// sfuChatReport is what "bench sfu --chat" prints: what chat costs more while the
// server's own SFU, in the process beside it, forwards as much as one processor
// can.
type sfuChatReport struct {
	Kind        string `json:"kind"`
	Publishers  int    `json:"publishers"`
	Subscribers int    `json:"subscribers"`
	Kbps        int    `json:"kbps"` // found, so that the SFU uses one processor, if so much can be sent
	// The pairs talk in turns without media and with it, and with the SFU at other
	// nice values where they were asked for.
	Without chatTurn    `json:"without"`
	With    chatTurn    `json:"with"`
	Nice    []niceTurns `json:"nice,omitempty"`
}

// chatRounds are how often the pairs talk without media and with it.
const chatRounds = 5

// benchSFUChat measures chat beside a full SFU.
func benchSFUChat(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	f.kbps = max(f.kbps, 1000)
	r := sfuChatReport{Kind: "sfu-chat", Publishers: max(f.publishers, 2), Subscribers: f.subscribers}
	sv, err := newChild(ctx, f, stderr)
	if err != nil {
		return err
	}
	defer sv.end()
	sv.serve = []string{"--sfu", "process", "--rtc-port", "0", "--rtc-listen", "127.0.0.1"}
	if err := sv.start(); err != nil {
		return err
	}
	m, err := startMedia(ctx, sv, r.Publishers, r.Subscribers, f.kbps, stderr)
	if err != nil {
		return err
	}
	defer m.end()
	if r.Kbps, err = m.fill(ctx, f.kbps, stderr); err != nil {
		return err
	}
	t := chatTurns{sv: sv, media: m, seconds: cmp.Or(f.seconds, 5)}
	for i := range chatRounds {
		fmt.Fprintf(stderr, "%d of %d: %d pairs, %d messages a second, without media and with it\n", i+1, chatRounds, roomPairs, roomTalk)
		if err := t.talk(ctx, "pause", &r.Without); err != nil {
			return err
		}
		if err := t.talk(ctx, "go", &r.With); err != nil {
			return err
		}
		for j, n := range f.nices {
			if i == 0 {
				r.Nice = append(r.Nice, niceTurns{Nice: n})
			}
			if err := t.niced(ctx, n, &r.Nice[j].chatTurn); err != nil {
				return err
			}
		}
	}
	r.With.sum(&r.Without)
	r.Without.sum(&r.Without)
	for i := range r.Nice {
		r.Nice[i].sum(&r.Without)
	}
	return printReport(stdout, r, nil)
}

// chatTurn is what came of the turns in one state: each figure is the middle of
// its turns.
type chatTurn struct {
	AckP50 float64 `json:"ack_p50_ms"`
	AckP99 float64 `json:"ack_p99_ms"`
	// Rise is of the p99 over that without media; 0.2 = 20 % more.
	Rise       float64   `json:"ack_p99_rise"`
	RiseMedian float64   `json:"ack_p50_rise"`
	Cores      float64   `json:"sfu_cores"` // that the SFU used meanwhile
	P99s       []float64 `json:"ack_p99_ms_each"`
	p50s       []float64
	cores      []float64
}

// niceTurns are with another nice value of the SFU.
type niceTurns struct {
	Nice int `json:"nice"`
	chatTurn
}

func (t *chatTurn) sum(without *chatTurn) {
	t.AckP50, t.AckP99, t.Cores = middle(t.p50s), middle(t.P99s), middle(t.cores)
	t.Rise, t.RiseMedian = t.AckP99/middle(without.P99s)-1, t.AckP50/middle(without.p50s)-1
}

// chatTurns lets the pairs talk.
type chatTurns struct {
	sv      *child
	media   *mediaLoad
	seconds float64
}

func (t *chatTurns) talk(ctx context.Context, media string, into *chatTurn) error {
	if err := t.media.say(media); err != nil {
		return err
	}
	before, began := bench.Run(t.media.sfu), time.Now()
	res, err := bench.P2P(ctx, t.sv.target(), bench.P2POptions{Pairs: roomPairs, Window: 16, Rate: roomTalk, Seconds: t.seconds})
	if err != nil {
		return err
	}
	if res.Lost+res.Duplicated+res.Errors > 0 {
		return fmt.Errorf("%d messages lost, %d doubled, %d refused", res.Lost, res.Duplicated, res.Errors)
	}
	ran := bench.Run(t.media.sfu) - before
	if ran <= 0 {
		return fmt.Errorf("the SFU has ended")
	}
	into.cores = append(into.cores, ran.Seconds()/time.Since(began).Seconds())
	into.p50s, into.P99s = append(into.p50s, res.Ack.P50), append(into.P99s, res.Ack.P99)
	return nil
}

// niced is a turn with media and another nice value.
func (t *chatTurns) niced(ctx context.Context, n int, into *chatTurn) error {
	was, err := bench.Nice(t.media.sfu)
	if err != nil {
		return err
	}
	if err := bench.SetNice(t.media.sfu, n); err != nil {
		return err
	}
	if err := t.talk(ctx, "go", into); err != nil {
		return err
	}
	return bench.SetNice(t.media.sfu, was)
}

func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// mediaLoad is a call under way, of clients in a process of their own. It uses the
// processors that the SFU does: elsewhere clients are on other machines, and what
// they do must not be in the way of those who talk.
type mediaLoad struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	sfu int // the SFU's process
}

// startMedia has participants join a room of the server's own SFU.
func startMedia(ctx context.Context, sv *child, publishers, subscribers, kbps int, stderr io.Writer) (*mediaLoad, error) {
	cfg := &config.Config{Data: sv.dir}
	key, err := masterKey(cfg, im.SystemEntropy())
	if err != nil {
		return nil, err
	}
	keys, err := ownKeys(cfg, key)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	m := &mediaLoad{cmd: exec.CommandContext(ctx, self, "bench", "sfu-clients", "--endpoint", "ws"+strings.TrimPrefix(sv.url.String(), "http"),
		"--publishers", fmt.Sprint(publishers), "--subscribers", fmt.Sprint(subscribers), "--kbps", fmt.Sprint(kbps))}
	m.cmd.Env = append(os.Environ(), "SKEIN_SFU_KEY="+keys.key, "SKEIN_SFU_SECRET="+keys.secret)
	m.cmd.Stderr = stderr
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	m.out = bufio.NewReader(out)
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := m.out.ReadString('\n'); err != nil {
		m.end()
		return nil, fmt.Errorf("the participants did not join: %w", err)
	}
	if m.sfu = bench.ChildSFU(sv.pid); m.sfu == 0 {
		m.end()
		return nil, fmt.Errorf("the server has no SFU beside it")
	}
	if err := bench.Beside(m.cmd.Process.Pid, m.sfu); err != nil {
		m.end()
		return nil, err
	}
	return m, nil
}

// say tells the clients what to do, and waits until they do it.
func (m *mediaLoad) say(what string) error {
	if _, err := fmt.Fprintln(m.in, what); err != nil {
		return err
	}
	_, err := m.out.ReadString('\n')
	return err
}

func (m *mediaLoad) end() {
	m.in.Close() //nolint:errcheck // which ends it
	m.cmd.Wait() //nolint:errcheck // the load tells
}

// maxKbps is as much as a publisher of the load can send.
const maxKbps = 20_000

// fill raises the rate until the SFU uses a processor, and returns it.
func (m *mediaLoad) fill(ctx context.Context, kbps int, stderr io.Writer) (int, error) {
	for range 6 {
		if err := m.say(fmt.Sprintf("kbps %d", kbps)); err != nil {
			return 0, err
		}
		before, began := bench.Run(m.sfu), time.Now()
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		cores := (bench.Run(m.sfu) - before).Seconds() / time.Since(began).Seconds()
		fmt.Fprintf(stderr, "the SFU uses %.2f processors at %d kbit/s\n", cores, kbps)
		if cores > 0.9 && cores < 1.1 || cores <= 0 || cores < 1 && kbps == maxKbps {
			break
		}
		// What it costs does not grow as fast as the rate.
		kbps = min(int(float64(kbps)*min(max(1/cores, 0.5), 3)), maxKbps)
	}
	return kbps, nil
}

// benchSFUClients is the participants: it says when they are there, and does what
// it is told, line by line, until its input ends.
func benchSFUClients(ctx context.Context, f benchFlags, stdin io.Reader, stdout, stderr io.Writer) error {
	o := bench.SFUOptions{URL: f.endpoint, Key: os.Getenv("SKEIN_SFU_KEY"), Secret: os.Getenv("SKEIN_SFU_SECRET"), Publishers: f.publishers, Subscribers: f.subscribers,
		Kbps: f.kbps, Address: netip.AddrFrom4([4]byte{127, 0, 0, 1}), Deaf: true}
	l, err := bench.JoinSFU(ctx, o, func(s string) { fmt.Fprintln(stderr, s) })
	if err != nil {
		return err
	}
	defer l.Close()
	lines := bufio.NewScanner(stdin)
	for answer := json.NewEncoder(stdout); ; {
		if err := answer.Encode("done"); err != nil || !lines.Scan() {
			return err
		}
		var kbps int
		switch line := lines.Text(); {
		case line == "pause":
			l.Pause(true)
		case line == "go":
			l.Pause(false)
		default:
			if _, err := fmt.Sscanf(line, "kbps %d", &kbps); err != nil {
				return fmt.Errorf("told %q", line)
			}
			l.SetKbps(kbps)
		}
	}
}

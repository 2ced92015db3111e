// Command up is an internet of package netlab for a program in another
// language: it reads commands as lines of JSON and answers each with one. It
// ends, and all that runs on its hosts, when its input does. Processes get on
// a host by entering the namespace that the command "host" answers with.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skein-im/skein/test/calls/netlab"
)

// command is one line of input.
type command struct {
	Do     string // nat, oneToOne, host, link, block, counts
	Name   string
	Addr   string // of a host; the public one of a NAT
	Inside string // of oneToOne
	Behind string // the NAT of a host
	// Mapping and Filtering of a NAT: any, address or port.
	Mapping, Filtering string
	// What of a link; delays are in ms, rates in bit/s.
	Way                  string // up, down or both
	Loss, Reorder, Twice float64
	Delay, Jitter        float64
	Rate, Queue          int
	// Drop says what block lets through no more: nothing, udp, tcp of one
	// port, both of these, or all but TCP of one port.
	Drop string
	Port uint16
}

type world struct {
	lab   *netlab.Lab
	hosts map[string]*netlab.Host
	nats  map[string]*netlab.NAT
}

func main() {
	w := &world{lab: netlab.New(1), hosts: map[string]*netlab.Host{}, nats: map[string]*netlab.NAT{}}
	defer w.lab.Close()
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var c command
		err := json.Unmarshal(in.Bytes(), &c)
		var answer any
		if err == nil {
			answer, err = w.do(c)
		}
		if err != nil {
			answer = map[string]string{"error": err.Error()}
		}
		out.Encode(answer)
	}
}

func rule(s string) netlab.Rule {
	return map[string]netlab.Rule{"address": netlab.PerAddress, "port": netlab.PerPort}[s]
}

func (w *world) do(c command) (any, error) {
	ok := map[string]bool{"ok": true}
	h := w.hosts[c.Name]
	switch c.Do {
	case "nat":
		w.nats[c.Name] = w.lab.NAT(c.Addr, rule(c.Mapping), rule(c.Filtering))
		return ok, nil
	case "oneToOne":
		w.nats[c.Name] = w.lab.OneToOne(c.Addr, c.Inside)
		return ok, nil
	case "host":
		if c.Behind != "" && w.nats[c.Behind] == nil {
			return nil, fmt.Errorf("there is no NAT %q", c.Behind)
		}
		h, err := w.lab.Host(c.Name, c.Addr, w.nats[c.Behind])
		if err != nil {
			return nil, err
		}
		w.hosts[c.Name] = h
		var tid int
		h.Do(func() { tid = unix.Gettid() })
		return map[string]string{"ns": fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), tid)}, nil
	case "counts":
		out := map[string]any{}
		for name, h := range w.hosts {
			out[name] = map[string]any{"up": h.Up.Counts(), "down": h.Down.Counts(), "blocked": h.Blocked()}
		}
		for name, n := range w.nats {
			out["nat "+name] = n.Counts()
		}
		return out, nil
	}
	if h == nil {
		return nil, fmt.Errorf("there is no host %q", c.Name)
	}
	switch c.Do {
	case "link":
		ms := func(x float64) time.Duration { return time.Duration(x * float64(time.Millisecond)) }
		q := netlab.Quality{Loss: c.Loss, Reorder: c.Reorder, Twice: c.Twice, Delay: ms(c.Delay), Jitter: ms(c.Jitter), Rate: c.Rate, Queue: c.Queue}
		if c.Way != "down" {
			h.Up.Set(q)
		}
		if c.Way != "up" {
			h.Down.Set(q)
		}
		return ok, nil
	case "block":
		switch c.Drop {
		case "", "nothing":
			h.Block(nil)
		case "udp":
			h.Block(netlab.UDP)
		case "tcp", "udp and tcp":
			h.Block(func(p netlab.Packet) bool {
				return c.Drop != "tcp" && netlab.UDP(p) || p.Proto() == unix.IPPROTO_TCP && (p.From().Port() == c.Port || p.To().Port() == c.Port)
			})
		case "all but":
			h.Block(func(p netlab.Packet) bool {
				return p.Proto() != unix.IPPROTO_TCP || p.From().Port() != c.Port && p.To().Port() != c.Port
			})
		default:
			return nil, fmt.Errorf("%q can not be blocked", c.Drop)
		}
		return ok, nil
	}
	return nil, fmt.Errorf("%q is no command", c.Do)
}

package sim

import (
	"context"
	"errors"
	"time"

	"github.com/skein-im/skein/internal/im"
)

// faults are the probabilities of what goes wrong at each packet, call,
// commit and hint, while a spell of bad weather lasts.
type faults struct {
	hintLost, hintTwice, hintLate, hintsGone float64
	commitFails, answerLost, commitSlow      float64
	viewFails, viewSlow                      float64
	callLost, slowPacket, tokenFails         float64
	applyFails                               float64
}

// weather chooses what goes wrong for the next while.
func (w *world) weather() {
	if w.calm {
		return
	}
	f := &w.faults
	*f = faults{}
	set := func(p *float64, most float64) {
		if w.chance(0.35) {
			*p = w.dice.Float64() * most
		}
	}
	set(&f.hintLost, 0.9)
	set(&f.hintTwice, 0.3)
	set(&f.hintLate, 0.4)
	set(&f.hintsGone, 0.2)
	set(&f.commitFails, 0.1)
	set(&f.answerLost, 0.15)
	set(&f.commitSlow, 0.4)
	set(&f.viewFails, 0.03)
	set(&f.viewSlow, 0.2)
	set(&f.callLost, 0.3)
	set(&f.slowPacket, 0.3)
	set(&f.tokenFails, 0.3)
	set(&f.applyFails, 0.2)
	w.after(time.Duration(3+w.dice.IntN(12))*time.Second, w.weather)
}

var errDisk = errors.New("an error that nobody expected")

// beforeCommit is what the store does before a commit.
func (w *world) beforeCommit(n *node) error {
	took := time.Duration(w.dice.IntN(3000)) * time.Microsecond
	if w.chance(w.faults.commitSlow) {
		took = time.Duration(w.dice.IntN(400)) * time.Millisecond
	}
	n.sleep(took)
	if n.apart {
		return im.Errorf(im.Unavailable, "the database can not be reached")
	}
	if w.chance(w.faults.commitFails) {
		w.acted["commit failed"]++
		switch w.dice.IntN(3) {
		case 0:
			return im.Errorf(im.ResourceExhausted, "the disk is full")
		case 1:
			return im.Errorf(im.Unavailable, "the database can not be reached")
		}
		return errDisk
	}
	return nil
}

// afterCommit is what happens between the commit and its answer.
func (w *world) afterCommit(n *node) error {
	w.scan()
	n.sleep(time.Duration(w.dice.IntN(1000)) * time.Microsecond)
	if w.chance(w.faults.answerLost) {
		w.acted["answer lost"]++
		w.trace(n.name, "the answer of a commit is lost")
		return im.Errorf(im.Unavailable, "the connection to the database was lost")
	}
	return nil
}

// beforeView is what a read of the store meets.
func (w *world) beforeView(n *node) error {
	if w.chance(w.faults.viewSlow) && n.cur != nil {
		n.sleep(time.Duration(w.dice.IntN(60)) * time.Millisecond)
	}
	if n.apart || w.chance(w.faults.viewFails) {
		w.acted["read failed"]++
		return im.Errorf(im.Unavailable, "the database can not be reached")
	}
	return nil
}

// strike does one thing to a node, a device or the network, and takes it back
// after a while.
func (w *world) strike() {
	if w.calm {
		return
	}
	w.after(time.Duration(500+w.dice.IntN(6000))*time.Millisecond, w.strike)
	d := w.devices[w.dice.IntN(len(w.devices))]
	n := w.nodes[w.dice.IntN(len(w.nodes))]
	back := time.Duration(200+w.dice.IntN(9000)) * time.Millisecond
	kind := w.dice.IntN(15)
	name := [...]string{"node crash", "device crash", "offline", "reset", "cut up", "cut down", "node apart", "bus cut", "sign-out", "drain",
		"asleep", "online hint", "restore", "backup", "node frozen"}[kind]
	switch name {
	case "node crash":
		if n.proc == nil || n.dead || !n.up {
			return
		}
		w.crash(n)
		w.after(back, func() { w.boot(n) })
	case "device crash":
		if d.client == nil {
			return
		}
		d.crash()
		w.after(back, d.start)
	case "offline":
		d.cutOff = true
		w.after(back*2, func() { d.cutOff = false })
	case "reset":
		for _, c := range w.socksOf(d) {
			if !c.reset && w.chance(0.5) { // some of what is under way arrives
				keep := w.dice.IntN(len(c.down.items) + 1)
				c.down.items = c.down.items[:keep]
			}
			c.abort()
		}
	case "cut up":
		w.cutUp[d.name] = true
		w.after(back*3, func() { delete(w.cutUp, d.name) })
	case "cut down":
		w.cutDown[d.name] = true
		w.after(back*3, func() { delete(w.cutDown, d.name) })
	case "node apart":
		n.apart = true
		p := n.proc
		w.after(back, func() {
			if n.proc == p {
				n.apart = false
			}
		})
	case "bus cut":
		w.busCut[n.name] = true
		w.after(back, func() { delete(w.busCut, n.name) })
	case "sign-out":
		if !w.chance(0.4) {
			return
		}
		w.signOut(d)
	case "node frozen":
		if n.proc == nil || n.dead {
			return
		}
		p := n.proc
		p.frozen, back = true, back*3
		w.after(back, func() { p.frozen = false })
	case "drain":
		if n.up && n.gw != nil && !n.draining {
			n.draining = true
			g := n.gw
			w.spawn(n.proc, func() { g.Drain(context.Background(), time.Second) })
			w.after(3*time.Second, func() { w.crash(n) })
			w.after(3*time.Second+back, func() { w.boot(n) })
		}
	case "asleep":
		d.asleep = true
		w.after(back, func() { d.asleep = false })
	case "online hint":
		if d.client != nil {
			c := d.client
			w.spawn(d.proc, c.Online)
		}
	case "backup":
		w.takeBackup()
		return
	case "restore":
		if !w.chance(0.3) || !w.restore(back) {
			return
		}
	}
	w.acted[name]++
	w.trace("world", "%s: %s %s for %v", name, d.name, n.name, back)
}

// heal takes everything back and lets every process run.
func (w *world) heal() {
	w.calm, w.faults = true, faults{}
	clear(w.cutUp)
	clear(w.cutDown)
	clear(w.busCut)
	for _, d := range w.devices {
		d.cutOff, d.asleep = false, false
	}
	for _, n := range w.nodes {
		n.apart = false
		if n.proc != nil {
			n.frozen = false
		}
	}
	w.trace("world", "healed")
}

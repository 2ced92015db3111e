package forward

// within leaves out layers inside a stream: pictures of higher temporal
// layers, which no lower one needs, and spatial layers above one, which only
// make a picture larger. What goes down does so with the next picture; what
// goes up waits for one from which it can be decoded. The subscriber's link
// lock guards it.
type within struct {
	wantSid, wantTid uint8 // what should go out at most
	sid, tid         uint8 // what goes out
	seen             [16]picture
	n                int
}

// picture is what was decided of all packets of one timestamp.
type picture struct {
	ts       uint32
	sid      uint8
	left     bool // out, as a whole
	awaiting bool // a key frame, for a larger size
}

// all stands for no bound on layers.
const all = 7

// cut begins a piece with a key frame: everything is possible.
func (w *within) cut() {
	w.sid, w.tid, w.n = w.wantSid, w.wantTid, 0
	w.seen = [len(w.seen)]picture{}
}

// verdict is what becomes of a packet.
type verdict struct {
	skip    bool // it is left out
	picture bool // and with it a whole picture, of which it is the first
	marker  bool // it is the last of what goes out of its picture
	key     bool // a key frame is needed for more
}

// judge decides on a packet of a scalable stream. With base set nothing goes
// on but the base of time; newest says that no later packet was seen.
func (w *within) judge(p *Packet, base, newest bool) (v verdict) {
	f := &p.frame
	pic := w.find(p.ts)
	if pic == nil {
		if !newest { // all of its picture was missing, and a place is kept for it
			return verdict{marker: p.marker, skip: f.sid > w.sid}
		}
		pic = w.decide(p, base)
		v.picture = pic.left
	}
	v.skip = pic.left || f.sid > pic.sid
	v.marker = p.marker || f.end && f.sid == pic.sid
	v.key = pic.awaiting
	return v
}

func (w *within) find(ts uint32) *picture {
	for i := range w.seen {
		if x := &w.seen[(w.n-1-i)&(len(w.seen)-1)]; x.ts == ts && i < w.n {
			return x
		}
	}
	return nil
}

// decide looks at the first packet of a picture.
func (w *within) decide(p *Packet, base bool) *picture {
	f := &p.frame
	tid := w.wantTid
	if base {
		tid = 0
	}
	switch {
	case f.key:
		w.tid, w.sid = tid, w.wantSid
	case f.tid > w.tid && f.tid <= tid && f.sync && f.tid == w.tid+1:
		w.tid = f.tid
	}
	w.tid, w.sid = min(w.tid, tid), min(w.sid, w.wantSid)
	x := &w.seen[w.n&(len(w.seen)-1)]
	w.n++
	*x = picture{ts: p.ts, sid: w.sid, left: f.tid > w.tid, awaiting: w.wantSid > w.sid}
	return x
}

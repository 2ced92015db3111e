package forward

import (
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"

	"github.com/skein-im/skein/internal/sfu/link"
)

// A simulation of a call in one goroutine: a camera, its way to the server, the
// server's own code, its way to the viewer, and a screen that decodes what
// comes as a browser would. Time is a number; all chance comes from a seed.

type event struct {
	at, n int64
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].n < e[j].n
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any     { x := (*e)[len(*e)-1]; *e = (*e)[:len(*e)-1]; return x }

type world struct {
	now, n int64
	queue  events
	dice   *rand.Rand
	out    link.Batch

	sender, viewer             *Peer
	track                      *Track
	down                       *Down
	up, upBack, away, awayBack *cable
	camera                     *camera
	screen                     *screen
	held                       bool
}

func (w *world) Now() time.Time { return time.Unix(0, w.now) }

func (w *world) in(ns int64, do func()) {
	w.n++
	heap.Push(&w.queue, event{w.now + ns, w.n, do})
}

func (w *world) run(ns int64) {
	for end := w.now + ns; len(w.queue) > 0 && w.queue[0].at <= end; {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.do()
	}
}

// cable is one direction of a way.
type cable struct {
	w             *world
	rate          int64 // bits a second, 0 = any
	queue         int64 // ns that a packet may wait
	loss          float64
	twice, swap   float64
	delay, jitter int64
	free, last    int64
	sent, lost    int
}

func (c *cable) send(p []byte, deliver func([]byte)) {
	c.sent++
	if c.w.dice.Float64() < c.loss {
		c.lost++
		return
	}
	wait := c.delay
	if c.jitter > 0 {
		wait += c.w.dice.Int64N(c.jitter)
	}
	if c.rate > 0 {
		start := max(c.w.now, c.free)
		if start-c.w.now > c.queue {
			c.lost++
			return
		}
		c.free = start + int64(len(p)+overhead)*8e9/c.rate
		wait += c.free - c.w.now
	}
	wait = max(wait, c.last-c.w.now) // it overtakes nothing
	c.last = c.w.now + wait
	if c.w.dice.Float64() < c.swap {
		wait += 3e6 // others overtake it
	}
	p = append([]byte(nil), p...)
	c.w.in(wait, func() { deliver(p) })
	if c.twice > 0 && c.w.dice.Float64() < c.twice {
		c.w.in(wait+2e6, func() { deliver(p) })
	}
}

// camera sends simulcast VP8 in three temporal layers, as Chromium does.
type camera struct {
	w      *world
	fps    int64
	layers []camLayer
	frame  int
	plain  bool // without temporal layers, as Chromium sends simulcast by itself
}

type camLayer struct {
	rate     int64
	seq, pic uint16
	rtxSeq   uint16
	tl0      uint8
	key      bool
	keyAt    int64
	sent     [1024][]byte
	off      bool
}

// pattern is the order of temporal layers; a bit says that a frame depends on the base alone.
var pattern = [8]struct {
	tid  uint8
	sync bool
}{{0, false}, {2, true}, {1, true}, {2, false}, {0, false}, {2, false}, {1, false}, {2, false}}

func (c *camera) shoot() {
	ts := uint32(c.w.now * 9 / 100_000)
	for i := range c.layers {
		l := &c.layers[i]
		if l.off {
			continue
		}
		p := pattern[c.frame%8]
		if c.plain {
			p = pattern[0]
		}
		size := int(float64(l.rate/c.fps/8) * c.share(p.tid) * (0.85 + 0.3*c.w.dice.Float64()))
		key := l.key || c.frame == 0
		if key {
			p.tid, p.sync = 0, false
			size, l.key, l.keyAt = int(l.rate/c.fps/8)*5, false, c.w.now
		}
		l.pic++
		if p.tid == 0 {
			l.tl0++
		}
		n := max(1, (size+1099)/1100)
		for k := range n {
			l.seq++
			b := c.packet(uint32(10+i), l, ts, p.tid, p.sync, key, k == 0, k == n-1, size/n)
			l.sent[l.seq%1024] = b
			c.w.up.send(b, c.w.receive)
		}
	}
	c.frame++
	c.w.in(int64(1e9)/c.fps, c.shoot)
}

// share is how large a picture is, of the average.
func (c *camera) share(tid uint8) float64 {
	if c.plain {
		return 1
	}
	return [3]float64{1.6, 0.8, 0.8}[tid]
}

func (c *camera) packet(ssrc uint32, l *camLayer, ts uint32, tid uint8, sync, key, first, last bool, size int) []byte {
	b := appendHeader(nil, outHeader{marker: last, pt: 96, seq: l.seq, ts: ts, ssrc: ssrc}, nil)
	body := make([]byte, max(size, 8))
	body[0], body[1] = 0x80, 0xe0
	if first {
		body[0] |= 0x10
	}
	binary.BigEndian.PutUint16(body[2:], l.pic|0x8000)
	at := 6
	if c.plain {
		body[1], at = 0x80, 4
	} else if body[4], body[5] = l.tl0, tid<<6; sync {
		body[5] |= 0x20
	}
	if !key {
		body[at] = 1
	}
	body[7] = byte(ssrc)
	return append(b, body...)
}

// control takes what the server says to the camera.
func (c *camera) control(b []byte) {
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		panic(err)
	}
	for _, k := range packets {
		switch k := k.(type) {
		case *rtcp.PictureLossIndication:
			if l := &c.layers[k.MediaSSRC-10]; c.w.now-l.keyAt > 300e6 {
				l.key = true
			}
		case *rtcp.TransportLayerNack:
			l := &c.layers[k.MediaSSRC-10]
			for _, pair := range k.Nacks {
				for _, seq := range pair.PacketList() {
					if b := l.sent[seq%1024]; b != nil && binary.BigEndian.Uint16(b[2:]) == seq {
						l.rtxSeq++
						r := appendHeader(nil, outHeader{marker: b[1]&0x80 != 0, pt: 97, seq: l.rtxSeq, ts: binary.BigEndian.Uint32(b[4:]), ssrc: k.MediaSSRC + 10}, nil)
						r = append(binary.BigEndian.AppendUint16(r, seq), b[12:]...)
						c.w.up.send(r, c.w.receive)
					}
				}
			}
		}
	}
}

// receive is the server's socket.
func (w *world) receive(b []byte) {
	buf := link.NewBuffer()
	buf.B = append(buf.B[:0], b...)
	w.sender.RTP(w.now, buf)
	if hold := w.sender.Flush(w.now, &w.out, false); hold && !w.held {
		w.held = true
		w.in(int64(link.HoldTime), func() {
			w.held = false
			w.sender.Flush(w.now, &w.out, true)
		})
	}
}

func (w *world) tick() {
	w.sender.Tick(w.now, &w.out)
	w.viewer.Tick(w.now, &w.out)
	w.in(TickTime, w.tick)
}

// newWorld is a camera of some layers and one viewer of its best.
func newWorld(seed uint64, fps int64, rates ...int64) *world {
	w := &world{dice: rand.New(rand.NewPCG(seed, 7)), now: 1e9}
	clock := simClock{w}
	for _, c := range []**cable{&w.up, &w.upBack, &w.away, &w.awayBack} {
		*c = &cable{w: w, delay: 8e6, queue: 300e6}
	}
	w.camera = &camera{w: w, fps: fps}
	w.screen = &screen{w: w, record: twcc.NewRecorder(77), every: 50e6 + w.dice.Int64N(150e6), frames: map[uint32]*frame{}, missing: map[uint16]*gap{}}
	w.screen.wait = []int64{100e6, 100e6, 40e6}[seed%3] // a browser takes 100 ms when it does not know better
	w.sender, w.viewer = NewPeer(1), NewPeer(2)
	w.now = 0
	w.sender.Link = link.Loose(clock, func(b []byte) { w.upBack.send(b, w.camera.control) })
	w.viewer.Link = link.Loose(clock, func(b []byte) { w.away.send(b, w.screen.take) })
	w.now = 1e9 + w.dice.Int64N(1e9)
	w.sender.Inbound(nil, map[uint8]Codec{96: VP8}, map[uint8]uint8{97: 96})
	w.track = NewTrack(true)
	var layers []Layer
	for i, r := range rates {
		layers = append(layers, Layer{Rid: string("qhf"[i]), Index: i, SSRC: uint32(10 + i), RTX: uint32(20 + i)})
		w.camera.layers = append(w.camera.layers, camLayer{rate: r, seq: uint16(w.dice.Uint32()), pic: uint16(w.dice.Uint32()) & 0x7fff, key: true})
	}
	for _, r := range rates {
		w.up.rate += r * 5 / 2 // as fast as a browser lets a picture out
	}
	w.up.queue = 5e9
	w.sender.Receive("0", w.track, layers)
	w.viewer.outExt[ExtTWCC] = 3
	var x Payloads
	x.Media[VP8], x.RTX[VP8] = 100, 101
	w.down = w.viewer.Subscribe(w.track, x, 99, 98)
	w.camera.shoot()
	w.tick()
	w.in(w.screen.every, w.screen.report)
	w.in(20e6, w.screen.look)
	return w
}

type simClock struct{ w *world }

func (c simClock) Now() time.Time { return c.w.Now() }

// screen is a viewer: it reports, asks again, decodes, and notes what was seen.
type screen struct {
	w       *world
	record  *twcc.Recorder
	every   int64
	wait    int64 // between requests for one packet
	frames  map[uint32]*frame
	missing map[uint16]*gap
	begun   bool
	highest uint16

	decoded        bool // a key frame was
	pic            uint16
	tl0            uint8
	lastAt         int64 // when a picture was shown
	lastTS         uint32
	gaps           []int64
	askedKey       int64
	shown, freezes int
	longest        int64
	width          int // size of the layer shown: bytes stand for pixels
	widths         []seen
	errors         []string
	came           func(p Packet, body []byte) // if set, is told of each packet
}

type seen struct {
	at    int64
	layer int
}

type gap struct {
	tries int
	at    int64
}

type frame struct {
	ts          uint32
	first, last uint16
	begin, end  bool
	got         map[uint16]bool
	pic         uint16
	tl0, tid    uint8
	sync, key   bool
	layer       int
}

func (s *screen) take(b []byte) {
	if b[1] >= 192 && b[1] <= 223 {
		return
	}
	var ids [256]Ext
	ids[3] = ExtTWCC
	var p Packet
	if !p.parse(b, &ids) {
		s.errors = append(s.errors, "no RTP packet came")
		return
	}
	x := p.ext[ExtTWCC]
	s.record.Record(p.ssrc, binary.BigEndian.Uint16(b[x.off:]), s.w.now/1000)
	body := b[p.body:p.end]
	if p.ssrc == 98 {
		if len(body) < 2 {
			return
		}
		p.seq, body = binary.BigEndian.Uint16(body), body[2:]
	}
	s.number(p.seq)
	if s.came != nil {
		s.came(p, body)
	}
	if len(body) == 0 {
		return // only fills a number
	}
	f := s.frames[p.ts]
	if f == nil {
		if s.decoded && int32(p.ts-s.lastTS) <= 0 {
			return
		}
		f = &frame{ts: p.ts, got: map[uint16]bool{}}
		s.frames[p.ts] = f
	}
	info := inspect(VP8, body, nil, nil)
	f.got[p.seq] = true
	f.pic, f.tl0, f.tid, f.sync = info.pic, info.tl0, info.tid, info.sync
	if body[0]&0x10 != 0 {
		f.begin, f.first, f.key, f.layer = true, p.seq, info.key, int(body[7]-10)
	}
	if p.marker {
		f.end, f.last = true, p.seq
	}
	s.decode()
}

// number notes what is missing, and asks for it at once.
func (s *screen) number(seq uint16) {
	if !s.begun {
		s.begun, s.highest = true, seq
		return
	}
	delete(s.missing, seq)
	if ahead := int16(seq - s.highest); ahead > 0 {
		for q := s.highest + 1; q != seq; q++ {
			s.missing[q] = &gap{at: s.w.now - 1e9}
		}
		s.highest = seq
		s.ask()
	}
}

func (s *screen) ask() {
	var list []uint16
	wait := s.wait
	for back := uint16(1000); back > 0; back-- {
		q := s.highest - back
		g := s.missing[q]
		if g == nil || s.w.now-g.at < wait {
			continue
		}
		if g.tries++; g.tries > 10 {
			delete(s.missing, q)
			continue
		}
		g.at = s.w.now
		list = append(list, q)
	}
	if len(list) > 0 {
		s.say(&rtcp.TransportLayerNack{SenderSSRC: 77, MediaSSRC: 99, Nacks: rtcp.NackPairsFromSequenceNumbers(list)})
	}
}

func (s *screen) say(k ...rtcp.Packet) {
	b, err := rtcp.Marshal(k)
	if err != nil {
		panic(err)
	}
	s.w.awayBack.send(b, func(b []byte) { s.w.viewer.RTCP(s.w.now, b, &s.w.out) })
}

func (s *screen) report() {
	if k := s.record.BuildFeedbackPacket(); len(k) > 0 {
		s.say(k...)
	}
	s.w.in(s.every, s.report)
}

// look is what a browser does by time.
func (s *screen) look() {
	s.ask()
	limit := int64(3e9)
	if !s.decoded {
		limit = 200e6
	}
	if s.begun && s.w.now-max(s.lastAt, s.askedKey) > limit {
		s.askedKey = s.w.now
		s.say(&rtcp.PictureLossIndication{SenderSSRC: 77, MediaSSRC: 99})
	}
	s.w.in(20e6, s.look)
}

func (f *frame) whole() bool {
	return f.begin && f.end && len(f.got) == int(f.last-f.first)+1
}

// decode shows what can be: the next picture, or one that needs none of those between.
func (s *screen) decode() {
	for {
		var next *frame
		for _, f := range s.frames {
			if f.whole() && s.can(f) && (next == nil || int32(f.ts-next.ts) < 0) {
				next = f
			}
		}
		if next == nil {
			return
		}
		s.show(next)
	}
}

func (s *screen) can(f *frame) bool {
	if f.key {
		return true
	}
	if !s.decoded {
		return false
	}
	return f.pic == (s.pic+1)&0x7fff || (f.tid == 0 && f.tl0 == s.tl0+1) || (f.sync && f.tl0 == s.tl0)
}

func (s *screen) show(f *frame) {
	if s.decoded && f.key && (f.pic != (s.pic+1)&0x7fff || f.tl0 != s.tl0+1) && int16(f.pic<<1-s.pic<<1) <= 0 {
		s.errors = append(s.errors, "a picture's number went back")
	}
	s.decoded, s.pic, s.tl0, s.lastTS = true, f.pic, f.tl0, f.ts
	for ts := range s.frames {
		if int32(ts-f.ts) <= 0 {
			delete(s.frames, ts)
		}
	}
	if s.lastAt != 0 {
		apart := s.w.now - s.lastAt
		if len(s.gaps) >= 30 {
			var sum int64
			for _, g := range s.gaps[len(s.gaps)-30:] {
				sum += g
			}
			if avg := sum / 30; apart > max(3*avg, avg+150e6) {
				s.freezes++
				s.longest = max(s.longest, apart)
			}
		}
		s.gaps = append(s.gaps, apart)
	}
	s.lastAt = s.w.now
	s.shown++
	if f.layer != s.width || len(s.widths) == 0 {
		s.widths = append(s.widths, seen{s.w.now, f.layer})
	}
	s.width = f.layer
}

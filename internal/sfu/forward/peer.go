package forward

import (
	"sync"
	"sync/atomic"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"

	"github.com/skein-im/skein/internal/sfu/bwe"
	"github.com/skein-im/skein/internal/sfu/link"
)

// Peer is the media of one link, both ways. It is the part of link.Handler
// that has to do with packets.
type Peer struct {
	Link *link.Link
	ssrc uint32 // our own, in reports

	// mu guards what is received.
	mu      sync.Mutex
	inExt   [256]Ext
	inPT    [128]inCodec
	byMid   map[string]*receiving
	bySSRC  map[uint32]binding
	sources []*Source
	dirty   []*Source
	record  *twcc.Recorder
	hasTWCC bool
	unknown int // packets that belong to nothing
	nacks   []uint16
	lastRR  int64
	inLoss  float64

	// Guarded by the link's lock.
	outExt ExtMap
	now    int64 // of the call under way
	sender sender
	downs  []*Down
	byOut  map[uint32]*Down
	// ceiling is what the client asked not to be exceeded, 0 = nothing.
	ceiling int64
	chosen  []choice // of the division before, for its memory

	// Pausable says that video may be paused when there is no room for it.
	Pausable atomic.Bool
}

// inCodec is what a payload type of the sender stands for.
type inCodec struct {
	codec Codec
	rtx   bool
	apt   uint8
}

// receiving is one m-section that the client sends on.
type receiving struct {
	track  *Track
	layers []Layer
}

// Layer is one stream of a track as the client announced it.
type Layer struct {
	Rid   string
	Index int    // 0 is the smallest
	SSRC  uint32 // 0 = learnt from the packets
	RTX   uint32
}

type binding struct {
	source *Source
	rtx    bool
}

// StartRate is what a receiver's network is taken to carry before it has said
// anything, bits a second.
const StartRate = 1_500_000

// NewPeer makes a peer; Attach gives it its link. ssrc is any number that no
// stream of the link has.
func NewPeer(ssrc uint32) *Peer {
	return &Peer{ssrc: ssrc, byMid: map[string]*receiving{}, bySSRC: map[uint32]binding{}, byOut: map[uint32]*Down{},
		record: twcc.NewRecorder(ssrc), sender: sender{estimator: bwe.New(StartRate)}}
}

// maxStreams bounds the streams of one client.
const maxStreams = 256

// Inbound tells what the client's numbers mean; it may be called again with
// more.
func (p *Peer) Inbound(exts map[uint8]Ext, codecs map[uint8]Codec, rtx map[uint8]uint8) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, e := range exts {
		p.inExt[id] = e
		p.hasTWCC = p.hasTWCC || e == ExtTWCC
	}
	for pt, c := range codecs {
		p.inPT[pt&0x7f] = inCodec{codec: c}
	}
	for pt, apt := range rtx {
		p.inPT[pt&0x7f] = inCodec{rtx: true, apt: apt}
	}
}

// Outbound tells the numbers of extensions that the client reads.
func (p *Peer) Outbound(exts ExtMap) {
	p.Link.Lock()
	defer p.Link.Unlock()
	p.outExt = exts
}

// Receive lets the streams of an m-section be a track.
func (p *Peer) Receive(mid string, t *Track, layers []Layer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byMid[mid] = &receiving{t, layers}
	for _, l := range layers {
		if l.SSRC != 0 {
			p.bindLocked(t, l, l.SSRC)
		}
	}
}

// StopReceiving ends a track's streams.
func (p *Peer) StopReceiving(t *Track) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for mid, r := range p.byMid {
		if r.track == t {
			delete(p.byMid, mid)
		}
	}
	for ssrc, b := range p.bySSRC {
		if b.source.track == t {
			delete(p.bySSRC, ssrc)
		}
	}
	keep := p.sources[:0]
	for _, s := range p.sources {
		if s.track == t {
			s.forwarded()
			s.drain()
		} else {
			keep = append(keep, s)
		}
	}
	p.sources = keep
}

// bindLocked makes the source of a layer, or gives it another SSRC.
func (p *Peer) bindLocked(t *Track, l Layer, ssrc uint32) *Source {
	if b, ok := p.bySSRC[ssrc]; ok && !b.rtx && b.source.track == t {
		return b.source
	}
	if len(p.bySSRC) >= maxStreams {
		return nil
	}
	s := t.layerOf(l.Index)
	if s == nil {
		s = &Source{track: t, peer: p, layer: l.Index, rid: l.Rid, ssrc: ssrc}
		p.sources = append(p.sources, s)
		t.addSource(s)
	} else { // the client began the stream anew
		delete(p.bySSRC, s.ssrc)
		s.ssrc, s.got, s.missing = ssrc, false, nil
		s.drain()
	}
	p.bySSRC[ssrc] = binding{source: s}
	if l.RTX != 0 {
		s.rtx = l.RTX
		p.bySSRC[l.RTX] = binding{source: s, rtx: true}
	}
	return s
}

// learn finds out whose a packet of a new SSRC is, by the names that it
// carries (RFC 8843 §9.2, RFC 8852).
func (p *Peer) learn(k *Packet) (binding, bool) {
	r := p.byMid[string(k.extension(ExtMid))]
	if r == nil {
		return binding{}, false
	}
	rid, repaired := string(k.extension(ExtRid)), string(k.extension(ExtRepairedRid))
	for _, l := range r.layers {
		switch {
		case repaired != "" && l.Rid == repaired:
			s := r.track.layerOf(l.Index)
			if s == nil || len(p.bySSRC) >= maxStreams {
				return binding{}, false
			}
			s.rtx = k.ssrc
			p.bySSRC[k.ssrc] = binding{s, true}
			return p.bySSRC[k.ssrc], true
		case repaired == "" && l.Rid == rid:
			if rid == "" && p.inPT[k.pt].rtx {
				return binding{}, false // without names it is not known whose repair it is
			}
			s := p.bindLocked(r.track, l, k.ssrc)
			return binding{source: s}, s != nil
		}
	}
	return binding{}, false
}

// RTP implements link.Handler.
func (p *Peer) RTP(now int64, b *link.Buffer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := &Packet{buf: b, arrival: now}
	if !k.parse(b.B, &p.inExt) {
		drop(b)
		return
	}
	if x := k.extension(ExtTWCC); len(x) == 2 {
		p.record.Record(k.ssrc, uint16(x[0])<<8|uint16(x[1]), now/1000)
	}
	bound, ok := p.bySSRC[k.ssrc]
	if !ok {
		if bound, ok = p.learn(k); !ok {
			p.unknown++
			drop(b)
			return
		}
	}
	s := bound.source
	if bound.rtx && !unwrapRTX(k, s, p.inPT[k.pt].apt) {
		drop(b)
		return
	}
	k.codec = p.inPT[k.pt].codec
	if k.codec == codecNone || s.track.Muted.Load() {
		drop(b)
		return
	}
	s.track.codec.Store(uint32(k.codec))
	if !s.keep(k) {
		drop(b)
		return
	}
	k.frame = inspect(k.codec, k.payload(), k.extension(ExtDependency), &s.layout)
	if k.frame.key {
		s.keyTries.Store(0)
	}
	s.measure(now, k)
	if k.marker {
		s.shots.add(now, 1)
	}
	if x := k.extension(ExtAudioLevel); len(x) > 0 && !s.track.Video {
		s.audio.add(x[0] & 0x7f)
	}
	s.arrived(k, s.track.clock())
	if len(s.pending) == 0 {
		p.dirty = append(p.dirty, s)
	}
	s.pending = append(s.pending, k)
}

// maxHeld is how many packets of a frame wait for the rest of it.
const maxHeld = 24

// Flush implements link.Handler.
func (p *Peer) Flush(now int64, out *link.Batch, last bool) (hold bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := p.dirty[:0]
	for _, s := range p.dirty {
		n := len(s.pending)
		if n == 0 {
			continue
		}
		if s.track.Video && !last && n < maxHeld && !s.pending[n-1].marker && s.track.Subscribers() > 1 {
			waiting = append(waiting, s)
			continue
		}
		s.forward(now, out)
	}
	p.dirty = waiting
	return len(waiting) > 0
}

// forward gives what has come to all subscribers. The peer's mu is held.
func (s *Source) forward(now int64, out *link.Batch) {
	var key *Source
	for _, d := range *s.track.downs.Load() {
		if !d.wants(s) {
			continue
		}
		l := d.peer.Link
		l.Lock()
		d.peer.now = now
		for _, k := range s.pending {
			if need := d.write(k, s, out); need != nil {
				key = need
			}
		}
		out.Send(l)
		l.Unlock()
	}
	s.tapped()
	s.forwarded()
	if key != nil {
		key.askKey(now)
	}
	if len(s.missing) > 0 {
		s.ask(now)
	}
}

// ask sends for what is missing.
func (s *Source) ask(now int64) {
	p := s.peer
	p.nacks = s.nacks(now, p.nacks[:0])
	if s.lost > 0 {
		s.lost = 0
		if s.track.Video {
			s.askKey(now) // no receiver can go on without
		}
	}
	if len(p.nacks) == 0 {
		return
	}
	b, err := (&rtcp.TransportLayerNack{SenderSSRC: p.ssrc, MediaSSRC: s.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(p.nacks)}).Marshal()
	if err == nil {
		p.Link.SendRTCP(b)
	}
}

// Subscribe begins to send a track. The SSRCs must be unused on the link; rtx
// is 0 when the client cannot ask again.
func (p *Peer) Subscribe(t *Track, payloads Payloads, ssrc, rtx uint32) *Down {
	d := &Down{Track: t, peer: p, ssrc: ssrc, rtx: rtx, payloads: payloads}
	d.max.Store(2)
	d.layer.Store(-1)
	d.target.Store(-1)
	d.within.wantSid, d.within.wantTid = all, all
	if t.Video {
		d.target.Store(int32(firstLayer(t, p.Link.Now())))
	}
	p.Link.Lock()
	p.downs = append(p.downs, d)
	p.byOut[ssrc] = d
	if rtx != 0 {
		p.byOut[rtx] = d
	}
	p.Link.Unlock()
	t.addDown(d)
	if s := t.layerOf(int(d.target.Load())); t.Video && s != nil {
		s.askKey(p.Link.Now())
	}
	return d
}

// firstLayer is what a new subscriber begins with: the smallest that flows,
// which is the one to be seen soonest.
func firstLayer(t *Track, now int64) int {
	for _, s := range t.layers() {
		if s.rate.alive(now) {
			return s.layer
		}
	}
	return 0
}

// Payloads changes the payload types after another round of signalling.
func (d *Down) Payloads(x Payloads) {
	d.peer.Link.Lock()
	defer d.peer.Link.Unlock()
	d.payloads = x
}

// Unsubscribe ends it.
func (p *Peer) Unsubscribe(d *Down) {
	d.Track.removeDown(d)
	p.Link.Lock()
	defer p.Link.Unlock()
	for i, x := range p.downs {
		if x == d {
			p.downs = append(p.downs[:i], p.downs[i+1:]...)
			break
		}
	}
	delete(p.byOut, d.ssrc)
	delete(p.byOut, d.rtx)
	d.history, d.current = nil, nil
}

// SetMax is the highest layer that the viewer shows; -1 = not visible.
func (d *Down) SetMax(layer int) { d.max.Store(int32(layer)) }

// Max is what SetMax was called with.
func (d *Down) Max() int { return int(d.max.Load()) }

// Layer is the layer that goes out, -1 = none.
func (d *Down) Layer() int { return int(d.layer.Load()) }

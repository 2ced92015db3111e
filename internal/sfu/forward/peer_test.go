package forward

import (
	"encoding/binary"
	"testing"

	"github.com/pion/rtcp"

	"github.com/skein-im/skein/internal/sfu/bwe"
	"github.com/skein-im/skein/internal/sfu/link"
)

// peer is one without a connection: what it sends goes nowhere.
func peer() *Peer {
	p := NewPeer(1)
	p.Link = &link.Link{}
	return p
}

// rtpOf is a packet of VP8 with a picture id, or padding alone.
func rtpOf(ssrc uint32, seq uint16, ts uint32, key bool, size int) *link.Buffer {
	b := link.NewBuffer()
	h := appendHeader(b.B[:0], outHeader{marker: true, pt: 96, seq: seq, ts: ts, ssrc: ssrc}, nil)
	body := make([]byte, size)
	if size >= 5 {
		body[0], body[1], body[2], body[3] = 0x90, 0x80, 0x80|byte(seq>>8)&0x7f, byte(seq)
		if !key {
			body[4] = 1
		}
	}
	b.B = append(h, body...)
	return b
}

// stage is a sender with three layers, and one who watches.
func stage() (sender, viewer *Peer, t *Track, d *Down) {
	sender, viewer = peer(), peer()
	sender.Inbound(nil, map[uint8]Codec{96: VP8}, map[uint8]uint8{97: 96})
	t = NewTrack(true)
	sender.Receive("0", t, []Layer{{Rid: "q", Index: 0, SSRC: 10}, {Rid: "h", Index: 1, SSRC: 11, RTX: 21}, {Rid: "f", Index: 2, SSRC: 12}})
	d = &Down{Track: t, peer: viewer, ssrc: 99, rtx: 98}
	d.payloads.Media[VP8], d.payloads.RTX[VP8] = 100, 101
	d.max.Store(2)
	d.layer.Store(-1)
	viewer.downs, viewer.byOut[99] = []*Down{d}, d
	t.addDown(d)
	return sender, viewer, t, d
}

// push lets a sender's layers each send one picture.
func push(p *Peer, out *link.Batch, n int, now int64, key bool) {
	for i, size := range []int{600, 1000, 1100} {
		for k := range []int{1, 2, 5}[i] {
			p.RTP(now, rtpOf(uint32(10+i), uint16(n*[]int{1, 2, 5}[i]+k), uint32(n*3000+i*7777), key && k == 0, size))
		}
	}
	p.Flush(now, out, true)
}

func TestAViewerGetsTheBestLayerThatItShowsAndThatThereIsRoomFor(t *testing.T) {
	sender, viewer, _, d := stage()
	var out link.Batch
	now, n := int64(1e9), 0
	run := func(ms int, estimate int64) {
		for end := now + int64(ms)*1e6; now < end; now += 33e6 {
			n++
			push(sender, &out, n, now, n%3 == 0)
			viewer.Link.Lock()
			viewer.sender.estimator = bwe.New(estimate)
			viewer.sender.nextProbe = now + 1e9
			viewer.Link.Unlock()
			viewer.divide(now, &out)
		}
	}
	run(1500, 100)
	if got := d.Layer(); got != 2 {
		t.Errorf("without a report of the receiver the layer is %d, want the best", got)
	}
	viewer.outExt[ExtTWCC], viewer.sender.reported = 3, true
	run(1500, 500_000)
	if got := d.Layer(); got == 2 || got < 0 {
		t.Errorf("with 500 kbit/s the layer is %d", got)
	}
	run(1500, 5_000_000)
	if got := d.Layer(); got != 2 {
		t.Errorf("with 5 Mbit/s the layer is %d", got)
	}
	d.SetMax(0)
	run(1500, 5_000_000)
	if got := d.Layer(); got != 0 {
		t.Errorf("shown small, the layer is %d", got)
	}
	before := d.packets
	d.SetMax(-1)
	run(500, 5_000_000)
	mid := d.packets
	run(500, 5_000_000)
	if d.packets != mid {
		t.Errorf("not shown at all, %d packets went out", d.packets-before)
	}
	d.SetMax(2)
	run(1500, 5_000_000)
	if d.Layer() != 2 || d.packets == mid {
		t.Errorf("shown again, the layer is %d", d.Layer())
	}
	if d.munger.dropped != 0 {
		t.Errorf("%d packets were left out", d.munger.dropped)
	}
}

func TestVideoIsPausedWhenThereIsNoRoomAndSaid(t *testing.T) {
	sender, viewer, _, d := stage()
	other := &Down{Track: d.Track, peer: viewer, ssrc: 97}
	other.payloads = d.payloads
	other.max.Store(2)
	other.layer.Store(-1)
	d.Track.addDown(other)
	viewer.downs = append(viewer.downs, other)
	viewer.Pausable.Store(true)
	viewer.outExt[ExtTWCC], viewer.sender.reported = 3, true
	var out link.Batch
	var told []StreamState
	now := int64(1e9)
	for n := 1; n < 60; n++ {
		push(sender, &out, n, now, n%3 == 0)
		viewer.sender.estimator = bwe.New(60_000)
		told = append(told, viewer.divide(now, &out)...)
		now += 33e6
	}
	if len(told) != 1 || told[0].Down != other || !told[0].Paused || d.Layer() != 0 {
		t.Errorf("told %+v; the first has layer %d", told, d.Layer())
	}
}

func TestAPacketThatIsAskedForAgainComesFromTheSharedBufferWithTheReceiversNumbers(t *testing.T) {
	sender, viewer, track, d := stage()
	var out link.Batch
	d.target.Store(1)
	for n := 1; n <= 20; n++ {
		push(sender, &out, n, int64(n)*33e6+1e9, true)
	}
	if d.history == nil || d.Layer() != 1 {
		t.Fatalf("the layer is %d", d.Layer())
	}
	seq := d.munger.outSeq - 3
	viewer.Link.Lock()
	ok := d.resend(seq, 2e9, &out, false)
	again := d.resend(seq, 2e9+1e6, &out, false)
	late := d.resend(seq-historySize, 2e9, &out, false)
	viewer.Link.Unlock()
	var k Packet
	if !ok || again || late || !k.parse(out.Plain, &[256]Ext{}) || k.ssrc != 98 || k.pt != 101 || binary.BigEndian.Uint16(out.Plain[k.body:]) != seq {
		t.Errorf("repeated: %t, at once again: %t, long ago: %t; %+v", ok, again, late, k)
	}
	// A second later the packets are gone, and their memory given back.
	push(sender, &out, 90, 9e9, true)
	if d.resend(seq, 9e9, &out, true) {
		t.Error("a packet of seven seconds ago was kept")
	}
	sender.StopReceiving(track)
}

func TestWhatIsMissingIsAskedForAndGivenUp(t *testing.T) {
	s := &Source{track: NewTrack(true), peer: peer(), ssrc: 5}
	for _, seq := range []uint16{65533, 65534, 1, 4, 2} {
		s.arrived(&Packet{seq: seq, arrival: 1e9}, 90_000)
	}
	want := []uint16{65535, 0, 3}
	got := s.nacks(1e9, nil)
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Fatalf("asked for %v, want %v", got, want)
	}
	if got := s.nacks(1e9+nackWait/2, nil); len(got) != 0 {
		t.Errorf("asked again too soon for %v", got)
	}
	if got := s.nacks(1e9+nackAge+1, nil); len(got) != 0 || len(s.missing) != 0 {
		t.Errorf("never given up: %v", got)
	}
	r := s.report(2e9)
	if r.LastSequenceNumber&0xffff != 4 || r.TotalLost != 3 {
		t.Errorf("the report says %+v", r)
	}
}

func TestAReportOfTheReceiverIsReadPacketByPacket(t *testing.T) {
	s := &sender{estimator: bwe.New(1e6), seq: 65533}
	for i := range 6 {
		s.next(int64(i)*1e6, 100)
	}
	s.feedback(1e9, &rtcp.TransportLayerCC{BaseSequenceNumber: 65534, PacketStatusCount: 6, ReferenceTime: 1, PacketChunks: []rtcp.PacketStatusChunk{
		&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 2},
		&rtcp.StatusVectorChunk{SymbolList: []uint16{rtcp.TypeTCCPacketNotReceived, rtcp.TypeTCCPacketReceivedSmallDelta, rtcp.TypeTCCPacketNotReceived, rtcp.TypeTCCPacketReceivedSmallDelta, 1, 1, 1}},
	}, RecvDeltas: []*rtcp.RecvDelta{{Delta: 250}, {Delta: 500}, {Delta: 1000}, {Delta: 250}}})
	if len(s.acks) != 6 || s.acks[0].Arrived != 64e6+250e3 || s.acks[1].Arrived != 64e6+750e3 || s.acks[2].Arrived != 0 || s.acks[5].Arrived != 64e6+2000e3 {
		t.Errorf("got %+v", s.acks)
	}
}

// FuzzReceive feeds a sender's and a receiver's packets that nobody wrote.
func FuzzReceive(f *testing.F) {
	nack, err := (&rtcp.TransportLayerNack{MediaSSRC: 99, Nacks: []rtcp.NackPair{{PacketID: 1, LostPackets: 0xffff}}}).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	b := rtpOf(12, 5, 6, true, 50)
	f.Add(b.B, nack)
	av1 := appendHeader(nil, outHeader{marker: true, pt: 98, seq: 9, ts: 7, ssrc: 12}, []extElement{{5, descriptor(0, 0, 1)}})
	f.Add(append(av1, 0x18, 1, 2, 3), nack)
	vp9 := appendHeader(nil, outHeader{marker: true, pt: 99, seq: 9, ts: 7, ssrc: 12}, nil)
	f.Add(append(vp9, 0xac, 0x92, 0x34, 0x12, 9, 1), nack)
	f.Fuzz(func(t *testing.T, media, control []byte) {
		sender, viewer, track, d := stage()
		d.payloads.Media[AV1], d.payloads.RTX[AV1], d.payloads.Media[VP9], d.payloads.RTX[VP9] = 102, 103, 104, 105
		d.target.Store(2)
		sender.Inbound(map[uint8]Ext{3: ExtTWCC, 5: ExtDependency}, map[uint8]Codec{98: AV1, 99: VP9}, nil)
		viewer.outExt = ExtMap{ExtTWCC: 3, ExtDependency: 5}
		var out link.Batch
		if len(media) <= 1400 {
			for i := range 3 {
				b := link.NewBuffer()
				b.B = append(b.B[:0], media...)
				if len(b.B) > 3 {
					b.B[3] += byte(i) // the next number
				}
				sender.RTP(int64(i)*1e7, b)
				sender.Flush(int64(i)*1e7, &out, true)
			}
		}
		sender.RTCP(1, control, &out)
		viewer.RTCP(1, control, &out)
		viewer.divide(2, &out)
		sender.StopReceiving(track)
	})
}

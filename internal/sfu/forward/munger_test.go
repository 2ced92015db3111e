package forward

import (
	"slices"
	"testing"
)

func pkt(seq uint16, ts uint32, pic uint16) *Packet {
	return &Packet{seq: seq, ts: ts, frame: frameInfo{pic: pic, tl0: uint8(pic), picAt: 2, tl0At: 4, picLong: true, counted: true}}
}

// feed sends packets of one piece through and returns the numbers that come out.
func feed(m *munger, cut bool, drop []uint16, packets ...*Packet) (seqs []uint16) {
	for i, p := range packets {
		if cut && i == 0 {
			m.cut(p, 0, false, 90_000)
		}
		seq, _, fate := m.number(p, slices.Contains(drop, p.seq), false)
		if fate == gone {
			continue
		}
		m.sent(p.ts+m.ts, p.arrival)
		seqs = append(seqs, seq)
	}
	return seqs
}

func TestNumbersGoOnWithoutASeam(t *testing.T) {
	for name, test := range map[string]struct {
		first, second []uint16 // sequence numbers of two pieces
		drop          []uint16
		want          []uint16
	}{
		"in order":                    {[]uint16{10, 11, 12}, []uint16{500, 501}, nil, []uint16{10, 11, 12, 13, 14}},
		"over the wrap":               {[]uint16{65534, 65535, 0, 1}, []uint16{65535, 0}, nil, []uint16{65534, 65535, 0, 1, 2, 3}},
		"a gap stays a gap":           {[]uint16{10, 13}, []uint16{1}, nil, []uint16{10, 13, 14}},
		"a late one has its place":    {[]uint16{10, 12, 11}, nil, nil, []uint16{10, 12, 11}},
		"a repeated one is left out":  {[]uint16{10, 11, 11}, nil, nil, []uint16{10, 11}},
		"what is dropped closes up":   {[]uint16{10, 11, 12, 13}, nil, []uint16{11}, []uint16{10, 11, 12}},
		"late, before what was left":  {[]uint16{10, 12, 13, 11}, nil, []uint16{12}, []uint16{10, 12, 11}},
		"older than the piece":        {[]uint16{10}, []uint16{500, 499}, nil, []uint16{10, 11}},
		"several dropped in a row":    {[]uint16{10, 11, 12, 13, 14}, []uint16{7}, []uint16{11, 12}, []uint16{10, 11, 12, 13}},
		"dropped and then late again": {[]uint16{10, 11, 13, 12}, nil, []uint16{11}, []uint16{10, 12, 11}},
	} {
		t.Run(name, func(t *testing.T) {
			var m munger
			var got []uint16
			for _, piece := range [][]uint16{test.first, test.second} {
				var ps []*Packet
				for _, s := range piece {
					ps = append(ps, pkt(s, 1000, 5))
				}
				if len(ps) > 0 {
					got = append(got, feed(&m, true, test.drop, ps...)...)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestAnotherLayersTimestampsAndCountersFollowOn(t *testing.T) {
	var m munger
	a := pkt(10, 90_000, 0x7fff)
	feed(&m, true, nil, a)
	b := pkt(800, 7_000_000, 44)
	b.arrival = 100_000_000 // 100 ms later
	m.cut(b, 0, false, 90_000)
	if got := b.ts + m.ts; got != 90_000+9_000 {
		t.Errorf("without the senders' clocks the timestamp is %d, want 100 ms later", got)
	}
	if c := m.counters(b.frame, m.segs[0].pic); c.pic&0x7fff != 0 || c.tl0 != 0 {
		t.Errorf("the counters are %+v, want what follows 7fff and ff", c)
	}
	// With the clocks it is what they say.
	m2 := m
	m2.outTS, m2.outAt = 99_000, 0
	m2.cut(b, uint32(100_500)-b.ts, true, 90_000)
	if got := b.ts + m2.ts; got != 100_500 {
		t.Errorf("with the clocks the timestamp is %d", got)
	}
	// A clock that would go back is not believed.
	m2.outTS = 200_000
	m2.cut(b, uint32(100_500)-b.ts, true, 90_000)
	if got := b.ts + m2.ts; int32(got-200_000) <= 0 {
		t.Errorf("the timestamp went back to %d", got)
	}
}

func TestCountersAreWrittenWhereTheyWereRead(t *testing.T) {
	for name, test := range map[string]struct {
		codec Codec
		in    []byte
		want  []byte
		key   bool
	}{
		"VP8, all of them":      {VP8, []byte{0x90, 0xf0, 0x80 | 0x12, 0x34, 7, 0x1f, 0}, []byte{0x90, 0xf0, 0x80 | 0x12, 0x39, 12, 4, 0}, true},
		"VP8, a short picture":  {VP8, []byte{0x90, 0x80, 0x7f, 1}, []byte{0x90, 0x80, 4, 1}, false},
		"VP8, without any":      {VP8, []byte{0x10, 0}, []byte{0x10, 0}, true},
		"VP8, cut short":        {VP8, []byte{0x90, 0xf0, 0x80}, []byte{0x90, 0xf0, 0x80}, false},
		"VP9, a key frame":      {VP9, []byte{0xa8, 0x92, 0x34, 0, 9}, []byte{0xa8, 0x92, 0x39, 0, 14}, true},
		"VP9, not one":          {VP9, []byte{0xc8, 0x92, 0x34}, []byte{0xc8, 0x92, 0x39}, false},
		"H.264, IDR":            {H264, []byte{0x65, 1}, []byte{0x65, 1}, true},
		"H.264, SPS in a STAP":  {H264, []byte{24, 0, 1, 0x67, 0}, []byte{24, 0, 1, 0x67, 0}, true},
		"H.264, FU-A of an IDR": {H264, []byte{28, 0x85}, []byte{28, 0x85}, true},
		"H.264, a later FU-A":   {H264, []byte{28, 0x05}, []byte{28, 0x05}, false},
		"AV1, a new sequence":   {AV1, []byte{0x08, 0}, []byte{0x08, 0}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := inspect(test.codec, test.in, nil, nil)
			if f.key != test.key {
				t.Errorf("a key frame: %t", f.key)
			}
			out := slices.Clone(test.in)
			f.patch(out, counters{f.pic + 5, f.tl0 + 5, f.keyIdx + 5})
			if !slices.Equal(out, test.want) {
				t.Errorf("got %x, want %x", out, test.want)
			}
		})
	}
}

func TestRedundantAudioIsTakenApart(t *testing.T) {
	for name, test := range map[string]struct{ in, want []byte }{
		"one block before":    {[]byte{0x80 | 111, 0, 0, 2, 111, 'a', 'b', 'c', 'd'}, []byte("cd")},
		"none":                {[]byte{111, 'x'}, []byte("x")},
		"a length too long":   {[]byte{0x80 | 111, 0, 3, 255, 111, 'a'}, nil},
		"cut in the header":   {[]byte{0x80 | 111, 0}, nil},
		"nothing":             {nil, nil},
		"header without data": {[]byte{111}, []byte{}},
	} {
		if got := primary(test.in); !slices.Equal(got, test.want) || (got == nil) != (test.want == nil) {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

func TestHeadersAreWrittenAsTheyAreRead(t *testing.T) {
	var ids [256]Ext
	ids[3], ids[20] = ExtTWCC, ExtDependency
	for _, elements := range [][]extElement{
		nil,
		{{3, []byte{1, 2}}},
		{{3, []byte{1, 2}}, {20, make([]byte, 30)}},
	} {
		b := appendHeader(nil, outHeader{marker: true, pt: 96, seq: 7, ts: 8, ssrc: 9}, elements)
		b = append(b, "body"...)
		var p Packet
		if !p.parse(b, &ids) || !p.marker || p.pt != 96 || p.seq != 7 || p.ts != 8 || p.ssrc != 9 || string(b[p.body:p.end]) != "body" {
			t.Fatalf("%x was read as %+v", b, p)
		}
		for _, e := range elements {
			s := p.ext[ids[e.id]]
			if !slices.Equal(b[s.off:s.off+uint16(s.n)], e.data) {
				t.Errorf("extension %d of %x is %+v", e.id, b, s)
			}
		}
	}
}

func FuzzPacket(f *testing.F) {
	var ids [256]Ext
	for i := range ids {
		ids[i] = Ext(i % int(numExt))
	}
	f.Add([]byte{0xb0, 0xe0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 1, 0x31, 1, 2, 0, 0x90, 0xf0, 0x80}, uint8(VP8))
	f.Add([]byte{0xa0, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 255}, uint8(H264)) // more padding than payload
	f.Fuzz(func(t *testing.T, b []byte, codec uint8) {
		var p Packet
		if len(b) > 1500 || !p.parse(b, &ids) {
			return
		}
		payload := b[p.body:p.end]
		info := inspect(Codec(codec)%numCodecs, payload, payload, &structure{})
		info.patch(slices.Clone(payload), counters{1, 2, 3})
		primary(payload)
	})
}

package ws

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestHeadersAreReadBackAsTheyWereWritten(t *testing.T) {
	for _, length := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 31} {
		for _, masked := range []bool{false, true} {
			h := header{op: OpBinary, fin: masked, masked: masked, length: length}
			if masked {
				h.key = 0xdeadbeef
			}
			b := appendHeader(nil, h)
			for short := range b {
				if _, size, err := parseHeader(b[:short]); err != nil || size <= short || size > len(b) {
					t.Fatalf("%d of %d bytes: size %d, error %v", short, len(b), size, err)
				}
			}
			got, size, err := parseHeader(append(b, "payload"...))
			if err != nil || size != len(b) || got != h {
				t.Fatalf("% x: got %+v, size %d, error %v; want %+v", b, got, size, err, h)
			}
		}
	}
}

func TestMaskEqualsByteByByteInPiecesAndInPlace(t *testing.T) {
	key := [4]byte{0x11, 0x22, 0x33, 0x44}
	const k = 0x44332211
	r := rand.New(rand.NewPCG(1, 2))
	for length := range 100 {
		src := make([]byte, length)
		for i := range src {
			src[i] = byte(r.Uint32())
		}
		want := make([]byte, length)
		for i := range src {
			want[i] = src[i] ^ key[i%4]
		}
		for cut := range length + 1 {
			got := make([]byte, length)
			mask(got[cut:], src[cut:], mask(got[:cut], src[:cut], k))
			if !bytes.Equal(got, want) {
				t.Fatalf("length %d cut at %d: % x, want % x", length, cut, got, want)
			}
		}
		mask(src, src, k)
		if !bytes.Equal(src, want) {
			t.Fatalf("length %d in place: % x, want % x", length, src, want)
		}
	}
}

func TestMasksAreTakenFromTheEntropyInBlocksAndNeverTwice(t *testing.T) {
	reads := 0
	counter := readerFunc(func(p []byte) (int, error) {
		reads++
		for i := range p {
			p[i] = byte(i/4 + (reads-1)*len(p)/4)
		}
		return len(p), nil
	})
	m := newMaskSource(counter)
	for i := range uint32(64) {
		key, err := m.next()
		if want := i * 0x01010101; err != nil || key != want {
			t.Fatalf("mask %d: %#x, error %v; want %#x", i, key, err, want)
		}
	}
	if reads != 2 {
		t.Errorf("the entropy was read %d times for 64 masks, want 2", reads)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func BenchmarkMask(b *testing.B) {
	for _, size := range []int{100, 4096, 65536} {
		b.Run(sizeName(size), func(b *testing.B) {
			buf := make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				mask(buf, buf, 0xdeadbeef)
			}
		})
	}
}

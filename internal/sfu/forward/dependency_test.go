package forward

import "testing"

// bitWriter is bitReader's twin.
type bitWriter struct {
	b []byte
	n int
}

func (w *bitWriter) put(v, bits int) {
	for i := bits - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v>>i&1) << (7 - w.n%8)
		w.n++
	}
}

// descriptor of a key picture of two spatial and three temporal layers, as an
// encoder of L2T3_KEY sends it, one template a layer and a decode target each.
func descriptor(offset, id, number int) []byte {
	w := &bitWriter{}
	w.put(1, 1)
	w.put(1, 1)
	w.put(id, 6)
	w.put(number, 16)
	w.put(1, 1) // a structure
	w.put(0, 4)
	w.put(offset, 6)
	w.put(6-1, 5)
	for i := range 6 {
		w.put([6]int{1, 1, 2, 1, 1, 3}[i], 2)
	}
	for sid := range 2 {
		for tid := range 3 {
			for target := range 6 {
				dti := 0
				if s, t := target/3, target%3; s == sid && t >= tid {
					dti = 2
				}
				w.put(dti, 2)
			}
		}
	}
	for range 6 {
		w.put(1, 1)
		w.put(3, 4)
		w.put(0, 1)
	}
	w.put(3, 3)  // two chains: 2 as one of seven values
	w.put(0, 6)  // which of them protects each target
	w.put(0, 48) // differences to the chains of each template
	w.put(0, 1)  // no resolutions
	return w.b
}

func TestLayersOfAV1AreReadFromTheDescriptor(t *testing.T) {
	var s structure
	var f frameInfo
	s.depend([]byte{0xc0, 0, 7}, &f)
	if f.scalable || f.pic != 7 || !f.counted {
		t.Errorf("without a structure: %+v", f)
	}
	for id := range 6 {
		f = frameInfo{}
		s.depend(descriptor(60, (60+id)%64, 300+id), &f)
		if !f.scalable || int(f.sid) != id/3 || int(f.tid) != id%3 || !f.end || !f.sync || int(f.pic) != 300+id {
			t.Errorf("template %d: %+v", id, f)
		}
		f = frameInfo{}
		s.depend([]byte{0x80 | byte((60+id)%64), 1, 0}, &f) // later, with no more than that
		if !f.scalable || int(f.sid) != id/3 || int(f.tid) != id%3 || f.end {
			t.Errorf("later, template %d: %+v", id, f)
		}
	}
	f = frameInfo{}
	s.depend([]byte{0x80 | 20, 1, 0}, &f)
	if f.scalable {
		t.Errorf("a template that there is not: %+v", f)
	}
	whole := descriptor(0, 0, 1)
	for n := range len(whole) - 3 {
		f = frameInfo{}
		var empty structure
		if empty.depend(whole[:n], &f); f.scalable {
			t.Errorf("%d bytes of %d were read as %+v", n, len(whole), f)
		}
	}
}

func FuzzDependency(f *testing.F) {
	f.Add(descriptor(0, 0, 1), []byte{0x81, 0, 2})
	f.Add([]byte{0xc0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff}, []byte{0xc0, 0, 1, 0x60, 0xff})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var s structure
		for _, b := range [][]byte{first, second} {
			var info frameInfo
			s.depend(b, &info)
			if len(s.templates) > maxTemplates || s.targets > maxTargets {
				t.Fatalf("%d templates, %d targets", len(s.templates), s.targets)
			}
		}
	})
}

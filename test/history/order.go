package history

import (
	"cmp"
	"slices"
)

// timed is an operation that is in the log, with its stored position.
type timed struct {
	opRef
	seq uint32
}

// orders proves of each conversation that what was acknowledged before
// something else began lies before it (I4), and that one client's sends keep
// their order (I5).
func (k *checker) orders() {
	by := make([][]timed, len(k.h.Convs))
	for _, o := range k.ops {
		at := k.stored(o.op.ID)
		if len(at) == 1 && at[0].conv == o.op.Conv && o.op.Outcome != Failed {
			by[o.op.Conv] = append(by[o.op.Conv], timed{o, k.entry(at[0]).Seq})
		}
	}
	for conv, ops := range by {
		k.realTime(uint32(conv), ops)
		k.fifo(uint32(conv), ops)
	}
}

// realTime sweeps over the operations by the time at which they began, and
// keeps the highest position among those that had been acknowledged by then.
func (k *checker) realTime(conv uint32, ops []timed) {
	began := slices.Clone(ops)
	slices.SortFunc(began, func(a, b timed) int { return cmp.Compare(a.op.Invoke, b.op.Invoke) })
	ended := slices.DeleteFunc(slices.Clone(ops), func(o timed) bool { return o.op.Outcome != Acked })
	slices.SortFunc(ended, func(a, b timed) int { return cmp.Compare(a.op.Return, b.op.Return) })
	var highest *timed
	next := 0
	for i := range began {
		b := &began[i]
		for next < len(ended) && ended[next].op.Return < b.op.Invoke {
			if highest == nil || ended[next].seq > highest.seq {
				highest = &ended[next]
			}
			next++
		}
		if highest != nil && highest.seq > b.seq {
			k.breach(I4, "in %s seq %d was acknowledged %d ns before %s began, which became seq %d",
				k.h.Convs[conv], highest.seq, b.op.Invoke-highest.op.Return, k.h.name(b.c, b.op), b.seq)
		}
	}
}

// fifo compares the stored order of each client with the order in which it
// sent. What was refused with an error in between may have been overtaken.
func (k *checker) fifo(conv uint32, ops []timed) {
	mine := slices.DeleteFunc(slices.Clone(ops), func(o timed) bool { return o.op.Refused || o.op.Kind != Message })
	index := map[*Client]int{}
	for i, c := range k.h.Clients {
		index[c] = i
	}
	slices.SortFunc(mine, func(a, b timed) int {
		return cmp.Or(cmp.Compare(index[a.c], index[b.c]), cmp.Compare(a.op.N, b.op.N))
	})
	for i := 1; i < len(mine); i++ {
		a, b := mine[i-1], mine[i]
		if a.c == b.c && a.seq > b.seq {
			k.breach(I5, "%s was sent as number %d and is seq %d, number %d of the same sender is seq %d in %s",
				k.h.name(a.c, a.op), a.op.N, a.seq, b.op.N, b.seq, k.h.Convs[conv])
		}
	}
}

package history

import (
	"cmp"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// maxRegister bounds what is handed to porcupine: the search that it does
// grows out of hand beyond some hundred operations on one register.
const maxRegister = 100

// registers proves that each user's read marker of a conversation, moved from
// several devices at once, behaves as one register that keeps the highest
// value: an answer is never lower than what was answered before the call
// began (I9). The log says nothing about that order, so that here a search is
// needed; it is kept small.
//
// Own messages move the marker as well, so that only users who wrote nothing
// in a conversation are looked at.
func (k *checker) registers() {
	type key struct{ user, conv uint32 }
	calls := map[key][]porcupine.Operation{}
	for i, c := range k.h.Clients {
		for _, r := range c.Reads {
			at := key{c.User, r.Conv}
			if r.Outcome == Failed {
				continue
			}
			op := porcupine.Operation{ClientId: i, Input: r.Asked, Call: r.Invoke, Output: r.Seq, Return: r.Return}
			if r.Outcome == Unknown {
				op.Output, op.Return = uint32(0), int64(1<<62)
			}
			calls[at] = append(calls[at], op)
		}
	}
	wrote := map[key]bool{}
	for _, o := range k.ops {
		wrote[key{o.c.User, o.op.Conv}] = true
	}
	for at, ops := range calls {
		ops = whole(ops)
		if wrote[at] || len(ops) < 2 {
			continue
		}
		if porcupine.CheckOperationsTimeout(marker(), ops, 10*time.Second) == porcupine.Illegal {
			k.breach(I9, "the answers to %d calls that move the read marker of %s in %s fit no order", len(ops), k.h.Users[at.user], k.h.Convs[at.conv])
		}
	}
}

// whole returns the longest beginning of the calls, at most maxRegister, that
// nothing later can have had a part in: all of its answers had come when the
// next call began.
func whole(ops []porcupine.Operation) []porcupine.Operation {
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	end, answered := 0, int64(0)
	for i, o := range ops {
		if i > maxRegister {
			return ops[:end]
		}
		if o.Call > answered {
			end = i
		}
		if o.Output != uint32(0) {
			answered = max(answered, o.Return)
		}
	}
	if len(ops) <= maxRegister {
		return ops
	}
	return ops[:end]
}

// marker is a register that keeps the highest value. Output 0 = the answer is
// unknown.
func marker() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return uint32(0) },
		Step: func(state, input, output any) (bool, any) {
			next := max(state.(uint32), input.(uint32))
			out := output.(uint32)
			return out == 0 || out == next, next
		},
		Equal: func(a, b any) bool { return a.(uint32) == b.(uint32) },
	}
}

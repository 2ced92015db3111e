package skein

import (
	"slices"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// enqueue takes something the user did into the outbox: the local echo.
func (r *reducer) enqueue(it *item) {
	r.conv(it.conv)
	r.st.nextOrder++
	it.order = r.st.nextOrder
	if it.op == opSend && it.key != "" {
		for i, old := range r.st.outbox {
			if old.op == opSend && old.conv == it.conv && old.key == it.key && old.attempts == 0 && old.state == Sending {
				it.order = old.order
				r.st.outbox[i] = it
				r.dirty.outbox[old.id], r.dirty.outbox[it.id] = true, true
				r.changes = append(r.changes, change{kind: changeReplaced, conv: it.conv, id: old.id, to: it.id})
				return
			}
		}
	}
	if it.targetSeq == 0 && it.targetID != "" {
		if _, target := r.st.itemByID(it.targetID); target != nil && target.seq > 0 {
			it.targetSeq = target.seq
		}
	}
	r.st.outbox = append(r.st.outbox, it)
	r.dirty.outbox[it.id] = true
	r.updated(it)
}

// updated reports that what an item shows has changed: its own message, or
// the one that it is about.
func (r *reducer) updated(it *item) {
	switch {
	case it.op == opSend && it.key == "":
		r.changes = append(r.changes, change{kind: changeMessageUpdated, conv: it.conv, id: it.id})
	case it.op == opSend:
	case it.targetSeq > 0:
		r.changes = append(r.changes, change{kind: changeMessageUpdated, conv: it.conv, seq: it.targetSeq})
	default:
		r.changes = append(r.changes, change{kind: changeMessageUpdated, conv: it.conv, id: it.targetID})
	}
}

// acknowledge notes that the server has an item at a position.
func (r *reducer) acknowledge(it *item, seq, ord uint64, time int64) {
	if it.state == Sent {
		return
	}
	it.state, it.err = Sent, nil
	r.st.acked++
	it.seq, it.ord, it.ackTime = seq, ord, time
	r.dirty.outbox[it.id] = true
	r.changes = append(r.changes, change{kind: changeSent, conv: it.conv, id: it.id, seq: seq, op: it})
	for _, op := range r.st.outbox {
		if op.op != opSend && op.targetSeq == 0 && op.targetID == it.id {
			op.targetSeq = seq
			r.dirty.outbox[op.id] = true
		}
	}
}

// ack makes the entry of an own send out of the item and its ack.
func (r *reducer) ack(a *skeinv1.SendAck) {
	_, it := r.st.itemByID(idText(a.GetClientId()))
	if it == nil || it.op != opSend || it.conv != a.GetConversation() {
		return
	}
	r.acknowledge(it, a.GetSeq(), a.GetOrd(), a.GetTimeUs())
	kind := skeinv1.EntryKind_ENTRY_KIND_MESSAGE
	if it.key != "" {
		kind = skeinv1.EntryKind_ENTRY_KIND_KEYED
	}
	expires := int64(0)
	if it.opts.TTLS > 0 {
		expires = a.GetTimeUs() + int64(it.opts.TTLS)*1_000_000
	}
	r.position(r.current(it.conv), &skeinv1.Entry{
		Conversation: it.conv, Seq: a.GetSeq(), Ord: a.GetOrd(), Kind: kind, Sender: r.st.user, TimeUs: a.GetTimeUs(),
		ClientId: a.GetClientId(), Version: 1, Body: it.body, ToDevices: it.toDevices, Handshake: it.handshake, Key: it.key,
		ToUsers: it.opts.ToUsers, Silent: it.opts.Silent, Priority: skeinv1.Priority(it.opts.Priority), ExpiresUs: expires,
		BurnAfterS: it.opts.BurnS, TargetSeq: it.opts.ThreadSeq, Uncounted: a.GetUncounted(),
	})
	if _, still := r.st.itemByID(it.id); still != nil && it.seq > r.st.convs[it.conv].live {
		r.updated(it)
	}
}

// answer takes an entry from the response of a call.
func (r *reducer) answer(e *skeinv1.Entry) {
	if _, it := r.st.itemByID(idText(e.GetClientId())); it != nil && e.GetSender() == r.st.user {
		r.acknowledge(it, e.GetSeq(), e.GetOrd(), e.GetTimeUs())
	}
	r.position(r.current(e.GetConversation()), e)
}

// claim takes the item that became an entry out of the outbox, and tells
// whether there was one.
func (r *reducer) claim(c *conv, e *skeinv1.Entry) bool {
	if e.GetSender() != r.st.user || len(r.st.outbox) == 0 {
		return false
	}
	i, it := r.st.itemByID(idText(e.GetClientId()))
	if it == nil || it.conv != c.id {
		return false
	}
	r.acknowledge(it, e.GetSeq(), e.GetOrd(), e.GetTimeUs())
	r.drop(i)
	return it.op == opSend
}

// drop removes an outbox item.
func (r *reducer) drop(i int) {
	r.dirty.outbox[r.st.outbox[i].id] = true
	if r.st.outbox[i].state == Sent {
		r.st.acked--
	}
	r.st.outbox = slices.Delete(r.st.outbox, i, i+1)
}

// sweep removes acknowledged items whose position was passed without the
// entry: it lies in a gap, and history will show it.
func (r *reducer) sweep() {
	for i := 0; r.st.acked > 0 && i < len(r.st.outbox); {
		it := r.st.outbox[i]
		c := r.st.convs[it.conv]
		if it.state != Sent || c == nil || it.seq > c.live {
			i++
			continue
		}
		r.drop(i)
		if it.op == opSend && it.key == "" && c.msgs[it.seq] == nil {
			r.changes = append(r.changes, change{kind: changeMessageRemoved, conv: it.conv, id: it.id, op: it})
		}
	}
}

func (r *reducer) failed(ev failedEvent) {
	i, it := r.st.itemByID(ev.id)
	if it == nil || it.state != Sending {
		return
	}
	r.dirty.outbox[it.id] = true
	if it.op == opSend {
		it.state, it.err = Failed, ev.err
	} else {
		r.drop(i)
	}
	r.changes = append(r.changes, change{kind: changeFailed, conv: it.conv, id: it.id, err: ev.err})
	r.updated(it)
}

func (r *reducer) retry(ev retryEvent) {
	i, it := r.st.itemByID(ev.id)
	if it == nil || it.state != Failed {
		return
	}
	r.st.outbox = append(slices.Delete(r.st.outbox, i, i+1), it)
	r.st.nextOrder++
	it.order = r.st.nextOrder
	if ev.newID != "" {
		r.rename(it, ev.newID)
	}
	it.state, it.err = Sending, nil
	r.dirty.outbox[it.id] = true
	r.updated(it)
}

func (r *reducer) renewed(ev renewedEvent) {
	if _, it := r.st.itemByID(ev.id); it != nil && it.state == Sending {
		r.rename(it, ev.newID)
		r.updated(it)
	}
}

// rename gives an item another id, in whose name nothing was sent yet.
func (r *reducer) rename(it *item, id string) {
	r.dirty.outbox[it.id], r.dirty.outbox[id] = true, true
	r.changes = append(r.changes, change{kind: changeReplaced, conv: it.conv, id: it.id, to: id})
	for _, op := range r.st.outbox {
		if op.targetID == it.id {
			op.targetID = id
			r.dirty.outbox[op.id] = true
		}
	}
	it.id, it.attempts, it.firstTryMS = id, 0, 0
}

func (r *reducer) discard(id string) {
	i, it := r.st.itemByID(id)
	if it == nil {
		return
	}
	r.drop(i)
	if it.op == opSend && it.key == "" {
		r.changes = append(r.changes, change{kind: changeMessageRemoved, conv: it.conv, id: it.id, op: it})
	} else {
		r.updated(it)
	}
}

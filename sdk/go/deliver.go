package skein

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// deliver makes events out of changes.
func (c *Client) deliver(changes []change) {
	gone := map[string]bool{}
	for _, ch := range changes {
		switch ch.kind {
		case changeMessage, changeMessageUpdated, changeMessageRemoved:
			c.deliverMessage(ch)
		case changeSent:
			if ch.op.files != nil {
				c.tellUpload(ch.op)
			}
			c.outbox(outEvent{Type: "ack", ID: ch.id})
			c.resolve(ch.id, outcome{m: c.sentMessage(ch)})
		case changeFailed:
			m, _ := c.messageOf(change{kind: changeMessageUpdated, conv: ch.conv, id: ch.id})
			c.outbox(outEvent{Type: "discard", ID: ch.id}) // a reset may have failed it
			if _, it := c.st.itemByID(ch.id); it != nil && it.files != nil {
				c.tellUpload(it)
			}
			c.resolve(ch.id, outcome{m, ch.err})
		case changeReplaced:
			c.sending[ch.to] = append(c.sending[ch.to], c.sending[ch.id]...)
			delete(c.sending, ch.id)
		case changeConversationRemoved:
			gone[ch.conv] = true
			emit(c, &c.on.conversation, ConversationEvent{Conversation: c.Conversation(ch.conv), Removed: true})
		case changeResync:
			if c.conn.state == Online {
				c.send(c.syncFrame(), awaited{kind: "sync"})
			}
		}
	}
	told := map[string]bool{}
	for _, ch := range changes {
		if ch.kind != changeConversation || told[ch.conv] || gone[ch.conv] {
			continue
		}
		told[ch.conv] = true
		emit(c, &c.on.conversation, ConversationEvent{Conversation: c.Conversation(ch.conv)})
		c.holes[ch.conv] = true
		if cv := c.st.convs[ch.conv]; cv != nil {
			c.evict(cv)
			c.askAttributes(cv)
		}
	}
}

func (c *Client) deliverMessage(ch change) {
	h := &c.on.messageUpdated
	switch ch.kind {
	case changeMessage:
		h = &c.on.message
	case changeMessageRemoved:
		h = &c.on.messageRemoved
	}
	m, ok := c.messageOf(ch)
	if !ok {
		return
	}
	if ch.kind == changeMessage {
		c.endTyping(typist{ch.conv, m.Sender})
	}
	emit(c, h, MessageEvent{Conversation: c.Conversation(ch.conv), Message: m})
}

// sentMessage is the message that an item became.
func (c *Client) sentMessage(ch change) Message {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if cv := c.st.convs[ch.conv]; cv != nil && ch.op.op == opSend {
		if m := cv.msgs[ch.seq]; m != nil && idText(m.entry.GetClientId()) == ch.id {
			return c.st.viewMessage(cv, m)
		}
	}
	return c.st.viewItem(ch.op)
}

// messageOf shows what a change is about, as it is now.
func (c *Client) messageOf(ch change) (Message, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	cv := c.st.convs[ch.conv]
	if cv == nil {
		return Message{}, false
	}
	switch {
	case ch.was != nil:
		return c.st.viewMessage(cv, ch.was), true
	case ch.op != nil && ch.kind == changeMessageRemoved:
		return c.st.viewItem(ch.op), true
	case ch.id != "":
		if _, it := c.st.itemByID(ch.id); it != nil {
			return c.st.viewItem(it), true
		}
		for _, m := range cv.msgs { // acknowledged in the same transaction
			if idText(m.entry.GetClientId()) == ch.id {
				return c.st.viewMessage(cv, m), true
			}
		}
	case cv.msgs[ch.seq] != nil:
		return c.st.viewMessage(cv, cv.msgs[ch.seq]), true
	}
	return Message{}, false
}

// askAttributes fetches what a conversation is when only its entries came.
func (c *Client) askAttributes(cv *conv) {
	if cv.meta > 0 || cv.head.seq == 0 || cv.kind != skeinv1.ConversationKind_CONVERSATION_KIND_GROUP || c.asking[cv.id] || c.conn.state != Online {
		return
	}
	id := cv.id
	c.asking[id] = true
	was := c.st.incarnation
	var resp skeinv1.GetConversationResponse
	c.call(func(ctx context.Context) error {
		return c.rpc(ctx, "ConversationService/GetConversation", &skeinv1.GetConversationRequest{Conversation: id}, &resp)
	}, func(err error) {
		delete(c.asking, id)
		if err == nil {
			c.applyAnswer(was, conversationEvent(resp.GetConversation()))
		}
		// Not understood, or older than what has come meanwhile: once more.
		if cv := c.st.convs[id]; cv != nil && cv.meta == 0 && (err == nil || !asError(err).Code.definitive()) {
			c.setTimer("attributes/"+id, askAgain, func() { c.askAttributes(cv) })
		}
	})
}

// askAgain is how long after an answer that did not help the attributes of a
// conversation are asked for again.
const askAgain = 2 * time.Second

// conversationEvent takes a conversation that a call returned.
func conversationEvent(cv *skeinv1.Conversation) packetEvent {
	return packetEvent{&skeinv1.ServerPacket{Frames: []*skeinv1.ServerFrame{{Frame: &skeinv1.ServerFrame_Conversation{Conversation: cv}}}}}
}

// applyAnswer takes what a call answered that was made in an incarnation. The
// answer of another one is about positions that are others now: it is dropped,
// and false returned. What it told of comes as news, if it is still true.
func (c *Client) applyAnswer(incarnation string, ev event) bool {
	if incarnation != "" && incarnation != c.st.incarnation {
		return false
	}
	c.apply(ev)
	return true
}

// incarnation is the journal's that the client knows, for applyAnswer.
func (c *Client) incarnation() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.st.incarnation
}

// spareFlights of the frames that may wait for an answer are left to others
// than sends: reads, syncs, the watch list.
const spareFlights = 8

// up begins the use of a session.
func (c *Client) up() {
	flights := int(c.limits.GetMaxInFlight())
	if flights > 0 {
		flights = max(1, flights-spareFlights)
	}
	c.outbox(outEvent{Type: "up", MaxInFlight: flights, OffsetMS: c.offsetMS})
	c.wakeUploads(true)
	for _, id := range sortedKeys(c.st.convs) {
		cv := c.st.convs[id]
		if cv.readUnsent > 0 {
			c.reads[id] = true
		}
		c.holes[id] = true
		c.askAttributes(cv)
	}
	if len(c.watch) > 0 {
		c.sendWatch()
	}
}

// down ends it.
func (c *Client) down() {
	c.outbox(outEvent{Type: "down"})
	c.wakeUploads(false)
	c.mu.Lock()
	clear(c.presence)
	c.mu.Unlock()
	for _, t := range slices.SortedFunc(maps.Keys(c.typists), func(a, b typist) int {
		return cmp.Or(cmp.Compare(a.conv, b.conv), cmp.Compare(a.user, b.user))
	}) {
		c.endTyping(t)
	}
}

// sendReads sends the newest read of each conversation that has one.
func (c *Client) sendReads() {
	if c.conn.state != Online {
		return
	}
	for _, id := range sortedKeys(c.reads) {
		if cv := c.st.convs[id]; cv != nil && cv.readUnsent > 0 {
			c.send(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Read{Read: &skeinv1.ReadConversationRequest{
				Conversation: id, Seq: cv.readUnsent}}}, awaited{kind: "read", conv: id})
		}
	}
	clear(c.reads)
}

const typingLasts = 6 * time.Second

func (c *Client) typed(t *skeinv1.Typing) {
	who := typist{t.GetConversation(), t.GetUser()}
	if t.GetStopped() {
		c.endTyping(who)
		return
	}
	name := "typing/" + who.conv + "\x00" + who.user
	_, known := c.typists[who]
	c.typists[who] = name
	c.setTimer(name, typingLasts, func() { c.endTyping(who) })
	if !known {
		emit(c, &c.on.typing, TypingEvent{Conversation: c.Conversation(who.conv), User: who.user, Typing: true})
	}
}

func (c *Client) endTyping(who typist) {
	name, ok := c.typists[who]
	if !ok {
		return
	}
	delete(c.typists, who)
	c.stopTimer(name)
	emit(c, &c.on.typing, TypingEvent{Conversation: c.Conversation(who.conv), User: who.user})
}

func (c *Client) present(p *skeinv1.Presence) {
	v := presenceOf(p)
	c.mu.Lock()
	c.presence[v.User] = v
	c.mu.Unlock()
	emit(c, &c.on.presence, PresenceEvent{v})
}

func presenceOf(p *skeinv1.Presence) Presence {
	v := Presence{User: p.GetUser(), Online: p.GetOnline()}
	if t := p.GetLastSeenUs(); t > 0 {
		v.LastSeen = time.UnixMicro(t).UTC()
	}
	if st := p.GetStatus(); st != nil {
		v.Status = &Status{Text: st.GetText(), Emoji: st.GetEmoji()}
		if st.GetUntilUs() > 0 {
			v.Status.Until = time.UnixMicro(st.GetUntilUs()).UTC()
		}
	}
	return v
}

func (c *Client) sendWatch() {
	c.send(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_WatchPresence{WatchPresence: &skeinv1.WatchPresence{Users: c.watch}}}, awaited{kind: "watch"})
}

// putBack hands an item to the outbox machine, in the state's order. One whose
// files are not there is not for the machine yet, nor is what is about it.
func (c *Client) putBack(it *item) {
	if it.state != Sending {
		return
	}
	if it.uploads() {
		c.uploading.waiting = append(c.uploading.waiting, it)
		return
	}
	op := "send"
	if it.op != opSend {
		op = "call"
	}
	target := ""
	if _, t := c.st.itemByID(it.targetID); t != nil {
		if t.uploads() {
			return
		}
		target = it.targetID
	}
	c.outbox(outEvent{Type: "add", ID: it.id, Conversation: it.conv, Op: op, Target: target, Key: it.key,
		IDMS: idTime(it.id), Attempts: it.attempts, FirstMS: it.firstTryMS})
}

// outbox feeds the outbox machine and does what it says.
func (c *Client) outbox(ev outEvent) {
	for _, e := range c.box.step(c.now(), ev) {
		switch e.Type {
		case "transmit":
			c.transmit(e.ID, e.FirstMS)
		case "fail":
			c.failItem(e.ID, e.Error)
		case "renew":
			c.renew(e.ID)
		case "timer":
			c.setTimer("outbox", time.Duration(*e.InMS)*time.Millisecond, func() { c.outbox(outEvent{Type: "timer"}) })
		case "cancel":
			c.stopTimer("outbox")
		case "stalled":
			c.log.Warn("no answer to a send: connecting anew")
			if c.sess != nil {
				c.lost(c.sess.n, nil)
			}
		}
	}
}

func (c *Client) failItem(id string, why Code) {
	err := c.details[id]
	if err == nil || err.Code != why {
		err = &Error{Code: why}
		switch why {
		case Expired:
			err.Message = "the first attempt was 29 days ago: whether it arrived can not be told any more"
			err.Hint = "Retry sends it anew, Discard removes it"
		case FailedPrecondition:
			err.Message = "the message that this was about was not sent"
		}
	}
	c.apply(failedEvent{id, err})
}

// itemRefused takes the server's error about an item.
func (c *Client) itemRefused(id string, err *Error) {
	if _, it := c.st.itemByID(id); err.Code == FailedPrecondition && c.recheck(it) {
		return
	}
	c.details[id] = err
	ev := outEvent{Type: "error", ID: id, Error: err.Code, RetryAfterMS: err.RetryAfter.Milliseconds()}
	if !err.ServerTime.IsZero() {
		ev.ServerTimeMS = err.ServerTime.UnixMilli()
		if err.Code == ClockSkew {
			c.mu.Lock()
			c.offsetMS = ev.ServerTimeMS - c.now()
			c.mu.Unlock()
		}
	}
	c.outbox(ev)
}

// renew gives an item a new id, made from the corrected time.
func (c *Client) renew(id string) {
	newID, err := newClientID(c.serverNow(), c.opt.Entropy)
	if err != nil {
		c.outbox(outEvent{Type: "discard", ID: id})
		c.apply(failedEvent{id, asError(err)})
		return
	}
	c.apply(renewedEvent{id, newID})
	c.outbox(outEvent{Type: "renewed", ID: id, NewID: newID, IDMS: idTime(newID)})
}

// transmit sends an item: a message over the socket, an operation by a call.
func (c *Client) transmit(id string, first int64) {
	_, it := c.st.itemByID(id)
	if it == nil {
		return
	}
	c.mu.Lock()
	it.attempts++
	it.firstTryMS = first
	c.mu.Unlock()
	c.dirty.outbox[id] = true
	if it.op != opSend {
		c.operate(it)
		return
	}
	c.send(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Send{Send: &skeinv1.SendMessageRequest{
		Conversation: it.conv, ClientId: idBytes(it.id), Body: it.body, ToDevices: it.toDevices, Handshake: it.handshake, Key: it.key,
		ToUsers: it.opts.ToUsers, Silent: it.opts.Silent, Priority: skeinv1.Priority(it.opts.Priority), TtlS: it.opts.TTLS,
		BurnAfterS: it.opts.BurnS, ThreadSeq: it.opts.ThreadSeq,
	}}}, awaited{kind: "send", id: id})
}

// operate makes the call of an edit, a recall or a reaction.
func (c *Client) operate(it *item) {
	id, conv, seq, cid, was, attempt := it.id, it.conv, it.targetSeq, idBytes(it.id), c.st.incarnation, it.attempts
	var entry *skeinv1.Entry
	run := func(ctx context.Context) error { return nil }
	switch it.op {
	case opEdit:
		body := it.body
		run = func(ctx context.Context) error {
			var resp skeinv1.EditMessageResponse
			err := c.rpc(ctx, "MessageService/EditMessage", &skeinv1.EditMessageRequest{Conversation: conv, Seq: seq, Body: body, ClientId: cid}, &resp)
			entry = resp.GetEntry()
			return err
		}
	case opRecall:
		run = func(ctx context.Context) error {
			var resp skeinv1.RecallMessageResponse
			err := c.rpc(ctx, "MessageService/RecallMessage", &skeinv1.RecallMessageRequest{Conversation: conv, Seq: seq, ClientId: cid}, &resp)
			entry = resp.GetEntry()
			return err
		}
	case opReact:
		emoji, remove := it.emoji, it.remove
		run = func(ctx context.Context) error {
			var resp skeinv1.ReactToMessageResponse
			err := c.rpc(ctx, "MessageService/ReactToMessage", &skeinv1.ReactToMessageRequest{Conversation: conv, Seq: seq, Emoji: emoji, Remove: remove, ClientId: cid}, &resp)
			entry = resp.GetEntry()
			return err
		}
	}
	c.after(func() { // when the attempt is stored
		c.call(run, func(err error) {
			switch {
			case err != nil && it.attempts != attempt:
				// From before the connection was lost: the newest attempt decides.
			case err == nil && entry != nil:
				if !c.applyAnswer(was, answerEvent{entry}) {
					c.outbox(outEvent{Type: "networkError", ID: id}) // done, and undone by a restore
				}
			case err == nil:
				c.itemRefused(id, errorf(Internal, nil, "the server's answer has no entry"))
			default:
				e := asError(err)
				if e.Code == Unavailable && e.RetryAfter == 0 || e.Code == Aborted {
					c.outbox(outEvent{Type: "networkError", ID: id})
				} else {
					c.itemRefused(id, e)
				}
			}
		})
	})
}

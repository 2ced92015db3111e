package skein

import (
	"context"
	"slices"
)

// Send puts a message into the outbox and waits until the server has it
// stored. It returns the message with its position. When ctx ends first the
// message stays in the outbox and is sent as soon as that is possible: see
// Enqueue for the local echo, Discard for taking it back.
//
// With Files the message is sent when they are there, which takes as long as it
// takes: over lost connections, and with a Store also over restarts. When ctx
// ends before they are there, the message is discarded; Enqueue has no such end.
//
// Errors: what the server said, and then the message is Failed and can be
// retried or discarded; InvalidArgument, TooLarge, ResourceExhausted (10,000
// items wait), and then nothing was put anywhere; Aborted, Closed, Storage.
func (v *Conversation) Send(ctx context.Context, o Outgoing) (Message, error) {
	m, wait, err := v.enqueue(ctx, o)
	if err != nil {
		return m, err
	}
	sent, err := v.c.await(ctx, m, wait)
	if CodeOf(err) == Aborted && ctx.Err() != nil && len(o.Files) > 0 {
		v.c.discardUnsent(m.ID)
	}
	return sent, err
}

// Enqueue puts a message into the outbox and returns its local echo, which is
// stored: it will be sent, if need be after a restart. What becomes of it
// comes with OnMessageUpdated.
func (v *Conversation) Enqueue(ctx context.Context, o Outgoing) (Message, error) {
	m, _, err := v.enqueue(ctx, o)
	return m, err
}

func (v *Conversation) enqueue(ctx context.Context, o Outgoing) (Message, chan outcome, error) {
	id, err := v.key()
	if err != nil {
		return Message{}, nil, err
	}
	body, err := o.bodyWith(true)
	if err != nil {
		return Message{}, nil, err
	}
	var files *transfer
	if len(o.Files) > 0 {
		ps, err := parts(o.Files)
		if err != nil {
			return Message{}, nil, err
		}
		files, body = &transfer{parts: ps, onProgress: o.OnProgress}, withFiles(body, ps)
	}
	if err := v.MaySend(); err != nil {
		return Message{}, nil, err
	}
	if o.Key != "" && v.Kind() != Self {
		return Message{}, nil, errorf(InvalidArgument, nil, "only the self conversation has keys")
	}
	return v.c.put(ctx, &item{conv: id, op: opSend, body: body, key: o.Key, toDevices: slices.Clone(o.ToDevices), handshake: o.Handshake,
		opts: v.options(o), files: files})
}

// put takes an item into the outbox.
func (c *Client) put(ctx context.Context, it *item) (m Message, wait chan outcome, err error) {
	wait = make(chan outcome, 1)
	doErr := c.do(ctx, func() {
		if len(c.st.outbox) >= maxOutbox {
			err = errorf(ResourceExhausted, nil, "%d items wait to be sent", maxOutbox)
			return
		}
		if it.id, err = newClientID(c.serverNow(), c.opt.Entropy); err != nil {
			return
		}
		it.time, it.state = c.opt.Clock.Now().UnixMicro(), Sending
		if it.op == opSend {
			delete(c.lastTyped, it.conv)
		}
		c.sending[it.id] = append(c.sending[it.id], wait)
		c.apply(enqueueEvent{it})
		for _, ch := range c.changes {
			if ch.kind == changeReplaced && ch.to == it.id {
				c.outbox(outEvent{Type: "discard", ID: ch.id})
			}
		}
		m = c.st.viewItem(it)
		c.putBack(it)
	})
	if doErr != nil {
		return Message{}, nil, doErr
	}
	return m, wait, err
}

// await waits for what becomes of an item.
func (c *Client) await(ctx context.Context, m Message, answer chan outcome) (Message, error) {
	o, _, ended := wait(c, ctx, answer)
	switch {
	case ended != nil:
		return m, ended
	case o.err != nil:
		return o.m, o.err
	}
	return o.m, nil
}

// find returns a message as it is now, from memory.
func (c *Client) find(m Message) (now Message, ok bool) {
	_ = c.do(c.ctx, func() {
		if _, it := c.st.itemByID(m.ID); it != nil {
			now, ok = c.st.viewItem(it), true
			return
		}
		cv := c.st.convs[m.Conversation]
		if cv == nil {
			return
		}
		for _, x := range cv.msgs {
			if idText(x.entry.GetClientId()) == m.ID {
				now, ok = c.st.viewMessage(cv, x), true
				return
			}
		}
	})
	return now, ok
}

// operation puts an edit, a recall or a reaction into the outbox and waits.
func (v *Conversation) operation(ctx context.Context, m Message, it *item) error {
	id, err := v.key()
	if err != nil {
		return err
	}
	if m.Conversation != id {
		return errorf(InvalidArgument, nil, "the message is of another conversation")
	}
	it.conv, it.targetID, it.targetSeq = id, m.ID, m.Seq
	if m.Seq == 0 {
		if now, ok := v.c.find(m); ok { // it may have been acknowledged meanwhile
			it.targetSeq = now.Seq
		}
	}
	_, wait, err := v.c.put(ctx, it)
	if err != nil {
		return err
	}
	_, err = v.c.await(ctx, m, wait)
	return err
}

// Edit replaces the content of one of the user's own messages, and waits
// until that is stored. Like a send it survives a restart; a message that is
// not sent yet is edited when it is.
//
// Errors: PermissionDenied (somebody else's), FailedPrecondition (recalled),
// NotFound, and those of Send.
func (v *Conversation) Edit(ctx context.Context, m Message, o Outgoing) error {
	body, err := o.body()
	if err != nil {
		return err
	}
	return v.operation(ctx, m, &item{op: opEdit, body: body})
}

// Recall empties a message for everybody: one's own, or any as owner or admin
// of the group.
func (v *Conversation) Recall(ctx context.Context, m Message) error {
	return v.operation(ctx, m, &item{op: opRecall})
}

// React adds the user's reaction: an emoji or a short code of 1 to 32 bytes.
func (v *Conversation) React(ctx context.Context, m Message, emoji string) error {
	return v.operation(ctx, m, &item{op: opReact, emoji: emoji})
}

// Unreact takes the user's reaction back.
func (v *Conversation) Unreact(ctx context.Context, m Message, emoji string) error {
	return v.operation(ctx, m, &item{op: opReact, emoji: emoji, remove: true})
}

// Retry sends a failed message again, and waits like Send. It keeps its id, so
// that nothing is doubled, except where the id itself was refused.
//
// Errors: FailedPrecondition when it is not failed, and those of Send.
func (v *Conversation) Retry(ctx context.Context, m Message) (Message, error) {
	c := v.c
	wait := make(chan outcome, 1)
	var refused error
	err := c.do(ctx, func() {
		_, it := c.st.itemByID(m.ID)
		if it == nil || it.state != Failed {
			refused = errorf(FailedPrecondition, nil, "the message is not failed")
			return
		}
		if refused = c.again(it); refused == nil {
			c.sending[it.id] = append(c.sending[it.id], wait)
			m = c.st.viewItem(it)
		}
	})
	if err != nil {
		return m, err
	}
	if refused != nil {
		return m, refused
	}
	return c.await(ctx, m, wait)
}

// again has a failed item sent once more.
func (c *Client) again(it *item) error {
	newID := ""
	switch it.err.Code {
	case ClientIDReused, Expired, ClockSkew:
		var err error
		if newID, err = newClientID(c.serverNow(), c.opt.Entropy); err != nil {
			return err
		}
	}
	c.apply(retryEvent{it.id, newID})
	if it.files != nil {
		it.files.rechecked = false
		c.unready(it)
		c.tellUpload(it)
	}
	c.putBack(it)
	return nil
}

// discardUnsent takes a message back whose files are not there.
func (c *Client) discardUnsent(id string) {
	_ = c.do(c.ctx, func() {
		if _, it := c.st.itemByID(id); it != nil && it.uploads() {
			c.discard(Message{ID: id})
		}
	})
}

// Discard takes a message out of the outbox. An attempt that is under way may
// still succeed: it then comes like a message from another device.
//
// Errors: NotFound when it is not in the outbox.
func (v *Conversation) Discard(ctx context.Context, m Message) error {
	c := v.c
	var missing error
	err := c.do(ctx, func() {
		if _, it := c.st.itemByID(m.ID); it == nil {
			missing = errorf(NotFound, nil, "the message is not in the outbox")
			return
		}
		c.discard(m)
	})
	if err != nil {
		return err
	}
	return missing
}

func (c *Client) discard(m Message) {
	if _, it := c.st.itemByID(m.ID); it != nil && it.files != nil && it.state == Failed {
		c.dropUpload(it)
	}
	c.outbox(outEvent{Type: "discard", ID: m.ID})
	c.apply(discardEvent{m.ID})
	c.resolve(m.ID, outcome{m, errorf(Aborted, nil, "the message was discarded")})
}

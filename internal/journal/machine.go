package journal

// machine decides when a shard's writer commits what. It is a pure state
// machine: no goroutine, no clock, no lock; the writer carries its events and
// effects. An idle shard commits at once; while a commit runs, what arrives
// gathers and becomes the next batch, so that the batches grow with the load
// and nobody ever waits for company.
type machine struct {
	queue    []*item
	spare    []*item // an emptied batch whose memory is used again
	bytes    int     // of the bodies in queue
	flying   bool    // a commit is under way
	closing  bool
	stopped  bool
	maxQueue int
	maxBatch int
}

// maxBatchBytes bounds the bodies of a batch, so that a transaction of large
// entries does not hold up the small ones behind it.
const maxBatchBytes = 4 << 20

// eventKind tells what happened.
type eventKind int

const (
	evSubmit   eventKind = iota // item wants to be committed
	evFinished                  // the commit under way has ended, well or not; spare is its batch
	evLost                      // the same, and whether it was stored is not known
	evClose                     // nothing more may be submitted
)

type event struct {
	kind  eventKind
	item  *item
	spare []*item
}

// effects is what the writer has to do, at most one commit at a time.
type effects struct {
	commit  []*item // commit these, then step evFinished
	refuse  bool    // the submitted item was not taken: the queue is full or the journal closing
	drop    []*item // fail these, in this order, as the commit that was lost
	stopped bool    // nothing is queued and nothing will be: end the writer; said once
}

func (m *machine) step(e event) (out effects) {
	switch e.kind {
	case evSubmit:
		if m.closing || len(m.queue) >= m.maxQueue {
			out.refuse = true
			return out
		}
		m.queue = append(m.queue, e.item)
		m.bytes += e.item.bytes()
	case evFinished, evLost:
		m.flying = false
		clear(e.spare)
		m.spare = e.spare[:0]
		if e.kind == evLost {
			// Their senders will retry what was lost. What they sent after it
			// must not come before it.
			out.drop, m.queue, m.bytes = m.queue, nil, 0
		}
	case evClose:
		m.closing = true
	}
	if m.flying {
		return out
	}
	if len(m.queue) > 0 {
		out.commit = m.take()
		m.flying = true
		return out
	}
	if m.closing && !m.stopped {
		m.stopped, out.stopped = true, true
	}
	return out
}

// take removes the next batch from the queue.
func (m *machine) take() []*item {
	if len(m.queue) <= m.maxBatch && m.bytes <= maxBatchBytes {
		batch := m.queue
		m.queue, m.spare, m.bytes = m.spare, nil, 0
		return batch
	}
	n, bytes := 0, 0
	for n < len(m.queue) && n < m.maxBatch && (n == 0 || bytes+m.queue[n].bytes() <= maxBatchBytes) {
		bytes += m.queue[n].bytes()
		n++
	}
	batch := append(m.spare, m.queue[:n]...)
	m.spare = nil
	rest := copy(m.queue, m.queue[n:])
	clear(m.queue[rest:])
	m.queue, m.bytes = m.queue[:rest], m.bytes-bytes
	return batch
}

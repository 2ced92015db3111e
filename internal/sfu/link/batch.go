package link

// Batch is the packets that go to one link at one moment, encrypted, one after
// the other in one piece of memory. One goroutine uses it for link after link;
// its zero value is ready.
type Batch struct {
	buf  []byte
	ends []int // where each packet ends in buf
	// Plain is where a caller builds the next packet before Add.
	Plain []byte
	head  headerScratch
	gso   gsoScratch
}

// batchBytes is when a batch is sent though more comes: GSO takes 64 KB.
const batchBytes = 60 << 10

// Add encrypts an RTP packet for l and keeps it. The caller holds l's lock. It
// returns what goes out, valid until the next call; nil when nothing does.
func (b *Batch) Add(l *Link, plain []byte) []byte {
	if l.send == nil {
		l.offer(plain)
		return nil
	}
	if len(b.buf)+len(plain)+64 > batchBytes {
		b.Send(l)
	}
	if cap(b.buf) == 0 {
		b.buf = make([]byte, 0, 64<<10)
	}
	start := len(b.buf)
	out, err := l.send.EncryptRTP(b.buf[start:start:cap(b.buf)], plain, &b.head.rtp)
	if err != nil {
		return nil
	}
	b.keep(l, start, out)
	return out
}

// Again adds a packet as Add returned it before: the same bytes, so that no
// key is used for two contents. The caller holds l's lock.
func (b *Batch) Again(l *Link, encrypted []byte) {
	if len(b.buf)+len(encrypted) > batchBytes {
		b.Send(l)
	}
	if cap(b.buf) == 0 {
		b.buf = make([]byte, 0, 64<<10)
	}
	start := len(b.buf)
	b.keep(l, start, append(b.buf[start:start:cap(b.buf)], encrypted...))
}

// AddRTCP is Add for a compound RTCP packet.
func (b *Batch) AddRTCP(l *Link, plain []byte) {
	if l.send == nil {
		l.offer(plain)
		return
	}
	if len(b.buf)+len(plain)+64 > batchBytes {
		b.Send(l)
	}
	if cap(b.buf) == 0 {
		b.buf = make([]byte, 0, 64<<10)
	}
	start := len(b.buf)
	out, err := l.send.EncryptRTCP(nil, plain, nil)
	if err != nil {
		return
	}
	b.keep(l, start, out)
}

func (b *Batch) keep(l *Link, start int, out []byte) {
	if len(out) == 0 {
		return
	}
	b.buf = b.buf[:start+len(out)]
	if &out[0] != &b.buf[start] {
		copy(b.buf[start:], out)
	}
	b.ends = append(b.ends, len(b.buf))
	l.SentPackets++
	l.SentBytes += uint64(len(out))
}

// Empty reports whether there is nothing to send.
func (b *Batch) Empty() bool { return len(b.ends) == 0 }

// Send sends what was added for l, and empties the batch. What does not fit
// into the socket is lost, as it would be further on. The caller holds l's
// lock, so that packets leave in the order of their numbers.
func (b *Batch) Send(l *Link) {
	if len(b.ends) == 0 {
		return
	}
	if to := l.selected.Load(); to != nil {
		if to.tcp != nil {
			start := 0
			for _, end := range b.ends {
				to.tcp.write(b.buf[start:end])
				start = end
			}
		} else {
			to.sock.sendBatch(to, b)
		}
	}
	b.buf, b.ends = b.buf[:0], b.ends[:0]
}

// SendRTCP sends one compound RTCP packet.
func (l *Link) SendRTCP(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.send == nil {
		l.offer(p)
		return
	}
	out, err := l.send.EncryptRTCP(nil, p, nil)
	if err != nil {
		return
	}
	l.SentBytes += uint64(len(out))
	if to := l.selected.Load(); to != nil {
		to.write(out)
	}
}

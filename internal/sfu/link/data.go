package link

import (
	"errors"
	"sync"

	"github.com/pion/datachannel"
	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	"github.com/pion/sctp"
)

// How data channels are bounded.
const (
	// MaxMessage is the largest message of a data channel, in bytes; the SDP
	// says so.
	MaxMessage = 64 << 10
	// maxChannels bounds the channels that one client opens.
	maxChannels = 16
	// maxBuffered is how much may wait for a slow receiver before a message
	// to it is refused.
	maxBuffered = 4 << 20
	sctpReceive = 256 << 10
)

// Channel is one data channel.
type Channel struct {
	Label   string
	Ordered bool
	mu      sync.Mutex // guards writing
	dc      *datachannel.DataChannel
}

// ErrSlow says that a receiver does not keep up.
var ErrSlow = errors.New("too much waits for this receiver")

// Send queues one message. It does not wait for the receiver.
func (c *Channel) Send(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dc.BufferedAmount() > maxBuffered {
		return ErrSlow
	}
	_, err := c.dc.WriteDataChannel(p, false)
	return err
}

// serveData speaks SCTP until the connection ends; the error says why.
func (l *Link) serveData(conn *dtls.Conn) error {
	quiet := &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled, ScopeLevels: map[string]logging.LogLevel{}}
	opts := []sctp.AssociationOption{
		sctp.WithNetConn(conn), sctp.WithLoggerFactory(quiet), sctp.WithMaxMessageSize(MaxMessage), sctp.WithMaxReceiveBufferSize(sctpReceive),
		sctp.WithMTU(dtlsMTU),
	}
	var assoc *sctp.Association
	var err error
	if l.isClient() {
		o := make([]sctp.ClientOption, len(opts))
		for i := range opts {
			o[i] = opts[i]
		}
		assoc, err = sctp.ClientWithOptions(o...)
	} else {
		o := make([]sctp.ServerOption, len(opts))
		for i := range opts {
			o[i] = opts[i]
		}
		assoc, err = sctp.ServerWithOptions(o...)
	}
	if err != nil {
		return err
	}
	l.stateMu.Lock()
	if l.done {
		l.stateMu.Unlock()
		assoc.Close() //nolint:errcheck // the link is gone
		return ErrClosed
	}
	l.assoc = assoc
	waiting := l.waiting
	l.waiting = nil
	l.stateMu.Unlock()
	for _, w := range waiting {
		w(assoc)
	}
	for n := 0; ; n++ {
		dc, err := datachannel.Accept(assoc, &datachannel.Config{LoggerFactory: quiet})
		if err != nil {
			return err
		}
		if n >= maxChannels {
			dc.Close() //nolint:errcheck // refused
			continue
		}
		l.serveChannel(dc)
	}
}

func (l *Link) serveChannel(dc *datachannel.DataChannel) *Channel {
	c := &Channel{Label: dc.Label, dc: dc, Ordered: dc.ChannelType == datachannel.ChannelTypeReliable}
	l.handler.ChannelOpen(c)
	l.wg.Go(func() {
		b := make([]byte, MaxMessage)
		for {
			n, _, err := dc.ReadDataChannel(b)
			if err != nil {
				return
			}
			l.handler.Data(c, b[:n])
		}
	})
	return c
}

// OpenChannel opens a data channel from this side, when there is an
// association; ordered ones are reliable, the others are sent once. The
// handler is told by ChannelOpen.
func (l *Link) OpenChannel(id uint16, label string, ordered bool) {
	kind := datachannel.ChannelTypePartialReliableRexmitUnordered
	if ordered {
		kind = datachannel.ChannelTypeReliable
	}
	quiet := &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled, ScopeLevels: map[string]logging.LogLevel{}}
	open := func(assoc *sctp.Association) {
		dc, err := datachannel.Dial(assoc, id, &datachannel.Config{ChannelType: kind, Label: label, LoggerFactory: quiet})
		if err == nil {
			l.serveChannel(dc)
		}
	}
	l.stateMu.Lock()
	assoc := l.assoc
	if assoc == nil {
		l.waiting = append(l.waiting, open)
	}
	l.stateMu.Unlock()
	if assoc != nil {
		open(assoc)
	}
}

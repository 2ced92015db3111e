package forward

import (
	"github.com/pion/rtcp"

	"github.com/skein-im/skein/internal/sfu/bwe"
)

// logSize is how many packets are remembered until the receiver reports them.
const logSize = 1024

// sender numbers all packets of a link (transport-wide) and learns from the
// reports about them. The link's lock guards it.
type sender struct {
	seq       uint16
	log       [logSize]sentLog
	estimator *bwe.Estimator
	reported  bool // a report has come: the estimate means something
	acks      []bwe.Ack

	probe      uint8 // under way, 0 = none
	probeRate  int64
	probeEnd   int64
	probeLast  int64 // when it was last fed
	probeDone  int64 // when its reports will have come; 0 = taken
	nextProbe  int64
	probeCount uint8
	upgradedAt int64
}

type sentLog struct {
	at    int64
	size  uint16
	seq   uint16
	probe uint8
	live  bool
}

// overhead of UDP, IP and SRTP, bytes.
const overhead = 28 + 16 + 12

func (s *sender) next(now int64, size int) uint16 {
	s.seq++
	s.log[s.seq%logSize] = sentLog{at: now, size: uint16(size + overhead), seq: s.seq, probe: s.probe, live: true}
	return s.seq
}

// feedback takes one report of the receiver.
func (s *sender) feedback(now int64, f *rtcp.TransportLayerCC) {
	s.acks = s.acks[:0]
	seq := f.BaseSequenceNumber
	left := int(f.PacketStatusCount)
	at := int64(f.ReferenceTime) * 64e6
	deltas := f.RecvDeltas
	one := func(symbol uint16) {
		if left == 0 {
			return
		}
		left--
		e := &s.log[seq%logSize]
		known := e.live && e.seq == seq
		seq++
		arrived := int64(0)
		if symbol == rtcp.TypeTCCPacketReceivedSmallDelta || symbol == rtcp.TypeTCCPacketReceivedLargeDelta {
			if len(deltas) == 0 {
				left = 0
				return
			}
			at += deltas[0].Delta * 1000
			deltas = deltas[1:]
			arrived = max(at, 1)
		}
		if known {
			e.live = false
			s.acks = append(s.acks, bwe.Ack{Sent: e.at, Arrived: arrived, Size: int(e.size), Probe: e.probe})
		}
	}
	for _, c := range f.PacketChunks {
		switch c := c.(type) {
		case *rtcp.RunLengthChunk:
			for range c.RunLength {
				if left == 0 {
					break
				}
				one(c.PacketStatusSymbol)
			}
		case *rtcp.StatusVectorChunk:
			for _, symbol := range c.SymbolList {
				one(symbol)
			}
		}
	}
	if len(s.acks) > 0 {
		s.reported = true
		s.estimator.Feedback(now, s.acks)
	}
}

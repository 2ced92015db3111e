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
	probeRate  int64 // beside what is sent anyway
	probeEnd   int64
	probeDone  int64 // when its reports will have come; 0 = taken
	nextProbe  int64
	probeCount uint8
	probePause int64 // to the next, while they find nothing
	probeWon   bool  // the last one found room
	upgradedAt int64 // when a layer last went up
	upPause    int64 // to the next time, and when that is
	upFrom     int64
	rtt        int64 // ns, with what waits on the way; 0 = unknown
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
		s.trip(now)
		s.estimator.Feedback(now, s.acks)
	}
}

// maxTrip bounds what a report may say of the way's length, ns.
const maxTrip = 1_000_000_000

// trip measures the way to the receiver and back by the newest packet of a
// report. It follows a queue that grows at once.
func (s *sender) trip(now int64) {
	for i := len(s.acks) - 1; i >= 0; i-- {
		if s.acks[i].Arrived == 0 {
			continue
		}
		r := min(now-s.acks[i].Sent, maxTrip)
		if r > s.rtt {
			s.rtt = r
		} else {
			s.rtt += (r - s.rtt) / 4
		}
		return
	}
}

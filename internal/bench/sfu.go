package bench

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/sfu/token"
	"github.com/skein-im/skein/internal/ws"
	"github.com/skein-im/skein/proto/livekit"
)

// SFUOptions are a load of one room: publishers send video in three layers of
// simulcast and audio, subscribers get all of it.
type SFUOptions struct {
	URL         string // ws://…, of the SFU
	Key, Secret string
	PID         int // of the SFU's process
	// Address is one of this machine, which media has at both ends.
	Address     netip.Addr
	Publishers  int
	Subscribers int
	Kbps        int // of the best layer
	Seconds     float64
	// Deaf subscribers have the kernel drop what comes once they have media, and
	// report nothing: many of them cost the machine little, so that the server can
	// be loaded. A server without reports sends the best layer. Linux only.
	Deaf bool
}

// SFUResult is what was measured.
type SFUResult struct {
	Gbit      float64 // RTP as the subscribers received it
	CPU       time.Duration
	Took      time.Duration
	Latency   []time.Duration // from the write at the publisher to the read at a subscriber, sampled; sorted
	Expected  int64
	Received  int64
	RSSIdle   int64
	RSSLoaded int64
	Joins     []time.Duration // from the dial of signalling to the first packet of media; sorted
}

// packetSize is of a video packet's payload, bytes.
const packetSize = 1188

// sfuJoin connects one participant of a load; a publisher is returned when it
// may send, a subscriber when it has an answer.
type sfuJoin func(ctx context.Context, identity string, publish bool) (*sfuClient, error)

// SFU loads a server and measures it.
func SFU(ctx context.Context, o SFUOptions, say func(string)) (*SFUResult, error) {
	l, err := JoinSFU(ctx, o, say)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.Measure(ctx, o.Seconds)
}

// SFULoad is a room under load, until it is closed.
type SFULoad struct {
	o       SFUOptions
	clients []*sfuClient
	stop    context.CancelFunc
	running sync.WaitGroup
	idle    int64
	joins   []time.Duration

	kbps   atomic.Int64
	paused atomic.Bool
}

// Pause stops the publishers for a while, or lets them go on.
func (l *SFULoad) Pause(pause bool) { l.paused.Store(pause) }

// SetKbps changes what the best layer has, in kbit/s.
func (l *SFULoad) SetKbps(kbps int) { l.kbps.Store(int64(kbps)) }

// JoinSFU makes the room and waits until all participants have what they came
// for, and the layers that they get have settled. The load goes on until it
// is closed.
func JoinSFU(ctx context.Context, o SFUOptions, say func(string)) (*SFULoad, error) {
	return loadSFU(ctx, o, say, func(ctx context.Context, identity string, publish bool) (*sfuClient, error) {
		return joinSFU(ctx, o, identity, publish)
	})
}

func loadSFU(ctx context.Context, o SFUOptions, say func(string), join sfuJoin) (*SFULoad, error) {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &SFULoad{o: o, stop: stop, idle: RSS(o.PID)}
	l.SetKbps(o.Kbps)
	if err := l.join(ctx, run, say, join); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *SFULoad) join(ctx, run context.Context, say func(string), join sfuJoin) error {
	for i := range l.o.Publishers {
		c, err := join(run, fmt.Sprintf("publisher-%d", i), true)
		if err != nil {
			return fmt.Errorf("publisher %d: %w", i, err)
		}
		l.clients = append(l.clients, c)
		l.running.Go(func() { c.publish(run, l) })
	}
	say("publishing")
	for i := range l.o.Subscribers {
		c, err := join(run, fmt.Sprintf("subscriber-%d", i), false)
		if err != nil {
			return fmt.Errorf("subscriber %d: %w", i, err)
		}
		l.clients = append(l.clients, c)
		select {
		case <-c.first:
			l.joins = append(l.joins, c.firstAt.Sub(c.began))
			if c.socket != nil {
				if err := deafen(c.socket); err != nil {
					return fmt.Errorf("subscriber %d: %w", i, err)
				}
			}
		case <-time.After(15 * time.Second):
			return fmt.Errorf("subscriber %d: no media after 15 s", i)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	say("joined; letting the layers settle")
	return wait(ctx, 6*time.Second)
}

// Measure counts for so many seconds.
func (l *SFULoad) Measure(ctx context.Context, seconds float64) (*SFUResult, error) {
	r := &SFUResult{RSSIdle: l.idle, Joins: slices.Sorted(slices.Values(l.joins))}
	for _, c := range l.clients {
		c.mark()
	}
	before, began := runTime(l.o.PID), time.Now()
	if err := wait(ctx, time.Duration(seconds*float64(time.Second))); err != nil {
		return nil, err
	}
	r.CPU = runTime(l.o.PID) - before
	r.Took = time.Since(began)
	for _, c := range l.clients {
		bytes, received, expected, delays := c.taken()
		r.Gbit += float64(bytes) * 8 / 1e9
		r.Received += received
		r.Expected += expected
		r.Latency = append(r.Latency, delays...)
	}
	r.RSSLoaded = RSS(l.o.PID)
	slices.Sort(r.Latency)
	return r, nil
}

// Close ends the load.
func (l *SFULoad) Close() {
	l.stop()
	for _, c := range l.clients {
		c.close()
	}
	l.running.Wait()
}

// runTime is how long the threads of a process have run, to the nanosecond:
// the clock of /proc/PID/stat counts in hundredths, and a server that forwards
// runs for a ten-thousandth at a time.
func runTime(pid int) (total time.Duration) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(tasks) == 0 {
		return cpuOf(pid)
	}
	for _, t := range tasks {
		b, err := os.ReadFile(t)
		if err != nil {
			continue
		}
		ran, _, _ := strings.Cut(string(b), " ")
		if n, err := strconv.ParseInt(ran, 10, 64); err == nil {
			total += time.Duration(n)
		}
	}
	return total
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sfuClient is one participant: protocol 1, one peer connection of pion's.
type sfuClient struct {
	pc       *webrtc.PeerConnection
	socket   *net.UDPConn // its own; nil = pion's
	conn     *ws.Conn
	began    time.Time
	first    chan struct{}
	firstAt  time.Time
	once     sync.Once
	answered chan error
	sender   *webrtc.RTPSender
	video    []*webrtc.TrackLocalStaticRTP
	audio    *webrtc.TrackLocalStaticRTP
	key      atomic.Bool // a key frame was asked for

	measuring atomic.Bool
	mu        sync.Mutex // guards the rest
	streams   map[uint32]*sfuStream
	delays    []time.Duration
}

type sfuStream struct {
	base, highest uint32
	seen          [4096]uint32 // sequence numbers, by their last bits: a probe repeats packets
	got           bool
	received      int64
	bytes         int64
}

func (c *sfuClient) mark() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams {
		s.got, s.received, s.bytes = false, 0, 0
	}
	c.delays = nil
	c.measuring.Store(true)
}

func (c *sfuClient) taken() (bytes, received, expected int64, delays []time.Duration) {
	c.measuring.Store(false)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams {
		if s.got {
			bytes += s.bytes
			received += s.received
			expected += int64(s.highest - s.base + 1)
		}
	}
	return bytes, received, expected, c.delays
}

func (c *sfuClient) close() {
	c.pc.Close()   //nolint:errcheck // the load has ended
	c.conn.Close() //nolint:errcheck // the load has ended
	if c.socket != nil {
		c.socket.Close() //nolint:errcheck // the load has ended
	}
}

// newSFUClient makes one participant's peer connection, with what a call has:
// NACK, reports, transport-wide feedback.
func newSFUClient(o SFUOptions, publish bool) (*sfuClient, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	chain := &interceptor.Registry{}
	if publish {
		if err := webrtc.ConfigureTWCCHeaderExtensionSender(m, chain); err != nil {
			return nil, err
		}
	}
	if o.Deaf && !publish {
		// Without transport-wide feedback, whose end would be taken for a dead network.
		if err := webrtc.ConfigureRTCPReports(chain); err != nil {
			return nil, err
		}
	} else if err := webrtc.RegisterDefaultInterceptors(m, chain); err != nil {
		return nil, err
	}
	c := &sfuClient{first: make(chan struct{}), answered: make(chan error, 8), streams: map[uint32]*sfuStream{}}
	quiet := logging.NewDefaultLoggerFactory() // what a closed connection says is no news
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	set := webrtc.SettingEngine{LoggerFactory: quiet}
	set.SetIncludeLoopbackCandidate(true)
	if o.Deaf && !publish {
		var err error
		if c.socket, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(o.Address, 0))); err != nil {
			return nil, err
		}
		set.SetICEUDPMux(webrtc.NewICEUDPMux(quiet.NewLogger("ice"), c.socket))
	}
	set.SetIPFilter(func(ip net.IP) bool { return ip.Equal(o.Address.AsSlice()) })
	// One cipher for all servers: none is measured with a dearer one that it prefers.
	set.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(chain), webrtc.WithSettingEngine(set))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	c.pc = pc
	if !publish {
		pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { c.receive(t) })
	}
	return c, nil
}

// joinSFU connects by LiveKit's protocol 1.
func joinSFU(ctx context.Context, o SFUOptions, identity string, publish bool) (*sfuClient, error) {
	c, err := newSFUClient(o, publish)
	if err != nil {
		return nil, err
	}
	if err := c.prepare(ctx, o, identity, publish); err != nil {
		c.pc.Close() //nolint:errcheck // the first error tells
		return nil, err
	}
	return c, nil
}

// offer makes an offer with all candidates in it.
func (c *sfuClient) offer() (*webrtc.SessionDescription, error) {
	offer, err := c.pc.CreateOffer(nil)
	if err != nil {
		return nil, err
	}
	return c.local(offer)
}

func (c *sfuClient) local(d webrtc.SessionDescription) (*webrtc.SessionDescription, error) {
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(d); err != nil {
		return nil, err
	}
	<-gathered
	return c.pc.LocalDescription(), nil
}

func (c *sfuClient) prepare(ctx context.Context, o SFUOptions, identity string, publish bool) error {
	join := &livekit.JoinRequest{ConnectionSettings: &livekit.ConnectionSettings{AutoSubscribe: !publish}, ClientInfo: &livekit.ClientInfo{Sdk: livekit.ClientInfo_GO, Protocol: 16}}
	if _, err := c.pc.CreateDataChannel("_reliable", nil); err != nil {
		return err
	}
	if publish {
		if err := c.addTracks("q", "h", "f"); err != nil {
			return err
		}
		join.AddTrackRequests = sfuTracks()
	} else {
		for range o.Publishers {
			for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
				if _, err := c.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
					return err
				}
			}
		}
	}
	raw, err := token.Mint(o.Key, o.Secret, token.Grants{Identity: identity, Video: token.Video{RoomJoin: true, Room: "bench"}, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		return err
	}
	c.began = time.Now()
	offer, err := c.offer()
	if err != nil {
		return err
	}
	join.PublisherOffer = &livekit.SessionDescription{Type: "offer", Sdp: offer.SDP, Id: 1}
	request, err := packJoin(join)
	if err != nil {
		return err
	}
	c.conn, err = ws.Dial(ctx, o.URL+"/rtc/v1?access_token="+url.QueryEscape(raw)+"&join_request="+url.QueryEscape(request), ws.DialOptions{Limits: ws.Limits{ReadLimit: 1 << 20}})
	if err != nil {
		return err
	}
	go c.signal()
	go c.ping(ctx)
	select {
	case err := <-c.answered:
		return err
	case <-time.After(10 * time.Second):
		return errors.New("no answer after 10 s")
	}
}

func packJoin(join *livekit.JoinRequest) (string, error) {
	b, err := proto.Marshal(join)
	if err != nil {
		return "", err
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b) //nolint:errcheck // a Buffer does not fail
	if err := w.Close(); err != nil {
		return "", err
	}
	if b, err = proto.Marshal(&livekit.WrappedJoinRequest{Compression: livekit.WrappedJoinRequest_GZIP, JoinRequest: z.Bytes()}); err != nil {
		return "", err
	}
	return base64.URLEncoding.EncodeToString(b), nil
}

// addTracks makes what a publisher sends: three layers, named in the order in
// which the server wants them, and audio.
func (c *sfuClient) addTracks(rids ...string) error {
	var sender *webrtc.RTPSender
	for _, rid := range rids {
		t, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "video", "load", webrtc.WithRTPStreamID(rid))
		if err != nil {
			return err
		}
		if sender == nil {
			sender, err = c.pc.AddTrack(t)
			c.sender = sender
		} else {
			err = sender.AddEncoding(t)
		}
		if err != nil {
			return err
		}
		c.video = append(c.video, t)
	}
	for _, rid := range rids {
		go c.feedback(sender, rid)
	}
	t, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "load")
	if err != nil {
		return err
	}
	a, err := c.pc.AddTrack(t)
	if err != nil {
		return err
	}
	go c.feedback(a, "")
	c.audio = t
	return nil
}

// sfuTracks announces them.
func sfuTracks() []*livekit.AddTrackRequest {
	return []*livekit.AddTrackRequest{
		{Cid: "video", Type: livekit.TrackType_VIDEO, Source: livekit.TrackSource_CAMERA, Width: 1280, Height: 720, Layers: []*livekit.VideoLayer{
			{Quality: livekit.VideoQuality_LOW, Width: 320, Height: 180}, {Quality: livekit.VideoQuality_MEDIUM, Width: 640, Height: 360}, {Quality: livekit.VideoQuality_HIGH, Width: 1280, Height: 720}}},
		{Cid: "audio", Type: livekit.TrackType_AUDIO, Source: livekit.TrackSource_MICROPHONE, DisableRed: true},
	}
}

// feedback lets pion's NACK responder work, and notes that a key frame is wanted.
func (c *sfuClient) feedback(s *webrtc.RTPSender, rid string) {
	for {
		var packets []rtcp.Packet
		var err error
		if rid == "" {
			packets, _, err = s.ReadRTCP()
		} else {
			packets, _, err = s.ReadSimulcastRTCP(rid)
		}
		if err != nil {
			return
		}
		for _, p := range packets {
			if _, ok := p.(*rtcp.PictureLossIndication); ok {
				c.key.Store(true)
			}
		}
	}
}

// publish sends until ctx ends: 30 frames a second of three layers, and audio
// of 50 packets a second. Each packet carries when it was written.
func (c *sfuClient) publish(ctx context.Context, l *SFULoad) {
	parts := map[string]int{"q": 10, "h": 3, "f": 1} // of the best layer's rate
	var seq [4]uint16
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	c.key.Store(true)
	names := c.names()
	var began time.Time
	frame, sound := 0, 0
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if began.IsZero() {
				began = now
			}
			if l.paused.Load() {
				frame, sound = 1+int(now.Sub(began)*30/time.Second), 1+int(now.Sub(began)/(20*time.Millisecond))
				c.key.Store(true)
				continue
			}
			for ; time.Duration(sound)*20*time.Millisecond <= now.Sub(began); sound++ {
				c.write(c.audio, &seq[3], rtp.Header{Marker: true, Timestamp: uint32(sound) * 960}, make([]byte, 80))
			}
			for ; time.Duration(frame)*time.Second/30 <= now.Sub(began); frame++ {
				key := c.key.Swap(false) || frame%300 == 0
				for i, t := range c.video {
					h := rtp.Header{Timestamp: uint32(frame) * 3000}
					for id, v := range names[i] {
						h.SetExtension(id, v) //nolint:errcheck // the names are short
					}
					c.frame(t, &seq[i], h, uint16(frame), int(l.kbps.Load())/parts[t.RID()]*1000/8/30, key)
				}
			}
		}
	}
}

// frame sends one picture in packets of the same size but for the last.
func (c *sfuClient) frame(t *webrtc.TrackLocalStaticRTP, seq *uint16, h rtp.Header, picture uint16, size int, key bool) {
	for first := true; first || size > 0; first = false {
		b := make([]byte, max(min(size, packetSize), 40))
		// The payload descriptor with a picture id of 15 bits, and the P bit of the frame.
		b[0], b[1] = 0x80, 0x80
		if first {
			b[0] |= 0x10
		}
		binary.BigEndian.PutUint16(b[2:], picture&0x7fff|0x8000)
		switch {
		case !key:
			b[4] = 1
		case first:
			copy(b[7:], []byte{0x9d, 0x01, 0x2a}) // by which a key frame of VP8 begins
		}
		size -= len(b)
		h.Marker = size <= 0
		c.write(t, seq, h, b)
	}
}

// names are the header extensions that tell the layers apart, by their number.
func (c *sfuClient) names() [3]map[uint8][]byte {
	var out [3]map[uint8][]byte
	mid := ""
	for _, t := range c.pc.GetTransceivers() {
		if t.Sender() == c.sender {
			mid = t.Mid()
		}
	}
	for i, t := range c.video {
		out[i] = map[uint8][]byte{}
		for _, e := range c.sender.GetParameters().HeaderExtensions {
			switch e.URI {
			case "urn:ietf:params:rtp-hdrext:sdes:mid":
				out[i][uint8(e.ID)] = []byte(mid)
			case "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id":
				out[i][uint8(e.ID)] = []byte(t.RID())
			}
		}
	}
	return out
}

func (c *sfuClient) write(t *webrtc.TrackLocalStaticRTP, seq *uint16, h rtp.Header, b []byte) {
	*seq++
	h.Version, h.SequenceNumber = 2, *seq
	binary.BigEndian.PutUint64(b[len(b)-8:], uint64(time.Now().UnixNano()))
	t.WriteRTP(&rtp.Packet{Header: h, Payload: b}) //nolint:errcheck // a datagram may be lost
}

// receive counts one stream.
func (c *sfuClient) receive(t *webrtc.TrackRemote) {
	s := &sfuStream{}
	c.mu.Lock()
	c.streams[uint32(t.SSRC())] = s
	c.mu.Unlock()
	b := make([]byte, 1500)
	var p rtp.Packet
	for {
		n, _, err := t.Read(b)
		if err != nil {
			return
		}
		now := time.Now()
		c.once.Do(func() {
			c.firstAt = now
			close(c.first)
		})
		if !c.measuring.Load() || p.Unmarshal(b[:n]) != nil || len(p.Payload) < 8 {
			continue
		}
		c.mu.Lock()
		seq := uint32(p.SequenceNumber)
		slot := &s.seen[seq%uint32(len(s.seen))]
		if *slot == seq+1 {
			c.mu.Unlock()
			continue
		}
		*slot = seq + 1
		if !s.got {
			s.got, s.base, s.highest = true, seq, seq
		} else if ahead := int16(uint16(seq) - uint16(s.highest)); ahead > 0 {
			s.highest += uint32(ahead)
		}
		s.received++
		s.bytes += int64(n)
		if s.received%8 == 0 {
			c.delays = append(c.delays, time.Duration(now.UnixNano()-int64(binary.BigEndian.Uint64(p.Payload[len(p.Payload)-8:]))))
		}
		c.mu.Unlock()
	}
}

// signal reads what the server says.
func (c *sfuClient) signal() {
	for {
		_, b, err := c.conn.ReadMessage()
		if err != nil {
			c.answered <- err
			return
		}
		m := &livekit.SignalResponse{}
		if err := proto.Unmarshal(b, m); err != nil {
			c.answered <- err
			return
		}
		switch k := m.Message.(type) {
		case *livekit.SignalResponse_Answer:
			c.answered <- c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: k.Answer.Sdp})
		case *livekit.SignalResponse_Leave:
			c.answered <- fmt.Errorf("the server says leave: %v", k.Leave.Reason)
			return
		}
	}
}

func (c *sfuClient) ping(ctx context.Context) {
	for wait(ctx, 5*time.Second) == nil {
		b, err := proto.Marshal(&livekit.SignalRequest{Message: &livekit.SignalRequest_PingReq{PingReq: &livekit.Ping{Timestamp: time.Now().UnixMilli()}}})
		if err != nil || c.conn.WriteMessage(ws.OpBinary, b) != nil {
			return
		}
	}
}

// SFUFloor is what the same bytes cost at the least: encrypted and sent to
// sockets that nobody reads, packet by packet, in this process; CPU seconds a
// Gbit.
func SFUFloor(receivers int) (float64, error) {
	key, salt := make([]byte, 16), make([]byte, 12)
	var sinks []netip.AddrPort
	for range receivers {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		sinks = append(sinks, conn.LocalAddr().(*net.UDPAddr).AddrPort())
	}
	out, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	defer out.Close()
	var contexts []*srtp.Context
	for range receivers {
		s, err := srtp.CreateContext(key, salt, srtp.ProtectionProfileAeadAes128Gcm)
		if err != nil {
			return 0, err
		}
		contexts = append(contexts, s)
	}
	plain, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 1}, Payload: make([]byte, packetSize)}).Marshal()
	if err != nil {
		return 0, err
	}
	var buf [1500]byte
	before, n := cpuSelf(), 0
	for seq := range uint16(math.MaxUint16) {
		binary.BigEndian.PutUint16(plain[2:], seq)
		for i, s := range contexts {
			b, err := s.EncryptRTP(buf[:0], plain, nil)
			if err != nil {
				return 0, err
			}
			out.WriteToUDPAddrPort(b, sinks[i]) //nolint:errcheck // a full sink drops
			n++
		}
		if n >= 100_000 {
			break
		}
	}
	return (cpuSelf() - before).Seconds() / (float64(n*len(plain)) * 8 / 1e9), nil
}

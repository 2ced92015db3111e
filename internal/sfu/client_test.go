package sfu

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/sfu/token"
	"github.com/skein-im/skein/internal/ws"
	"github.com/skein-im/skein/proto/livekit"
)

// client is a participant of protocol 1 made of pion's peer connection.
type client struct {
	t    *testing.T
	pc   *webrtc.PeerConnection
	conn *ws.Conn
	got  chan *livekit.SignalResponse

	mu   sync.Mutex
	all  []*livekit.SignalResponse
	wake chan struct{}
}

// patience is how long something may take that takes milliseconds.
const patience = 20 * time.Second

// signalOnly opens a signalling connection without media.
func signalOnly(t *testing.T, url_, identity string, v token.Video, join *livekit.JoinRequest) *client {
	t.Helper()
	v.RoomJoin = true
	if v.Room == "" {
		v.Room = "r"
	}
	b, err := proto.Marshal(join)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = proto.Marshal(&livekit.WrappedJoinRequest{JoinRequest: b}); err != nil {
		t.Fatal(err)
	}
	at := strings.Replace(url_, "http", "ws", 1) + "/rtc/v1?access_token=" + mint(t, token.Grants{Identity: identity, Video: v}) + "&join_request=" + url.QueryEscape(base64.URLEncoding.EncodeToString(b))
	conn, err := ws.Dial(t.Context(), at, ws.DialOptions{Limits: ws.Limits{ReadLimit: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: conn, wake: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.read()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return c
}

func (c *client) read() {
	for {
		_, b, err := c.conn.ReadMessage()
		m := &livekit.SignalResponse{}
		if err != nil || proto.Unmarshal(b, m) != nil {
			return
		}
		if a := m.GetAnswer(); a != nil && c.pc != nil {
			if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: a.Sdp}); err != nil {
				c.t.Errorf("the answer: %v", err)
			}
		}
		c.mu.Lock()
		c.all = append(c.all, m)
		c.mu.Unlock()
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// until waits for a message.
func (c *client) until(what string, is func(*livekit.SignalResponse) bool) *livekit.SignalResponse {
	c.t.Helper()
	limit := time.After(patience)
	for {
		c.mu.Lock()
		i := slices.IndexFunc(c.all, is)
		var m *livekit.SignalResponse
		if i >= 0 {
			m = c.all[i]
		}
		c.mu.Unlock()
		if m != nil {
			return m
		}
		select {
		case <-c.wake:
		case <-limit:
			c.t.Fatalf("%s did not come; there were %v", what, c.all)
		}
	}
}

func (c *client) say(m *livekit.SignalRequest) {
	c.t.Helper()
	b, err := proto.Marshal(m)
	if err == nil {
		err = c.conn.WriteMessage(ws.OpBinary, b)
	}
	if err != nil {
		c.t.Error(err)
	}
}

// api is pion over UDP or over TCP alone.
func api(t *testing.T, tcp bool) *webrtc.API {
	m, chain, set := &webrtc.MediaEngine{}, &interceptor.Registry{}, webrtc.SettingEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	if err := webrtc.RegisterDefaultInterceptors(m, chain); err != nil {
		t.Fatal(err)
	}
	set.SetIncludeLoopbackCandidate(true)
	set.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	set.SetIPFilter(func(ip net.IP) bool { return ip.To4() != nil })
	set.LoggerFactory = &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled, ScopeLevels: map[string]logging.LogLevel{}}
	set.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	if tcp {
		set.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(chain), webrtc.WithSettingEngine(set))
}

// media joins with a peer connection that prepare fills.
func media(t *testing.T, url, identity string, tcp bool, join *livekit.JoinRequest, prepare func(*webrtc.PeerConnection)) *client {
	t.Helper()
	pc, err := api(t, tcp).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.GracefulClose() })
	prepare(pc)
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	<-gathered
	c := signalOnly(t, url, identity, token.Video{}, join)
	c.mu.Lock()
	c.pc = pc
	c.mu.Unlock()
	c.say(&livekit.SignalRequest{Message: &livekit.SignalRequest_Offer{Offer: &livekit.SessionDescription{Type: "offer", Sdp: pc.LocalDescription().SDP, Id: 7}}})
	a := c.until("an answer", func(m *livekit.SignalResponse) bool { return m.GetAnswer() != nil }).GetAnswer()
	if a.Id != 7 {
		t.Errorf("the answer is to offer %d", a.Id)
	}
	return c
}

func TestMediaAndDataPassOverUDPAndOverTCPAlone(t *testing.T) {
	for _, tcp := range []bool{false, true} {
		t.Run(fmt.Sprintf("TCP: %t", tcp), func(t *testing.T) {
			_, h := start(t, nil)
			ctx, stop := context.WithCancel(t.Context())
			track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "voice", "s")
			if err != nil {
				t.Fatal(err)
			}
			var channel *webrtc.DataChannel
			open := make(chan struct{})
			ann := media(t, h.URL, "ann", tcp, &livekit.JoinRequest{AddTrackRequests: []*livekit.AddTrackRequest{
				{Cid: "voice", Type: livekit.TrackType_AUDIO, Source: livekit.TrackSource_MICROPHONE, DisableRed: true},
			}}, func(pc *webrtc.PeerConnection) {
				if _, err := pc.AddTrack(track); err != nil {
					t.Fatal(err)
				}
				if channel, err = pc.CreateDataChannel("_reliable", nil); err != nil {
					t.Fatal(err)
				}
				channel.OnOpen(func() { close(open) })
			})
			if p := ann.until("track_published", func(m *livekit.SignalResponse) bool { return m.GetTrackPublished() != nil }).GetTrackPublished(); p.Cid != "voice" {
				t.Errorf("published %v", p)
			}
			var wg sync.WaitGroup
			defer wg.Wait()
			defer stop()
			wg.Go(func() {
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for seq := uint16(0); ctx.Err() == nil; seq++ {
					track.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(seq) * 960}, Payload: []byte("sound")})
					<-tick.C
				}
			})
			heard, said := make(chan string, 1), make(chan string, 1)
			bob := media(t, h.URL, "bob", tcp, &livekit.JoinRequest{ConnectionSettings: &livekit.ConnectionSettings{AutoSubscribe: true}}, func(pc *webrtc.PeerConnection) {
				if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
					t.Fatal(err)
				}
				d, err := pc.CreateDataChannel("_reliable", nil)
				if err != nil {
					t.Fatal(err)
				}
				d.OnMessage(func(m webrtc.DataChannelMessage) { said <- string(m.Data) })
				pc.OnTrack(func(tr *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
					if p, _, err := tr.ReadRTP(); err == nil {
						heard <- string(p.Payload)
					}
				})
			})
			wait := func(c chan string, what string) string {
				select {
				case s := <-c:
					return s
				case <-time.After(patience):
					t.Fatalf("%s did not come", what)
				}
				return ""
			}
			if got := wait(heard, "sound"); got != "sound" {
				t.Errorf("heard %q", got)
			}
			<-open
			bob.until("that ann is active", func(m *livekit.SignalResponse) bool {
				return slices.ContainsFunc(m.GetUpdate().GetParticipants(), func(p *livekit.ParticipantInfo) bool {
					return p.Identity == "bob" && p.State == livekit.ParticipantInfo_ACTIVE
				})
			})
			// A name that is not the sender's own is written over; a field that is not known passes.
			k := &livekit.DataPacket{ParticipantIdentity: "somebody else", Sequence: 1, User: &livekit.UserPacket{Payload: []byte("hello")}}
			k.ProtoReflect().SetUnknown([]byte{0x4a, 0x01, 'x'}) // field 9
			b, err := proto.Marshal(k)
			if err != nil {
				t.Fatal(err)
			}
			// Bob's channel may open a moment after his sound.
			resend := time.NewTicker(100 * time.Millisecond)
			defer resend.Stop()
			var raw string
			for raw == "" {
				if err := channel.Send(b); err != nil {
					t.Fatal(err)
				}
				select {
				case raw = <-said:
				case <-resend.C:
				case <-ctx.Done():
					t.Fatal("no data")
				}
			}
			got, err := readData([]byte(raw))
			if err != nil || got.ParticipantIdentity != "ann" || string(got.GetUser().GetPayload()) != "hello" || len(got.ProtoReflect().GetUnknown()) != 3 {
				t.Errorf("the data is %v, %v", got, err)
			}
		})
	}
}

func TestWhatATokenDoesNotGrantIsRefused(t *testing.T) {
	_, h := start(t, nil)
	no := false
	c := signalOnly(t, h.URL, "ann", token.Video{CanPublish: &no}, &livekit.JoinRequest{AddTrackRequests: []*livekit.AddTrackRequest{{Cid: "x", Source: livekit.TrackSource_CAMERA, Type: livekit.TrackType_VIDEO}}})
	r := c.until("a refusal", func(m *livekit.SignalResponse) bool { return m.GetRequestResponse() != nil }).GetRequestResponse()
	if r.Reason != livekit.RequestResponse_NOT_ALLOWED || r.GetAddTrack().GetCid() != "x" {
		t.Errorf("got %v", r)
	}
	d := signalOnly(t, h.URL, "bob", token.Video{CanPublishSources: []string{"microphone"}}, &livekit.JoinRequest{AddTrackRequests: []*livekit.AddTrackRequest{
		{Cid: "m", Source: livekit.TrackSource_MICROPHONE}, {Cid: "s", Source: livekit.TrackSource_SCREEN_SHARE, Type: livekit.TrackType_VIDEO}}})
	d.until("the microphone", func(m *livekit.SignalResponse) bool { return m.GetTrackPublished().GetCid() == "m" })
	d.until("a refusal", func(m *livekit.SignalResponse) bool { return m.GetRequestResponse().GetAddTrack().GetCid() == "s" })
	d.say(&livekit.SignalRequest{Message: &livekit.SignalRequest_UpdateMetadata{UpdateMetadata: &livekit.UpdateParticipantMetadata{Metadata: "x", RequestId: 5}}})
	d.until("another", func(m *livekit.SignalResponse) bool {
		return m.GetRequestResponse().GetRequestId() == 5 && m.GetRequestResponse().GetReason() == livekit.RequestResponse_NOT_ALLOWED
	})
}

func TestASessionIsResumedByItsOwnerAloneAndReplacedByTheSameIdentity(t *testing.T) {
	_, h := start(t, nil)
	a := signalOnly(t, h.URL, "ann", token.Video{}, &livekit.JoinRequest{})
	join := a.until("join", func(m *livekit.SignalResponse) bool { return m.GetJoin() != nil }).GetJoin()
	sid := join.Participant.Sid
	back := signalOnly(t, h.URL, "ann", token.Video{}, &livekit.JoinRequest{Reconnect: true, ParticipantSid: sid})
	back.until("reconnect", func(m *livekit.SignalResponse) bool { return m.GetReconnect() != nil })
	for name, c := range map[string]*client{
		"another's":       signalOnly(t, h.URL, "eve", token.Video{}, &livekit.JoinRequest{Reconnect: true, ParticipantSid: sid}),
		"an unknown one":  signalOnly(t, h.URL, "ann", token.Video{}, &livekit.JoinRequest{Reconnect: true, ParticipantSid: "PA_nobody"}),
		"in another room": signalOnly(t, h.URL, "ann", token.Video{Room: "other"}, &livekit.JoinRequest{Reconnect: true, ParticipantSid: sid}),
	} {
		l := c.until("leave", func(m *livekit.SignalResponse) bool { return m.GetLeave() != nil }).GetLeave()
		if l.Action != livekit.LeaveRequest_RECONNECT || l.Reason != livekit.DisconnectReason_STATE_MISMATCH {
			t.Errorf("%s: %v", name, l)
		}
	}
	signalOnly(t, h.URL, "ann", token.Video{}, &livekit.JoinRequest{}).until("join", func(m *livekit.SignalResponse) bool { return m.GetJoin() != nil })
	l := back.until("leave", func(m *livekit.SignalResponse) bool { return m.GetLeave() != nil }).GetLeave()
	if l.Reason != livekit.DisconnectReason_DUPLICATE_IDENTITY || l.Action != livekit.LeaveRequest_DISCONNECT {
		t.Errorf("replaced: %v", l)
	}
}

func TestAClientGetsATokenToComeBackWithThatGrantsWhatItMayDoNow(t *testing.T) {
	s, h := start(t, nil)
	c := signalOnly(t, h.URL, "ann", token.Video{}, &livekit.JoinRequest{})
	c.until("join", func(m *livekit.SignalResponse) bool { return m.GetJoin() != nil })
	admin := mint(t, token.Grants{Video: token.Video{RoomAdmin: true, Room: "r"}})
	if code, body := twirp(t, h.URL, "UpdateParticipant", admin, `{"room":"r","identity":"ann","permission":{"canSubscribe":true,"canPublishSources":["MICROPHONE"]}}`); code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	r, err := s.room("r", false)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.participants["ann"].refresh(time.Now().Add(2 * refreshEvery))
	r.mu.Unlock()
	next := func() *token.Grants {
		raw := c.until("a token", func(m *livekit.SignalResponse) bool { return m.GetRefreshToken() != "" }).GetRefreshToken()
		g, err := token.Parse(raw, s.secret, time.Now().Add(refreshedFor)) // when both are good
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	g := next()
	if token.Allowed(g.Video.CanPublish) { // that of its arrival
		g = next()
	}
	if g.Identity != "ann" || g.Video.Room != "r" || !g.Video.RoomJoin || token.Allowed(g.Video.CanPublish) || !token.Allowed(g.Video.CanSubscribe) ||
		len(g.Video.CanPublishSources) != 1 || g.Video.CanPublishSources[0] != "microphone" {
		t.Errorf("got %+v", g)
	}
	if g.Expires.Sub(g.NotBefore) != refreshedFor {
		t.Errorf("it is good for %v", g.Expires.Sub(g.NotBefore))
	}
}

func TestAFullRoomAndARevokedTokenAreRefused(t *testing.T) {
	s, h := start(t, func(c *Config) { c.MaxParticipants = 1 })
	signalOnly(t, h.URL, "ann", token.Video{}, &livekit.JoinRequest{}).until("join", func(m *livekit.SignalResponse) bool { return m.GetJoin() != nil })
	l := signalOnly(t, h.URL, "bob", token.Video{}, &livekit.JoinRequest{}).until("leave", func(m *livekit.SignalResponse) bool { return m.GetLeave() != nil }).GetLeave()
	if l.Reason != livekit.DisconnectReason_JOIN_FAILURE {
		t.Errorf("a full room says %v", l)
	}
	if c := s.Counts(); c.Rooms != 1 || c.Participants != 1 {
		t.Errorf("counted %+v", c)
	}
	admin := mint(t, token.Grants{Video: token.Video{RoomAdmin: true, Room: "r"}})
	raw := mint(t, token.Grants{Identity: "ann", Video: token.Video{RoomJoin: true, Room: "r"}})
	if code, body := twirp(t, h.URL, "RemoveParticipant", admin, fmt.Sprintf(`{"room":"r","identity":"ann","revokeTokenTs":"%d"}`, time.Now().Unix()+1)); code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	if _, err := ws.Dial(t.Context(), strings.Replace(h.URL, "http", "ws", 1)+"/rtc/v1?access_token="+raw+"&join_request=", ws.DialOptions{}); err == nil {
		t.Error("a token of before the removal opens a socket")
	}
}

func TestAClientThatAnnouncesATrackAndOffersNoneIsRemindedAFewTimes(t *testing.T) {
	_, h := start(t, nil)
	ann := media(t, h.URL, "ann", false, &livekit.JoinRequest{}, func(pc *webrtc.PeerConnection) {
		if _, err := pc.CreateDataChannel(reliableLabel, nil); err != nil {
			t.Fatal(err)
		}
	})
	ann.say(&livekit.SignalRequest{Message: &livekit.SignalRequest_AddTrack{AddTrack: &livekit.AddTrackRequest{Cid: "voice", Type: livekit.TrackType_AUDIO}}})
	ann.until("the track is known", func(m *livekit.SignalResponse) bool { return m.GetTrackPublished() != nil })
	ann.until("it is asked for", func(m *livekit.SignalResponse) bool {
		need := m.GetMediaSectionsRequirement()
		return need != nil && need.NumAudios == 0 && need.NumVideos == 0
	})
}

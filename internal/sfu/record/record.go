// Package record writes tracks of calls into files as they come: Opus into Ogg
// (RFC 7845), VP8, VP9 and AV1 into WebM, H.264 into Matroska (RFC 9559), which
// WebM has no place for. Nothing is decoded or encoded: a recording costs as
// little as one more viewer.
//
// The clock of a file is the clock of the call. What came late is put in its
// place, what did not come at all is silence or the picture of before, and a
// track that is muted goes on in silence; so tracks that are played together
// from the times at which they began fit each other to their ends.
//
// A file is written to the spool folder as it grows, so that whatever becomes
// of this process all but the last second of it can be played. Beside it lies a
// manifest, "NAME.json", which says what the file is and how the recording
// stands: in the words of LiveKit's egress, for whoever takes the files away. A
// file belongs to whoever takes it away from the moment that its manifest says
// that it is over.
package record

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/sfu/forward"
	"github.com/skein-im/skein/proto/livekit"
)

// Packet is an RTP packet of a track. Its payload is good during the call that
// brings it.
type Packet = forward.Tapped

// Errors of Start.
var (
	// ErrName is the answer to a file name that leads out of the spool folder, or
	// is there already.
	ErrName = errors.New("the file path is not one of a new file below the folder of recordings")
	// ErrFull is the answer when the disk has hardly any room left.
	ErrFull = errors.New("the disk of the recordings is full")
	// ErrCodec is the answer to what is not recorded.
	ErrCodec = errors.New("tracks of this codec are not recorded")
)

// How much room a recording leaves on the disk, bytes: what else is on it is
// worth more than a recording.
const spare = 256 << 20

// Options are what a Spool is made of; all but Limit are needed.
type Options struct {
	// Dir is the folder that files go to.
	Dir string
	// Limit ends a recording that has reached so many bytes; 0 = none has to.
	Limit int64
	// Now is the clock of packets, ns; Clock is the time of day.
	Now     func() int64
	Clock   im.Clock
	Entropy im.Entropy
	Log     *slog.Logger
}

// Spool is a folder of recordings. Its methods may be called from any goroutine.
type Spool struct {
	o    Options
	root *os.Root
	wg   sync.WaitGroup
}

// Open opens the folder and mends what an earlier process left in the middle:
// these recordings are over, with what they have.
func Open(o Options) (*Spool, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of recordings: %w", err)
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of recordings: %w", err)
	}
	s := &Spool{o: o, root: root}
	if err := s.mend(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close waits for all recordings, which their owner has stopped.
func (s *Spool) Close() {
	s.wg.Wait()
	s.root.Close() //nolint:errcheck // nothing is open in it
}

// Track says what is recorded.
type Track struct {
	// Egress is the recording's id.
	Egress string
	Room   *livekit.Room
	Owner  *livekit.ParticipantInfo
	Info   *livekit.TrackInfo
	// Codec is what comes now, as in SDP: opus, red, vp8, vp9, av1, h264.
	Codec string
	// Path is the name of the file, below the folder and without its ending, which
	// the codec gives. {room_name}, {track_id} and {time} are put in. Empty =
	// {track_id}-{time}.
	Path string
	// Ask asks the sender for a key frame of a layer.
	Ask func(layer int)
	// Changed is told whenever the recording's state has changed.
	Changed func(*livekit.EgressInfo)
}

// packetsWait is how many packets may wait for the disk: more are lost, and
// treated as such.
const packetsWait = 2048

// Recording is one track that is being recorded.
type Recording struct {
	s     *Spool
	t     Track
	codec string
	name  string
	file  *os.File
	in    chan Packet
	stop  chan struct{}
	once  sync.Once
	zero  int64 // of the packets' clock, as time of day: Unix ns

	active bool // something is in the file

	sound   *sound
	picture *picture

	mu   sync.Mutex // guards info
	info *livekit.EgressInfo
}

// Start begins to record. Errors: ErrName, ErrFull, ErrCodec.
func (s *Spool) Start(t Track) (*Recording, error) {
	codec := t.Codec
	if codec == "red" {
		codec = "opus"
	}
	ext := map[string]string{"opus": ".ogg", "vp8": ".webm", "vp9": ".webm", "av1": ".webm", "h264": ".mkv"}[codec]
	if ext == "" {
		return nil, ErrCodec
	}
	if free(s.o.Dir) < spare {
		return nil, ErrFull
	}
	now := s.o.Clock.Now()
	r := &Recording{s: s, t: t, codec: codec, in: make(chan Packet, packetsWait), stop: make(chan struct{}), zero: now.UnixNano() - s.o.Now()}
	var err error
	if r.name, err = s.nameOf(t, ext, now); err != nil {
		return nil, err
	}
	if r.file, err = s.create(r.name); err != nil {
		return nil, err
	}
	r.info = &livekit.EgressInfo{EgressId: t.Egress, RoomId: t.Room.GetSid(), RoomName: t.Room.GetName(), SourceType: livekit.EgressSourceType_EGRESS_SOURCE_TYPE_SDK,
		Status: livekit.EgressStatus_EGRESS_STARTING, StartedAt: now.UnixNano(), UpdatedAt: now.UnixNano(),
		Track: &livekit.TrackEgressRequest{RoomName: t.Room.GetName(), TrackId: t.Info.GetSid(), File: &livekit.DirectFileOutput{Filepath: t.Path}}}
	if err := r.begin(); err != nil {
		r.file.Close()                     //nolint:errcheck // the first error tells
		s.root.Remove(r.name)              //nolint:errcheck // it is empty
		s.root.Remove(r.name + manifested) //nolint:errcheck // it may not be there
		return nil, err
	}
	s.wg.Go(r.run)
	return r, nil
}

// begin prepares what writes.
func (r *Recording) begin() (err error) {
	if r.codec == "opus" {
		serial := uint32(r.zero ^ r.zero>>32)
		if r.sound, err = newSound(r.file, serial); err != nil {
			return err
		}
	} else {
		r.picture = newPicture(r.file, r.codec, int(r.t.Info.GetWidth()), int(r.t.Info.GetHeight()), r.t.Ask)
	}
	return r.note()
}

// nameOf is the file's name, with what is put into it.
func (s *Spool) nameOf(t Track, ext string, now time.Time) (string, error) {
	path := t.Path
	if path == "" {
		path = "{track_id}-{time}"
	}
	path = strings.NewReplacer("{room_name}", t.Room.GetName(), "{track_id}", t.Info.GetSid(), "{time}", now.UTC().Format("2006-01-02T150405")).Replace(path)
	for _, e := range []string{".ogg", ".webm", ".mkv"} {
		path = strings.TrimSuffix(path, e)
	}
	if !filepath.IsLocal(path) || len(path) > 200 || strings.ContainsFunc(path, func(c rune) bool { return c < ' ' || c == '\\' || c == 0x7f }) {
		return "", ErrName
	}
	return filepath.Clean(path) + ext, nil
}

func (s *Spool) create(name string) (*os.File, error) {
	if dir := filepath.Dir(name); dir != "." {
		if err := s.root.MkdirAll(dir, 0o700); err != nil {
			return nil, ErrName
		}
	}
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, ErrName
	}
	if err == nil {
		err = lock(f) // for as long as it is written: see mend
	}
	return f, err
}

// Packet takes a packet, until the recording ends. It does not wait: what the
// disk is too slow for is lost.
func (r *Recording) Packet(p Packet) (more bool) {
	select {
	case <-r.stop:
		return false
	default:
	}
	p.Payload = append([]byte(nil), p.Payload...)
	select {
	case r.in <- p:
	default:
	}
	return true
}

// Stop ends the recording; it may be called more than once.
func (r *Recording) Stop() {
	r.once.Do(func() {
		r.set(func(i *livekit.EgressInfo) {
			if i.Status <= livekit.EgressStatus_EGRESS_ACTIVE {
				i.Status = livekit.EgressStatus_EGRESS_ENDING
			}
		})
		close(r.stop)
		r.tell()
	})
}

// Info is the recording as LiveKit's egress has it.
func (r *Recording) Info() *livekit.EgressInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	return clone(r.info)
}

// Running tells whether packets are still taken.
func (r *Recording) Running() bool {
	select {
	case <-r.stop:
		return false
	default:
		return true
	}
}

// Over tells whether the file is complete.
func (r *Recording) Over() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.info.Status >= livekit.EgressStatus_EGRESS_COMPLETE
}

// set changes the state.
func (r *Recording) set(change func(*livekit.EgressInfo)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r.info)
	r.info.UpdatedAt = r.s.o.Clock.Now().UnixNano()
}

// tell tells of the state as it is.
func (r *Recording) tell() {
	if r.t.Changed != nil {
		r.t.Changed(r.Info())
	}
}

// How often things are done without a packet.
const (
	writeEvery = 50 * time.Millisecond
	lookEvery  = 40 // of these: room on the disk
)

// run writes until it is stopped or cannot.
func (r *Recording) run() {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	var err error
	ending := livekit.EgressStatus_EGRESS_COMPLETE
	for n := 1; err == nil && ending == livekit.EgressStatus_EGRESS_COMPLETE; n++ {
		select {
		case <-r.stop:
			err = r.rest()
			r.end(err, ending)
			return
		case p := <-r.in:
			if !r.take(&p) {
				r.end(nil, ending) // another codec: another recording
				return
			}
			n--
			continue
		case <-tick.C:
		}
		err = r.write(false)
		if err == nil && n%lookEvery == 0 {
			ending, err = r.look()
		}
	}
	r.end(err, ending)
}

// rest takes what waits and writes it.
func (r *Recording) rest() error {
	for {
		select {
		case p := <-r.in:
			if r.take(&p) {
				continue
			}
		default:
		}
		return r.write(true)
	}
}

// take takes a packet; false = it is of another codec than the file.
func (r *Recording) take(p *Packet) bool {
	name := p.Codec.Name()
	switch {
	case r.sound != nil && (name == "opus" || name == "red"):
		r.sound.take(p, name == "red")
	case r.picture != nil && name == r.codec:
		r.picture.take(p)
	default:
		return false
	}
	return true
}

// write writes what is ready.
func (r *Recording) write(all bool) error {
	now := r.s.o.Now()
	var begun bool
	var first int64
	var err error
	if r.sound != nil {
		err = r.sound.write(now, all)
		begun, first = r.sound.begun, r.sound.first
	} else {
		err = r.picture.write(now, all)
		begun, first = r.picture.webm != nil, r.picture.first
	}
	if err != nil || !begun || r.active {
		return err
	}
	r.active = true
	r.set(func(i *livekit.EgressInfo) {
		if i.Status == livekit.EgressStatus_EGRESS_STARTING {
			i.Status = livekit.EgressStatus_EGRESS_ACTIVE
		}
		i.FileResults = []*livekit.FileInfo{{Filename: r.name, StartedAt: r.zero + first, Location: filepath.Join(r.s.o.Dir, r.name)}}
	})
	err = r.note()
	r.tell()
	return err
}

// look sees to what is due now and then.
func (r *Recording) look() (livekit.EgressStatus, error) {
	i, err := r.file.Stat()
	switch {
	case err != nil:
		return 0, err
	case free(r.s.o.Dir) < spare:
		return 0, ErrFull
	case r.s.o.Limit > 0 && i.Size() >= r.s.o.Limit:
		return livekit.EgressStatus_EGRESS_LIMIT_REACHED, nil
	}
	return livekit.EgressStatus_EGRESS_COMPLETE, nil
}

// end finishes the file, whatever has ended it.
func (r *Recording) end(why error, status livekit.EgressStatus) {
	r.once.Do(func() { close(r.stop) })
	var err error
	if r.sound != nil {
		err = r.sound.ogg.finish()
	} else if r.picture.webm != nil {
		err = r.picture.webm.flush()
	}
	if why == nil {
		why = err
	}
	r.s.finish(r.file, r.name, r.info, &r.mu, why, status)
	if why != nil {
		r.s.o.Log.Warn("a recording broke off", "room", r.t.Room.GetName(), "egress", r.t.Egress, "err", why)
	}
	if err := r.note(); err != nil {
		r.s.o.Log.Warn("the manifest of a recording cannot be written", "egress", r.t.Egress, "err", err)
	}
	r.tell()
}

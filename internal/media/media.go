// Package media makes of a picture, a sound or a film what others may be shown.
//
// A picture loses what its camera and its owner wrote into it (where it was
// taken, when, with what, by whom, an earlier version as a thumbnail), and what
// lies behind its end, so that no file is a picture and a program at once. It is
// turned upright, and smaller ones are made of it. Where nothing has to be
// turned, its pixels are not touched: the parts of the file that say how to show
// it are kept, all others are left out. The colour profile stays, but where it is
// one for print and the picture had to be turned. A film loses where, when and
// with what it was made, in its place: its boxes keep their sizes.
//
// All that reads bytes of strangers is made to run in a process of its own
// (Pool, Serve), which may use up its time or its memory and die. Then the file
// is one that is saved and not shown; nothing else happens.
package media

import (
	"context"
	"errors"
	"io"
	"time"
)

// Limits bound what is read.
type Limits struct {
	// Pixels is the most pixels of a picture that is decoded, by what its header
	// says before anything is decoded.
	Pixels int64
}

// DefaultPixels is enough for what phones and cameras make.
const DefaultPixels = 50_000_000

const (
	// MaxPicture is the size of a picture's file that is read, in bytes. A larger
	// one is saved as it is.
	MaxPicture = 64 << 20
	// MaxFrames bounds the frames of a picture that moves; one with more is saved.
	MaxFrames = 10_000
)

const (
	// maxSide bounds the sides of what is told.
	maxSide = 1 << 20
	// maxDuration bounds what is told of a sound or a film.
	maxDuration = 1000 * time.Hour
	// waves is how many values a waveform has.
	waves = 64
	// maxProfile is the size of a colour profile that smaller pictures have too,
	// in bytes.
	maxProfile = 4 << 10
	// quality of pictures that are made anew, as JPEG counts it: of smaller ones,
	// and of those that were turned.
	quality, qualityTurned = 80, 92
)

// sizes are the smaller pictures, by the longer side in pixels.
var sizes = [...]struct {
	name string
	side int
}{{"s", 160}, {"m", 480}, {"l", 1280}}

// Info is what is told of a picture, a sound or a film.
type Info struct {
	// Mime is what the bytes are. It may differ from what their first bytes let
	// think: a film without a picture is a sound.
	Mime string
	// Width and Height in pixels, as it is shown; 0 = of sound.
	Width, Height int
	// Duration of sound and film; 0 = unknown.
	Duration time.Duration
	// Thumb is the blur hash (https://blurha.sh) of a picture.
	Thumb string
	// Animated tells a picture that moves.
	Animated bool
	// Waveform tells how loud a sound is, 64 times from its beginning to its end;
	// nil = unknown.
	Waveform []byte
}

// Preview is a smaller picture of a picture.
type Preview struct {
	// Size is s, m or l: 160, 480 or 1,280 pixels on the longer side.
	Size          string
	Width, Height int
	Mime          string
	Bytes         []byte
}

// Piece is a part of the bytes that are kept: of those that came, or new ones, or
// zeros.
type Piece struct {
	From, N int64
	New     []byte // when it is not nil; N is its length
	Zero    bool
}

// Made is what was made of a file.
type Made struct {
	Info
	// Shown tells that the file was read and may be shown as what Info says. One
	// that is not can only be saved, and Info says nothing.
	Shown bool
	// Clean are the bytes to keep, one piece behind the other; nil = as they are.
	Clean []Piece
	// Previews are the smaller pictures, smallest first; none of a picture that
	// is small itself.
	Previews []Preview
}

// source is what is read.
type source struct {
	io.ReaderAt
	size int64
}

// errBad says that bytes are not what they should be. Whatever else is returned
// as an error is the source's.
var errBad = errors.New("not what it says to be")

// Make reads a file of which the first bytes tell that it is of a type, and
// makes of it what is kept. A file that cannot be read is no error. Errors: those
// of src.
func Make(src io.ReaderAt, size int64, mime string, l Limits) (Made, error) {
	s := source{&buffered{source: source{src, size}}, size}
	read := kinds[mime]
	if read == nil || size == 0 {
		return Made{}, nil
	}
	m, err := read(s, mime, l)
	if errors.Is(err, errBad) {
		err = nil
		m.Info, m.Shown, m.Previews = Info{}, false, nil
	}
	if err != nil {
		m = Made{}
	}
	return m, err
}

// InProcess makes everything in this process, within its limits: for tests of
// what is made, which need no child.
type InProcess Limits

// Make is the function Make.
func (p InProcess) Make(_ context.Context, src io.ReaderAt, size int64, mime string) (Made, error) {
	return Make(src, size, mime, Limits(p))
}

// Reads tells whether Make makes anything of a type.
func Reads(mime string) bool { return kinds[mime] != nil }

// kinds are the types that are read. A type that is not here is nothing that may
// be shown.
var kinds = map[string]func(s source, mime string, l Limits) (Made, error){
	"image/jpeg": picture, "image/png": picture, "image/gif": picture, "image/webp": picture, "image/bmp": picture,
	"image/avif": still, "image/heic": still,
	"video/mp4": movie, "video/quicktime": movie, "audio/mp4": movie, "video/webm": webm, "audio/webm": webm,
	"audio/ogg": ogg, "audio/wav": wav, "audio/flac": flac, "audio/mpeg": mp3, "audio/aac": aac,
}

package file

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/skein-im/skein/internal/blob"
)

// sniffBytes is how much of a file tells what it is.
const sniffBytes = 512

// shownTypes may be shown in a page: pictures, sound and film, which run
// nothing. What can hold script (HTML, SVG, XML, PDF) is always saved.
var shownTypes = map[string]bool{
	"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true, "image/avif": true, "image/bmp": true,
	"video/mp4": true, "video/webm": true, "video/quicktime": true,
	"audio/mpeg": true, "audio/mp4": true, "audio/ogg": true, "audio/webm": true, "audio/wav": true, "audio/aac": true, "audio/flac": true,
}

// isPicture tells types of which there are smaller pictures.
func isPicture(mime string) bool { return strings.HasPrefix(mime, "image/") }

// renamed gives a file's name the ending of another type.
func renamed(name, mime string) string {
	if dot := strings.LastIndexByte(name, '.'); dot > 0 {
		name = name[:dot]
	}
	if mime == "image/webp" {
		return name + ".webp"
	}
	return name + ".jpg"
}

// mediaOf tells what bytes are: by themselves, where they say so, else as their
// owner said; and whether they may be shown in a page, which only bytes that
// speak for themselves may.
func mediaOf(head []byte, told string) (mime string, shown bool) {
	mime = sniff(head, told)
	if shownTypes[mime] {
		return mime, true
	}
	if mime == "application/octet-stream" || mime == "text/plain" {
		if mime = told; shownTypes[mime] || mime == "" {
			mime = "application/octet-stream" // it is not what it was said to be
		}
	}
	return mime, false
}

// sniff tells what the first bytes of a file are (https://mimesniff.spec.whatwg.org/,
// and some kinds that are not there).
func sniff(head []byte, told string) string {
	switch {
	case len(head) >= 12 && string(head[4:8]) == "ftyp":
		return ftyp(string(head[8:12]), told)
	case bytes.HasPrefix(head, []byte("fLaC")):
		return "audio/flac"
	case len(head) >= 2 && head[0] == 0xff && head[1]&0xf6 == 0xf0:
		return "audio/aac" // ADTS
	case len(head) >= 3 && head[0] == 0xff && head[1]&0xe6 == 0xe2:
		return "audio/mpeg" // without ID3
	}
	mime, _, _ := strings.Cut(http.DetectContentType(head), ";")
	audio := strings.HasPrefix(told, "audio/")
	switch {
	case mime == "application/ogg":
		return "audio/ogg"
	case mime == "audio/wave":
		return "audio/wav"
	case mime == "video/webm" && audio:
		return "audio/webm" // the container is the same
	}
	return mime
}

// ftyp tells the kinds of files whose first box is ftyp (ISO/IEC 14496-12).
func ftyp(brand, told string) string {
	switch brand {
	case "avif", "avis":
		return "image/avif"
	case "heic", "heix", "mif1", "msf1":
		return "image/heic"
	case "M4A ", "M4B ":
		return "audio/mp4"
	case "qt  ":
		return "video/quicktime"
	}
	if strings.HasPrefix(told, "audio/") {
		return "audio/mp4"
	}
	return "video/mp4"
}

// head reads the first bytes of an object.
func head(ctx context.Context, store blob.Store, key string) ([]byte, error) {
	r, err := store.Get(ctx, key, 0, sniffBytes)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, sniffBytes))
	return b, errors.Join(err, r.Close())
}

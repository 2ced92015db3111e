package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/image/draw"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// ImageOptions say which pictures are uploaded.
type ImageOptions struct {
	Images int
	Size   int64 // of a picture, in bytes, about
}

// ImageResult is a run.
type ImageResult struct {
	Took time.Duration
	Bare int // pictures of which the server has made no smaller ones
}

// baseImages is how many pictures differ in more than their profile.
const baseImages = 8

// The size of the pictures, in pixels.
const imageWidth, imageHeight = 1280, 960

// Photographs makes pictures as a phone sends them: 1,280 × 960 pixels, with EXIF
// that says where they were taken, and each with a colour profile of its own, so
// that no two are the same.
func Photographs(o ImageOptions) ([][]byte, error) {
	bases := make([][]byte, min(baseImages, o.Images))
	errs := make([]error, len(bases))
	var all sync.WaitGroup
	for i := range bases {
		all.Go(func() { bases[i], errs[i] = photograph(uint64(i), o.Size) })
	}
	all.Wait()
	out := make([][]byte, o.Images)
	for i := range out {
		out[i] = withSegments(bases[i%len(bases)], i)
	}
	return out, errors.Join(errs...)
}

// photograph makes a JPEG of about a size: shapes that change slowly, edges, and
// the noise of a sensor, at the quality that has that many bytes.
func photograph(seed uint64, size int64) ([]byte, error) {
	dice := rand.New(rand.NewPCG(seed, 7))
	img := image.NewRGBA(image.Rect(0, 0, imageWidth, imageHeight))
	fx, fy, edge := 1+dice.Float64()*6, 1+dice.Float64()*6, dice.IntN(imageWidth)
	for y := range imageHeight {
		for x := range imageWidth {
			at := img.PixOffset(x, y)
			v := 120 + 60*math.Sin(float64(x)*fx/imageWidth) + 50*math.Cos(float64(y)*fy/imageHeight)
			if (x+y/3)/90%2 == 0 && x > edge {
				v -= 40
			}
			for c := range 3 {
				img.Pix[at+c] = byte(max(0, min(255, v+float64(c*12)+dice.NormFloat64()*9)))
			}
			img.Pix[at+3] = 255
		}
	}
	var best []byte
	for low, high := 5, 100; low <= high; {
		quality := (low + high) / 2
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
			return nil, err
		}
		if best == nil || distance(b.Len(), size) < distance(len(best), size) {
			best = bytes.Clone(b.Bytes())
		}
		if int64(b.Len()) < size {
			low = quality + 1
		} else {
			high = quality - 1
		}
	}
	return best, nil
}

func distance(n int, size int64) int64 { return max(int64(n)-size, size-int64(n)) }

// withSegments puts EXIF and a profile with a number into a JPEG.
func withSegments(b []byte, number int) []byte {
	segment := func(marker byte, data []byte) []byte {
		return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(data)+2)), data...)
	}
	exif := append([]byte("Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"), bytes.Repeat([]byte("52.5163N 13.3777E "), 200)...)
	profile := append([]byte("ICC_PROFILE\x00\x01\x01"), make([]byte, 512)...)
	copy(profile[14+16:], "RGB ")
	copy(profile[14+200:], strconv.Itoa(number))
	return bytes.Join([][]byte{b[:2], segment(0xe1, exif), segment(0xe2, profile), b[2:]}, nil)
}

// Images uploads pictures, so many at once, each with one request, and asks what the server has
// made of it, as a client does before it sends one.
func Images(ctx context.Context, t *Target, pictures [][]byte, parallel int) (r ImageResult, err error) {
	base := "http" + strings.TrimSuffix(strings.TrimPrefix(t.URL, "ws"), "/v1/socket")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: t.TLS, MaxIdleConnsPerHost: parallel}}
	defer client.CloseIdleConnections()
	calls := skeinv1connect.NewFileServiceClient(client, base)
	var next, bare atomic.Int64
	errs := make([]error, parallel)
	var all sync.WaitGroup
	began := time.Now()
	for w := range parallel {
		token, err := t.Token(im.UserID(fmt.Sprintf("photographer%d", w)))
		if err != nil {
			return r, err
		}
		headers := map[string]string{"Authorization": "Bearer " + token, "Skein-App": string(t.App), "Tus-Resumable": "1.0.0"}
		all.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(len(pictures)) || errs[w] != nil {
					return
				}
				made, err := uploadImage(ctx, client, calls, base, headers, pictures[i])
				if errs[w] = err; err == nil && len(made.GetPreviews()) == 0 {
					bare.Add(1)
				}
			}
		})
	}
	all.Wait()
	return ImageResult{time.Since(began), int(bare.Load())}, errors.Join(errs...)
}

func uploadImage(ctx context.Context, client *http.Client, calls skeinv1connect.FileServiceClient, base string, headers map[string]string, b []byte) (*skeinv1.Media, error) {
	res, err := exchange(ctx, client, http.MethodPost, base+"/v1/uploads/", bytes.NewReader(b), int64(len(b)), headers,
		"Upload-Length", strconv.Itoa(len(b)), "Content-Type", "application/offset+octet-stream", "Upload-Metadata", "filetype aW1hZ2UvanBlZw==")
	if err != nil {
		return nil, err
	}
	r := connect.NewRequest(&skeinv1.GetFileRequest{Id: path.Base(res.Get("Location"))})
	r.Header().Set("Authorization", headers["Authorization"])
	r.Header().Set("Skein-App", headers["Skein-App"])
	got, err := calls.GetFile(ctx, r)
	if err != nil {
		return nil, err
	}
	return got.Msg.File.Media, nil
}

// ImageYardstick decodes the pictures of a folder and makes one smaller one of
// each, 480 pixels wide, with what Go has for it: the least that whoever shows
// thumbnails does.
func ImageYardstick(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.jpg"))
	if err != nil {
		return err
	}
	small := image.NewRGBA(image.Rect(0, 0, 480, 360))
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		img, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			return err
		}
		draw.ApproxBiLinear.Scale(small, small.Bounds(), img, img.Bounds(), draw.Src, nil)
	}
	return nil
}

package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/skein-im/skein/sdk/go/server"
)

func TestAFileOfABackEndOutlivesDeadServersAndABrokenNetwork(t *testing.T) {
	for name, program := range map[string][]string{"Go": {os.Args[0], asGoBackEnd}, "TypeScript": {"node", "backend.mjs"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outlives(t, places["a folder"](t), uploader{program: program, backEnd: true}, nil)
		})
	}
}

// asGoBackEnd is the first argument of a process that uploads by the Go SDK of a
// back end.
const asGoBackEnd = "go-back-end"

// goBackEnd uploads a file: ENDPOINT APP TOKEN FILE. It prints the file's id.
func goBackEnd(args []string) int {
	id, err := goUpload(args[0], args[1], args[2], args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(id)
	return 0
}

func goUpload(endpoint, app, token, name string) (id string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	c, err := server.New(server.Options{Endpoint: endpoint, App: app, Token: func(context.Context) (string, error) { return token, nil }})
	if err != nil {
		return "", err
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	got, err := c.Upload(ctx, server.UploadFile{Name: "film.bin", Reader: f, Size: info.Size()})
	if err == nil && got.GetName() != "film.bin" {
		err = errors.New("the file has another name")
	}
	return got.GetId(), err
}

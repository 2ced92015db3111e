package chaos_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/skein-im/skein/test/chaos"
)

// env is shared by all tests: the binary is built once.
var env *chaos.Env

func TestMain(m *testing.M) {
	if code, child := chaos.Apart(); child {
		os.Exit(code)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if env, err = chaos.NewEnv(context.Background(), nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer env.Close()
	return m.Run()
}

// prove runs a nemesis and fails the test when a promise was broken, or when
// the nemesis did not act.
func prove(t *testing.T, r *chaos.Result, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r.Row())
	if !r.OK() {
		t.Error(r.Why())
	}
}

// bounded is a context that ends before the tests do.
func bounded(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

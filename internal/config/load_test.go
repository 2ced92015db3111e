package config

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestGoodFilesAreReadAndValid(t *testing.T) {
	files, err := filepath.Glob("testdata/*.good.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if _, _, err := Load(Source{Args: []string{"--config", f}}); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// A bad file says in its first line what the error has to say.
func TestBadFilesAreRefusedWithTheLineAndWhatToDo(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(b), "\n")
		want, ok := strings.CutPrefix(first, "# error: ")
		if !ok {
			t.Fatalf("%s does not say which error it expects", f)
		}
		_, _, err = Load(Source{Environ: []string{"SKEIN_CONFIG=" + f}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got  %v\n want %s", f, err, want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows a password: %v", f, err)
		}
	}
}

func TestAFileSetsEveryKindOfValue(t *testing.T) {
	c, _, err := Load(Source{Args: []string{"-config=testdata/full.good.yaml"}})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Listen, want.Data, want.DB, want.Shards = "0.0.0.0:443", "/var/lib/skein", "postgres://skein@db.internal/skein", 64
	want.BehindProxy = []string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"}
	want.AllowedOrigins = []string{"https://a.example", "https://b.example"}
	want.Log = Log{Level: "warn", Format: "json"}
	want.TLS.ACME.Domains, want.TLS.ACME.Email, want.TLS.ACME.HTTP = []string{"chat.example.com", "im.example.com"}, "ops@example.com", ":80"
	want.TLS.HSTS = 720 * time.Hour
	l := &want.Limits
	l.TextBytes, l.QueueBytes, l.Frames, l.SendRate, l.HelloTimeout = 8<<10, 4<<20, 1000, 0.5, 2*time.Second
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestAFlagBeatsTheEnvironmentWhichBeatsTheFileWhichBeatsTheDefault(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("shards: 2\ndata: fromfile\nlimits: {frames: 2, watch: 2, in_flight: 2}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, operands, err := Load(Source{
		Args:    []string{"one", "--shards", "4", "--config", file, "two", "-limits-frames=4", "--behind-proxy", "10.0.0.1", "--behind-proxy=10.0.0.2,10.0.0.3", "--", "--three"},
		Environ: []string{"PATH=/bin", "SKEIN_PORT=tcp://10.0.0.1:80", "SKEIN_SERVICE_HOST=10.0.0.1", "SKEIN_TEST_X=y", "SKEIN_SHARDS=3", "SKEIN_LIMITS_FRAMES=3", "SKEIN_LIMITS_WATCH=3", "SKEIN_SECRET_KEY=k"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Shards != 4 || c.Limits.Frames != 4 || c.Limits.Watch != 3 || c.Limits.InFlight != 2 || c.Data != "fromfile" || c.Limits.Devices != 20 || c.SecretKey != "k" {
		t.Errorf("got %+v", c)
	}
	if got := strings.Join(operands, " "); got != "one two --three" {
		t.Errorf("operands %q", got)
	}
	if got := strings.Join(c.BehindProxy, " "); got != "10.0.0.1 10.0.0.2 10.0.0.3" {
		t.Errorf("behind_proxy %q", got)
	}
}

func TestBadFlagsAndVariablesAreRefused(t *testing.T) {
	for _, c := range []struct {
		args, environ []string
		want          string
	}{
		{[]string{"--lisen", ":80"}, nil, "there is no flag --lisen; did you mean --listen?"},
		{[]string{"--xyzzy"}, nil, "there is no flag --xyzzy"},
		{[]string{"--listen"}, nil, "--listen needs a value"},
		{[]string{"--listen", "a", "--listen", "b"}, nil, "--listen is given twice"},
		{[]string{"--dev=perhaps"}, nil, `--dev: "perhaps" is neither`},
		{[]string{"--secret-key", "k"}, nil, "there is no flag --secret-key"},
		{[]string{"--config", "testdata/nowhere.yaml"}, nil, "read the configuration"},
		{[]string{"--limits-frames", "0"}, nil, "--limits-frames: 0 is less"},
		{nil, []string{"SKEIN_LISTN=:80"}, "the environment variable SKEIN_LISTN belongs to no option; did you mean SKEIN_LISTEN?"},
		{nil, []string{"SKEIN_SHARDS=x"}, `SKEIN_SHARDS: "x" is no whole number`},
		{[]string{"--data", "load_test.go"}, nil, "data: load_test.go is a file"},
	} {
		_, _, err := Load(Source{Args: c.args, Environ: c.environ})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %q: got %v, want %s", c.args, c.environ, err, c.want)
		}
	}
}

func TestNothingSetMeansTheDefaultsAndTheyAreValid(t *testing.T) {
	c, operands, err := Load(Source{})
	if err != nil || len(operands) != 0 || !reflect.DeepEqual(c, Default()) {
		t.Errorf("got %+v, %q, %v", c, operands, err)
	}
	for _, o := range options(Default()) {
		if err := o.check(); err != nil {
			t.Errorf("%s: %v", o.key, err)
		}
	}
}

// Each default, written as the reference shows it, reads as itself.
func TestEveryValueReadsAsItIsWritten(t *testing.T) {
	list, again := options(Default()), options(&Config{})
	for i, o := range list {
		if o.value.Kind() == reflect.Slice {
			continue // nil and empty differ
		}
		if err := again[i].set(o.text()); err != nil || !reflect.DeepEqual(again[i].value.Interface(), o.value.Interface()) {
			t.Errorf("%s: %q became %v, %v", o.key, o.text(), again[i].value, err)
		}
	}
}

func TestASubcommandKnowsItsOwnFlagsAndTheOptionsItNames(t *testing.T) {
	extra := flag.NewFlagSet("token", flag.ContinueOnError)
	user, server := extra.String("user", "", "whose token"), extra.Bool("server", false, "the back end's token")
	src := Source{Args: []string{"create", "--user", "ann", "--server", "shop", "--data=d"}, Extra: extra, Only: []string{"data", "db"}}
	c, operands, err := Read(src)
	if err != nil || *user != "ann" || !*server || c.Data != "d" || strings.Join(operands, " ") != "create shop" {
		t.Fatalf("got %+v, %q, user %q, server %v, %v", c, operands, *user, *server, err)
	}
	src.Args = []string{"--listen", ":80"}
	if _, _, err := Read(src); err == nil {
		t.Error("a flag of another subcommand was taken")
	}
	src.Args = []string{"-h"}
	if _, _, err := Read(src); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("got %v, want the error of --help", err)
	}
	var b bytes.Buffer
	Usage(&b, src)
	for _, want := range []string{"--user", "--server", "--data TEXT", "--config FILE", "default: ./data", "The folder of everything that the server stores"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("--help does not show %s:\n%s", want, &b)
		}
	}
	if strings.Contains(b.String(), "--listen") {
		t.Error("--help shows another subcommand's flag")
	}
}

func TestTheReferencesExampleIsAGoodFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := Load(Source{Args: []string{"--config", file}})
	if err != nil || c.Limits.TextBytes != 8192 || c.TLS.ACME.Domains[0] != "chat.example.com" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func FuzzConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := Default()
		list := options(c)
		if parseFile(b, list) != nil {
			return
		}
		for _, o := range list {
			if err := o.check(); err != nil {
				t.Fatalf("%s was accepted and is out of bounds: %v", o.key, err)
			}
		}
		_ = c.Validate() // must not panic
	})
}

package wire_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/ws"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

const docsFolder = "../../docs"

// block is a fenced block of a page: its info string and its text.
type block struct{ info, text string }

func readPage(t *testing.T, name string) (whole string, blocks []block) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(docsFolder, name))
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(b)) {
		info, fence := strings.CutPrefix(strings.TrimRight(line, "\n"), "```")
		switch {
		case fence && !inside:
			inside = true
			blocks = append(blocks, block{info: info})
		case fence:
			inside = false
		case inside:
			blocks[len(blocks)-1].text += line
		}
	}
	return string(b), blocks
}

// like tells where a JSON value differs from what a page shows. The page
// writes "…" for a value that differs from run to run, and a field named "…"
// for fields that it leaves out.
func like(path string, page, got any) string {
	switch want := page.(type) {
	case map[string]any:
		have, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %v", path, got)
		}
		for k, v := range want {
			if k == "…" {
				continue
			}
			g, ok := have[k]
			if !ok {
				return fmt.Sprintf("%s.%s is missing", path, k)
			}
			if diff := like(path+"."+k, v, g); diff != "" {
				return diff
			}
		}
		for k := range have {
			if _, ok := want[k]; !ok && want["…"] == nil {
				return fmt.Sprintf("%s.%s = %v is not on the page", path, k, have[k])
			}
		}
		return ""
	case []any:
		have, ok := got.([]any)
		if !ok || len(have) != len(want) {
			return fmt.Sprintf("%s is %v", path, got)
		}
		for i := range want {
			if diff := like(fmt.Sprintf("%s[%d]", path, i), want[i], have[i]); diff != "" {
				return diff
			}
		}
		return ""
	}
	if page == "…" && got != nil && got != "" || reflect.DeepEqual(page, got) {
		return ""
	}
	return fmt.Sprintf("%s is %v, and %v on the page", path, got, page)
}

func parse(t *testing.T, what string, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s is no JSON: %v\n%s", what, err, text)
	}
	return v
}

// reader follows docs/protocol.md from top to bottom on a fresh server.
type reader struct {
	t      *testing.T
	srv    *server
	script string // what was run so far; it is run again without its output
}

// shell runs a block after those before it, and returns what it prints.
func (r *reader) shell(text string) []byte {
	r.t.Helper()
	text = strings.ReplaceAll(text, "http://127.0.0.1:8080", r.srv.url)
	// One bash for one block; the state that blocks leave is in a file.
	state := filepath.Join(r.t.TempDir(), "state")
	cmd := exec.Command("bash", "-c", "set -euo pipefail\n"+r.script+"\n"+text+"\ndeclare -p TOKEN ID 2>/dev/null >"+state+" || true\ndeclare -f >>"+state)
	cmd.Env = cleanEnv()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("%v\n%s\n%s", err, text, stderr.Bytes())
	}
	left, err := os.ReadFile(state)
	if err != nil {
		r.t.Fatal(err)
	}
	r.script = string(left)
	return out
}

// session plays a block of packets over the JSON subprotocol.
func (r *reader) session(text string) {
	r.t.Helper()
	_, body := r.srv.do(r.t, "POST", "/dev/token", nil, `{"user":"alice"}`)
	var dev struct{ Token string }
	if err := json.Unmarshal([]byte(body), &dev); err != nil {
		r.t.Fatal(err)
	}
	c := knock(r.t, r.srv, asJSON)
	var waiting []any // frames
	for line := range strings.Lines(text) {
		direction, packet, _ := strings.Cut(strings.TrimSpace(line), " ")
		if direction == ">" {
			packet = strings.Replace(packet, `"token":"…"`, `"token":"`+dev.Token+`"`, 1)
			packet = strings.Replace(packet, `"clientId":"…"`, `"clientId":"`+base64.StdEncoding.EncodeToString(newID(0))+`"`, 1)
			c.write(ws.OpText, []byte(packet))
			continue
		}
		want := parse(r.t, "the page's packet", []byte(packet)).(map[string]any)["frames"].([]any)[0].(map[string]any)
		// Answers of one packet may come in any order.
		for found := false; !found; {
			for i, f := range waiting {
				if f.(map[string]any)["ref"] == want["ref"] {
					if diff := like("frame", want, f); diff != "" {
						r.t.Errorf("%s: %s", packet, diff)
					}
					waiting, found = append(waiting[:i:i], waiting[i+1:]...), true
					break
				}
			}
			if !found {
				_, b, err := c.conn.ReadMessage()
				if err != nil {
					r.t.Fatalf("%s: %v", packet, err)
				}
				frames, _ := parse(r.t, "a packet", b).(map[string]any)["frames"].([]any)
				waiting = append(waiting, frames...)
			}
		}
	}
}

func TestTheProtocolsExamplesDoWhatThePageShows(t *testing.T) {
	t.Parallel()
	_, blocks := readPage(t, "protocol.md")
	r := &reader{t: t, srv: serve(t, "--dev")}
	ran, packets := 0, 0
	var out []byte
	for _, b := range blocks {
		switch name, arg, _ := strings.Cut(b.info, " "); name {
		case "sh":
			if arg != "run" {
				t.Errorf("a command that is not run: %s", b.text)
			}
			out = r.shell(b.text)
			ran++
		case "json":
			if diff := like("answer", parse(t, "the page", []byte(b.text)), parse(t, "the answer", out)); diff != "" {
				t.Errorf("%s\n%s\n%s", diff, b.text, out)
			}
		case "jsonl":
			r.session(b.text)
			packets += strings.Count(b.text, "\n")
		case "hex":
			golden(t, arg, b.text)
		default:
			t.Errorf("nobody checks a block of %q", b.info)
		}
	}
	if ran < 6 || packets < 7 {
		t.Errorf("%d commands and %d packets", ran, packets)
	}
}

// golden compares a block of bytes with the vector of that name.
func golden(t *testing.T, name, text string) {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(text) {
		bytes, _, _ := strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(bytes), ""))
	}
	raw, err := os.ReadFile("../../sdk/testdata/frames/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var vector struct{ Hex string }
	if err := json.Unmarshal(raw, &vector); err != nil {
		t.Fatal(err)
	}
	if digits.String() != vector.Hex {
		t.Errorf("%s on the page is\n%s, and the vector\n%s", name, digits.String(), vector.Hex)
	}
	if _, err := hex.DecodeString(vector.Hex); err != nil {
		t.Error(err)
	}
}

// The page's tables have every code, frame and call, and no other.
func TestTheProtocolsTablesAreWhole(t *testing.T) {
	page, _ := readPage(t, "protocol.md")
	section := func(title string) string {
		_, rest, ok := strings.Cut(page, "\n## "+title+"\n")
		if !ok {
			t.Fatalf("no section %q", title)
		}
		body, _, _ := strings.Cut(rest, "\n## ")
		return body
	}
	rows := func(section, pattern string) map[string]string {
		out := map[string]string{}
		for _, m := range regexp.MustCompile("(?m)"+pattern).FindAllStringSubmatch(section, -1) {
			out[m[1]] = m[2]
		}
		return out
	}
	compare := func(what string, page map[string]string, prefix string, values map[int32]string) {
		for n, name := range values {
			if name = strings.TrimPrefix(name, prefix); name != "UNSPECIFIED" && page[fmt.Sprint(n)] != name {
				t.Errorf("%s %d is %s, and %q on the page", what, n, name, page[fmt.Sprint(n)])
			}
		}
		for n := range page {
			var v int32
			fmt.Sscan(n, &v)
			if _, ok := values[v]; !ok {
				t.Errorf("%s %s is on the page only", what, n)
			}
		}
	}
	compare("error", rows(section("Errors"), `^\| (\d+) \| (\w+) \|`), "ERROR_CODE_", pb.ErrorCode_name)
	compare("close code", rows(section("Close codes"), `^\| (4\d{3}) \| (\w+) \|`), "CLOSE_CODE_", pb.CloseCode_name)
	kinds := rows(section("Words"), "^\\| `([A-Z]+)` \\|()")
	for n, name := range pb.EntryKind_name {
		if _, ok := kinds[strings.TrimPrefix(name, "ENTRY_KIND_")]; !ok && n > 0 {
			t.Errorf("entry kind %s is not on the page", name)
		}
	}
	socket := section("The socket")
	for _, m := range []proto.Message{(*pb.ClientFrame)(nil), (*pb.ServerFrame)(nil)} {
		fields := m.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			if name := string(fields.Get(i).Name()); name != "ref" && !strings.Contains(socket, "`"+name+"`") {
				t.Errorf("frame %s is not on the page", name)
			}
		}
	}
	calls := section("Calls")
	for p := range procedures(t) {
		service, method, _ := strings.Cut(strings.TrimPrefix(p, "/skein.v1."), "/")
		if row := regexp.MustCompile("(?m)^\\| `" + service + "` \\|.*`" + method + "`"); !row.MatchString(calls) {
			t.Errorf("call %s is not on the page", p)
		}
	}
	// Every link of the page leads somewhere on it.
	for _, m := range regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(page, -1) {
		anchor := func(title string) string {
			return strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(title), ""), " ", "-")
		}
		found := false
		for _, h := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(page, -1) {
			found = found || anchor(h[1]) == m[1]
		}
		if !found {
			t.Errorf("#%s leads nowhere", m[1])
		}
	}
}

// Every promise names tests, and every test that docs/guarantees.md names is
// there.
func TestTheGuaranteesNameTestsThatExist(t *testing.T) {
	page, _ := readPage(t, "guarantees.md")
	sections := strings.Split(page, "\n## ")[1:]
	named := 0
	for _, s := range sections {
		title, body, _ := strings.Cut(s, "\n")
		number, _, _ := strings.Cut(title, " ")
		n := 0
		for _, m := range regexp.MustCompile("(?m)^- `([^`]+)`:((?:\\s+`[^`]+`)+)").FindAllStringSubmatch(body, -1) {
			folder := filepath.Join("../..", m[1])
			sources := testSources(t, folder)
			for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[2], -1) {
				n++
				if strings.HasSuffix(name[1], ".txt") {
					if _, err := os.Stat(filepath.Join(folder, name[1])); err != nil {
						t.Errorf("%s: %v", number, err)
					}
					continue
				}
				if !strings.Contains(sources, "\nfunc "+name[1]+"(t *testing.T) {") {
					t.Errorf("%s: %s has no %s", number, m[1], name[1])
				}
			}
		}
		if later := number == "D9"; strings.HasPrefix(number, "D") && (n == 0) != later {
			t.Errorf("%s names %d tests", number, n)
		}
		named += n
	}
	if strings.Count(page, "\n## D") != 10 || strings.Count(page, "`Test")+strings.Count(page, ".txt`") != named {
		t.Errorf("%d tests are named where they are looked for, others elsewhere", named)
	}
}

func testSources(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", folder, err)
	}
	var all strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteByte('\n')
		all.Write(b)
	}
	return all.String()
}

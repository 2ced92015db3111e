package file_test

import (
	"mime"
	"net/http"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/skein-im/skein/internal/feature/file"
)

// hostileNames are names that somebody sends, and what is kept of them.
var hostileNames = map[string]string{
	"../../etc/passwd":                "passwd",
	`..\..\windows\win.ini`:           "win.ini",
	"/":                               "file",
	"..":                              "file",
	".":                               "file",
	"...":                             "file",
	".htaccess":                       "htaccess",
	"a/../../b":                       "b",
	"a\x00.png":                       "a.png",
	"\x00":                            "file",
	"\u202egnp.exe":                   "gnp.exe",
	"invoice\u202efdp.exe":            "invoicefdp.exe",
	"a\u2066b\u2069.txt":              "ab.txt",
	"\ufeffa.txt":                     "a.txt",
	"a\u2028b\u2029.txt":              "ab.txt",
	"CON":                             "_CON",
	"con.txt":                         "_con.txt",
	"Con .txt":                        "_Con .txt",
	"nul.tar.gz":                      "_nul.tar.gz",
	"COM1":                            "_COM1",
	"com\u00b9.log":                   "_com\u00b9.log",
	"LPT9.png":                        "_LPT9.png",
	"CONIN$":                          "_CONIN$",
	"console.log":                     "console.log",
	"COM10":                           "COM10",
	"a\r\nSet-Cookie: x=1\r\n.png":    "aSet-Cookie x=1.png",
	"a\"; filename=\"b.exe":           "a; filename=b.exe",
	"a\\\"b.png":                      "b.png",
	"a%0d%0aX: y.png":                 "a%0d%0aX y.png",
	"=?utf-8?q?a.exe?=":               "=utf-8qa.exe=",
	"*?<>|:\"":                        "file",
	"file.txt:stream":                 "file.txtstream",
	"a.txt.":                          "a.txt",
	"a.txt ":                          "a.txt",
	"a.html;.jpg":                     "a.html;.jpg",
	" \u3000\u00a0":                   "file",
	"":                                "file",
	"你好 世界.pdf":                       "你好 世界.pdf",
	"👩‍👩‍👧.png":                       "👩‍👩‍👧.png",
	"café.txt":                        "café.txt",
	strings.Repeat("a", 300) + ".png": strings.Repeat("a", 251) + ".png",
	strings.Repeat("你", 100) + ".pdf": strings.Repeat("你", 83) + ".pdf",
	strings.Repeat("a", 300):          strings.Repeat("a", 255),
	"a." + strings.Repeat("b", 300):   "a." + strings.Repeat("b", 253),
	"nul." + strings.Repeat("b", 300): "_nul." + strings.Repeat("b", 250),
	strings.Repeat("a", 254) + " b" + "c.png": strings.Repeat("a", 251) + ".png",
}

// safeName holds a name that is kept to what a name may be, wherever it is used.
func safeName(t *testing.T, from, name string) {
	t.Helper()
	stem, _, _ := strings.Cut(strings.ToLower(name), ".")
	stem = strings.TrimRight(stem, " ")
	for what, bad := range map[string]bool{
		"is empty":                           name == "",
		"is longer than a file system takes": len(name) > 255,
		"is not UTF-8":                       !utf8.ValidString(name),
		"has what a path has":                strings.ContainsAny(name, `/\`) || path.Base(name) != name || filepath.Base(name) != name || !filepath.IsLocal(name),
		"has what no Windows name has":       strings.ContainsAny(name, `<>:"|?*`),
		"has a character that is not shown": strings.ContainsFunc(name, func(r rune) bool {
			return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) || unicode.Is(unicode.Cf, r) && r != '\u200d'
		}),
		"is hidden, or ends as Windows cuts off": strings.TrimFunc(name, func(r rune) bool { return r == '.' || unicode.IsSpace(r) }) != name,
		"is a device":                            stem == "con" || stem == "nul" || stem == "aux" || stem == "prn" || len(stem) == 4 && strings.HasPrefix(stem, "com") && stem[3] >= '0' && stem[3] <= '9',
	} {
		if bad {
			t.Errorf("%q became %q, which %s", from, name, what)
		}
	}
	if again, err := file.FileName(name); err != nil || again != name {
		t.Errorf("%q became %q, and that %q (%v)", from, name, again, err)
	}
	// What browsers are told is one line of ASCII that says this name and nothing else.
	for _, how := range []string{"inline", "attachment"} {
		line := file.Disposition(how, name)
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("Content-Disposition is %q", line)
		}
		got, params, err := mime.ParseMediaType(line)
		if err != nil || got != how || len(params) != 1 || params["filename"] != name {
			t.Errorf("%q is told as %q, which is read as %q %v (%v)", name, line, got, params, err)
		}
	}
}

func TestAHostileNameIsMadeSafe(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.limits.Open = 1000
	n := w.start()
	for from, want := range hostileNames {
		got, err := file.FileName(from)
		if err != nil || got != want {
			t.Errorf("%q became %q, want %q (%v)", from, got, want, err)
			continue
		}
		safeName(t, from, got)
		upload := n.upload(t, ann, []byte("words of "+want), "filename", from)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.server.URL+"/v1/files/"+path.Base(upload), nil)
		must(t, err)
		r.Header.Set("Authorization", ann)
		res, err := http.DefaultClient.Do(r)
		must(t, err)
		must(t, res.Body.Close())
		how, params, err := mime.ParseMediaType(res.Header.Get("Content-Disposition"))
		if err != nil || how != "attachment" || params["filename"] != want || len(res.Header.Values("Content-Disposition")) != 1 || res.Header.Get("Set-Cookie") != "" || res.Header.Get("X") != "" {
			t.Errorf("%q is downloaded as %v", from, res.Header)
		}
	}
	for _, bad := range []string{"\xff\xfe.png", strings.Repeat("a", 1021)} {
		if got, err := file.FileName(bad); err == nil {
			t.Errorf("%.20q was taken as %.20q", bad, got)
		}
	}
}

// FuzzFilename holds whatever is sent as a name to what a name may be.
func FuzzFilename(f *testing.F) {
	for name := range hostileNames {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, from string) {
		name, err := file.FileName(from)
		if err != nil {
			if utf8.ValidString(from) && len(from) <= 1020 {
				t.Errorf("%q was refused: %v", from, err)
			}
			return
		}
		safeName(t, from, name)
		// What says of which kind it is stays, when it is short and has nothing that is taken out.
		end := path.Ext(from)
		if len(from) > 255 && len(end) > 1 && len(end) < 10 && !strings.ContainsFunc(end[1:], func(r rune) bool { return r < '0' || r > 'z' || r > '9' && r < 'A' || r > 'Z' && r < 'a' }) &&
			!strings.ContainsAny(from[:len(from)-len(end)], `/\.`) && len(name) >= 200 && path.Ext(name) != end {
			t.Errorf("%q became %q, of another kind", from, name)
		}
	})
}

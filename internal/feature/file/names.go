package file

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/skein-im/skein/internal/im"
)

const (
	// maxName bounds a name, in bytes: what a file system takes.
	maxName = 255
	// maxEnding bounds what is kept of a long name as its ending, in bytes.
	maxEnding = 16
)

// fileName makes a name that is safe to show and to save under, on every system:
// the last part of a path, without characters that are not shown or turn text
// round and those that Windows keeps for itself, no longer than a file system
// takes. What nothing is left of is "file". A name that was made so stays as it
// is. Errors: InvalidArgument (no UTF-8, or far too long).
func fileName(name string) (string, error) {
	if !utf8.ValidString(name) || len(name) > 4*maxName {
		return "", im.Errorf(im.InvalidArgument, "filename is UTF-8 of at most %d bytes", maxName)
	}
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) && r != joiner || strings.ContainsRune(`<>:"|?*`, r) {
			return -1
		}
		return r
	}, name)
	name = shorten(strings.TrimFunc(name, edge))
	if device(name) {
		name = shorten("_" + name)
	}
	if name == "" {
		name = "file"
	}
	return name, nil
}

// joiner makes one picture of several emoji; it is nothing at either end.
const joiner = '\u200d'

// edge tells what a name neither begins nor ends with: hidden files do, and
// Windows cuts it off.
func edge(r rune) bool { return r == '.' || r == joiner || unicode.IsSpace(r) }

// shorten cuts a name to what a file system takes. The end says what it is: it
// stays.
func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	ending := ""
	if dot := strings.LastIndexByte(name, '.'); dot >= len(name)-maxEnding {
		name, ending = name[:dot], name[dot:]
	}
	at := maxName - len(ending)
	for !utf8.RuneStart(name[at]) {
		at--
	}
	return strings.TrimRightFunc(name[:at], edge) + ending
}

// device tells names that Windows takes for devices, whatever their ending.
func device(name string) bool {
	stem, _, _ := strings.Cut(strings.ToLower(name), ".")
	stem = strings.TrimRight(stem, " ")
	switch stem {
	case "con", "prn", "aux", "nul", "conin$", "conout$":
		return true
	}
	digit, ok := strings.CutPrefix(stem, "com")
	if !ok {
		digit, ok = strings.CutPrefix(stem, "lpt")
	}
	return ok && digit != "" && strings.Contains(" 0 1 2 3 4 5 6 7 8 9 \u00b9 \u00b2 \u00b3 ", " "+digit+" ")
}

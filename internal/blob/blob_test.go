package blob

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzAValidKeyStaysWhereItIs(f *testing.F) {
	for _, key := range []string{"a", "a/b.c", "../a", "a//b", ".a", "a/.b", "A", "a\x00", "a\\b", strings.Repeat("a", 201)} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if !ValidKey(key) {
			return
		}
		if path.Clean(key) != key || path.IsAbs(key) || !strings.HasPrefix(path.Clean("/x/"+key), "/x/") ||
			len(key) > maxKey || !utf8.ValidString(key) || strings.ToLower(key) != key {
			t.Errorf("%q is no safe key", key)
		}
	})
}

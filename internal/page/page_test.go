package page

import (
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/im"
)

func TestATokenServesItsUserAndItsListOnly(t *testing.T) {
	s := New([]byte("0123456789abcdef"))
	ann, list, after := im.Actor{App: "shop", User: "ann"}, "contacts", "row\x00with anything"
	token := s.Seal(ann, list, after)
	if got, err := s.Open(ann, list, token); err != nil || got != after {
		t.Fatalf("got %q, %v", got, err)
	}
	if got, err := s.Open(ann, list, ""); err != nil || got != "" {
		t.Errorf("the first page: %q, %v", got, err)
	}
	for name, open := range map[string]func() (string, error){
		"another user's":   func() (string, error) { return s.Open(im.Actor{App: "shop", User: "bob"}, list, token) },
		"another app's":    func() (string, error) { return s.Open(im.Actor{App: "cafe", User: "ann"}, list, token) },
		"another list's":   func() (string, error) { return s.Open(ann, "blocked", token) },
		"another server's": func() (string, error) { return New([]byte("another key 1234")).Open(ann, list, token) },
		"a changed one":    func() (string, error) { return s.Open(ann, list, token[:len(token)-2]+"AA") },
		"a short one":      func() (string, error) { return s.Open(ann, list, "AAAA") },
		"one of no base64": func() (string, error) { return s.Open(ann, list, strings.Repeat("!", 40)) },
		"parts that moved": func() (string, error) { return s.Open(im.Actor{App: "shop", User: "annc"}, "ontacts", token) },
	} {
		if got, err := open(); im.CodeOf(err) != im.InvalidArgument || got != "" {
			t.Errorf("%s token: %q, %v", name, got, err)
		}
	}
}

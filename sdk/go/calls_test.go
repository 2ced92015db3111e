package skein

import (
	"strings"
	"testing"
)

func TestACallIsConnectedToAtTheServerItselfUnlessAnotherIsNamed(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		w := join(t, s, "alice")
		for url, want := range map[string]string{"": "ws://server.test", "wss://calls.example.com": "wss://calls.example.com"} {
			s.mu.Lock()
			s.media = url
			s.mu.Unlock()
			call, err := w.AcceptCall(t.Context(), strings.Repeat("0a", 16))
			if err != nil || call.Access == nil || call.Access.URL != want || call.Access.Identity != "alice/phone" {
				t.Errorf("%q: %+v, %v", url, call.Access, err)
			}
		}
	})
}

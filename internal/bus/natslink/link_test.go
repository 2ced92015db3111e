package natslink

import (
	"log/slog"
	"testing"
)

func TestAnEmbeddedServerStartsAndEnds(t *testing.T) {
	l, err := Embed(EmbedOptions{Node: "a", Cluster: "c", Listen: "127.0.0.1:0", Secret: "x", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if connected, _ := l.State(); !connected {
		t.Error("it is not connected")
	}
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

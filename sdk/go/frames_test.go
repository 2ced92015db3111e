package skein

import (
	"encoding/hex"
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

type frameVector struct {
	Name   string          `json:"name"`
	Client bool            `json:"client,omitempty"`
	JSON   json.RawMessage `json:"json"`
	Hex    string          `json:"hex"`
}

func TestFramesKeepTheirBytes(t *testing.T) {
	seen := map[string]bool{}
	vectors(t, "frames", 30, func(t *testing.T, v *frameVector) {
		var fromJSON, fromBytes proto.Message = &skeinv1.ServerPacket{}, &skeinv1.ServerPacket{}
		if v.Client {
			fromJSON, fromBytes = &skeinv1.ClientPacket{}, &skeinv1.ClientPacket{}
		}
		if err := protojson.Unmarshal(v.JSON, fromJSON); err != nil {
			t.Fatal(err)
		}
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(fromJSON)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			v.Hex = hex.EncodeToString(b)
		}
		if got := hex.EncodeToString(b); got != v.Hex {
			t.Errorf("encoded\n got %s\nwant %s", got, v.Hex)
		}
		want, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		if err := proto.Unmarshal(want, fromBytes); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(fromJSON, fromBytes) {
			t.Errorf("decoded\n got %v\nwant %v", fromBytes, fromJSON)
		}
		switch p := fromBytes.(type) {
		case *skeinv1.ClientPacket:
			for _, f := range p.GetFrames() {
				seen[string(f.ProtoReflect().WhichOneof(f.ProtoReflect().Descriptor().Oneofs().Get(0)).FullName())] = true
			}
		case *skeinv1.ServerPacket:
			for _, f := range p.GetFrames() {
				seen[string(f.ProtoReflect().WhichOneof(f.ProtoReflect().Descriptor().Oneofs().Get(0)).FullName())] = true
			}
		}
	})
	for _, d := range []proto.Message{&skeinv1.ClientFrame{}, &skeinv1.ServerFrame{}} {
		kinds := d.ProtoReflect().Descriptor().Oneofs().Get(0).Fields()
		for i := range kinds.Len() {
			if name := string(kinds.Get(i).FullName()); !seen[name] {
				t.Errorf("no vector pins the bytes of %s", name)
			}
		}
	}
}

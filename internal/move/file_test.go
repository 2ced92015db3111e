package move

import (
	"bytes"
	"testing"

	"github.com/skein-im/skein/internal/im"
)

// A file whose sums all fit, written by a program that left something out.
func TestABackupThatHoldsLessThanItsEndSaysIsFound(t *testing.T) {
	for name, m := range map[string]struct {
		heads []im.Pos
		end   Trailer
	}{
		"an entry fewer than the heads say":   {[]im.Pos{1}, Trailer{}},
		"an entry fewer than the end counts":  {[]im.Pos{0}, Trailer{Entries: 1}},
		"a row of a table fewer":              {[]im.Pos{0}, Trailer{Rows: map[string]int64{"app": 1}}},
		"fewer damaged entries than were met": {[]im.Pos{0}, Trailer{Damaged: 1}},
	} {
		var file bytes.Buffer
		c, err := newChunkWriter(&file)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.json(kindHead, Header{Heads: m.heads}); err != nil {
			t.Fatal(err)
		}
		if err := c.json(kindEnd, m.end); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(&file); im.CodeOf(err) != im.DataLoss {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAChunkThatNobodyWouldReadIsNotWritten(t *testing.T) {
	var file bytes.Buffer
	c, err := newChunkWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	before := file.Len()
	if err := c.write(kindRows, make([]byte, maxChunk+1)); im.CodeOf(err) != im.TooLarge || file.Len() != before {
		t.Errorf("%v after %d bytes", err, file.Len()-before)
	}
}

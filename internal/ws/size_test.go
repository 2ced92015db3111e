package ws

import (
	"testing"
	"unsafe"
)

func TestAConnectionIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Conn{}); size > 288 { // the allocator's next step is 320
		t.Errorf("a Conn takes %d bytes, at most 288", size)
	}
}

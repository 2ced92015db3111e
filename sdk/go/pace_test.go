package skein

import (
	"testing"
	"time"
)

func TestThePaceIsThatOfTheLastSeconds(t *testing.T) {
	var p pace
	if p.note(1000, 0); p.left(1000) != 0 {
		t.Errorf("it tells %v of nothing", p.left(1000))
	}
	for i := range int64(10) {
		p.note(1500+i*500, 500*(i+1)) // 1,000 bytes a second
	}
	if p.rate < 990 || p.rate > 1010 || p.left(2000) < 1900*time.Millisecond || p.left(2000) > 2100*time.Millisecond {
		t.Errorf("%v a second, %v left", p.rate, p.left(2000))
	}
	for i := range int64(20) { // ten times as fast
		p.note(6500+i*500, 5000+5000*(i+1))
	}
	if p.rate < 9000 || p.rate > 10100 {
		t.Errorf("ten seconds later it is %v a second", p.rate)
	}
	for i := range int64(60) { // nothing moves
		p.note(16500+i*500, 105_000)
	}
	if p.rate > 100 {
		t.Errorf("half a minute after the last byte it is %v a second", p.rate)
	}
	if p.note(50_000, 10); p.rate != 0 { // begun anew
		t.Errorf("what is sent again counts: %v", p.rate)
	}
}

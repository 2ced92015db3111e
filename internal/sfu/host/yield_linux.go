package host

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// slice is how long a thread of a child would run at a stretch if nobody else
// wanted to. From Linux 6.12 on, whoever asks for less (1 to 3 ms), as
// everybody does who asks for nothing, goes before it on waking, rather than wait
// for the next tick (up to 4 ms); its share of the processor is what it was.
const slice = 10 * time.Millisecond

// yield makes this thread, and the children that it starts from now on, nicer by
// more, and keeps it off the last processors of those that it may use, so many as
// it leaves and at most all but one.
func yield(more, leave int) error {
	own, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // the system call answers 40 to 1
	if err == nil && more > 0 {
		err = unix.Setpriority(unix.PRIO_PROCESS, 0, min(20-own+more, 19))
	}
	return errors.Join(err, setSlice(), keepOff(leave))
}

func setSlice() error {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return err
	}
	attr.Runtime = uint64(slice)
	return unix.SchedSetAttr(0, attr, 0)
}

func keepOff(leave int) error {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return err
	}
	for i := len(set)*64 - 1; i >= 0 && leave > 0 && set.Count() > 1; i-- {
		if set.IsSet(i) {
			set.Clear(i)
			leave--
		}
	}
	return unix.SchedSetaffinity(0, &set)
}

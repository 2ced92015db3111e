package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

const apartEnv = "CHAOS_APART"

// Apart runs this program again in a mount namespace of its own, so that
// whatever it mounts is gone with it, however it ends. In the program that was
// called it returns the exit code of the other and true; in the other, and
// where namespaces are not allowed, false: go on. Who may not make a
// namespace may not mount either.
//
// It is also where a program that was started as a crowd ends up, as a NATS
// server, or to become a program in a network namespace: its main function, and TestMain, begin with it.
func Apart() (code int, done bool) {
	if os.Getenv(crowdEnv) != "" {
		return crowdMain(), true
	}
	switch os.Args[0] {
	case spaceName:
		return spaceMain(), true
	case natsName:
		return natsMain(), true
	}
	if os.Getenv(apartEnv) != "" {
		// What is mounted here must not show outside.
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			fmt.Fprintln(os.Stderr, "keep mounts apart:", err)
			return 1, true
		}
		return 0, false
	}
	if os.Getuid() != 0 {
		return 0, false
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), apartEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if err := spawn(cmd); err != nil {
		return 0, false
	}
	sigs := make(chan os.Signal, 4)
	signal.Notify(sigs, os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	go func() { // ends with the process
		for s := range sigs {
			cmd.Process.Signal(s)
		}
	}()
	if err := cmd.Wait(); err != nil {
		if c := cmd.ProcessState.ExitCode(); c > 0 {
			return c, true
		}
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// MayMount tells whether this process may mount file systems that nobody else
// sees.
func MayMount() bool { return os.Getenv(apartEnv) != "" && os.Getuid() == 0 }

// Command skein is the whole server and its tools in one binary:
//
//	skein serve    the server
//	skein check    tells what is wrong with the server's options
//	skein health   tells whether the server of this machine is ready
//	skein app      apps (tenants) and their secrets
//	skein token    a user token, for trying things out
//	skein follow   shows and mends the followers
//	skein restored tells a restored backup that it is one
//	skein fsck     proves the invariants of a data folder or database
//	skein bench    measures this binary as it is delivered
//	skein sfu      forwards the media of calls
//	skein version  what this is
//
// One file a subcommand; wire.go alone knows all the packages of the server.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"syscall"
)

// command is one subcommand. It writes results to stdout and everything for
// people to stderr.
type command struct {
	name, what string // what it does; empty = nothing for people
	run        func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

func commands() []command {
	return []command{
		{"serve", "run the server", serveCommand},
		{"check", "tell what is wrong with the server's options", checkCommand},
		{"health", "tell whether the server of this machine is ready", healthCommand},
		{"app", "create, list and rotate apps", appCommand},
		{"token", "print a user token", tokenCommand},
		{"follow", "show and mend the followers", followCommand},
		{"backup", "write a store into one file while it is served", backupCommand},
		{"restore", "fill a store from a backup", restoreCommand},
		{"migrate", "move a store to another database while it is served", migrateCommand},
		{"restored", "tell a restored backup that it is one", restoredCommand},
		{"fsck", "prove the invariants of a data folder or database", fsckCommand},
		{"bench", "measure this binary", benchCommand},
		{"sfu", "forward the media of calls", sfuCommand},
		{"version", "print the version", versionCommand},
		{"media", "", mediaCommand}, // a part of "serve"
	}
}

// version is set by the build: -ldflags "-X main.version=…".
var version = "dev"

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the program
		<-signals
		signal.Stop(signals) // a second one ends the program at once, as soon as the first one is seen to work
		cancel()
	}()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	var code exitCode
	switch {
	case errors.As(err, &code):
		os.Exit(int(code))
	case err != nil:
		fmt.Fprintln(os.Stderr, "skein:", withoutPasswords(err.Error()))
		os.Exit(1)
	}
}

// withoutPasswords takes out of a text who signs in at a URL. An error may
// repeat what was typed, and a service's errors are kept in its log.
func withoutPasswords(s string) string {
	return regexp.MustCompile(`://[^\s"]*@`).ReplaceAllString(s, "://…@")
}

// exitCode ends the program with a status after everything was said.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit status %d", int(c)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		printUsage(stderr)
		if len(args) == 0 {
			return exitCode(2)
		}
		return nil
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, args[1:], stdout, stderr)
		}
	}
	printUsage(stderr)
	return fmt.Errorf("there is no command %q", args[0])
}

func printUsage(w io.Writer) {
	fmt.Fprintln(w, "skein is an instant-messaging server. Commands:")
	for _, c := range commands() {
		if c.what == "" {
			continue
		}
		fmt.Fprintf(w, "  skein %-8s %s\n", c.name, c.what)
	}
	fmt.Fprintln(w, "\nTo try it:  skein serve --dev --data ./data\nMore:       skein COMMAND --help")
}

func versionCommand(_ context.Context, _ []string, stdout, _ io.Writer) error {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		revision = " " + info.GoVersion
	}
	_, err := fmt.Fprintf(stdout, "skein %s%s\n", version, revision)
	return err
}

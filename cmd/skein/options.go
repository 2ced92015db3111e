package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/skein-im/skein/internal/config"
)

// readOptions reads a command's options by read, which is config.Read or
// config.Load. When help was asked for it prints help and the options, and
// returns no configuration: the command has done its work.
func readOptions(read func(config.Source) (*config.Config, []string, error), src config.Source, help string, stdout io.Writer) (*config.Config, []string, error) {
	cfg, operands, err := read(src)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, help)
		config.Usage(stdout, src)
		return nil, nil, nil
	}
	return cfg, operands, err
}

package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a configuration file.
const maxFile = 1 << 20

// Source is where options come from.
type Source struct {
	// Args are the command line's, after the name of the subcommand.
	Args []string
	// Environ are lines NAME=value, as os.Environ returns them.
	Environ []string
	// Extra are flags of the subcommand's own; can be nil. They may stand
	// between options and operands in any order.
	Extra *flag.FlagSet
	// Only, when not empty, lists the options (by their name in a file) that
	// flags and --help of this subcommand know. File and environment are read
	// in full all the same.
	Only []string
}

// Load reads the options and validates those that concern a server that is
// about to start. It returns the operands too: arguments that are no flags. The
// error of --help is flag.ErrHelp; Usage writes the text.
func Load(src Source) (*Config, []string, error) {
	c, operands, err := Read(src)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return nil, nil, err
	}
	return c, operands, nil
}

// Read is Load without Validate: for subcommands that listen nowhere.
func Read(src Source) (*Config, []string, error) {
	c := Default()
	list := options(c)
	set, operands, err := parseArgs(src, list)
	if err != nil {
		return nil, nil, err
	}
	env, err := parseEnv(src.Environ, list)
	if err != nil {
		return nil, nil, err
	}
	file, ok := set["config"]
	if !ok {
		file = env["config"]
	}
	if file != "" {
		if err := readFile(file, list); err != nil {
			return nil, nil, err
		}
	}
	for _, o := range list {
		if text, ok := env[o.key]; ok {
			if err := o.set(text); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", o.env(), err)
			}
		}
		if text, ok := set[o.key]; ok {
			if err := o.set(text); err != nil {
				return nil, nil, fmt.Errorf("--%s: %w", o.flag(), err)
			}
		}
	}
	return c, operands, nil
}

// knownFlags are the options that flags of this subcommand may name.
func (src Source) knownFlags(list []option) map[string]option {
	known := map[string]option{}
	for _, o := range list {
		if o.flag() != "" && (len(src.Only) == 0 || slices.Contains(src.Only, o.key)) {
			known[o.flag()] = o
		}
	}
	return known
}

// parseArgs takes flags and operands apart. Flags may be written with one dash
// or two, with "=" or with the value as the next argument; "--" ends them.
func parseArgs(src Source, list []option) (set map[string]string, operands []string, err error) {
	known := src.knownFlags(list)
	set = map[string]string{}
	for args := src.Args; len(args) > 0; {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			return set, append(operands, args...), nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			operands = append(operands, arg)
			continue
		}
		name, value, given := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		if name == "help" || name == "h" {
			return nil, nil, flag.ErrHelp
		}
		put, isBool := lookUp(name, known, src.Extra, set)
		if put == nil {
			return nil, nil, fmt.Errorf("there is no flag --%s%s", name, suggest("--"+name, flagNames(known, src.Extra)))
		}
		switch {
		case given:
		case isBool:
			value = "true"
		case len(args) == 0:
			return nil, nil, fmt.Errorf("--%s needs a value", name)
		default:
			value, args = args[0], args[1:]
		}
		if err := put(value); err != nil {
			return nil, nil, err
		}
	}
	return set, operands, nil
}

// lookUp returns what sets a flag, or nil.
func lookUp(name string, known map[string]option, extra *flag.FlagSet, set map[string]string) (put func(string) error, isBool bool) {
	if extra != nil {
		if f := extra.Lookup(name); f != nil {
			b, ok := f.Value.(interface{ IsBoolFlag() bool })
			return func(v string) error {
				if err := extra.Set(name, v); err != nil {
					return fmt.Errorf("--%s: %w", name, err)
				}
				return nil
			}, ok && b.IsBoolFlag()
		}
	}
	key, ok := "config", name == "config"
	if o, found := known[name]; found {
		key, ok, isBool = o.key, true, o.isBool()
	}
	if !ok {
		return nil, false
	}
	return func(v string) error {
		// A list may be given in parts, and anything else once.
		if old, again := set[key]; again {
			if known[name].value.Kind() != reflect.Slice {
				return fmt.Errorf("--%s is given twice", name)
			}
			v = old + "," + v
		}
		set[key] = v
		return nil
	}, isBool
}

func flagNames(known map[string]option, extra *flag.FlagSet) []string {
	names := []string{"--config", "--help"}
	for name := range known {
		names = append(names, "--"+name)
	}
	if extra != nil {
		extra.VisitAll(func(f *flag.Flag) { names = append(names, "--"+f.Name) })
	}
	slices.Sort(names)
	return names
}

// parseEnv picks the variables that begin with SKEIN_. One that no option has
// is an error when it looks like a slip of one that exists: it was meant for us
// and would do nothing. Others are let be, because others make them:
// Kubernetes sets SKEIN_SERVICE_HOST and SKEIN_PORT beside a service "skein".
func parseEnv(environ []string, list []option) (map[string]string, error) {
	known := map[string]string{"SKEIN_CONFIG": "config"}
	names := []string{"SKEIN_CONFIG"}
	for _, o := range list {
		known[o.env()] = o.key
		names = append(names, o.env())
	}
	env := map[string]string{}
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, "SKEIN_") {
			continue
		}
		key, ok := known[name]
		if ok {
			env[key] = value
		} else if near, d := nearest(name, names); d <= 2 {
			return nil, fmt.Errorf("the environment variable %s belongs to no option; did you mean %s?", name, near)
		}
	}
	return env, nil
}

// readFile sets what a file says.
func readFile(path string, list []option) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	if len(b) > maxFile {
		return fmt.Errorf("the configuration %s is larger than 1 MiB", path)
	}
	if err := parseFile(b, list); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// parseFile reads YAML. It walks the document itself, so that every error has
// its line; anchors and a second document are refused, as nobody needs them here.
func parseFile(b []byte, list []option) error {
	dec := yaml.NewDecoder(strings.NewReader(string(b)))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return err
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return errors.New("the file has more than one document")
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil
	}
	return parseMapping(root, "", list)
}

// parseMapping reads one level of a file.
func parseMapping(node *yaml.Node, prefix string, list []option) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: expected options as name: value", node.Line)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		key := prefix + name.Value
		if seen[key] {
			return fmt.Errorf("line %d: %s is set twice", name.Line, key)
		}
		seen[key] = true
		if value.Kind == yaml.AliasNode || value.Anchor != "" {
			return fmt.Errorf("line %d: anchors and aliases are not supported", value.Line)
		}
		at := slices.IndexFunc(list, func(o option) bool { return o.key == key })
		isGroup := slices.ContainsFunc(list, func(o option) bool { return strings.HasPrefix(o.key, key+".") })
		switch {
		case isGroup && value.Kind == yaml.ScalarNode && value.Tag == "!!null":
		case isGroup:
			if err := parseMapping(value, key+".", list); err != nil {
				return err
			}
		case at < 0:
			return fmt.Errorf("line %d: there is no option %s%s", name.Line, key, suggest(key, names(list)))
		default:
			if err := setNode(list[at], value); err != nil {
				return fmt.Errorf("line %d: %s: %w", value.Line, key, err)
			}
		}
	}
	return nil
}

// names are all options, and the groups that they are in.
func names(list []option) []string {
	var out []string
	for _, o := range list {
		for i, c := range o.key {
			if c == '.' && !slices.Contains(out, o.key[:i]) {
				out = append(out, o.key[:i])
			}
		}
		out = append(out, o.key)
	}
	return out
}

// setNode sets an option from a scalar or a list.
func setNode(o option, value *yaml.Node) error {
	if o.value.Kind() != reflect.Slice {
		if value.Kind != yaml.ScalarNode {
			return errors.New("expected a single value")
		}
		return o.set(value.Value)
	}
	if value.Kind == yaml.ScalarNode {
		return o.set(value.Value)
	}
	if value.Kind != yaml.SequenceNode {
		return errors.New("expected a list")
	}
	list := []string{}
	for _, item := range value.Content {
		if item.Kind != yaml.ScalarNode || strings.Contains(item.Value, ",") {
			return fmt.Errorf("line %d: expected a plain text in the list", item.Line)
		}
		list = append(list, item.Value)
	}
	o.value.Set(reflect.ValueOf(list))
	return o.check()
}

// Usage writes the flags that a subcommand knows, with their defaults.
func Usage(w io.Writer, src Source) {
	list := options(Default())
	known := src.knownFlags(list)
	if src.Extra != nil {
		src.Extra.VisitAll(func(f *flag.Flag) { fmt.Fprintf(w, "  --%s\n        %s\n", f.Name, f.Usage) })
	}
	fmt.Fprintf(w, "  --config FILE\n        Read options from a YAML file.\n")
	for _, o := range list {
		if _, ok := known[o.flag()]; !ok || o.flag() == "" {
			continue
		}
		fmt.Fprintf(w, "  --%s%s\n        %s\n", o.flag(), placeholder(o), firstSentence(docOf(o.path)))
		if text := o.text(); text != "" && text != "false" {
			fmt.Fprintf(w, "        default: %s\n", text)
		}
	}
	fmt.Fprintf(w, "\nEvery option can also be set in the file or the environment: docs/reference/config.md\n")
}

func placeholder(o option) string {
	switch {
	case o.isBool():
		return ""
	case o.value.Type() == durationType:
		return " DURATION"
	case o.value.Kind() == reflect.Slice:
		return " A,B"
	case o.value.Kind() == reflect.String:
		return " TEXT"
	}
	return " N"
}

// firstSentence cuts a comment at its first full stop or colon that ends a word.
func firstSentence(s string) string {
	if i := strings.Index(s, ". "); i >= 0 {
		return s[:i+1]
	}
	return s
}

package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// option is one field of Config, found by its tags.
type option struct {
	key   string // its place in the file, such as tls.acme.email
	value reflect.Value
	tag   reflect.StructTag
	// path is the field's place in the source, such as ACME.Email.
	path string
}

var durationType = reflect.TypeFor[time.Duration]()

// options lists the fields of c in their order.
func options(c *Config) []option {
	var list []option
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			key := prefix + f.Tag.Get("yaml")
			if f.Type.Kind() == reflect.Struct {
				walk(key+".", v.Field(i))
				continue
			}
			list = append(list, option{key: key, value: v.Field(i), tag: f.Tag, path: v.Type().Name() + "." + f.Name})
		}
	}
	walk("", reflect.ValueOf(c).Elem())
	return list
}

// flag is the option's name on the command line, without dashes; "" = none.
func (o option) flag() string {
	if o.tag.Get("flag") == "-" {
		return ""
	}
	return strings.NewReplacer(".", "-", "_", "-").Replace(o.key)
}

// env is the option's name in the environment.
func (o option) env() string {
	return "SKEIN_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(o.key))
}

// isBool tells whether the flag may stand without a value.
func (o option) isBool() bool { return o.value.Kind() == reflect.Bool }

// set reads a value from text, as flags, variables and scalars of a file have
// it. A list is written with commas.
func (o option) set(text string) error {
	text = strings.TrimSpace(text)
	switch {
	case o.value.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%s is no duration; write it as 500ms, 30s, 5m or 720h", o.shown(text))
		}
		o.value.SetInt(int64(d))
	case o.value.Kind() == reflect.Slice:
		list := []string{}
		for s := range strings.SplitSeq(text, ",") {
			if s = strings.TrimSpace(s); s != "" {
				list = append(list, s)
			}
		}
		o.value.Set(reflect.ValueOf(list))
	case o.value.Kind() == reflect.Bool:
		switch strings.ToLower(text) {
		case "true", "1", "yes", "on":
			o.value.SetBool(true)
		case "false", "0", "no", "off":
			o.value.SetBool(false)
		default:
			return fmt.Errorf("%s is neither true nor false", o.shown(text))
		}
	case o.value.Kind() == reflect.Int:
		n, err := parseInt(text, o.tag.Get("unit") == "bytes")
		if err != nil {
			return err
		}
		o.value.SetInt(n)
	case o.value.Kind() == reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%q is no number", text)
		}
		o.value.SetFloat(f)
	default:
		o.value.SetString(text)
	}
	return o.check()
}

// shown quotes a value in an error, unless it is secret.
func (o option) shown(text string) string {
	if o.tag.Get("secret") != "" {
		return "the value"
	}
	return strconv.Quote(text)
}

// units of sizes, the longest name first.
func byteUnits() []struct {
	name string
	size int64
} {
	return []struct {
		name string
		size int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}}
}

func parseInt(text string, bytes bool) (int64, error) {
	unit, digits := int64(1), strings.ReplaceAll(text, "_", "")
	if bytes {
		for _, u := range byteUnits() {
			if s, ok := strings.CutSuffix(digits, u.name); ok {
				unit, digits = u.size, strings.TrimSpace(s)
				break
			}
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > math.MaxInt64/unit || n < math.MinInt64/unit {
		if bytes {
			return 0, fmt.Errorf("%q is no size; write it as 4096, 64 KiB or 2 MiB", text)
		}
		return 0, fmt.Errorf("%q is no whole number", text)
	}
	return n * unit, nil
}

// check compares a value with the limits in its tags.
func (o option) check() error {
	if list := strings.Fields(o.tag.Get("oneof")); len(list) > 0 && !slices.Contains(list, o.value.String()) {
		return fmt.Errorf("%q is none of %s%s", o.value.String(), strings.Join(list, ", "), suggest(o.value.String(), list))
	}
	low, high := o.tag.Get("min"), o.tag.Get("max")
	if low != "" && o.compare(low) < 0 {
		return fmt.Errorf("%s is less than the least that works, %s", o.text(), o.bound(low))
	}
	if high != "" && o.compare(high) > 0 {
		return fmt.Errorf("%s is more than the most that works, %s", o.text(), o.bound(high))
	}
	return nil
}

// compare compares the value with a bound, as -1, 0 or 1.
func (o option) compare(bound string) int {
	b := o.at(bound)
	switch {
	case o.value.Kind() == reflect.Float64:
		return cmpFloat(o.value.Float(), b.value.Float())
	default:
		return cmpFloat(float64(o.value.Int()), float64(b.value.Int()))
	}
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// at returns the option with another value, free of bounds.
func (o option) at(text string) option {
	v := reflect.New(o.value.Type()).Elem()
	b := option{key: o.key, value: v}
	if err := b.set(text); err != nil {
		panic("bad bound of " + o.key + ": " + err.Error()) // a test loads every option
	}
	b.tag = o.tag
	return b
}

func (o option) bound(text string) string { return o.at(text).text() }

// text writes the value as one would set it; lists and empty values too.
func (o option) text() string {
	switch {
	case o.value.Type() == durationType:
		return durationText(time.Duration(o.value.Int()))
	case o.value.Kind() == reflect.Slice:
		list, _ := o.value.Interface().([]string)
		return strings.Join(list, ",")
	case o.value.Kind() == reflect.Int && o.tag.Get("unit") == "bytes":
		units := byteUnits()[:3]
		for _, u := range slices.Backward(units) {
			if n := o.value.Int(); n >= u.size && n%u.size == 0 {
				return fmt.Sprintf("%d %s", n/u.size, u.name)
			}
		}
		return fmt.Sprintf("%d B", o.value.Int())
	case o.value.Kind() == reflect.Float64:
		return strconv.FormatFloat(o.value.Float(), 'f', -1, 64)
	}
	return fmt.Sprint(o.value.Interface())
}

// durationText leaves out the zeros at the end of 720h0m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// suggest names the nearest of some names, when one is near.
func suggest(name string, known []string) string {
	best, d := nearest(name, known)
	if best == "" || d > max(2, len(name)/2) {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// nearest returns the name that is least away, and how far that is.
func nearest(name string, known []string) (best string, least int) {
	for _, k := range known {
		if d := distance(name, k); best == "" || d < least {
			best, least = k, d
		}
	}
	return best, least
}

// distance is the number of letters to add, drop, change or swap.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0:
				rows[i][j] = j
			case j == 0:
				rows[i][j] = i
			default:
				cost := 1
				if a[i-1] == b[j-1] {
					cost = 0
				}
				d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
				if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
					d = min(d, rows[i-2][j-2]+1)
				}
				rows[i][j] = d
			}
		}
	}
	return rows[len(a)][len(b)]
}

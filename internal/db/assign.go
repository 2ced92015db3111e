package db

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"strconv"
)

// assign stores a column of SQLite in a variable: integers, texts and bytes in
// variables of these kinds, NULL in a []byte, a pointer or a sql.Scanner. Like
// the other engine's driver it refuses NULL anywhere else and numbers that do
// not fit; unlike that one it lets numbers and texts into each other, because
// SQLite's expressions have the type that they feel like.
func assign(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case *int64:
		if n, ok := v.(int64); ok {
			*d = n
			return nil
		}
	case *int:
		if n, ok := v.(int64); ok {
			*d = int(n)
			return nil
		}
	case *string:
		if s, ok := v.(string); ok {
			*d = s
			return nil
		}
	case *[]byte:
		switch b := v.(type) {
		case []byte: // the driver has made it for us
			*d = b
			return nil
		case nil:
			*d = nil
			return nil
		}
	case *any:
		*d = v
		return nil
	case sql.Scanner:
		return d.Scan(v)
	}
	p := reflect.ValueOf(dest)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("%T is no pointer", dest)
	}
	return assignKind(p.Elem(), v)
}

func assignKind(d reflect.Value, v driver.Value) error {
	switch d.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n, ok := integer(v); ok && !d.OverflowInt(n) {
			d.SetInt(n)
			return nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if n, ok := integer(v); ok && n >= 0 && !d.OverflowUint(uint64(n)) {
			d.SetUint(uint64(n))
			return nil
		}
	case reflect.Bool:
		if n, ok := integer(v); ok && n>>1 == 0 {
			d.SetBool(n == 1)
			return nil
		}
	case reflect.Float32, reflect.Float64:
		switch n := v.(type) {
		case float64:
			d.SetFloat(n)
			return nil
		case int64:
			d.SetFloat(float64(n))
			return nil
		}
	case reflect.String:
		switch s := v.(type) {
		case string:
			d.SetString(s)
			return nil
		case []byte:
			d.SetString(string(s))
			return nil
		case int64:
			d.SetString(strconv.FormatInt(s, 10))
			return nil
		}
	case reflect.Slice:
		if d.Type().Elem().Kind() != reflect.Uint8 {
			break
		}
		switch b := v.(type) {
		case nil:
			d.SetZero()
			return nil
		case []byte:
			d.SetBytes(b)
			return nil
		case string:
			d.SetBytes([]byte(b))
			return nil
		}
	case reflect.Pointer:
		if v == nil {
			d.SetZero()
			return nil
		}
		x := reflect.New(d.Type().Elem())
		if err := assign(x.Interface(), v); err != nil {
			return err
		}
		d.Set(x)
		return nil
	}
	return fmt.Errorf("%T into %s", v, d.Type())
}

func integer(v driver.Value) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case bool:
		if n {
			return 1, true
		}
		return 0, true
	case string:
		i, err := strconv.ParseInt(n, 10, 64)
		return i, err == nil
	}
	return 0, false
}

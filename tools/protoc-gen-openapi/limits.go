package main

import (
	"regexp"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// limited adds a rule set's limits to the schema of a single value.
//
// JSON Schema counts the characters of a string and the protocol mostly its
// bytes. A text of n bytes has between n/4 and n characters, so a limit in
// bytes gives the nearest limit in characters that refuses nothing valid, and
// the exact one beside it as x-min-bytes and x-max-bytes.
func limited(f protoreflect.FieldDescriptor, schema object, rules *validate.FieldRules) object {
	if rules.GetIgnore() == validate.Ignore_IGNORE_ALWAYS {
		return schema
	}
	switch f.Kind() {
	case protoreflect.StringKind:
		limitString(schema, rules.GetString())
	case protoreflect.BytesKind:
		limitBytes(schema, rules.GetBytes())
	case protoreflect.EnumKind:
		limitEnum(f.Enum(), schema, rules.GetEnum())
	default:
		limitNumber(schema, rules)
	}
	return schema
}

func limitString(schema object, r *validate.StringRules) {
	if r == nil {
		return
	}
	if r.MinBytes != nil {
		schema["minLength"] = (*r.MinBytes + 3) / 4
		schema["x-min-bytes"] = *r.MinBytes
	}
	if r.MaxBytes != nil {
		schema["maxLength"] = *r.MaxBytes
		schema["x-max-bytes"] = *r.MaxBytes
	}
	set(schema, "minLength", r.Len)
	set(schema, "maxLength", r.Len)
	set(schema, "minLength", r.MinLen)
	set(schema, "maxLength", r.MaxLen)
	set(schema, "pattern", r.Pattern)
	set(schema, "const", r.Const)
	if len(r.GetIn()) > 0 {
		schema["enum"] = r.GetIn()
	}
	for format, on := range map[string]bool{"email": r.GetEmail(), "hostname": r.GetHostname(), "uri": r.GetUri(), "uuid": r.GetUuid()} {
		if on {
			schema["format"] = format
		}
	}
}

func limitBytes(schema object, r *validate.BytesRules) {
	if r == nil {
		return
	}
	least, most := r.MinLen, r.MaxLen
	if r.Len != nil {
		least, most = r.Len, r.Len
	}
	// Base64 may come without its padding.
	if least != nil {
		schema["minLength"] = (*least*4 + 2) / 3
		schema["x-min-bytes"] = *least
	}
	if most != nil {
		schema["maxLength"] = (*most + 2) / 3 * 4
		schema["x-max-bytes"] = *most
	}
}

// limitEnum takes the values that the rules forbid out of the list.
func limitEnum(e protoreflect.EnumDescriptor, schema object, r *validate.EnumRules) {
	contains := func(list []int32, n protoreflect.EnumNumber) bool {
		for _, v := range list {
			if v == int32(n) {
				return true
			}
		}
		return false
	}
	var names []string
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		if contains(r.GetNotIn(), v.Number()) || len(r.GetIn()) > 0 && !contains(r.GetIn(), v.Number()) {
			continue
		}
		names = append(names, string(v.Name()))
	}
	schema["enum"] = names
}

// limitNumber reads the rules of the numeric kinds, which have one shape and
// twelve types, by the names of their fields.
func limitNumber(schema object, rules *validate.FieldRules) {
	m := rules.ProtoReflect()
	kind := m.WhichOneof(m.Descriptor().Oneofs().ByName("type"))
	if kind == nil || kind.Message() == nil {
		return
	}
	set := m.Get(kind).Message()
	for rule, keyword := range map[protoreflect.Name]string{
		"gte": "minimum", "gt": "exclusiveMinimum", "lte": "maximum", "lt": "exclusiveMaximum", "const": "const",
	} {
		f := set.Descriptor().Fields().ByName(rule)
		if f != nil && f.Message() == nil && set.Has(f) {
			schema[keyword] = set.Get(f).Interface()
		}
	}
}

// mustBeSet reports whether a request without the field breaks its rules: the
// field is required, or it is a plain field whose zero value is refused.
func mustBeSet(f *protogen.Field) bool {
	r := fieldRules(f)
	if r.GetRequired() {
		return true
	}
	if f.Desc.HasPresence() || r.GetIgnore() != validate.Ignore_IGNORE_UNSPECIFIED {
		return false
	}
	switch {
	case f.Desc.IsList():
		return r.GetRepeated().GetMinItems() > 0
	case f.Desc.IsMap():
		return r.GetMap().GetMinPairs() > 0
	}
	switch f.Desc.Kind() {
	case protoreflect.StringKind:
		s := r.GetString()
		if s.GetPattern() != "" {
			if re, err := regexp.Compile(s.GetPattern()); err == nil && !re.MatchString("") {
				return true
			}
		}
		return s.GetMinLen() > 0 || s.GetMinBytes() > 0 || s.GetLen() > 0
	case protoreflect.BytesKind:
		return r.GetBytes().GetMinLen() > 0 || r.GetBytes().GetLen() > 0
	case protoreflect.EnumKind:
		for _, v := range r.GetEnum().GetNotIn() {
			if v == 0 {
				return true
			}
		}
		return false
	default:
		limits := object{}
		limitNumber(limits, r)
		return refusesZero(limits)
	}
}

func refusesZero(limits object) bool {
	atLeast := func(v any, least float64) bool {
		switch n := v.(type) {
		case uint32:
			return float64(n) >= least
		case uint64:
			return float64(n) >= least
		case int32:
			return float64(n) >= least
		case int64:
			return float64(n) >= least
		}
		return false
	}
	// The smallest step of an integer is 1; nothing here is a float's limit.
	return atLeast(limits["minimum"], 1) || atLeast(limits["exclusiveMinimum"], 0)
}

// set copies an optional limit into a schema.
func set[T any](schema object, keyword string, limit *T) {
	if limit != nil {
		schema[keyword] = *limit
	}
}

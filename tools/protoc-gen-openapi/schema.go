package main

import (
	"fmt"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// wellKnown are the messages that have a JSON form of their own.
var wellKnown = map[protoreflect.FullName]object{
	"google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
	"google.protobuf.Duration":  {"type": "string", "pattern": `^-?[0-9]+(\.[0-9]{1,9})?s$`},
	"google.protobuf.FieldMask": {"type": "string"},
	"google.protobuf.Empty":     {"type": "object"},
	"google.protobuf.Struct":    {"type": "object"},
	"google.protobuf.Value":     {},
	"google.protobuf.Any":       {"type": "object", "properties": object{"@type": object{"type": "string"}}},
}

// message makes the schema of a message, and those of all messages that it
// names, and returns the schema's name.
func (d *builder) message(m *protogen.Message) string {
	name := string(m.Desc.FullName())
	if d.done[m.Desc.FullName()] {
		return name
	}
	d.done[m.Desc.FullName()] = true
	if known, ok := wellKnown[m.Desc.FullName()]; ok {
		d.schemas[name] = known
		return name
	}
	properties := object{}
	var required []string
	for _, f := range m.Fields {
		properties[f.Desc.JSONName()] = d.field(f)
		if mustBeSet(f) {
			required = append(required, f.Desc.JSONName())
		}
	}
	schema := object{"type": "object", "properties": properties}
	if required != nil {
		schema["required"] = required
	}
	text := comment(m.Comments)
	for _, rule := range messageRules(m).GetCel() {
		text = strings.TrimSpace(text + "\n\nRule: " + rule.GetMessage() + ".")
	}
	describe(schema, text, m.Desc.Options())
	var choices []object
	for _, o := range m.Oneofs {
		if !o.Desc.IsSynthetic() {
			choices = append(choices, choice(o))
		}
	}
	if choices != nil {
		schema["allOf"] = choices
	}
	d.schemas[name] = schema
	return name
}

// choice says that at most one field of a oneof is set, or exactly one where
// the rules require it.
func choice(o *protogen.Oneof) object {
	var each []object
	for _, f := range o.Fields {
		each = append(each, object{"required": []string{f.Desc.JSONName()}})
	}
	if rules, _ := proto.GetExtension(o.Desc.Options(), validate.E_Oneof).(*validate.OneofRules); !rules.GetRequired() {
		each = append(each, object{"not": object{"anyOf": each[:len(each):len(each)]}})
	}
	return object{"oneOf": each}
}

// field makes the schema of one field, lists and maps included.
func (d *builder) field(f *protogen.Field) object {
	rules := fieldRules(f)
	var schema object
	switch {
	case f.Desc.IsMap():
		schema = object{
			"type":                 "object",
			"propertyNames":        limited(f.Desc.MapKey(), object{"type": "string"}, rules.GetMap().GetKeys()),
			"additionalProperties": limited(f.Desc.MapValue(), d.value(f.Message.Fields[1]), rules.GetMap().GetValues()),
		}
		set(schema, "minProperties", rules.GetMap().MinPairs)
		set(schema, "maxProperties", rules.GetMap().MaxPairs)
	case f.Desc.IsList():
		list := rules.GetRepeated()
		schema = object{"type": "array", "items": limited(f.Desc, d.value(f), list.GetItems())}
		if list != nil {
			set(schema, "minItems", list.MinItems)
			set(schema, "maxItems", list.MaxItems)
		}
		if list.GetUnique() {
			schema["uniqueItems"] = true
		}
	default:
		schema = limited(f.Desc, d.value(f), rules)
	}
	text := comment(f.Comments)
	if text == "" {
		text = strings.Join(strings.Fields(string(f.Comments.Trailing)), " ")
	}
	for _, rule := range rules.GetCel() {
		text = strings.TrimSpace(text + "\n\nRule: " + rule.GetMessage() + ".")
	}
	describe(schema, text, f.Desc.Options())
	return schema
}

// value makes the schema of a single value of a field's kind, without limits.
func (d *builder) value(f *protogen.Field) object {
	switch f.Desc.Kind() {
	case protoreflect.BoolKind:
		return object{"type": "boolean"}
	case protoreflect.StringKind:
		return object{"type": "string"}
	case protoreflect.BytesKind:
		return object{"type": "string", "contentEncoding": "base64"}
	case protoreflect.EnumKind:
		return enum(f.Enum)
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return reference(d.message(f.Message))
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return object{"type": "number", "format": f.Desc.Kind().String()}
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return object{"type": []string{"string", "integer"}, "format": "int64", "pattern": "^-?[0-9]{1,19}$"}
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return object{"type": []string{"string", "integer"}, "format": "uint64", "pattern": "^[0-9]{1,20}$", "minimum": 0}
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return object{"type": "integer", "format": "uint32", "minimum": 0, "maximum": uint32(1<<32 - 1)}
	default:
		return object{"type": "integer", "format": "int32"}
	}
}

// enum lists an enum's names and says what each means.
func enum(e *protogen.Enum) object {
	var names, lines []string
	for _, v := range e.Values {
		names = append(names, string(v.Desc.Name()))
		if text := comment(v.Comments); text != "" {
			lines = append(lines, fmt.Sprintf("- %s: %s", v.Desc.Name(), text))
		}
	}
	schema := object{"type": "string", "enum": names}
	if lines != nil {
		schema["description"] = strings.Join(lines, "\n")
	}
	return schema
}

// describe adds the text, before what the schema says of itself already, and
// a deprecation. A reference may carry both beside it in OpenAPI 3.1.
func describe(schema object, text string, options proto.Message) {
	if own, ok := schema["description"].(string); ok {
		text = strings.TrimSpace(text + "\n\n" + own)
	}
	if text != "" {
		schema["description"] = text
	}
	if deprecated(options) {
		schema["deprecated"] = true
	}
}

func deprecated(options proto.Message) bool {
	o, ok := options.(interface{ GetDeprecated() bool })
	return ok && o.GetDeprecated()
}

func fieldRules(f *protogen.Field) *validate.FieldRules {
	options, ok := f.Desc.Options().(*descriptorpb.FieldOptions)
	if !ok || !proto.HasExtension(options, validate.E_Field) {
		return &validate.FieldRules{}
	}
	rules, _ := proto.GetExtension(options, validate.E_Field).(*validate.FieldRules)
	return rules
}

func messageRules(m *protogen.Message) *validate.MessageRules {
	rules, _ := proto.GetExtension(m.Desc.Options(), validate.E_Message).(*validate.MessageRules)
	return rules
}

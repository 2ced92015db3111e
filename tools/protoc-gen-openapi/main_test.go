package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
)

// shop is a protocol with one of each thing that the plugin knows.
const shop = `
name: "shop.proto" package: "shop" syntax: "proto3"
dependency: "buf/validate/validate.proto"
options { go_package: "example.org/shop;shop" }
service { name: "Shop"
  method { name: "Buy" input_type: ".shop.Order" output_type: ".shop.Receipt" }
  method { name: "Watch" input_type: ".shop.Order" output_type: ".shop.Receipt" server_streaming: true }
  method { name: "Sell" input_type: ".shop.Order" output_type: ".shop.Receipt" options { deprecated: true } }
}
enum_type { name: "Size" value { name: "SIZE_NONE" number: 0 } value { name: "SIZE_BIG" number: 1 } }
message_type { name: "Receipt" }
message_type { name: "Order"
  field { name: "who_buys" json_name: "whoBuys" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL
    options { [buf.validate.field] { string { min_bytes: 5 max_bytes: 64 } } } }
  field { name: "code" json_name: "code" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL
    options { [buf.validate.field] { string { pattern: "^([a-z]+)?$" } } } }
  field { name: "key" json_name: "key" number: 3 type: TYPE_BYTES label: LABEL_OPTIONAL
    options { [buf.validate.field] { bytes { len: 16 } } } }
  field { name: "size" json_name: "size" number: 4 type: TYPE_ENUM type_name: ".shop.Size" label: LABEL_OPTIONAL
    options { [buf.validate.field] { enum { not_in: 0 } } } }
  field { name: "count" json_name: "count" number: 5 type: TYPE_UINT64 label: LABEL_OPTIONAL
    options { [buf.validate.field] { uint64 { gte: 1 lte: 9 } } } }
  field { name: "tags" json_name: "tags" number: 6 type: TYPE_STRING label: LABEL_REPEATED
    options { [buf.validate.field] { repeated { min_items: 1 max_items: 3 unique: true items { string { max_len: 7 } } } } } }
  field { name: "card" json_name: "card" number: 7 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "cash" json_name: "cash" number: 8 type: TYPE_INT32 label: LABEL_OPTIONAL oneof_index: 0
    options { [buf.validate.field] { int32 { gt: 0 } } } }
  field { name: "old" json_name: "old" number: 9 type: TYPE_MESSAGE type_name: ".shop.Order" label: LABEL_OPTIONAL
    options { deprecated: true } }
  field { name: "notes" json_name: "notes" number: 10 type: TYPE_MESSAGE type_name: ".shop.Order.NotesEntry" label: LABEL_REPEATED
    options { [buf.validate.field] { map { max_pairs: 2 keys { string { max_len: 4 } } values { string { max_len: 5 } } } } } }
  nested_type { name: "NotesEntry" options { map_entry: true }
    field { name: "key" json_name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "value" json_name: "value" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL } }
  oneof_decl { name: "pay" }
  options { [buf.validate.message] { cel { id: "x" message: "be polite" expression: "true" } } }
}
source_code_info { location { path: 4 path: 1 span: 0 span: 0 span: 0 leading_comments: " Order asks\n for things.\n" } }
`

// decoded is the document of the shop, as a reader of the JSON finds it.
func decoded(t *testing.T) object {
	t.Helper()
	file := &descriptorpb.FileDescriptorProto{}
	if err := prototext.Unmarshal([]byte(shop), file); err != nil {
		t.Fatal(err)
	}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: []string{"shop.proto"}}
	for _, dep := range []protoreflect.FileDescriptor{
		descriptorpb.File_google_protobuf_descriptor_proto, imported(t, "google/protobuf/duration.proto"),
		imported(t, "google/protobuf/field_mask.proto"), imported(t, "google/protobuf/timestamp.proto"),
		validate.File_buf_validate_validate_proto,
	} {
		request.ProtoFile = append(request.ProtoFile, protodesc.ToFileDescriptorProto(dep))
	}
	request.ProtoFile = append(request.ProtoFile, file)
	// The request crosses a pipe as bytes in earnest too.
	raw, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	request = &pluginpb.CodeGeneratorRequest{}
	if err := proto.Unmarshal(raw, request); err != nil {
		t.Fatal(err)
	}
	plugin, err := protogen.Options{}.New(request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(document(plugin))
	if err != nil {
		t.Fatal(err)
	}
	var doc object
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func imported(t *testing.T, path string) protoreflect.FileDescriptor {
	t.Helper()
	imports := validate.File_buf_validate_validate_proto.Imports()
	for i := range imports.Len() {
		if imports.Get(i).Path() == path {
			return imports.Get(i).FileDescriptor
		}
	}
	t.Fatalf("%s is not imported", path)
	return nil
}

// at walks down a document by keys.
func at(doc any, keys ...string) any {
	for _, k := range keys {
		o, ok := doc.(object)
		if !ok {
			return nil
		}
		doc = o[k]
	}
	return doc
}

func TestEachRuleBecomesALimitOfTheSchema(t *testing.T) {
	doc := decoded(t)
	order := func(keys ...string) []string {
		return append([]string{"components", "schemas", "shop.Order"}, keys...)
	}
	field := func(keys ...string) []string { return order(append([]string{"properties"}, keys...)...) }
	for _, c := range []struct {
		name string
		path []string
		want any
	}{
		{"a length in bytes is rounded so that nothing valid is refused", field("whoBuys", "minLength"), 2.0},
		{"a length in bytes is also given exactly", field("whoBuys", "x-max-bytes"), 64.0},
		{"a pattern stays", field("code", "pattern"), "^([a-z]+)?$"},
		{"bytes are counted in base64", field("key", "maxLength"), 24.0},
		{"base64 may lack its padding", field("key", "minLength"), 22.0},
		{"a forbidden enum value is not offered", field("size", "enum"), []any{"SIZE_BIG"}},
		{"a 64-bit number may be a string", field("count", "type"), []any{"string", "integer"}},
		{"a number keeps its bounds", field("count", "maximum"), 9.0},
		{"an exclusive bound is one", field("cash", "exclusiveMinimum"), 0.0},
		{"a list keeps its least length", field("tags", "minItems"), 1.0},
		{"a list keeps its greatest length", field("tags", "maxItems"), 3.0},
		{"a list of different things says so", field("tags", "uniqueItems"), true},
		{"a list's items keep their limits", field("tags", "items", "maxLength"), 7.0},
		{"a map keeps its size", field("notes", "maxProperties"), 2.0},
		{"a map's keys keep their limits", field("notes", "propertyNames", "maxLength"), 4.0},
		{"a map's values keep their limits", field("notes", "additionalProperties", "maxLength"), 5.0},
		{"a message may hold itself", field("old", "$ref"), "#/components/schemas/shop.Order"},
		{"a deprecated field says so", field("old", "deprecated"), true},
		{"a field whose zero value is refused is required, one that has a default is not", order("required"),
			[]any{"whoBuys", "key", "size", "count", "tags"}},
		{"a comment is the description, and a rule in words its last line", order("description"),
			"Order asks for things.\n\nRule: be polite."},
		{"a deprecated method says so", []string{"paths", "/shop.Shop/Sell", "post", "deprecated"}, true},
		{"a call is a POST to the method's name", []string{"paths", "/shop.Shop/Buy", "post", "operationId"}, "Shop.Buy"},
		{"a failed call has one shape", []string{"paths", "/shop.Shop/Buy", "post", "responses", "default", "$ref"},
			"#/components/responses/Error"},
		{"a stream has no path", []string{"paths", "/shop.Shop/Watch"}, nil},
		{"every call needs a token", []string{"security"}, []any{object{"token": []any{}}}},
		{"the version is the one with JSON Schema", []string{"openapi"}, "3.1.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := at(doc, c.path...); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v is %v, want %v", c.path, got, c.want)
			}
		})
	}
}

func TestAtMostOneFieldOfAOneofIsSet(t *testing.T) {
	got, _ := json.Marshal(at(decoded(t), "components", "schemas", "shop.Order", "allOf"))
	want := `[{"oneOf":[{"required":["card"]},{"required":["cash"]},{"not":{"anyOf":[{"required":["card"]},{"required":["cash"]}]}}]}]`
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEveryReferenceLeadsToASchema(t *testing.T) {
	doc := decoded(t)
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case object:
			if ref, ok := v["$ref"].(string); ok {
				parts := strings.Split(ref[2:], "/")
				if at(doc, parts...) == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(doc)
}

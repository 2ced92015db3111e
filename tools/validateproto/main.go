// Command validateproto prints buf/validate/validate.proto, the vocabulary of
// the validation rules in proto/skein/v1, from the descriptor that the Go
// package of protovalidate carries. The schema that our files are compiled
// against is so, by construction, the one that the server enforces, and no
// schema registry is needed to build.
//
// The text has no comments and none of the file's own rules about rules (its
// "predefined" options): a descriptor holds no comments, and compilers need
// only the shapes.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// notice is the licence header of the original, which is kept with its text.
const notice = `// Copyright 2023-2026 Buf Technologies, Inc.
//
// Licensed under the Apache License, Version 2.0 (the "License");
// you may not use this file except in compliance with the License.
// You may obtain a copy of the License at
//
//      http://www.apache.org/licenses/LICENSE-2.0
//
// Unless required by applicable law or agreed to in writing, software
// distributed under the License is distributed on an "AS IS" BASIS,
// WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
// See the License for the specific language governing permissions and
// limitations under the License.

// Changed from the original: printed from its descriptor by
// tools/validateproto, without comments and without predefined options.
`

func main() {
	log.SetFlags(0)
	out := bufio.NewWriter(os.Stdout)
	p := &printer{w: out}
	p.file(validate.File_buf_validate_validate_proto)
	if err := out.Flush(); err != nil {
		log.Fatalf("validateproto: %v", err)
	}
}

// printer writes proto2 source; indent is its current depth.
type printer struct {
	w      io.Writer
	indent int
}

func (p *printer) line(format string, args ...any) {
	fmt.Fprintf(p.w, "%s%s\n", strings.Repeat("  ", p.indent), fmt.Sprintf(format, args...))
}

func (p *printer) block(head string, body func()) {
	p.line("%s {", head)
	p.indent++
	body()
	p.indent--
	p.line("}")
}

func (p *printer) file(f protoreflect.FileDescriptor) {
	if f.Syntax() != protoreflect.Proto2 {
		log.Fatalf("validateproto: %s is %s; this printer knows proto2", f.Path(), f.Syntax())
	}
	fmt.Fprint(p.w, notice)
	p.line("\nsyntax = \"proto2\";\n")
	p.line("package %s;\n", f.Package())
	for i := range f.Imports().Len() {
		p.line("import %q;", f.Imports().Get(i).Path())
	}
	opts := f.Options().(*descriptorpb.FileOptions)
	p.line("\noption go_package = %q;", opts.GetGoPackage())
	p.line("option java_multiple_files = %t;", opts.GetJavaMultipleFiles())
	p.line("option java_outer_classname = %q;", opts.GetJavaOuterClassname())
	p.line("option java_package = %q;\n", opts.GetJavaPackage())
	for i := range f.Extensions().Len() {
		x := f.Extensions().Get(i)
		p.block("extend "+string(x.ContainingMessage().FullName()), func() { p.field(x) })
	}
	for i := range f.Messages().Len() {
		p.message(f.Messages().Get(i))
	}
	for i := range f.Enums().Len() {
		p.enum(f.Enums().Get(i))
	}
}

func (p *printer) message(m protoreflect.MessageDescriptor) {
	p.line("")
	p.block("message "+string(m.Name()), func() {
		p.reserved(m.ReservedRanges(), m.ReservedNames())
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			one := f.ContainingOneof()
			if one == nil || one.IsSynthetic() {
				p.field(f)
				continue
			}
			if one.Fields().Get(0) == f { // the first of a oneof prints it whole
				p.block("oneof "+string(one.Name()), func() {
					for j := range one.Fields().Len() {
						p.field(one.Fields().Get(j))
					}
				})
			}
		}
		for i := range m.ExtensionRanges().Len() {
			r := m.ExtensionRanges().Get(i)
			p.line("extensions %s;", span(int64(r[0]), int64(r[1])-1, 1<<29-1))
		}
		for i := range m.Enums().Len() {
			p.enum(m.Enums().Get(i))
		}
		for i := range m.Messages().Len() {
			if !m.Messages().Get(i).IsMapEntry() {
				p.message(m.Messages().Get(i))
			}
		}
	})
}

func (p *printer) reserved(ranges protoreflect.FieldRanges, names protoreflect.Names) {
	for i := range ranges.Len() {
		r := ranges.Get(i)
		p.line("reserved %s;", span(int64(r[0]), int64(r[1])-1, 1<<29-1))
	}
	for i := range names.Len() {
		p.line("reserved %q;", names.Get(i))
	}
}

func (p *printer) enum(e protoreflect.EnumDescriptor) {
	p.line("")
	p.block("enum "+string(e.Name()), func() {
		for i := range e.ReservedRanges().Len() {
			r := e.ReservedRanges().Get(i)
			p.line("reserved %s;", span(int64(r[0]), int64(r[1]), 1<<31-1))
		}
		for i := range e.ReservedNames().Len() {
			p.line("reserved %q;", e.ReservedNames().Get(i))
		}
		for i := range e.Values().Len() {
			p.line("%s = %d;", e.Values().Get(i).Name(), e.Values().Get(i).Number())
		}
	})
}

func (p *printer) field(f protoreflect.FieldDescriptor) {
	label := f.Cardinality().String() + " "
	if f.ContainingOneof() != nil || f.IsMap() {
		label = ""
	}
	var options []string
	if f.HasDefault() {
		if f.Kind() == protoreflect.StringKind || f.Kind() == protoreflect.BytesKind {
			log.Fatalf("validateproto: %s has a text default, which this printer does not know", f.FullName())
		}
		options = append(options, "default = "+f.Default().String())
	}
	if o, ok := f.Options().(*descriptorpb.FieldOptions); ok && o.GetDeprecated() {
		options = append(options, "deprecated = true")
	}
	tail := ""
	if len(options) > 0 {
		tail = " [" + strings.Join(options, ", ") + "]"
	}
	p.line("%s%s %s = %d%s;", label, typeName(f), f.Name(), f.Number(), tail)
}

func typeName(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return fmt.Sprintf("map<%s, %s>", typeName(f.MapKey()), typeName(f.MapValue()))
	case f.Message() != nil:
		return "." + string(f.Message().FullName())
	case f.Enum() != nil:
		return "." + string(f.Enum().FullName())
	}
	return f.Kind().String()
}

// span writes a range of numbers, both ends included.
func span(from, to, max int64) string {
	switch {
	case to >= max:
		return fmt.Sprintf("%d to max", from)
	case from == to:
		return fmt.Sprint(from)
	}
	return fmt.Sprintf("%d to %d", from, to)
}

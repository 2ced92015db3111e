// Command protoc-gen-openapi is a protoc plugin that writes one OpenAPI 3.1
// document for all Connect services of the protocol: a POST path for each
// method, the proto3 JSON mapping of each message as a JSON schema, and the
// validation rules of the .proto files as the schema's limits. It is what
// somebody without a protobuf library needs to call the server.
//
// The document is written by hand-made maps, whose keys encoding/json sorts,
// so that the same input gives the same bytes.
package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// object is a JSON object.
type object = map[string]any

// output is the document's name under the plugin's output folder.
const output = "openapi.json"

func main() {
	protogen.Options{}.Run(func(plugin *protogen.Plugin) error {
		plugin.SupportedFeatures = 1 // proto3 optional
		doc, err := json.MarshalIndent(document(plugin), "", "  ")
		if err != nil {
			return fmt.Errorf("encode %s: %w", output, err)
		}
		_, err = plugin.NewGeneratedFile(output, "").Write(append(doc, '\n'))
		return err
	})
}

// document makes the whole OpenAPI document of the files to generate for.
func document(plugin *protogen.Plugin) object {
	d := &builder{paths: object{}, schemas: object{}, done: map[protoreflect.FullName]bool{}}
	var tags []object
	for _, f := range plugin.Files {
		if !f.Generate {
			continue
		}
		for _, s := range f.Services {
			tags = append(tags, object{"name": string(s.Desc.Name()), "description": comment(s.Comments)})
			for _, m := range s.Methods {
				d.method(s, m)
			}
		}
		for _, m := range f.Messages {
			if m.Desc.FullName() == "skein.v1.Error" {
				d.message(m)
			}
		}
	}
	d.schemas["connect.Error"] = connectError(d.done["skein.v1.Error"])
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title":   "Skein",
			"version": "v1",
			"license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "The server's unary calls, in the JSON form of the Connect protocol. The same paths take protobuf, " +
				"gRPC and gRPC-Web by content type. 64-bit integers are strings in answers and may be either in requests; " +
				"bytes are base64; a field that has its default value is left out.",
		},
		"servers":  []object{{"url": "/"}},
		"security": []object{{"token": []string{}}},
		"tags":     tags,
		"paths":    d.paths,
		"components": object{
			"schemas": d.schemas,
			"securitySchemes": object{"token": object{
				"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
				"description": "A token that the app's own back end signed with the app's secret.",
			}},
			"responses": object{"Error": object{
				"description": "The call failed; the HTTP status follows the code.",
				"content":     jsonContent("connect.Error"),
			}},
		},
	}
}

// builder gathers paths and the schemas that they need.
type builder struct {
	paths   object
	schemas object
	done    map[protoreflect.FullName]bool
}

func (d *builder) method(s *protogen.Service, m *protogen.Method) {
	if m.Desc.IsStreamingClient() || m.Desc.IsStreamingServer() {
		return // a stream is no request with one answer; OpenAPI cannot say it
	}
	text := comment(m.Comments)
	summary, _, _ := strings.Cut(text, ". ")
	op := object{
		"operationId": string(s.Desc.Name()) + "." + string(m.Desc.Name()),
		"tags":        []string{string(s.Desc.Name())},
		"summary":     strings.TrimSuffix(summary, "."),
		"description": text,
		"parameters": []object{{
			"name": "Connect-Protocol-Version", "in": "header",
			"description": "Tells a Connect call from an accidental POST.",
			"schema":      object{"type": "integer", "const": 1},
		}},
		"requestBody": object{"required": true, "content": jsonContent(d.message(m.Input))},
		"responses": object{
			"200":     object{"description": "Success.", "content": jsonContent(d.message(m.Output))},
			"default": object{"$ref": "#/components/responses/Error"},
		},
	}
	if deprecated(m.Desc.Options()) {
		op["deprecated"] = true
	}
	d.paths[fmt.Sprintf("/%s/%s", s.Desc.FullName(), m.Desc.Name())] = object{"post": op}
}

func jsonContent(schema string) object {
	return object{"application/json": object{"schema": reference(schema)}}
}

func reference(schema string) object {
	return object{"$ref": "#/components/schemas/" + schema}
}

// connectError is the JSON body of a failed Connect call. Its details carry
// the protocol's own error message when there is one.
func connectError(detail bool) object {
	debug := object{"description": "The detail as JSON."}
	if detail {
		debug = reference("skein.v1.Error")
	}
	return object{
		"type":     "object",
		"required": []string{"code"},
		"properties": object{
			"code": object{"type": "string", "description": "Connect's code, which gives the HTTP status.", "enum": []string{
				"canceled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists",
				"permission_denied", "resource_exhausted", "failed_precondition", "aborted", "out_of_range",
				"unimplemented", "internal", "unavailable", "data_loss", "unauthenticated"}},
			"message": object{"type": "string", "description": "One sentence for a developer."},
			"details": object{"type": "array", "items": object{
				"type": "object",
				"properties": object{
					"type":  object{"type": "string", "description": "The message's full name: skein.v1.Error."},
					"value": object{"type": "string", "contentEncoding": "base64", "description": "The message in protobuf."},
					"debug": debug,
				},
			}},
		},
	}
}

// comment joins a leading comment's lines into paragraphs.
func comment(c protogen.CommentSet) string {
	paragraphs := strings.Split(strings.TrimSpace(string(c.Leading)), "\n\n")
	for i, p := range paragraphs {
		paragraphs[i] = strings.Join(strings.Fields(p), " ")
	}
	return strings.Join(paragraphs, "\n\n")
}

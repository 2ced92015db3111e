package test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write what is generated from values.yaml")

// free are values of any shape, though their defaults have one.
var free = map[string]bool{"resources": true, "ingress.annotations": true}

// kindsOf are values of more than one type.
var kindsOf = map[string][]string{"podDisruptionBudget.maxUnavailable": {"integer", "string"}}

// node reads values.yaml with its comments.
func values(t *testing.T) *yaml.Node {
	t.Helper()
	b, err := os.ReadFile(chartDir + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var n yaml.Node
	if err := yaml.Unmarshal(b, &n); err != nil {
		t.Fatal(err)
	}
	return n.Content[0]
}

// schemaOf describes a value by its default: what has no default is a typing
// mistake, and is refused.
func schemaOf(t *testing.T, path string, n *yaml.Node) map[string]any {
	if many := kindsOf[path]; many != nil {
		return map[string]any{"type": many}
	}
	switch n.Kind {
	case yaml.MappingNode:
		s := map[string]any{"type": "object"}
		if len(n.Content) == 0 || free[path] {
			return s
		}
		properties := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			name := n.Content[i].Value
			properties[name] = schemaOf(t, strings.TrimPrefix(path+"."+name, "."), n.Content[i+1])
		}
		s["properties"], s["additionalProperties"] = properties, false
		if path == "" {
			properties["global"] = map[string]any{"type": "object"} // Helm's own
		}
		return s
	case yaml.SequenceNode:
		return map[string]any{"type": "array"}
	}
	switch n.Tag {
	case "!!str":
		return map[string]any{"type": "string"}
	case "!!int":
		return map[string]any{"type": "integer", "minimum": 0}
	case "!!bool":
		return map[string]any{"type": "boolean"}
	}
	t.Fatalf("%s has a default of the type %s", path, n.Tag)
	return nil
}

// table is one line a value.
func table(out *strings.Builder, path string, key, n *yaml.Node) {
	text := ""
	for _, line := range strings.Split(key.HeadComment, "\n") {
		if strings.HasPrefix(line, "# -- ") {
			text = strings.TrimPrefix(line, "# -- ")
		}
	}
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 && !free[path] {
		if text != "" {
			out.WriteString("| **" + path + "** | | " + text + " |\n")
		}
		for i := 0; i < len(n.Content); i += 2 {
			table(out, path+"."+n.Content[i].Value, n.Content[i], n.Content[i+1])
		}
		return
	}
	var shown string
	switch {
	case n.Kind == yaml.ScalarNode && n.Value == "":
		shown = ""
	case n.Kind == yaml.ScalarNode:
		shown = "`" + n.Value + "`"
	case len(n.Content) == 0:
		shown = map[yaml.Kind]string{yaml.MappingNode: "`{}`", yaml.SequenceNode: "`[]`"}[n.Kind]
	default:
		shown = "see values.yaml"
	}
	out.WriteString("| `" + path + "` | " + shown + " | " + text + " |\n")
}

// holds compares a file with what it should be, or writes it.
func holds(t *testing.T, file string, want []byte) {
	t.Helper()
	have, err := os.ReadFile(file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	if bytes.Equal(have, want) {
		return
	}
	if !*update {
		t.Fatalf("%s is stale: run go test ./... -update in deploy/helm/test", file)
	}
	if err := os.WriteFile(file, want, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheSchemaOfTheValuesIsTheirDefaults(t *testing.T) {
	s := schemaOf(t, "", values(t))
	s["$schema"] = "http://json-schema.org/draft-07/schema#"
	want, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	holds(t, chartDir+"/values.schema.json", append(want, '\n'))
}

func TestThePageListsEveryValue(t *testing.T) {
	const file, begin, end = "../../../docs/ops/kubernetes.md", "<!-- values -->\n", "<!-- /values -->\n"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	var out strings.Builder
	out.WriteString("| value | default | |\n|---|---|---|\n")
	n := values(t)
	for i := 0; i < len(n.Content); i += 2 {
		table(&out, n.Content[i].Value, n.Content[i], n.Content[i+1])
	}
	holds(t, file, []byte(before+begin+out.String()+end+after))
}

func TestTheValuesOnThePageRenderAndFitTogether(t *testing.T) {
	page, err := os.ReadFile("../../../docs/ops/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```yaml values\n")[1:]
	if len(blocks) < 3 {
		t.Fatalf("the page has %d blocks of values", len(blocks))
	}
	for _, b := range blocks {
		b, _, _ = strings.Cut(b, "```")
		objects, errs := decode(t, documents(t, b))
		for _, err := range errs {
			t.Error(err)
		}
		made := map[string]string{"skein-database": "url", "skein-key": "key", "chat-example-com-tls": "tls.crt", "skein-nodes-tls": "ca.crt"}
		for _, problem := range check(objects, made) {
			t.Errorf("%s in\n%s", problem, b)
		}
	}
}

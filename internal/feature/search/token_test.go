package search

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestATextIsFoundByItsWordsAndByCharactersAndPairs(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"Hello, World! hello":     "hello world",
		"北京大学":                    "京 京大 北 北京 大 大学 学",
		"我爱Go语言 1.26":             "1 26 go 我 我爱 爱 言 语 语言",
		"Crème Brûlée ÉCLAIR":     "brulee creme eclair",
		"ＡＢＣ１２３ ﬁne":              "abc123 fine",
		"straße":                  "straße",
		"カタカナ":                    "カ カタ カナ タ タカ ナ",
		"한국어":                     "국 국어 어 한 한국",
		"🎉 …!":                    "",
		"\ue000c0123456789abcdef": "c0123456789abcdef",
		"Е́лка ёлка":              "елка",
	} {
		whole := slices.DeleteFunc(tokens(text), func(t string) bool { return strings.HasPrefix(t, begins) })
		if got := strings.Join(whole, " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestAWordIsFoundByItsFirstFourLettersToo(t *testing.T) {
	for text, want := range map[string]string{
		"meeting":   "m me mee meet",
		"Éa 北京":     "e",
		"a":         "",
		"main maps": "m ma mai map",
	} {
		var got []string
		for _, tok := range tokens(text) {
			if begin, ok := strings.CutPrefix(tok, begins); ok {
				got = append(got, begin)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestWhatMatchesIsMarked(t *testing.T) {
	for _, c := range []struct{ text, query, want string }{
		{"Hello world", "hello", "[Hello] world"},
		{"Hello world", "WORLD hel", "[Hel]lo [world]"},
		{"Hello world", "hel ", ""},
		{"Hello world", "ello", ""},
		{"我在北京大学读书", "北京大学", "我在[北京大学]读书"},
		{"我在北京，大学里", "北京大学", ""}, // a sign parts them
		{"京北大京学大 北京", "北京大", ""},
		{"大学北京大", "北京 大学", "[大学北京]大"},
		{"学习", "学", "[学]习"},
		{"Café au lait", "cafe", "[Café] au lait"},
		{"ﬁne", "f", "[ﬁ]ne"},
		{"go1.26发布", "发布 go1", "[go1].26[发布]"},
		{"anything", "", "anything"},
	} {
		spans, ok := matches(c.text, parse(c.query))
		got := ""
		if ok {
			at := 0
			for _, s := range spans {
				got += c.text[at:s.from] + "[" + c.text[s.from:s.to] + "]"
				at = s.to
			}
			got += c.text[at:]
		}
		if got != c.want {
			t.Errorf("%q in %q: %q, want %q", c.query, c.text, got, c.want)
		}
	}
}

func TestAnExcerptIsShortAndEndsAtCharacters(t *testing.T) {
	text := strings.Repeat("前面的字。", 100) + "目标" + strings.Repeat("后面的字。", 100)
	spans, ok := matches(text, parse("目标"))
	if !ok || len(spans) != 1 {
		t.Fatal(spans)
	}
	var all string
	hits := 0
	for _, p := range excerpt(text, spans) {
		if !utf8.ValidString(p.Text) {
			t.Errorf("%q is cut within a character", p.Text)
		}
		if p.Hit {
			hits++
			if p.Text != "目标" {
				t.Errorf("hit %q", p.Text)
			}
		}
		all += p.Text
	}
	if hits != 1 || len(all) > excerptBytes+10 || !strings.HasPrefix(all, "…") || !strings.HasSuffix(all, "…") {
		t.Errorf("%d hits in %q", hits, all)
	}
}

// Whatever a text is, what a query of its own words asks the index for is in
// its tokens, and spans lie within the text.
func FuzzSearchQuery(f *testing.F) {
	for _, s := range []string{"Hello world", "北京大学 abc", "ﬁ Straße İ", "\ue000k1", "a\x00b", "é́́", "ไทย ภาษา", "x\u202ey"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, text, query string) {
		if !utf8.ValidString(text) || !utf8.ValidString(query) || len(text) > 4096 || len(query) > 256 {
			return
		}
		have := tokens(text)
		for _, tok := range have {
			if word := strings.TrimPrefix(tok, begins); word == "" || strings.ContainsAny(word, " \"'\x00\ue000\ue001") {
				t.Fatalf("token %q", tok)
			}
		}
		terms := parse(query)
		spans, ok := matches(text, terms)
		end := 0
		for _, s := range spans {
			if s.from < end || s.to <= s.from || s.to > len(text) || !utf8.ValidString(text[s.from:s.to]) {
				t.Fatalf("span %v in %q", s, text)
			}
			end = s.to
		}
		if !ok {
			return
		}
		for i := range terms {
			for _, tok := range terms[i].tokens() {
				found := slices.Contains(have, tok)
				if short := len(terms[i].runes) <= maxBegin; !found && terms[i].prefix && short {
					found = slices.Contains(have, begins+tok)
				} else if !found && terms[i].prefix {
					found = slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, tok) })
				}
				if !found {
					t.Fatalf("%q matches %q, whose tokens lack %q", query, text, tok)
				}
			}
		}
	})
}

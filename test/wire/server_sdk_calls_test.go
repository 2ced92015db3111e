package wire_test

import (
	"encoding/json"
	"flag"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	pb "github.com/skein-im/skein/proto/skein/v1"
	backend "github.com/skein-im/skein/sdk/go/server"
)

var updateCalls = flag.Bool("update-calls", false, "write down which calls the server SDK makes")

// serverCalls says which call each method of the server SDK makes; the SDK in
// TypeScript is held to the same.
const serverCalls = "../../sdk/testdata/server/calls.json"

// notOfABackEnd are calls that a token of scope "server" may make and that tell
// it nothing, or nothing that another does not.
var notOfABackEnd = map[string]string{
	"ConversationService/ListConversations": "the app is in none",
	"SyncService/Sync":                      "the app is in none",
	"SearchService/SearchMessages":          "the app is in none",
	"TimedService/ListScheduled":            "the app has none",
	"PresenceService/GetPresence":           "the app shares a conversation with nobody",
	"ProfileService/GetProfiles":            "GetUser has all of a profile",
	"ProfileService/SearchDirectory":        "ListUsers has everybody",
	"GroupService/GetGroupInfo":             "GetConversation has more",
	"SignInService/GetSignInOptions":        "of a device that has no token yet",
	"SignInService/CreateGuest":             "of a device that has no token yet",
	"SignInService/CreateSignInCode":        "of a device that has no token yet",
	"SignInService/WaitSignInCode":          "of a device that has no token yet",
}

// asked is a transport that notes what is called and finds nothing.
type asked struct{ last string }

func (a *asked) RoundTrip(r *http.Request) (*http.Response, error) {
	a.last = strings.TrimPrefix(r.URL.Path, "/skein.v1.")
	return &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(`{"code":"not_found"}`)), Request: r}, nil
}

// callsOfTheServerSDK calls every method and notes which call it makes.
func callsOfTheServerSDK(t *testing.T) map[string]string {
	net := &asked{}
	c, err := backend.New(backend.Options{Endpoint: "http://127.0.0.1", App: "shop", HTTPClient: &http.Client{Transport: net},
		Token: (&backend.Secret{App: "shop", KID: "k", Text: "s"}).Token})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	client := reflect.ValueOf(c)
	for m, f := range client.Methods() {
		in := []reflect.Value{reflect.ValueOf(t.Context())}
		for i := 2; i < m.Type.NumIn() && !m.Type.IsVariadic(); i++ {
			in = append(in, some(m.Type.In(i)))
		}
		if m.Name == "NewID" || m.Name == "Upload" { // no call, and no unary one
			continue
		}
		net.last = ""
		for _, answer := range f.Call(in) {
			if answer.Kind() == reflect.Func { // a list, read to its end
				answer.Call([]reflect.Value{reflect.MakeFunc(answer.Type().In(0), func([]reflect.Value) []reflect.Value {
					return []reflect.Value{reflect.ValueOf(true)}
				})})
			}
		}
		if net.last == "" {
			t.Errorf("%s calls nothing", m.Name)
		}
		out[strings.ToLower(m.Name[:1])+m.Name[1:]] = net.last
	}
	return out
}

// some is an argument of a type: empty, or a list of one.
func some(t reflect.Type) reflect.Value {
	switch t.Kind() {
	case reflect.Pointer:
		return reflect.New(t.Elem())
	case reflect.Func: // an iterator
		return reflect.MakeFunc(t, func(in []reflect.Value) []reflect.Value {
			in[0].Call([]reflect.Value{reflect.ValueOf(&pb.ImportedMessage{}), reflect.Zero(in[0].Type().In(1))})
			return nil
		})
	}
	return reflect.Zero(t)
}

func TestTheServerSDKCallsAllThatABackEndMayAndNothingElse(t *testing.T) {
	got := callsOfTheServerSDK(t)
	if *updateCalls {
		b, err := json.MarshalIndent(got, "", "  ")
		if err == nil {
			err = os.WriteFile(serverCalls, append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(serverCalls)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]string
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s is not what the SDK calls: run go test ./test/wire -run ServerSDKCalls -update-calls", serverCalls)
	}
	calls := slices.Collect(maps.Values(got))
	for _, r := range matrix() {
		outcome := r.outcomes(t)[appAdmin]
		may := outcome == outcomeOK && !strings.HasPrefix(r.verb, "socket/") || r.verb == "CallService/StartRecording" && outcome == "FAILED_PRECONDITION" // this server records nothing
		does := slices.Contains(calls, r.verb)
		_, not := notOfABackEnd[r.verb]
		switch {
		case may && !does && !not:
			t.Errorf("a back end may call %s, and the SDK does not", r.verb)
		case does && !may:
			t.Errorf("the SDK calls %s, and a back end may not", r.verb)
		case not && (does || !may):
			t.Errorf("%s is on the list of what is of no use, and should not", r.verb)
		}
	}
}

package skein

import (
	"context"
	"net/http"
)

// DemoServer lets the example run without a server to install.
type DemoServer struct{ s *fakeServer }

// NewDemoServer makes an empty one.
func NewDemoServer() DemoServer { return DemoServer{newFake()} }

// Options of a user's client.
func (d DemoServer) Options(user string) Options {
	return Options{
		Endpoint: "http://server.test", AppID: "demo", User: user, Transport: d.s, HTTPClient: &http.Client{Transport: d.s},
		Token: func(context.Context) (string, error) { return fakeToken(user, 0), nil },
	}
}

package config

import (
	"strings"
	"testing"
)

func TestClustersAreCheckedBeforeAnythingStarts(t *testing.T) {
	const pg = "--db=postgres://h/d"
	for name, c := range map[string]struct {
		args []string
		want string // in the error; "" = good
	}{
		"on loopback":                   {[]string{pg, "--cluster-listen=127.0.0.1:6222", "--cluster-peers=127.0.0.1:6223,[::1]:6224"}, ""},
		"with certificates":             {[]string{pg, "--cluster-listen=:6222", "--cluster-peers=b:6222", "--cluster-cert=c", "--cluster-key=k", "--cluster-ca=a"}, ""},
		"in the clear, on purpose":      {[]string{pg, "--cluster-listen=10.0.0.1:6222", "--cluster-plain"}, ""},
		"in the clear":                  {[]string{pg, "--cluster-listen=10.0.0.1:6222"}, "--cluster-plain"},
		"to another machine":            {[]string{pg, "--cluster-listen=127.0.0.1:6222", "--cluster-peers=b:6222"}, "--cluster-ca"},
		"half a certificate":            {[]string{pg, "--cluster-listen=:6222", "--cluster-cert=c", "--cluster-key=k"}, "all three"},
		"peers that can not answer":     {[]string{pg, "--cluster-peers=b:6222"}, "cluster.listen"},
		"a peer without a port":         {[]string{pg, "--cluster-listen=127.0.0.1:6222", "--cluster-peers=b"}, `"b"`},
		"on SQLite":                     {[]string{"--cluster-listen=127.0.0.1:6222"}, "PostgreSQL"},
		"a bad name":                    {[]string{pg, "--cluster-listen=127.0.0.1:6222", "--cluster-name=a.b"}, "cluster.name"},
		"two buses":                     {[]string{pg, "--cluster-listen=127.0.0.1:6222", "--nats-url=nats://127.0.0.1:4222"}, "not both"},
		"an external NATS":              {[]string{pg, "--nats-url=tls://a:4222,tls://b:4222", "--nats-ca=ca"}, ""},
		"an external NATS in the clear": {[]string{pg, "--nats-url=nats://a:4222"}, "tls://a:4222"},
		"a password in the URL":         {[]string{pg, "--nats-url=tls://skein:secret@a:4222"}, "SKEIN_NATS_PASSWORD"},
		"another scheme":                {[]string{pg, "--nats-url=http://a"}, "nats://host:4222"},
		"a CA without a NATS":           {[]string{pg, "--nats-ca=ca"}, "set url"},
	} {
		_, _, err := Load(Source{Args: c.args})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, without %q", name, err, c.want)
		case err != nil && strings.Contains(err.Error(), "secret@"):
			t.Errorf("%s: the error shows a password: %v", name, err)
		}
	}
}

package relay

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the scheme prescribes it, and HMAC does not need its collisions to be hard
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/pion/turn/v5"
)

// Credentials makes a user name and a password that are good until a time:
// the name is the time in seconds since 1970, a colon and the given name, the
// password an HMAC-SHA1 of it under the secret. Other TURN servers (coturn's
// use-auth-secret) take them too. An allocation outlives its credentials by
// no more than an hour, which is what a client can ask for at once.
func Credentials(secret, name string, until time.Time) (username, password string) {
	username = strconv.FormatInt(until.Unix(), 10) + ":" + name
	return username, sign(secret, username)
}

func sign(secret, username string) string {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// maxName bounds a user name: RFC 8489 §14.3 allows less than 509 bytes.
const maxName = 508

// check says whose a user name is, and whether it is still good. Whether it
// was made here shows only when the request's integrity is checked with the
// password that belongs to it.
func check(username string, now time.Time) (name string, ok bool) {
	if len(username) > maxName {
		return "", false
	}
	at, name, found := strings.Cut(username, ":")
	until, err := strconv.ParseInt(at, 10, 64)
	if !found || name == "" || err != nil || at[0] == '+' || at[0] == '-' {
		return "", false
	}
	return name, now.Unix() < until
}

// authenticate finds the key that a request has to be signed with.
func (s *Server) authenticate(r *turn.RequestAttributes) (name string, key []byte, ok bool) {
	name, ok = check(r.Username, s.cfg.Clock.Now())
	if !ok || r.Realm != s.cfg.Realm {
		s.n.badCredentials.Add(1)
		return "", nil, false
	}
	return name, turn.GenerateAuthKey(r.Username, s.cfg.Realm, sign(s.cfg.Secret, r.Username)), true
}

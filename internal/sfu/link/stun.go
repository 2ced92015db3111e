package link

import (
	"errors"
	"net"
	"strings"

	"github.com/pion/stun/v4"
)

// errCheck is what a check that gets no answer ends in.
var errCheck = errors.New("not a connectivity check of ours")

// answerCheck handles a STUN message that came over p: a binding request with
// the credentials of one of the links is answered and moves that link
// (RFC 8445 §7.3, as a lite agent: nothing is asked in return). Everything
// else gets no answer, so that the port reflects nothing.
func (port *Port) answerCheck(p *path, b []byte, now int64) error {
	m := &stun.Message{Raw: b}
	if err := m.Decode(); err != nil || m.Type != stun.BindingRequest {
		return errCheck
	}
	var user stun.Username
	if err := user.GetFrom(m); err != nil {
		return errCheck
	}
	ufrag, _, _ := strings.Cut(string(user), ":")
	l := port.byUfrag(ufrag)
	if l == nil {
		return errCheck
	}
	pwd, ok := l.password(ufrag)
	if !ok {
		return errCheck
	}
	integrity := stun.NewShortTermIntegrity(pwd)
	if err := integrity.Check(m); err != nil {
		return errCheck
	}
	if !l.heard(p, ufrag, m.Contains(stun.AttrUseCandidate), now) {
		return errCheck
	}
	answer, err := stun.Build(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess,
		&stun.XORMappedAddress{IP: net.IP(p.addr.Addr().AsSlice()), Port: int(p.addr.Port())}, integrity, stun.Fingerprint)
	if err != nil {
		return err
	}
	p.write(answer.Raw)
	return nil
}

func (l *Link) password(ufrag string) (string, bool) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	for _, c := range l.local {
		if c.Ufrag == ufrag {
			return c.Pwd, true
		}
	}
	return "", false
}

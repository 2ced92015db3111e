package link

import (
	"errors"
	"io"
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
	if !l.nominated.Load() {
		l.hasten(p)
	}
	return nil
}

// hasten sends a check of our own over a path that the client has just
// checked. A lite agent need not: but some clients choose a path only at their
// next tick, 200 ms later, or at once when the other side checks it too.
func (l *Link) hasten(p *path) {
	c := l.remote.Load()
	if c == nil || c.Pwd == "" {
		return
	}
	var id [stun.TransactionIDSize]byte
	if _, err := io.ReadFull(l.port.entropy, id[:]); err != nil {
		return
	}
	check, err := stun.Build(stun.NewTransactionIDSetter(id), stun.BindingRequest, stun.NewUsername(c.Ufrag+":"+l.Local().Ufrag),
		stun.RawAttribute{Type: stun.AttrPriority, Value: []byte{110, 0, 255, 255}},
		stun.RawAttribute{Type: stun.AttrICEControlled, Value: id[:8]}, stun.NewShortTermIntegrity(c.Pwd), stun.Fingerprint)
	if err == nil {
		p.write(check.Raw)
	}
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

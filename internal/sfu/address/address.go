// Package address finds out under which addresses clients reach this machine:
// those of its interfaces, or others that a NAT translates to them one to one.
// On AWS, Azure and GCP the public address is on no interface; the machine's
// metadata tells it, and elsewhere a STUN server does.
//
// What is found is a list of pairs: the address that clients are told, and the
// local one that stands behind it. The order is the order of liking.
package address

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/im"
)

// Pair is one way to this machine.
type Pair struct {
	Told  netip.Addr // what clients are told
	Local netip.Addr // the interface's address that what is sent there comes to
}

// Interface is one address of this machine.
type Interface struct {
	Name string
	Addr netip.Addr
}

// Config is what a Finder is made of. The zero value of a field stands for
// its default.
type Config struct {
	// Spec is a list with commas. An entry is
	//
	//	203.0.113.9            an address; if no interface has it, a NAT
	//	                       translates it to the first that is listened on
	//	203.0.113.9=10.0.0.5   an address, and the local one behind it
	//	eth0, eth*             the addresses of interfaces
	//	10.0.0.0/8             the machine's addresses in a network
	//	auto                   what metadata of the cloud or STUN say, and the
	//	                       public addresses of interfaces; if there is
	//	                       nothing of that, all addresses
	//	!docker0, !10.0.0.0/8  not these, whatever else says so
	//
	// Empty, or nothing but exclusions: all addresses that are listened on.
	Spec string
	// Listen are the addresses that media is listened on. An unspecified one
	// stands for all of its family.
	Listen []netip.Addr
	// STUN servers as HOST:PORT, asked by "auto"; nil asks none.
	STUN []string
	// Metadata is where clouds tell machines of themselves, asked by "auto":
	// http://169.254.169.254 when empty, "off" to ask nobody.
	Metadata string
	// Timeout bounds one search, in which nothing waits for anything else (3 s).
	Timeout time.Duration

	// Interfaces lists this machine's addresses; that of the system when nil.
	Interfaces func() ([]Interface, error)
	Clock      im.Clock
	Entropy    im.Entropy
	Log        *slog.Logger
}

// kind tells entries of a specification apart.
type kind int

const (
	kindAddr kind = iota
	kindPair
	kindName
	kindNet
	kindAuto
)

// rule is one entry of a specification.
type rule struct {
	kind kind
	pair Pair
	name string // a pattern of interfaces' names
	net  netip.Prefix
}

// Finder finds addresses. It is safe for one goroutine at a time.
type Finder struct {
	cfg   Config
	http  *http.Client
	rules []rule
	not   []rule
}

// ErrNone says that nothing fits.
var ErrNone = errors.New("this machine has no address that media could be told at")

// New reads the specification.
func New(cfg Config) (*Finder, error) {
	f := &Finder{cfg: cfg}
	for s := range strings.SplitSeq(cfg.Spec, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		bare, not := strings.CutPrefix(s, "!")
		r, err := parse(bare)
		if err == nil && not && r.kind != kindName && r.kind != kindNet && r.kind != kindAddr {
			err = errors.New("only addresses, networks and interfaces can be excluded")
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", s, err)
		}
		if not {
			f.not = append(f.not, r)
		} else {
			f.rules = append(f.rules, r)
		}
	}
	for _, s := range cfg.STUN {
		if _, _, err := net.SplitHostPort(s); err != nil {
			return nil, fmt.Errorf("STUN server %q: %w", s, err)
		}
	}
	if f.cfg.Timeout <= 0 {
		f.cfg.Timeout = 3 * time.Second
	}
	if f.cfg.Metadata == "" {
		f.cfg.Metadata = "http://169.254.169.254"
	}
	if f.cfg.Interfaces == nil {
		f.cfg.Interfaces = systemInterfaces
	}
	// Metadata is of this very machine: a proxy would tell its own.
	f.http = &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return f, nil
}

func parse(s string) (r rule, err error) {
	told, local, isPair := strings.Cut(s, "=")
	switch {
	case s == "auto":
		return rule{kind: kindAuto}, nil
	case isPair:
		r.kind = kindPair
		if r.pair.Told, err = unicast(told); err == nil {
			r.pair.Local, err = unicast(local)
		}
		if err == nil && r.pair.Told.Is4() != r.pair.Local.Is4() {
			err = errors.New("both addresses have to be of one family")
		}
		return r, err
	case strings.Contains(s, "/"):
		r.kind = kindNet
		if r.net, err = netip.ParsePrefix(s); err != nil {
			err = errors.New("it is not a network such as 10.0.0.0/8")
		}
		return r, err
	case strings.Contains(s, ":") || strings.Trim(s, "0123456789.") == "":
		r.kind = kindAddr
		r.pair.Told, err = unicast(s)
		return r, err
	}
	r.kind, r.name = kindName, s
	if _, err := path.Match(s, ""); err != nil || strings.ContainsAny(s, " /") {
		return r, errors.New("it is no address, network, name of an interface or \"auto\"")
	}
	return r, nil
}

// unicast reads an address that a machine can have.
func unicast(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if a = a.Unmap(); err != nil || a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return a, errors.New("it is not an address that a machine can have")
	}
	return a, nil
}

func systemInterfaces() (out []Interface, err error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		for _, x := range addrs {
			if n, ok := x.(*net.IPNet); ok {
				if a, ok := netip.AddrFromSlice(n.IP); ok {
					out = append(out, Interface{i.Name, a.Unmap()})
				}
			}
		}
	}
	return out, nil
}

// Result is what a search has found.
type Result struct {
	Pairs []Pair
	// Sure is false when "auto" had to guess, because nobody who should know
	// the public address has answered.
	Sure bool
}

// maxPairs bounds what clients are told: each pair is one or two candidates
// that all of them check.
const maxPairs = 16

// Find searches, for no longer than Config.Timeout.
func (f *Finder) Find(ctx context.Context) (Result, error) {
	ctx, stop := context.WithTimeout(ctx, f.cfg.Timeout)
	defer stop()
	all, err := f.cfg.Interfaces()
	if err != nil {
		return Result{}, fmt.Errorf("list the interfaces of this machine: %w", err)
	}
	all = f.listened(all)
	out := Result{Sure: true}
	add := func(p Pair) {
		if !f.excluded(p, all) && !slices.Contains(out.Pairs, p) && len(out.Pairs) < maxPairs {
			out.Pairs = append(out.Pairs, p)
		}
	}
	if len(f.rules) == 0 {
		for _, i := range plain(all) {
			add(Pair{i.Addr, i.Addr})
		}
	}
	for _, r := range f.rules {
		switch r.kind {
		case kindPair:
			add(r.pair)
		case kindAddr:
			add(Pair{r.pair.Told, behind(r.pair.Told, all)})
		case kindAuto:
			pairs, sure := f.auto(ctx, all)
			out.Sure = out.Sure && sure
			for _, p := range pairs {
				add(p)
			}
		default:
			for _, i := range all {
				if r.matches(i) {
					add(Pair{i.Addr, i.Addr})
				}
			}
		}
	}
	if len(out.Pairs) == 0 {
		return Result{}, ErrNone
	}
	return out, nil
}

// listened are the interfaces' addresses that media is listened on.
func (f *Finder) listened(all []Interface) []Interface {
	return slices.DeleteFunc(slices.Clone(all), func(i Interface) bool {
		if i.Addr.IsMulticast() || i.Addr.IsLinkLocalUnicast() {
			return true
		}
		return len(f.cfg.Listen) > 0 && !slices.ContainsFunc(f.cfg.Listen, func(a netip.Addr) bool {
			return a.Unmap() == i.Addr || a.IsUnspecified() && a.Is4() == i.Addr.Is4()
		})
	})
}

// plain are all addresses, those of loopback only when there is no other.
func plain(all []Interface) []Interface {
	out := slices.DeleteFunc(slices.Clone(all), func(i Interface) bool { return i.Addr.IsLoopback() })
	if len(out) == 0 {
		return all
	}
	return out
}

// behind is the local address that a told one leads to.
func behind(told netip.Addr, all []Interface) netip.Addr {
	for _, i := range all {
		if i.Addr == told {
			return told
		}
	}
	for _, i := range plain(all) {
		if i.Addr.Is4() == told.Is4() {
			return i.Addr
		}
	}
	return told
}

func (r rule) matches(i Interface) bool {
	switch r.kind {
	case kindName:
		ok, _ := path.Match(r.name, i.Name)
		return ok
	case kindNet:
		return r.net.Contains(i.Addr)
	}
	return r.pair.Told == i.Addr
}

// excluded reports whether a pair was asked not to be told.
func (f *Finder) excluded(p Pair, all []Interface) bool {
	at := Interface{Addr: p.Local}
	for _, i := range all {
		if i.Addr == p.Local {
			at = i
		}
	}
	return slices.ContainsFunc(f.not, func(r rule) bool { return r.matches(at) || r.kind != kindName && r.matches(Interface{Addr: p.Told}) })
}

// auto asks everybody at once.
func (f *Finder) auto(ctx context.Context, all []Interface) (pairs []Pair, sure bool) {
	all = plain(all)
	for _, i := range all {
		if isPublic(i.Addr) {
			pairs = append(pairs, Pair{i.Addr, i.Addr})
		}
	}
	if len(all) == 0 {
		return nil, false
	}
	cloud := make(chan []Pair, 1)
	go func() { cloud <- f.cloud(ctx, all) }()
	mapped := f.stun(ctx, all, cloud)
	for _, p := range mapped {
		if !slices.Contains(pairs, p) {
			pairs = append(pairs, p)
		}
	}
	if len(pairs) > 0 {
		// IPv4 first: it is what every client has.
		slices.SortStableFunc(pairs, func(a, b Pair) int { return cmp.Compare(a.Told.BitLen(), b.Told.BitLen()) })
		return pairs, len(mapped) > 0 || slices.ContainsFunc(pairs, func(p Pair) bool { return p.Told.Is4() }) || !slices.ContainsFunc(all, func(i Interface) bool { return i.Addr.Is4() })
	}
	for _, i := range all {
		pairs = append(pairs, Pair{i.Addr, i.Addr})
	}
	return pairs, false
}

// isPublic reports whether an interface's own address is one of the internet's.
func isPublic(a netip.Addr) bool {
	cgnat := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)
	return a.IsGlobalUnicast() && !a.IsPrivate() && !cgnat.Contains(a)
}

// Watch searches again and again until ctx ends, and says when the answer has
// changed from what was there before. A search that fails, or is less sure
// than the one before, changes nothing: a metadata service that is down must
// not take the public address away.
func (f *Finder) Watch(ctx context.Context, every time.Duration, now Result, changed func(Result)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		next, err := f.Find(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			f.cfg.Log.Warn("the addresses of media were not found again", "error", err)
		case now.Sure && !next.Sure:
			f.cfg.Log.Warn("the public address was not found again; the one before stays")
		case !slices.Equal(now.Pairs, next.Pairs):
			now = next
			changed(now)
		}
	}
}

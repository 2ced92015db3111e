package address

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// stun asks how others see each private address, unless the cloud knows it.
func (f *Finder) stun(ctx context.Context, all []Interface, cloud <-chan []Pair) (out []Pair) {
	if len(f.cfg.STUN) == 0 {
		select {
		case pairs := <-cloud:
			return pairs
		case <-ctx.Done():
			return nil
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	var mu sync.Mutex // guards out
	for _, i := range all {
		if isPublic(i.Addr) {
			continue
		}
		wg.Go(func() {
			if a, ok := f.mapped(ctx, i.Addr); ok && a.Is4() == i.Addr.Is4() {
				mu.Lock()
				defer mu.Unlock()
				out = append(out, Pair{a, i.Addr})
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case pairs := <-cloud:
		if len(pairs) > 0 {
			stop()
			<-done
			return pairs
		}
		<-done
	case <-done:
		if len(out) > 0 {
			return out
		}
		select {
		case pairs := <-cloud:
			return pairs
		case <-ctx.Done():
		}
	}
	return out
}

// mapped asks all STUN servers from one local address; the first answer is taken.
func (f *Finder) mapped(ctx context.Context, local netip.Addr) (netip.Addr, bool) {
	network := "udp6"
	if local.Is4() {
		network = "udp4"
	}
	c, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
	if err != nil {
		return netip.Addr{}, false
	}
	defer c.Close()
	var id [12]byte
	if _, err := io.ReadFull(f.cfg.Entropy, id[:]); err != nil {
		return netip.Addr{}, false
	}
	var mu sync.Mutex // guards asked
	asked := map[netip.AddrPort]bool{}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	end := context.AfterFunc(ctx, func() { c.SetReadDeadline(f.cfg.Clock.Now()) }) //nolint:errcheck // the socket is open
	defer end()
	for _, server := range f.cfg.STUN {
		wg.Go(func() {
			to, err := resolve(ctx, network, server)
			if err != nil {
				return
			}
			mu.Lock()
			asked[to] = true
			mu.Unlock()
			// RFC 8489 §6.2.1: again after 500 ms, then after twice as long each time.
			for wait := 500 * time.Millisecond; ; wait *= 2 {
				c.WriteToUDPAddrPort(bindingRequest(id), to) //nolint:errcheck // it is asked again
				t := time.NewTimer(wait)
				select {
				case <-t.C:
				case <-ctx.Done():
					t.Stop()
					return
				}
			}
		})
	}
	b := make([]byte, 1500)
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			return netip.Addr{}, false
		}
		mu.Lock()
		known := asked[netip.AddrPortFrom(from.Addr().Unmap(), from.Port())]
		mu.Unlock()
		if !known {
			continue
		}
		if a, err := bindingAnswer(b[:n], id); err == nil {
			return a, true
		}
	}
}

func resolve(ctx context.Context, network, server string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := net.DefaultResolver.LookupPort(ctx, network, port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip"+network[3:], host)
	if err != nil || len(addrs) == 0 {
		return netip.AddrPort{}, errors.Join(errors.New("the STUN server is not found"), err)
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(n)), nil
}

// What of STUN (RFC 8489) is spoken here.
const (
	stunCookie     = 0x2112A442
	stunRequest    = 0x0001
	stunAnswer     = 0x0101
	attrMapped     = 0x0001
	attrXorMapped  = 0x0020
	stunHeaderSize = 20
)

func bindingRequest(id [12]byte) []byte {
	b := make([]byte, stunHeaderSize)
	binary.BigEndian.PutUint16(b, stunRequest)
	binary.BigEndian.PutUint32(b[4:], stunCookie)
	copy(b[8:], id[:])
	return b
}

var errAnswer = errors.New("it is not the answer to the request")

// bindingAnswer reads the address that the server has seen.
func bindingAnswer(b []byte, id [12]byte) (netip.Addr, error) {
	if len(b) < stunHeaderSize || binary.BigEndian.Uint16(b) != stunAnswer || binary.BigEndian.Uint32(b[4:]) != stunCookie || [12]byte(b[8:20]) != id ||
		int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeaderSize {
		return netip.Addr{}, errAnswer
	}
	mask := b[4:20] // the cookie and the transaction's number
	var plain netip.Addr
	for rest := b[stunHeaderSize:]; len(rest) >= 4; {
		kind, n := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		padded := (n + 3) &^ 3
		if rest = rest[4:]; padded > len(rest) {
			return netip.Addr{}, errAnswer
		}
		v := rest[:n]
		rest = rest[padded:]
		if kind != attrMapped && kind != attrXorMapped || n < 4 || n != 8 && n != 20 || (v[1] == 1) != (n == 8) || v[1] != 1 && v[1] != 2 {
			continue
		}
		raw := append([]byte(nil), v[4:]...)
		if kind == attrXorMapped {
			for i := range raw {
				raw[i] ^= mask[i]
			}
		}
		a, ok := netip.AddrFromSlice(raw)
		if _, err := unicast(a.String()); !ok || err != nil || a.IsLoopback() || a.Is4In6() {
			continue
		}
		if kind == attrXorMapped {
			return a, nil
		}
		plain = a
	}
	if !plain.IsValid() {
		return plain, errAnswer
	}
	return plain, nil
}

package address

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
)

// cloud asks the metadata services of the clouds that there are. All listen at
// the same address, and none understands what the others are asked.
func (f *Finder) cloud(ctx context.Context, all []Interface) (out []Pair) {
	if f.cfg.Metadata == "off" {
		return nil
	}
	asks := []func(context.Context) ([]Pair, error){f.aws, f.azure, f.gcp}
	found := make([][]Pair, len(asks))
	var wg sync.WaitGroup
	for i, ask := range asks {
		wg.Go(func() {
			pairs, err := ask(ctx)
			if err != nil {
				f.cfg.Log.Debug("the machine's metadata were not read", "error", err)
			}
			found[i] = pairs
		})
	}
	wg.Wait()
	local := map[netip.Addr]bool{}
	for _, i := range all {
		local[i.Addr] = true
	}
	for _, pairs := range found {
		for _, p := range pairs {
			if local[p.Local] { // what is said of an address that media is not listened on is of no use
				out = append(out, p)
			}
		}
	}
	return out
}

// maxMetadata bounds an answer, in bytes.
const maxMetadata = 1 << 20

// ask makes one request.
func (f *Finder) ask(ctx context.Context, method, path string, header map[string]string) (string, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, f.cfg.Metadata+path, nil)
	if err != nil {
		return "", nil, err
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := f.http.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxMetadata))
	if err != nil {
		return "", nil, err
	}
	if res.StatusCode != http.StatusOK {
		return "", nil, fmt.Errorf("%s %s: %s", method, path, res.Status)
	}
	return string(b), res.Header, nil
}

// pair reads two addresses of one family; anything else is left out.
func pair(told, local string) (Pair, bool) {
	t, err := unicast(strings.TrimSpace(told))
	l, err2 := unicast(strings.TrimSpace(local))
	return Pair{t, l}, err == nil && err2 == nil && t.Is4() == l.Is4() && !t.IsLoopback()
}

// aws speaks to Amazon's service, version 2: a session's token first, by PUT,
// then each network interface's associations. An elastic address may belong to
// one of several private addresses of one interface.
func (f *Finder) aws(ctx context.Context) (out []Pair, err error) {
	token, _, err := f.ask(ctx, http.MethodPut, "/latest/api/token", map[string]string{"X-aws-ec2-metadata-token-ttl-seconds": "60"})
	if err != nil {
		return nil, err
	}
	get := func(path string) (string, error) {
		s, _, err := f.ask(ctx, http.MethodGet, "/latest/meta-data/network/interfaces/macs/"+path, map[string]string{"X-aws-ec2-metadata-token": token})
		return s, err
	}
	macs, err := get("")
	if err != nil {
		return nil, err
	}
	for _, mac := range strings.Fields(macs) {
		mac = strings.TrimSuffix(mac, "/")
		if strings.Trim(strings.ToLower(mac), "0123456789abcdef:") != "" {
			continue
		}
		publics, err := get(mac + "/ipv4-associations/")
		if err != nil {
			continue // this one has none
		}
		for _, public := range strings.Fields(publics) {
			if _, err := netip.ParseAddr(public); err != nil {
				continue
			}
			locals, err := get(mac + "/ipv4-associations/" + public)
			if err != nil {
				return out, err
			}
			for _, local := range strings.Fields(locals) {
				if p, ok := pair(public, local); ok {
					out = append(out, p)
				}
			}
		}
	}
	return out, nil
}

// azure asks for the machine's interfaces. Public addresses of the Standard
// kind are not told there, but with the load balancers, also where there is
// none.
func (f *Finder) azure(ctx context.Context) (out []Pair, err error) {
	header := map[string]string{"Metadata": "true"}
	body, _, err := f.ask(ctx, http.MethodGet, "/metadata/instance/network?api-version=2021-02-01&format=json", header)
	if err != nil {
		return nil, err
	}
	var network struct {
		Interface []struct {
			IPv4 struct {
				IPAddress []struct{ PrivateIPAddress, PublicIPAddress string }
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &network); err != nil {
		return nil, fmt.Errorf("network of the machine: %w", err)
	}
	for _, i := range network.Interface {
		for _, a := range i.IPv4.IPAddress {
			if p, ok := pair(a.PublicIPAddress, a.PrivateIPAddress); ok {
				out = append(out, p)
			}
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	if body, _, err = f.ask(ctx, http.MethodGet, "/metadata/loadbalancer?api-version=2020-10-01&format=json", header); err != nil {
		return nil, err
	}
	var balancer struct {
		LoadBalancer struct {
			PublicIPAddresses []struct{ FrontendIPAddress, PrivateIPAddress string }
		}
	}
	if err := json.Unmarshal([]byte(body), &balancer); err != nil {
		return nil, fmt.Errorf("load balancers of the machine: %w", err)
	}
	for _, a := range balancer.LoadBalancer.PublicIPAddresses {
		if p, ok := pair(a.FrontendIPAddress, a.PrivateIPAddress); ok {
			out = append(out, p)
		}
	}
	return out, nil
}

// gcp asks Google's service, which signs its answers with a header.
func (f *Finder) gcp(ctx context.Context) (out []Pair, err error) {
	body, header, err := f.ask(ctx, http.MethodGet, "/computeMetadata/v1/instance/network-interfaces/?recursive=true&alt=json", map[string]string{"Metadata-Flavor": "Google"})
	if err != nil {
		return nil, err
	}
	if header.Get("Metadata-Flavor") != "Google" {
		return nil, fmt.Errorf("the answer is not Google's")
	}
	var all []struct {
		IP            string
		AccessConfigs []struct{ ExternalIP string }
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		return nil, fmt.Errorf("interfaces of the machine: %w", err)
	}
	for _, i := range all {
		for _, c := range i.AccessConfigs {
			if p, ok := pair(c.ExternalIP, i.IP); ok {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// natsName is what a process of this program is called that is a NATS server.
const natsName = "chaos-nats"

// natsServer is one NATS server of three, in a process of its own.
type natsServer struct {
	client, route string // addresses
	routes        []string
	log           string
	cmd           *exec.Cmd
	exited        chan struct{}
}

// start starts the process and returns when it takes connections.
func (s *natsServer) start() error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command("/proc/self/exe", s.client, s.route, strings.Join(s.routes, ","))
	s.cmd.Args[0], s.cmd.Stderr = natsName, log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := spawn(s.cmd); err != nil {
		return err
	}
	ready := make([]byte, 1)
	if n, _ := out.Read(ready); n == 0 {
		text, _ := os.ReadFile(s.log)
		return fmt.Errorf("NATS did not start: %w\n%s", s.cmd.Wait(), text)
	}
	exited, cmd := make(chan struct{}), s.cmd
	s.exited = exited
	go func() { cmd.Wait(); close(exited) }() // ends with the process
	return nil
}

// kill ends it by SIGKILL, and tells whether that is what ended it.
func (s *natsServer) kill() bool {
	if s.cmd == nil || s.exited == nil {
		return false
	}
	s.cmd.Process.Kill()
	<-s.exited
	status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signal() == syscall.SIGKILL
}

// natsMain is the child's side: NATS core as an operator runs it.
func natsMain() int {
	err := func() error {
		if len(os.Args) != 4 {
			return errors.New("two addresses and the routes are needed")
		}
		o := &server.Options{ServerName: os.Args[2], NoSigs: true}
		o.Cluster.Name = "proof"
		// Its clients are to know it by the address of the one in between.
		o.Cluster.NoAdvertise = true
		for _, a := range []struct {
			text string
			host *string
			port *int
		}{{os.Args[1], &o.Host, &o.Port}, {os.Args[2], &o.Cluster.Host, &o.Cluster.Port}} {
			host, port, _ := strings.Cut(a.text, ":")
			*a.host = host
			if _, err := fmt.Sscan(port, a.port); err != nil {
				return err
			}
		}
		o.Routes = server.RoutesFromStr(os.Args[3])
		s, err := server.NewServer(o)
		if err != nil {
			return err
		}
		s.ConfigureLogger()
		s.Start()
		if !s.ReadyForConnections(20 * time.Second) {
			return errors.New("it takes no connections")
		}
		fmt.Print("\n")
		s.WaitForShutdown()
		return nil
	}()
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// NATSOptions say how the bus breaks.
type NATSOptions struct {
	Seed uint64
	// Rounds is how often one of the servers is killed, and then all; 0 = 1.
	Rounds int
	// Hold is how long they are away, and how long the bus only drops,
	// repeats and delays hints before that; 0 = 8 s.
	Hold time.Duration
	Rate float64 // messages a second of one sender; 0 = 20
}

// natsBack is how long messages may take to come at once again after NATS is
// back.
const natsBack = 30 * time.Second

// NATS lets three nodes speak over a cluster of three NATS servers, kills one
// of those, then all of them, and drops, repeats and delays hints at random
// all the time. No message may be lost for it.
func NATS(ctx context.Context, e *Env, o NATSOptions) (r *Result, err error) {
	o.Rounds = max(o.Rounds, 1)
	if o.Hold == 0 {
		o.Hold = 8 * time.Second
	}
	if o.Rate == 0 {
		o.Rate = 20
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute+time.Duration(o.Rounds)*(2*time.Minute+4*o.Hold))
	defer cancel()
	r = &Result{Proof: "NATS killed, 1 of 3 and 3 of 3; hints lost at random", Engine: PostgreSQL.String(), Nodes: 3, Began: time.Now(),
		Command: fmt.Sprintf("go run ./test/chaos/run nats --seed %d --rounds %d", o.Seed, o.Rounds)}
	defer func() { r.Took = time.Since(r.Began) }()
	servers, err := startNATS(e)
	for _, s := range servers {
		defer s.kill()
	}
	if err != nil {
		return r, err
	}
	lossy, urls := []*lossyBus{}, []string{}
	for i, s := range servers {
		b, err := newLossyBus(s.client, o.Seed+uint64(i))
		if err != nil {
			return r, err
		}
		defer b.Close()
		lossy, urls = append(lossy, b), append(urls, "nats://"+b.Addr())
	}
	c, err := e.startOnNATS(ctx, strings.Join(urls, ","))
	if err != nil {
		return r, err
	}
	defer c.Close()
	l, err := StartLoad(ctx, LoadOptions{Endpoints: c.Endpoints(), App: c.App(), Pairs: 15, Groups: 3, GroupSize: 9, GroupSenders: 3, Churn: true,
		Watchers: 4, Window: 4, Rate: o.Rate, Reads: true})
	if err != nil {
		return r, err
	}
	defer l.Close()
	b := &natsBreaker{e: e, o: o, r: r, l: l, servers: servers}
	if err := b.run(ctx, lossy); err != nil {
		return r, err
	}
	n := lossyCounts{}
	for _, one := range lossy {
		one.add(&n)
	}
	r.Act("hints dropped", n.dropped)
	r.Act("hints repeated", n.repeated)
	r.Act("hints out of order", n.moved)
	r.Measure("hints passed", float64(n.passed), "")
	return r, conclude(ctx, e, r, c, l)
}

// startNATS starts a cluster of three.
func startNATS(e *Env) (all []*natsServer, err error) {
	dir, err := e.Folder("nats")
	if err != nil {
		return nil, err
	}
	var routes []string
	for i := range 3 {
		s := &natsServer{log: filepath.Join(dir, fmt.Sprintf("%d.log", i))}
		var err2 error
		s.client, err = FreeAddress()
		s.route, err2 = FreeAddress()
		if err := errors.Join(err, err2); err != nil {
			return nil, err
		}
		all, routes = append(all, s), append(routes, "nats://"+s.route)
	}
	for i, s := range all {
		s.routes = routes
		if err := s.start(); err != nil {
			return all[:i], err
		}
	}
	return all, nil
}

// startOnNATS starts three nodes on a PostgreSQL and a NATS.
func (e *Env) startOnNATS(ctx context.Context, urls string) (*Cluster, error) {
	return e.StartCluster(ctx, ClusterOptions{Engine: PostgreSQL, Nodes: 3, NATS: urls})
}

// natsBreaker is one run.
type natsBreaker struct {
	e       *Env
	o       NATSOptions
	r       *Result
	l       *Load
	servers []*natsServer
}

func (b *natsBreaker) run(ctx context.Context, lossy []*lossyBus) error {
	calm, err := b.delivery(ctx, 2*time.Second)
	if err != nil {
		return err
	}
	b.r.Measure("send to delivery p99, all well", calm, "ms")
	for _, one := range lossy {
		one.Lose(0.3, 0.1, 0.1)
	}
	bad, err := b.delivery(ctx, b.o.Hold)
	if err != nil {
		return err
	}
	b.r.Measure("send to delivery p99, 30 % of the hints lost", bad, "ms")
	worst := 0.0
	for round := range b.o.Rounds {
		for _, victims := range [][]*natsServer{b.servers[round%3:][:1], b.servers} {
			took, err := b.kill(ctx, victims)
			if err != nil {
				return err
			}
			worst = max(worst, took)
		}
	}
	b.r.Measure("send to delivery p99 while NATS servers are away, at most", worst, "ms")
	for _, one := range lossy {
		one.Lose(0, 0, 0)
	}
	// All is well again by itself.
	began := time.Now()
	for {
		p99, err := b.delivery(ctx, time.Second)
		if err != nil {
			return err
		}
		if p99 < max(500, 3*calm) {
			b.r.Measure("delivered at once again after", time.Since(began).Seconds(), "s")
			return nil
		}
		if time.Since(began) > natsBack {
			b.r.Problem("send to delivery takes %.0f ms at p99 %s after NATS is back", p99, natsBack)
			return nil
		}
	}
}

// delivery measures for a while.
func (b *natsBreaker) delivery(ctx context.Context, d time.Duration) (p99 float64, err error) {
	b.l.delivery.take(1)
	if err := pause(ctx, d); err != nil {
		return 0, err
	}
	p99, n := b.l.delivery.take(0.99)
	if n == 0 {
		return 0, errors.New("nothing was delivered")
	}
	return p99, nil
}

// kill takes servers away for a while.
func (b *natsBreaker) kill(ctx context.Context, victims []*natsServer) (p99 float64, err error) {
	acked := b.l.Acked()
	for _, s := range victims {
		if !s.kill() {
			return 0, errors.New("a NATS server had ended by itself")
		}
	}
	p99, err = b.delivery(ctx, b.o.Hold)
	during := b.l.Acked() - acked
	for _, s := range victims {
		err = errors.Join(err, s.start())
	}
	if err != nil {
		return 0, err
	}
	if during == 0 {
		b.r.Problem("nothing was acknowledged while %d NATS servers were away", len(victims))
	}
	b.r.add(fmt.Sprintf("kills of %d of 3 NATS servers", len(victims)), 1)
	b.e.Logf("%d of 3 NATS servers were away: %d acknowledgements, send to delivery p99 %.0f ms", len(victims), during, p99)
	return p99, pause(ctx, b.o.Hold/2)
}

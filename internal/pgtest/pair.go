package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Node is a server of a test's own, which it may kill. It listens on a
// loopback port.
type Node struct {
	t    testing.TB
	name string
	dir  string
	port int
}

// The name under which the standby is known to the primary.
const standbyName = "standby"

// Pair starts a primary and a synchronous standby: a commit is answered when
// it is on the disks of both. As in life, the standby is a copy that has the primary's
// synchronous_standby_names, too: promoted, it would wait for a standby of its
// own for ever; see Promote. Both end with the test.
func Pair(t testing.TB) (primary, standby *Node) {
	t.Helper()
	primary, standby = newNode(t, "primary"), newNode(t, "standby")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("pgtest: %v", err)
		}
	}
	must(launch(primary.dir, primary.settings()))
	must(watch(primary.dir))
	primary.Exec("ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (" + standbyName + ")'")
	programs, err := bin()
	must(err)
	as, err := owner()
	must(err)
	if as != nil {
		must(os.Chown(standby.dir, int(as.Uid), int(as.Gid)))
	}
	must(runAs(standby.dir, as, filepath.Join(programs, "pg_basebackup"), "-h", primary.dir, "-U", "postgres",
		"-p", strconv.Itoa(primary.port), "-D", standby.data(), "-X", "stream", "-c", "fast", "--no-sync"))
	standby.follow(primary)
	must(watch(standby.dir))
	return primary, standby
}

// follow starts a copy of a primary as its synchronous standby, and returns
// when it is one.
func (n *Node) follow(primary *Node) {
	n.t.Helper()
	err := n.configure(fmt.Sprintf("primary_conninfo = 'host=%s port=%d user=postgres application_name=%s'\n", primary.dir, primary.port, standbyName) +
		n.settings())
	if err == nil {
		err = os.WriteFile(filepath.Join(n.data(), "standby.signal"), nil, 0o644)
	}
	if err != nil {
		n.t.Fatalf("pgtest: %v", err)
	}
	n.Start()
	primary.Exec("SELECT pg_reload_conf()")
	primary.Await("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'")
}

// Rejoin makes the standby of a new primary out of an old one that was killed,
// as the runbook says: pg_rewind takes back what it has written alone.
func (n *Node) Rejoin(primary *Node) {
	n.t.Helper()
	programs, err := bin()
	if err == nil {
		n.forget()
		primary.Exec("CHECKPOINT") // pg_rewind looks for the new timeline in what a checkpoint writes
		var as *syscall.Credential
		if as, err = owner(); err == nil {
			err = runAs(n.dir, as, filepath.Join(programs, "pg_rewind"), "-D", n.data(), "--no-sync",
				"--source-server", fmt.Sprintf("host=%s port=%d user=postgres dbname=postgres", primary.dir, primary.port))
		}
	}
	if err != nil {
		n.t.Fatalf("pgtest: rewind the %s: %v", n.name, err)
	}
	primary.Exec("ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (" + standbyName + ")'")
	n.follow(primary)
}

func newNode(t testing.TB, name string) *Node {
	t.Helper()
	base, err := folder()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(base, "n")
	if err != nil {
		t.Fatal(err)
	}
	f, err := lock(filepath.Join(dir, "users.lock"), syscall.LOCK_SH)
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{t: t, name: name, dir: dir, port: freePort(t)}
	t.Cleanup(func() {
		n.signal(syscall.SIGCONT)
		n.signal(syscall.SIGQUIT)
		_ = f.Close() // the watchdog removes the folder
	})
	return n
}

// freePort finds a port below those that the kernel gives to clients: one of
// theirs would be taken while the server is down.
func freePort(t testing.TB) int {
	for range 100 {
		port := 20000 + rand.IntN(12000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func (n *Node) data() string { return filepath.Join(n.dir, "data") }

func (n *Node) settings() string {
	return fmt.Sprintf("%sfsync = on\nlisten_addresses = '127.0.0.1'\nport = %d\nunix_socket_directories = '%s'\nwal_keep_size = 1GB\nwal_log_hints = on\n",
		settings, n.port, n.dir)
}

func (n *Node) configure(text string) error {
	f, err := os.OpenFile(filepath.Join(n.data(), "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err2 := f.Close(); err == nil {
		err = err2
	}
	return err
}

// Name tells which one it was in the beginning.
func (n *Node) Name() string { return n.name }

// Address is host:port.
func (n *Node) Address() string { return fmt.Sprintf("127.0.0.1:%d", n.port) }

// URL leads to one database of this node alone.
func (n *Node) URL(database string) string { return URL(database, n) }

// URL leads to a database of several nodes, in that order.
func URL(database string, nodes ...*Node) string {
	var hosts []string
	for _, n := range nodes {
		hosts = append(hosts, n.Address())
	}
	return (&url.URL{Scheme: "postgres", User: url.User("postgres"), Host: strings.Join(hosts, ","), Path: "/" + database,
		RawQuery: "sslmode=disable"}).String()
}

// Start starts the server again, as what its folder says: a killed primary as
// the primary that it was.
func (n *Node) Start() {
	n.t.Helper()
	n.forget()
	programs, err := bin()
	if err == nil {
		var as *syscall.Credential
		if as, err = owner(); err == nil {
			err = runAs(n.dir, as, filepath.Join(programs, "pg_ctl"), "-D", n.data(), "-l", filepath.Join(n.dir, "log"), "-w", "start")
		}
	}
	if err != nil {
		n.t.Fatalf("pgtest: start the %s: %v", n.name, err)
	}
}

// forget removes what a killed server has left. Where nobody waits for orphans
// its id is still taken, and the next one would believe that it runs.
func (n *Node) forget() {
	if pid := n.postmaster(); pid != 0 && !alive(pid) {
		_ = os.Remove(filepath.Join(n.data(), "postmaster.pid"))
		_ = os.Remove(filepath.Join(n.dir, fmt.Sprintf(".s.PGSQL.%d.lock", n.port)))
	}
}

// postmaster is the id of the server's first process, 0 when there is none.
func (n *Node) postmaster() int {
	text, err := os.ReadFile(filepath.Join(n.data(), "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(first)
	return pid
}

// processes are the ids of the server's processes, the postmaster's first.
func (n *Node) processes() []int {
	root := n.postmaster()
	if root == 0 || !alive(root) {
		return nil
	}
	pids := []int{root}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue
		}
		// pid (name) state parent …; the name can have anything in it.
		if fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]); len(fields) > 1 && string(fields[1]) == strconv.Itoa(root) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (n *Node) signal(s syscall.Signal) []int {
	pids := n.processes()
	for _, pid := range pids {
		_ = syscall.Kill(pid, s)
	}
	return pids
}

// Kill ends all processes of the server at once (SIGKILL), returns their ids,
// and waits until they are gone.
func (n *Node) Kill() []int {
	pids := n.signal(syscall.SIGKILL)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if !slices.ContainsFunc(pids, alive) {
			return pids
		}
	}
	n.t.Fatalf("pgtest: the %s does not die", n.name)
	return nil
}

// alive tells whether a process runs; one that has ended and was not yet
// waited for does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	return len(fields) > 0 && string(fields[0]) != "Z"
}

// Pause stops all processes of the server where they are (SIGSTOP).
func (n *Node) Pause() []int { return n.signal(syscall.SIGSTOP) }

// Resume lets them go on.
func (n *Node) Resume() []int { return n.signal(syscall.SIGCONT) }

// Promote makes the standby a primary, and takes back the setting that was
// copied from the old one, as the runbook says. It returns when it takes
// writes.
func (n *Node) Promote() {
	n.t.Helper()
	n.Exec("SELECT pg_promote(true, 30)")
	n.Exec("ALTER SYSTEM SET synchronous_standby_names = ''")
	n.Exec("SELECT pg_reload_conf()")
	n.Await("SELECT current_setting('synchronous_standby_names') = '' AND NOT pg_is_in_recovery()")
}

// Timeline is the number of the timeline that the node writes: it grows with
// each promotion.
func (n *Node) Timeline() (timeline int) {
	n.t.Helper()
	n.query("SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int", &timeline)
	return timeline
}

// Exec runs a statement on the node, in the database postgres.
func (n *Node) Exec(statement string) {
	n.t.Helper()
	var none any
	n.query(statement, &none)
}

// Query runs a query of one value in one of the node's databases.
func (n *Node) Query(database, query string, dest any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, n.URL(database))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	rows, err := c.Query(ctx, query, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(dest); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (n *Node) query(text string, dest any) {
	n.t.Helper()
	if err := n.Query("postgres", text, dest); err != nil {
		n.t.Fatalf("pgtest: the %s: %s: %v", n.name, text, err)
	}
}

// Await waits until a question is answered with yes.
func (n *Node) Await(question string) {
	n.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var yes bool
		if n.query(question, &yes); yes {
			return
		}
	}
	n.t.Fatalf("pgtest: the %s never said yes to %s", n.name, question)
}

// runAs runs a program as a user, in a session of its own, so that what it
// starts outlives the test binary.
func runAs(dir string, as *syscall.Credential, program string, args ...string) error {
	c := exec.Command(program, args...)
	c.Dir = dir
	c.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setsid: true}
	out, err := os.CreateTemp(dir, filepath.Base(program))
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	c.Stdout, c.Stderr = out, out // a file, not a pipe: the server inherits it and outlives us
	if err := c.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		server, _ := os.ReadFile(filepath.Join(dir, "log"))
		return fmt.Errorf("%s: %w\n%s%s", filepath.Base(program), err, text, server)
	}
	return nil
}

// SPDX-License-Identifier: MIT

package memtun_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"memtun"
	"memtun/memtuntest"
)

func TestTunnelIsMadeShownChangedAndDeleted(t *testing.T) {
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	made, err := broker.Add(ctx, "a%d", memtun.WithBridge("lab"), memtun.WithMode(memtun.TUN),
		memtun.WithMTU(1400), memtun.WithQueueLimit(7), memtun.WithOverflow(memtun.DropHead),
		memtun.WithAddress("10.0.0.1/24", "fd00::1/64"), memtun.WithGateway("10.0.0.9"),
		memtun.WithVnetHdr(), memtun.WithVnetHdrSize(12), memtun.WithOffload(1), memtun.WithMultiQueue())
	if err != nil {
		t.Fatal(err)
	}
	shown, err := broker.Show(ctx, "a0")
	if err != nil {
		t.Fatal(err)
	}
	if shown.Counters == nil || shown.Counters[memtun.ToClientOffered] != 0 {
		t.Errorf("the counters are %v", shown.Counters)
	}
	shown.Counters = nil
	want := memtun.Tunnel{
		ID: made.ID, Name: "a0", Mode: memtun.TUN, Socket: memtun.Seqpacket, Bridge: "lab", MTU: 1400,
		QueueLimit: 7, Overflow: memtun.DropHead, Address: []string{"10.0.0.1/24", "fd00::1/64"},
		Gateway: []string{"10.0.0.9"}, VnetHdr: true, VnetHdrSize: 12, Offload: 1, MultiQueue: true,
		Persistent: true, Owner: uint32(os.Geteuid()), State: memtun.Closed,
	}
	if !reflect.DeepEqual(shown, want) {
		t.Errorf("show:\n%+v, not\n%+v", shown, want)
	}
	if !reflect.DeepEqual(made, want) {
		t.Errorf("add:\n%+v, not\n%+v", made, want)
	}
	if err := broker.Set(ctx, "a0", memtun.WithMTU(1300), memtun.WithBridge("")); err != nil {
		t.Fatal(err)
	}
	if renamed, err := broker.Rename(ctx, "a0", "b"); err != nil || renamed.Name != "b" || renamed.MTU != 1300 || renamed.Bridge != "" {
		t.Errorf("rename: %+v, %v", renamed, err)
	}
	if err := broker.Delete(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	if tunnels, err := broker.Tunnels(ctx); err != nil || len(tunnels) != 0 {
		t.Errorf("tunnels: %v, %v", tunnels, err)
	}
}

func TestManyTunnelsAreMadeByOneRequestAndThoseBeforeAnErrorStay(t *testing.T) {
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	made, err := broker.AddMany(ctx, "t%d0", 120) // a digit behind %d limits the number to 99
	if !errors.Is(err, syscall.ENFILE) || len(made) != 100 || made[99].Name != "t990" {
		t.Errorf("%d tunnels: %v", len(made), err)
	}
	if tunnels, err := broker.Tunnels(ctx); err != nil || len(tunnels) != 100 {
		t.Errorf("%d tunnels: %v", len(tunnels), err)
	}
}

func TestOpenedTunnelHasItsRecordAndIsDeletedWithItsFile(t *testing.T) {
	countDescriptors(t)
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	file, tunnel, err := broker.OpenTunnel(ctx, "tap%d", memtun.WithLoss(12.5), memtun.WithSeed(3))
	if err != nil {
		t.Fatal(err)
	}
	if file.Name() != "tap0" || tunnel.Name != "tap0" || tunnel.State != memtun.Opened || tunnel.Queues != 1 ||
		tunnel.PID != os.Getpid() || tunnel.Rules != 1 {
		t.Errorf("file %s, tunnel %+v", file.Name(), tunnel)
	}
	if rules, err := broker.Rules(ctx, "tap0"); err != nil || rules[0].Loss != 12.5 || rules[0].Seed != 3 {
		t.Errorf("rules %+v: %v", rules, err)
	}
	if _, err := broker.Open(ctx, "tap0"); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("the second open: %v", err)
	}
	file.Close()
	if err := broker.WaitState(ctx, "tap0", memtun.Closed); err != nil {
		t.Fatal(err)
	}
	if _, err := broker.Show(ctx, "tap0"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("show: %v", err)
	}
}

func TestPackageOpensATunnelOfTheBrokerOfTheEnvironment(t *testing.T) {
	broker := memtuntest.Broker(t)
	t.Setenv("MEMTUN_SOCKET", broker.Address())
	a, err := memtun.Open(broker.Context(), "a", memtun.WithMode(memtun.TUN), memtun.WithPeer("b"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := memtun.Open(broker.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	write(t, a, []byte("Epacket"))
	b.SetDeadline(time.Now().Add(10 * time.Second))
	if got := read(t, b); got != "Epacket" {
		t.Errorf("read %q", got)
	}
	if _, err := memtun.Open(broker.Context(), "c", memtun.WithMTU(1)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("open: %v", err)
	}
}

func TestWhereNoBrokerIsTheErrorSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nothing")
	t.Setenv("MEMTUN_SOCKET", path)
	ctx := context.Background()
	_, err := memtun.Open(ctx, "a")
	if !errors.Is(err, memtun.ErrNoBroker) || !errors.Is(err, syscall.ENOENT) || !strings.Contains(err.Error(), path) {
		t.Errorf("open: %v", err)
	}
	// A file that is no socket, a path that is too long, and a name of the abstract namespace.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := memtun.Dial(ctx, path+"/control"); !errors.Is(err, memtun.ErrNoBroker) {
		t.Errorf("a path below a file: %v", err)
	}
	if _, err := memtun.Dial(ctx, "@memtun-nothing"); !errors.Is(err, memtun.ErrNoBroker) {
		t.Errorf("an abstract name: %v", err)
	}
	if _, err := memtun.Dial(ctx, "/"+strings.Repeat("x", 200)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a long path: %v", err)
	}
	// The places that have no name. There is no broker in this directory, but one may run here.
	t.Setenv("MEMTUN_SOCKET", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	if client, err := memtun.Dial(ctx, ""); err == nil {
		client.Close()
	} else if !errors.Is(err, memtun.ErrNoBroker) {
		t.Errorf("no address: %v", err)
	}
}

func TestBrokerAtAnAbstractNameIsFound(t *testing.T) {
	broker, err := memtun.StartBroker(context.Background(), memtun.BrokerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	if client, err := memtun.Dial(context.Background(), broker.Address()); err != nil {
		t.Error(err)
	} else {
		client.Close()
		if _, err := client.Show(context.Background(), "a"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a request after Close: %v", err)
		}
		if err := client.Close(); err != nil {
			t.Errorf("the second Close: %v", err)
		}
	}
}

func TestOptionsThatCannotBeSentAreRefused(t *testing.T) {
	broker := memtuntest.Broker(t)
	for name, option := range map[string]memtun.Option{
		"mtu is out of range":     memtun.WithMTU(-1),
		"vlan is out of range":    memtun.WithVLAN(-2),
		"mode is one of tun, tap": memtun.WithMode("tin"),
		"bridge has a 0 byte":     memtun.WithBridge("a\x00b"),
		"loss is out of range":    memtun.WithLoss(-1),
		"delay is negative":       memtun.WithDelay(-1),
		"has 40000 bytes":         memtun.WithBridge(strings.Repeat("x", 40000)),
		"is longer than 15 bytes": memtun.WithPeer(strings.Repeat("x", 20000)),
	} {
		_, err := broker.Add(broker.Context(), "a", option)
		if !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := []memtun.Option{memtun.WithBridge(strings.Repeat("x", 20000)), memtun.WithPeer(strings.Repeat("x", 20000))}
	if _, err := broker.Add(broker.Context(), "a", many...); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("a long request: %v", err)
	}
	if _, err := broker.Add(broker.Context(), "a", memtun.WithMTU(99), memtun.WithMTU(99)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("an option that is given twice: %v", err)
	}
	if err := broker.AddBridge(broker.Context(), "a", memtun.WithMTU(99)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("an option of another request: %v", err)
	}
}

func TestBridgeShowsItsPortsAndAddresses(t *testing.T) {
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	if err := broker.AddBridge(ctx, "lab", memtun.WithLoopGuard()); err != nil {
		t.Fatal(err)
	}
	if err := broker.AddBridge(ctx, "hub", memtun.WithHub()); err != nil {
		t.Fatal(err)
	}
	a, b := broker.Tunnel("a"), broker.Tunnel("b")
	write(t, a, ether("hello"))
	read(t, b)
	addresses, err := broker.Addresses(ctx, memtuntest.BridgeName)
	if err != nil || len(addresses) != 1 || addresses[0].Address != "02:00:00:00:00:01" || addresses[0].Port != "a" {
		t.Errorf("addresses %+v: %v", addresses, err)
	}
	bridge, err := broker.ShowBridge(ctx, memtuntest.BridgeName)
	if err != nil || bridge.Ports != 2 || bridge.Addresses != 1 || bridge.Mode != memtun.TAP || !bridge.Persistent {
		t.Errorf("bridge %+v: %v", bridge, err)
	}
	bridges, err := broker.Bridges(ctx)
	if err != nil || len(bridges) != 3 || !bridges[1].LoopGuard || !bridges[2].Hub {
		t.Errorf("bridges %+v: %v", bridges, err)
	}
	if err := broker.DeleteBridge(ctx, "hub"); err != nil {
		t.Error(err)
	}
	if err := broker.DeleteBridge(ctx, "hub"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("the second deletion: %v", err)
	}
}

// socketPair returns two connected sockets, each record of which is a frame.
func socketPair(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs = os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

func TestFileBecomesAnUplinkUntilAPipeEnds(t *testing.T) {
	countDescriptors(t)
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	a := broker.Tunnel("a")
	ours, theirs := socketPair(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	uplink, err := broker.AddUplink(ctx, "out", memtuntest.BridgeName, memtun.UplinkFile,
		memtun.WithFile(theirs), memtun.WithUntil(reader), memtun.WithMTU(1400))
	reader.Close()
	theirs.Close()
	if err != nil || uplink.Type != memtun.UplinkFile || uplink.State != memtun.Up || uplink.Life != "pipe" || uplink.MTU != 1400 {
		t.Fatalf("uplink %+v: %v", uplink, err)
	}
	write(t, ours, ether("in"))
	if got := read(t, a); got != string(ether("in")) {
		t.Errorf("read %q", got)
	}
	write(t, a, ether("out"))
	ours.SetReadDeadline(time.Now().Add(10 * time.Second))
	if got := read(t, ours); got != string(ether("out")) {
		t.Errorf("read %q", got)
	}
	if err := broker.SetUplink(ctx, "out", memtun.WithMTU(1300)); err != nil {
		t.Error(err)
	}
	if uplinks, err := broker.Uplinks(ctx); err != nil || len(uplinks) != 1 || uplinks[0].MTU != 1300 || uplinks[0].Counters[memtun.FromClientFrames] != 1 {
		t.Errorf("uplinks %+v: %v", uplinks, err)
	}
	writer.Close()
	if err := broker.WaitState(ctx, "out", memtun.Down); err != nil {
		t.Fatal(err)
	}
	if _, err := broker.ShowUplink(ctx, "out"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("show: %v", err)
	}
}

func TestUplinksAreMadeAndDeleted(t *testing.T) {
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	path := filepath.Join(shortDirectory(t), "socket")
	uplink, err := broker.AddUplink(ctx, "vms", memtuntest.BridgeName, memtun.UplinkStream, memtun.WithListen(path),
		memtun.WithMax(3), memtun.WithSocketMode(0o660), memtun.WithAllow(memtun.AllowAny))
	if err != nil || uplink.Listen != path || uplink.Max != 3 || uplink.SocketMode != "0660" || uplink.State != memtun.Up {
		t.Errorf("uplink %+v: %v", uplink, err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := broker.WaitState(ctx, "vms0", memtun.Up); err != nil {
		t.Fatal(err)
	}
	if port, err := broker.ShowUplink(ctx, "vms0"); err != nil || port.Listener != "vms" || port.PID != os.Getpid() {
		t.Errorf("port %+v: %v", port, err)
	}
	if err := broker.DeleteUplink(ctx, "vms"); err != nil {
		t.Error(err)
	}
	if err := broker.DeleteUplink(ctx, "vms"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("the second deletion: %v", err)
	}
	_, theirs := socketPair(t)
	if _, err := broker.AddUplink(ctx, "x", "lab", memtun.UplinkFile, memtun.WithUntil(theirs)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("WithUntil alone: %v", err)
	}
	if _, err := broker.AddUplink(ctx, "x", "lab", memtun.UplinkDevice, memtun.WithFile(theirs)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a socket as a device: %v", err)
	}
	theirs.Close()
	if _, err := broker.AddUplink(ctx, "x", "lab", memtun.UplinkFile, memtun.WithFile(theirs)); !errors.Is(err, os.ErrClosed) && err == nil {
		t.Errorf("a closed file: %v", err)
	}
}

func shortDirectory(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp("/tmp", "memtun-go-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	return directory
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	other, err := memtun.Dial(ctx, broker.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	sessions, err := broker.Sessions(ctx)
	if err != nil || len(sessions) != 2 || sessions[1].PID != os.Getpid() || sessions[0].Captures != 1 {
		t.Fatalf("sessions %+v: %v", sessions, err)
	}
	if err := broker.DeleteSession(ctx, sessions[1].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Clock(ctx); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a request of the session that was ended: %v", err)
	}
}

func TestRulesDropHoldAndReleaseFrames(t *testing.T) {
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	a, b := broker.Tunnel("a"), broker.Tunnel("b")
	rule, err := broker.AddRule(ctx, "a", memtun.WithDirection(memtun.FromClient), memtun.WithDrop("1", "3-4"))
	if err != nil || rule.Number != 1 || rule.Port != "a" || rule.Seed != broker.Seed || !reflect.DeepEqual(rule.Drop, []string{"1", "3-4"}) {
		t.Fatalf("rule %+v: %v", rule, err)
	}
	held, err := broker.AddRule(ctx, "b", memtun.WithDirection(memtun.ToClient), memtun.WithHold())
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range []string{"1", "2", "3", "4", "5"} {
		write(t, a, ether(each))
	}
	for {
		rules, err := broker.Rules(ctx, "b")
		if err != nil {
			t.Fatal(err)
		}
		if reflect.DeepEqual(rules[0].Holding, []string{"1", "2"}) {
			break
		}
	}
	if err := broker.Release(ctx, "b", memtun.Release{Direction: memtun.ToClient, Frame: 2}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, b); got != string(ether("5")) {
		t.Errorf("read %q", got)
	}
	if err := broker.Release(ctx, "b", memtun.Release{All: true, Drop: true}); err != nil {
		t.Fatal(err)
	}
	if err := broker.Release(ctx, "b", memtun.Release{}); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("a release of nothing: %v", err)
	}
	tunnel, err := broker.Show(ctx, "a")
	if err != nil || tunnel.Counters[memtun.FromClientDroppedListed] != 3 || tunnel.Counters.Drops().String() != "from-client-dropped-listed=3" {
		t.Errorf("the counters are %v: %v", tunnel.Counters, err)
	}
	late, err := broker.AddRule(ctx, "b", memtun.WithLoss(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := broker.SetRule(ctx, "b", late.Number, memtun.WithDelay(20*time.Millisecond), memtun.WithRate(1e6),
		memtun.WithLossBurst(1.5), memtun.WithLoss(0.5)); err != nil {
		t.Fatal(err)
	}
	all, err := broker.Rules(ctx, "")
	if err != nil || len(all) != 3 || all[2].Delay != 20*time.Millisecond || all[2].Rate != 1e6 || all[2].LossBurst != 1.5 || all[2].Loss != 0.5 {
		t.Errorf("rules %+v: %v", all, err)
	}
	if err := broker.DeleteRule(ctx, "b", held.Number); err != nil {
		t.Error(err)
	}
	for _, port := range []string{"a", "b"} {
		if err := broker.DeleteRules(ctx, port); err != nil {
			t.Error(err)
		}
	}
	if all, err := broker.Rules(ctx, ""); err != nil || len(all) != 0 {
		t.Errorf("rules %+v: %v", all, err)
	}
}

func TestRuleHasAFilter(t *testing.T) {
	broker := memtuntest.Broker(t)
	a, b := broker.Tunnel("a"), broker.Tunnel("b")
	// The EtherType, compared with that of ARP.
	program := []memtun.Instruction{{Code: 0x28, K: 12}, {Code: 0x15, Jf: 1, K: 0x806}, {Code: 6, K: 262144}, {Code: 6}}
	rule, err := broker.AddRule(broker.Context(), "a", memtun.WithMatch("arp", program), memtun.WithLoss(100))
	if err != nil || rule.Match != "arp" || rule.Loss != 100 {
		t.Fatalf("rule %+v: %v", rule, err)
	}
	arp := ether("dropped")
	arp[12], arp[13] = 8, 6
	write(t, a, arp)
	write(t, a, ether("passes"))
	if got := read(t, b); got != string(ether("passes")) {
		t.Errorf("read %q", got)
	}
	down, err := broker.AddRule(broker.Context(), "b", memtun.WithCarrier(false))
	if err != nil || down.Carrier == nil || *down.Carrier {
		t.Errorf("rule %+v: %v", down, err)
	}
}

func TestManualClockMovesToItsEvents(t *testing.T) {
	broker := memtuntest.Broker(t, memtuntest.ManualClock())
	ctx := broker.Context()
	if clock, err := broker.Clock(ctx); err != nil || clock.Kind != memtun.ManualClock || clock.Next != nil {
		t.Errorf("clock %+v: %v", clock, err)
	}
	if _, err := broker.AdvanceToNext(ctx); !errors.Is(err, syscall.ENODATA) {
		t.Errorf("nothing is due: %v", err)
	}
	a, b := broker.Tunnel("a", memtun.WithDelay(time.Hour)), broker.Tunnel("b")
	write(t, a, ether("late"))
	clock, err := broker.AdvanceClock(ctx, time.Minute)
	if err != nil || clock.Time != time.Minute || clock.Move != time.Minute || clock.Next == nil || *clock.Next != time.Hour {
		t.Errorf("clock %+v: %v", clock, err)
	}
	if clock, err := broker.AdvanceToNext(ctx); err != nil || clock.Time != time.Hour {
		t.Errorf("clock %+v: %v", clock, err)
	}
	if got := read(t, b); got != string(ether("late")) {
		t.Errorf("read %q", got)
	}
	real := memtuntest.Broker(t)
	if _, err := real.AdvanceClock(ctx, time.Second); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a real clock: %v", err)
	}
}

// --- tunnels as files ---

func TestWriteDeadlineEndsAWriteThatWaits(t *testing.T) {
	broker := memtuntest.Broker(t)
	a, err := broker.Open(broker.Context(), "a", memtun.WithPeer("b"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := broker.Open(broker.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := a.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	frames := 0
	for ; err == nil; frames++ {
		_, err = a.Write(ether("fills the socket"))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("write: %v", err)
	}
	if err := a.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	written := make(chan error)
	go func() {
		_, err := a.Write(ether("waits for room"))
		written <- err
	}()
	b.SetReadDeadline(time.Now().Add(10 * time.Second))
	for i := 0; i < frames-1; i++ {
		read(t, b)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
	if got := read(t, b); got != string(ether("waits for room")) {
		t.Errorf("read %q", got)
	}
}

func TestCloseEndsAReadThatWaits(t *testing.T) {
	broker := memtuntest.Broker(t)
	a := broker.Tunnel("a")
	ended := make(chan error)
	go func() {
		_, err := a.Read(make([]byte, 100))
		ended <- err
	}()
	a.Close()
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("read: %v", err)
	}
}

func TestDeletedTunnelReadsTheEnd(t *testing.T) {
	broker := memtuntest.Broker(t)
	a := broker.Tunnel("a")
	if err := broker.Delete(broker.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(make([]byte, 100)); err != io.EOF {
		t.Errorf("read: %v", err)
	}
	if _, err := a.Write(ether("")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write: %v", err)
	}
}

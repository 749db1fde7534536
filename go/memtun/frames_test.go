// SPDX-License-Identifier: MIT

package memtun_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"memtun"
	"memtun/memtuntest"
)

func TestCaptureHasFramesAndWhatHappenedToThem(t *testing.T) {
	countDescriptors(t)
	broker := memtuntest.Broker(t, memtuntest.ManualClock())
	ctx := broker.Context()
	a, b := broker.Tunnel("a"), broker.Tunnel("b")
	if _, err := broker.AddRule(ctx, "a", memtun.WithDirection(memtun.FromClient), memtun.WithDrop("2"), memtun.WithSeed(7)); err != nil {
		t.Fatal(err)
	}
	capture, err := broker.Capture(ctx, memtuntest.BridgeName, memtun.WithFaults())
	if err != nil {
		t.Fatal(err)
	}
	defer capture.Close()
	before := time.Now()
	write(t, a, ether("1"))
	write(t, a, ether("2"))
	write(t, a, ether("3"))
	read(t, b)
	read(t, b)
	dropped, err := capture.Expect(ctx, func(frame memtun.Frame) bool { return len(frame.Reasons) > 0 })
	if err != nil {
		t.Fatal(err)
	}
	if string(dropped.Data) != string(ether("2")) || dropped.Reasons[0] != memtun.FromClientDroppedListed ||
		dropped.Rule != 1 || dropped.Seed != 7 || dropped.Number != 2 || dropped.ID == 0 ||
		dropped.Direction != memtun.FromClient || dropped.Mode != memtun.TAP || dropped.Clock == nil ||
		dropped.Missed != 0 {
		t.Errorf("frame %+v", dropped)
	}
	if dropped.Time.Before(before.Add(-time.Second)) || dropped.Time.After(time.Now().Add(time.Second)) {
		t.Errorf("the time is %v, and it was %v before", dropped.Time, before)
	}
	if comment := dropped.Comment(); comment != "dropped: listed; rule 1, seed 7, frame 2; clock 0.000000000" {
		t.Errorf("the comment is %q", comment)
	}
	rest, err := capture.Pending()
	if err != nil || len(rest) == 0 || string(rest[len(rest)-1].Data) != string(ether("3")) {
		t.Errorf("pending %+v: %v", rest, err)
	}
	if rest, err := capture.Pending(); err != nil || len(rest) != 0 {
		t.Errorf("pending again %+v: %v", rest, err)
	}
}

func TestCaptureOfATunnelHasOneDirectionAndEndsWithIt(t *testing.T) {
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	a, b := broker.Tunnel("a"), broker.Tunnel("b")
	capture, err := broker.Capture(ctx, "b", memtun.WithDirection(memtun.ToClient))
	if err != nil {
		t.Fatal(err)
	}
	defer capture.Close()
	write(t, b, ether("from b"))
	write(t, a, ether("to b"))
	frame, err := capture.Next(ctx)
	if err != nil || string(frame.Data) != string(ether("to b")) || frame.Direction != memtun.ToClient || frame.ID != 0 {
		t.Errorf("frame %+v: %v", frame, err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if frame, err := capture.Next(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no frame: %+v, %v", frame, err)
	}
	if err := broker.Delete(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := capture.Next(ctx); err != io.EOF {
		t.Errorf("the end: %v", err)
	}
	capture.Close()
	if _, err := capture.Next(ctx); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := broker.Capture(ctx, "nothing"); !errors.Is(err, syscall.ENOENT) || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("nothing to capture: %v", err)
	}
	if _, err := broker.Capture(ctx, "a", memtun.WithMTU(99)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a wrong option: %v", err)
	}
}

// blocks returns the type and the body of each block of a pcapng file.
func blocks(t *testing.T, file []byte) (kinds []uint32, bodies [][]byte, order binary.ByteOrder) {
	t.Helper()
	order = binary.LittleEndian
	if len(file) > 12 && file[8] == 0x1a {
		order = binary.BigEndian
	}
	for len(file) > 0 {
		length := int(order.Uint32(file[4:]))
		if length%4 != 0 || length > len(file) || int(order.Uint32(file[length-4:])) != length {
			t.Fatalf("a block of %d bytes", length)
		}
		kinds = append(kinds, order.Uint32(file))
		bodies = append(bodies, file[8:length-4])
		file = file[length:]
	}
	return kinds, bodies, order
}

func TestPcapngHasAnInterfacePerPortAndComments(t *testing.T) {
	broker := memtuntest.Broker(t)
	ctx, cancel := context.WithCancel(broker.Context())
	defer cancel()
	a := broker.Tunnel("a")
	capture, err := broker.Capture(ctx, "a", memtun.WithFaults())
	if err != nil {
		t.Fatal(err)
	}
	defer capture.Close()
	write(t, a, ether("frame"))
	if _, err := broker.WaitQuiet(ctx); err != nil {
		t.Fatal(err)
	}
	if err := broker.Delete(ctx, "a"); err != nil { // ends the capture
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := capture.WritePcapng(ctx, &file, func(uint32) string { return "the name" }); err != nil {
		t.Fatal(err)
	}
	kinds, bodies, order := blocks(t, file.Bytes())
	if len(kinds) != 4 || kinds[0] != 0x0a0d0d0a || kinds[1] != 1 || kinds[2] != 6 || kinds[3] != 6 {
		t.Fatalf("the blocks are %x", kinds)
	}
	if !bytes.Contains(bodies[1], []byte("the name")) {
		t.Errorf("the interface is %q", bodies[1])
	}
	if !bytes.Contains(bodies[2], ether("frame")) || bytes.Contains(bodies[2], []byte("dropped")) {
		t.Errorf("the packet is %q", bodies[2])
	}
	// The option epb_flags: inbound.
	if flags := []byte{2, 0, 4, 0, 1, 0, 0, 0}; order == binary.LittleEndian && !bytes.Contains(bodies[2], flags) {
		t.Errorf("the packet is not inbound: %q", bodies[2])
	}
	if !bytes.Contains(bodies[3], []byte("dropped: no-destination")) {
		t.Errorf("the drop is %q", bodies[3])
	}
	full := errors.New("full")
	if _, err := memtun.NewPcapngWriter(failing{full}, nil); err != full {
		t.Errorf("a file that can't be written: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestInjectedFramesGoToTheClientOrComeFromIt(t *testing.T) {
	countDescriptors(t)
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	a, b := broker.Tunnel("a"), broker.Tunnel("b")
	result, err := broker.Inject(ctx, "a", [][]byte{ether("1"), ether("2")})
	if err != nil || result.Frames != 2 || result.Offered != 2 {
		t.Errorf("%+v: %v", result, err)
	}
	if got := read(t, a); got != string(ether("1")) {
		t.Errorf("read %q", got)
	}
	if result, err := broker.Inject(ctx, "a", [][]byte{ether("3")}, memtun.WithDirection(memtun.FromClient)); err != nil || result.Frames != 1 {
		t.Errorf("%+v: %v", result, err)
	}
	if got := read(t, b); got != string(ether("3")) {
		t.Errorf("read %q", got)
	}
	vnet := append(make([]byte, 10), ether("4")...)
	if _, err := broker.Inject(ctx, "b", [][]byte{vnet}, memtun.WithVnetHdr()); err != nil {
		t.Error(err)
	}
	if got := read(t, b); got != string(ether("4")) {
		t.Errorf("read %q", got)
	}
}

func TestInjectedFramesThatAreDroppedAreAnError(t *testing.T) {
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	broker.Tunnel("a")
	if _, err := broker.Add(ctx, "closed"); err != nil {
		t.Fatal(err)
	}
	for _, each := range []struct {
		name  string
		frame []byte
		errno syscall.Errno
		text  string
	}{
		{"closed", ether("no one"), syscall.ENOTCONN, "no-client: 1"},
		{"a", ether(strings.Repeat("x", 1501)), syscall.EMSGSIZE, "mtu: 1"},
		{"a", []byte("runt"), syscall.EINVAL, "refused: 1"},
	} {
		result, err := broker.Inject(ctx, each.name, [][]byte{each.frame})
		var dropped *memtun.DroppedError
		if !errors.As(err, &dropped) || !errors.Is(err, each.errno) || !strings.Contains(err.Error(), each.text) || result.Dropped() != 1 {
			t.Errorf("%s: %+v, %v", each.text, result, err)
		}
	}
	ended, err := broker.Injector(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	ended.Close()
	if _, err := ended.Finish(ctx); !errors.Is(err, os.ErrClosed) {
		t.Errorf("finish after Close: %v", err)
	}
	if err := ended.Send(ctx, ether("")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
	if _, err := broker.Inject(ctx, "nothing", nil); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("no tunnel: %v", err)
	}
	injector, err := broker.Injector(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer injector.Close()
	if err := broker.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if err := injector.Send(ctx, ether("")); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a deleted tunnel: %v", err)
	}
	if _, err := injector.Finish(ctx); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the result: %v", err)
	}
}

func TestInjectionIntoAFullQueueEndsWithItsContext(t *testing.T) {
	broker := memtuntest.Broker(t)
	broker.Tunnel("a", memtun.WithQueueLimit(1))
	injector, err := broker.Injector(broker.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer injector.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	for err == nil {
		err = injector.Send(ctx, ether("frame"))
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("write: %v", err)
	}
	if _, err := injector.Finish(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("finish: %v", err)
	}
}

// --- waits and events ---

// lateContext is a context whose deadline has passed a moment before its timer ends it.
type lateContext struct{ context.Context }

func (lateContext) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

func TestWaitWithoutTimeIsOver(t *testing.T) {
	broker := memtuntest.Broker(t)
	broker.Tunnel("a")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := broker.WaitDrained(lateContext{ctx}, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the deadline has passed: %v", err)
	}
}

func TestWaitQuietReturnsWhenAllIsReadAndTellsWhatIsNot(t *testing.T) {
	countDescriptors(t)
	broker := memtuntest.Broker(t)
	a, b := broker.Tunnel("a"), broker.Tunnel("b")
	write(t, a, ether("frame"))
	if err := broker.WaitSent(broker.Context(), "a"); err != nil {
		t.Errorf("sent: %v", err)
	}
	if tunnel, err := broker.Show(broker.Context(), "a"); err != nil || tunnel.Counters[memtun.FromClientFrames] != 1 {
		t.Errorf("the counters are %v: %v", tunnel.Counters, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := broker.WaitQuiet(ctx, memtuntest.BridgeName)
	if !errors.Is(err, syscall.ETIMEDOUT) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "b") {
		t.Errorf("a frame is unread: %v", err)
	}
	if err := broker.WaitDrained(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the context is over: %v", err)
	}
	canceled, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := broker.WaitQuiet(canceled)
		ended <- err
	}()
	for {
		sessions, err := broker.Sessions(broker.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(sessions) > 1 { // that of the wait
			break
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was cancelled: %v", err)
	}
	read(t, b)
	if names, err := broker.WaitQuiet(broker.Context(), "a", "b"); err != nil || len(names) != 0 {
		t.Errorf("quiet: %v, %v", names, err)
	}
	if _, err := broker.WaitIdle(broker.Context(), time.Millisecond); err != nil {
		t.Errorf("idle: %v", err)
	}
	if err := broker.WaitDrained(broker.Context(), "b"); err != nil {
		t.Errorf("drained: %v", err)
	}
	if err := broker.WaitDrained(broker.Context(), "nothing"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("nothing to drain: %v", err)
	}
	if _, err := broker.WaitQuiet(broker.Context(), "a,b"); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a name with a comma: %v", err)
	}
}

func TestWaitStateReturnsWithTheEvent(t *testing.T) {
	countDescriptors(t)
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	reached := make(chan error)
	go func() { reached <- broker.WaitState(ctx, "later", memtun.Opened) }()
	broker.Tunnel("other")
	broker.Tunnel("later")
	if err := <-reached; err != nil {
		t.Error(err)
	}
	if err := broker.WaitState(ctx, "later", memtun.Up); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a tunnel is up: %v", err)
	}
	if err := broker.WaitState(ctx, "later", "idle"); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a state that does not exist: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if err := broker.WaitState(short, "later", memtun.Closed); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it stays open: %v", err)
	}
}

func TestWatchReportsEachChangeUntilItsContextEnds(t *testing.T) {
	countDescriptors(t)
	broker := memtuntest.Broker(t)
	ctx, cancel := context.WithCancel(broker.Context())
	defer cancel()
	watch, err := broker.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := broker.Add(ctx, "a", memtun.WithBridge("lab"), memtun.WithMTU(1400)); err != nil {
		t.Fatal(err)
	}
	if err := broker.Set(ctx, "a", memtun.WithMTU(1300), memtun.WithQueueLimit(9)); err != nil {
		t.Fatal(err)
	}
	if _, err := broker.AddRule(ctx, "a", memtun.WithLoss(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := broker.Rename(ctx, "a", "b"); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for len(kinds) < 5 {
		event := <-watch.Events()
		kinds = append(kinds, string(event.Kind))
		switch event.Kind {
		case memtun.EventAdded:
			if event.Name != "a" || event.Bridge != "lab" || event.Time == 0 || event.Tunnel().MTU != 1400 {
				t.Errorf("event %+v", event)
			}
		case memtun.EventChanged:
			if event.FormerName == "" && (len(event.Changed) != 2 || event.Tunnel().MTU != 1300) {
				t.Errorf("event %+v", event)
			}
		case memtun.EventImpairAdded:
			if rule := event.Rule(); rule.Loss != 1 || rule.Port != "a" {
				t.Errorf("rule %+v", rule)
			}
		}
	}
	if got := strings.Join(kinds, " "); got != "bridge-added added changed impair-added changed" {
		t.Errorf("the events are %s", got)
	}
	cancel()
	if event, open := <-watch.Events(); open {
		t.Errorf("event %+v", event)
	}
	if watch.Err() != context.Canceled {
		t.Errorf("the error is %v", watch.Err())
	}
	other, err := broker.Watch(broker.Context())
	if err != nil {
		t.Fatal(err)
	}
	other.Close()
	other.Close()
	if _, open := <-other.Events(); open || other.Err() != nil {
		t.Errorf("after Close: %v", other.Err())
	}
}

func TestWatchThatIsTooSlowIsToldSo(t *testing.T) {
	broker := memtuntest.Broker(t)
	watch, err := broker.Watch(broker.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	if _, err := broker.AddMany(broker.Context(), "t%d", 5000); err != nil {
		t.Fatal(err)
	}
	for event := range watch.Events() {
		if event.Kind == memtun.EventLost {
			return
		}
	}
	t.Errorf("no event was lost: %v", watch.Err())
}

// --- ends ---

func TestBrokerThatIsKilledEndsEverything(t *testing.T) {
	countDescriptors(t)
	broker, err := memtun.StartBroker(context.Background(), memtun.BrokerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tunnel, err := broker.Open(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	watch, err := broker.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	capture, err := broker.Capture(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer capture.Close()
	waited := make(chan error)
	go func() { waited <- broker.WaitState(ctx, "a", memtun.Closed) }()
	if err := syscall.Kill(broker.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := tunnel.Read(make([]byte, 100)); err != io.EOF {
		t.Errorf("the tunnel: %v", err)
	}
	if _, err := capture.Next(ctx); err != io.EOF {
		t.Errorf("the capture: %v", err)
	}
	for range watch.Events() {
	}
	if err := watch.Err(); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the events: %v", err)
	}
	if err := <-waited; err == nil || ctx.Err() != nil {
		t.Errorf("the wait: %v", err)
	}
	if _, err := broker.Show(ctx, "a"); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a request: %v", err)
	}
}

// TestWithoutAFreeDescriptorAnOpenFailsAndTheClientGoesOn takes all descriptors of this process.
func TestWithoutAFreeDescriptorAnOpenFailsAndTheClientGoesOn(t *testing.T) {
	countDescriptors(t)
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = 100
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	var taken []int
	defer func() {
		for _, fd := range taken {
			syscall.Close(fd)
		}
	}()
	for {
		fd, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		taken = append(taken, fd)
	}
	if _, err := broker.Open(ctx, "a"); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("open: %v", err)
	}
	if _, err := broker.Watch(ctx); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("watch: %v", err)
	}
	if _, err := memtun.StartBroker(ctx, memtun.BrokerConfig{}); err == nil {
		t.Error("a broker was started")
	}
	if _, err := broker.Tunnels(ctx); err != nil {
		t.Errorf("the next request: %v", err)
	}
}

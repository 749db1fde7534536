// SPDX-License-Identifier: MIT

package wgtun

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"memtun"
	"memtun/memtuntest"
)

const offset = 16 // that of wireguard-go

// packet returns an IPv4 packet from 10.0.0.SOURCE to 10.0.0.DESTINATION of the protocol for
// experiments.
func packet(source, destination byte, payload string) []byte {
	header := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 253, 0, 0, 10, 0, 0, source, 10, 0, 0, destination}
	binary.BigEndian.PutUint16(header[2:], uint16(len(header)+len(payload)))
	binary.BigEndian.PutUint16(header[10:], checksum(header))
	return append(header, payload...)
}

// checksum returns that of the Internet, RFC 1071.
func checksum(data []byte) uint16 {
	var sum uint32
	for ; len(data) > 1; data = data[2:] {
		sum += uint32(binary.BigEndian.Uint16(data))
	}
	if len(data) == 1 {
		sum += uint32(data[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// behind returns the packets with the offset before each.
func behind(packets ...[]byte) [][]byte {
	var bufs [][]byte
	for _, each := range packets {
		bufs = append(bufs, append(make([]byte, offset), each...))
	}
	return bufs
}

func buffers(count, size int) ([][]byte, []int) {
	bufs := make([][]byte, count)
	for i := range bufs {
		bufs[i] = make([]byte, offset+size)
	}
	return bufs, make([]int, count)
}

// open opens a device on the bridge of the test, and closes it after the test.
func open(t testing.TB, broker *memtuntest.B, name string, opts ...memtun.Option) *Device[event] {
	t.Helper()
	opts = append([]memtun.Option{memtun.WithBridge(memtuntest.BridgeName)}, opts...)
	d, err := Open[event](broker.Context(), broker, name, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if err := d.File().SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return d
}

// readAll reads this number of packets.
func readAll(t *testing.T, d *Device[event], count int) []string {
	t.Helper()
	var found []string
	bufs, sizes := buffers(d.BatchSize(), 1500)
	for len(found) < count {
		got, err := d.Read(bufs, sizes, offset)
		if err != nil {
			t.Fatalf("after %d packets: %v", len(found), err)
		}
		for i := 0; i < got; i++ {
			found = append(found, string(bufs[i][offset:offset+sizes[i]]))
		}
	}
	return found
}

func exchange(t *testing.T, count int) {
	broker := memtuntest.Broker(t)
	a, b := open(t, broker, "a"), open(t, broker, "b")
	var sent [][]byte
	for i := 0; i < count; i++ {
		sent = append(sent, packet(1, 2, fmt.Sprint("packet ", i)))
	}
	for _, way := range [][2]*Device[event]{{a, b}, {b, a}} {
		written, err := way[0].Write(behind(sent...), offset)
		if err != nil || written != count {
			t.Fatalf("wrote %d: %v", written, err)
		}
		for i, got := range readAll(t, way[1], count) {
			if got != string(sent[i]) {
				t.Fatalf("packet %d is %q", i, got)
			}
		}
	}
}

func TestTwoDevicesOnABridgeExchangeBatches(t *testing.T) {
	exchange(t, 2*batchMax+3)
}

func TestDevicesExchangePacketsWithoutTheBatchCalls(t *testing.T) {
	receive, send := sysRecvmmsg, sysSendmmsg
	sysRecvmmsg, sysSendmmsg = 0, 0
	defer func() { sysRecvmmsg, sysSendmmsg = receive, send }()
	broker := memtuntest.Broker(t)
	if size := open(t, broker, "one").BatchSize(); size != 1 {
		t.Errorf("the batch size is %d", size)
	}
	exchange(t, 5)
}

func TestOneReadTakesAllPacketsThatAreThere(t *testing.T) {
	if sysRecvmmsg == 0 {
		t.Skip("no batches on this architecture")
	}
	broker := memtuntest.Broker(t)
	a, b := open(t, broker, "a"), open(t, broker, "b")
	if _, err := a.Write(behind(packet(1, 2, "1"), packet(1, 2, "2"), packet(1, 2, "3")), offset); err != nil {
		t.Fatal(err)
	}
	// The third packet is in b's socket when the broker has counted it as delivered.
	for {
		tunnel, err := broker.Show(broker.Context(), "b")
		if err != nil {
			t.Fatal(err)
		}
		if tunnel.Counters[memtun.ToClientFrames] == 3 {
			break
		}
	}
	bufs, sizes := buffers(8, 1500)
	if got, err := b.Read(bufs, sizes, offset); err != nil || got != 3 {
		t.Errorf("read %d packets: %v", got, err)
	}
}

func TestPacketThatDoesNotFitHasTheSizeZero(t *testing.T) {
	broker := memtuntest.Broker(t)
	a, b := open(t, broker, "a"), open(t, broker, "b")
	if _, err := a.Write(behind(packet(1, 2, "a packet that is too long"), packet(1, 2, "")), offset); err != nil {
		t.Fatal(err)
	}
	var sizesSeen []int
	for len(sizesSeen) < 2 {
		bufs, sizes := buffers(4, 20)
		got, err := b.Read(bufs, sizes, offset)
		if err != nil {
			t.Fatal(err)
		}
		sizesSeen = append(sizesSeen, sizes[:got]...)
	}
	if sizesSeen[0] != 0 || sizesSeen[1] != 20 {
		t.Errorf("the sizes are %d", sizesSeen)
	}
}

func TestBufferWithoutRoomIsRefused(t *testing.T) {
	broker := memtuntest.Broker(t)
	a := open(t, broker, "a")
	bufs, sizes := buffers(1, 0)
	if _, err := a.Read(bufs, sizes, offset); err != io.ErrShortBuffer {
		t.Errorf("read: %v", err)
	}
	if _, err := a.Write(bufs, offset); err != io.ErrShortBuffer {
		t.Errorf("write: %v", err)
	}
	if got, err := a.Read(nil, nil, offset); got != 0 || err != nil {
		t.Errorf("a read of no packet: %d, %v", got, err)
	}
}

func next(t *testing.T, d *Device[event]) event {
	t.Helper()
	select {
	case got := <-d.Events():
		return got
	case <-time.After(10 * time.Second):
		t.Fatal("no event")
	}
	return 0
}

func TestEventsTellThatTheDeviceIsUpAndItsMTUChanges(t *testing.T) {
	broker := memtuntest.Broker(t)
	d := open(t, broker, "wg%d", memtun.WithMTU(1420))
	if name, _ := d.Name(); name != "wg0" {
		t.Errorf("the name is %q", name)
	}
	if mtu, _ := d.MTU(); mtu != 1420 {
		t.Errorf("the mtu is %d", mtu)
	}
	if got := next(t, d); got != EventUp {
		t.Errorf("the first event is %d", got)
	}
	broker.Tunnel("other")
	if err := broker.Set(broker.Context(), "other", memtun.WithMTU(1300)); err != nil { // no event
		t.Fatal(err)
	}
	if err := broker.Set(broker.Context(), "wg0", memtun.WithQueueLimit(9)); err != nil { // no event
		t.Fatal(err)
	}
	if err := broker.Set(broker.Context(), "wg0", memtun.WithMTU(1280)); err != nil {
		t.Fatal(err)
	}
	if got := next(t, d); got != EventMTUUpdate {
		t.Errorf("the second event is %d", got)
	}
	if mtu, _ := d.MTU(); mtu != 1280 {
		t.Errorf("the mtu is %d", mtu)
	}
	if len(d.Events()) != 0 {
		t.Error("there are more events")
	}
	d.Close()
	if got, open := <-d.Events(); open {
		t.Errorf("event %d after Close", got)
	}
}

func TestCloseEndsAReadThatWaits(t *testing.T) {
	broker := memtuntest.Broker(t)
	d := open(t, broker, "a")
	ended := make(chan error)
	go func() {
		bufs, sizes := buffers(4, 100)
		_, err := d.Read(bufs, sizes, offset)
		ended <- err
	}()
	for i := 0; i < 2; i++ {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if _, err := d.Write(behind(packet(1, 2, "")), offset); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write: %v", err)
	}
}

func TestDeletedTunnelIsTheEndBehindItsPackets(t *testing.T) {
	broker := memtuntest.Broker(t)
	a, b := open(t, broker, "a"), open(t, broker, "b")
	if _, err := a.Write(behind(packet(1, 2, "last")), offset); err != nil {
		t.Fatal(err)
	}
	for {
		tunnel, err := broker.Show(broker.Context(), "b")
		if err != nil {
			t.Fatal(err)
		}
		if tunnel.Counters[memtun.ToClientFrames] == 1 {
			break
		}
	}
	if err := broker.Delete(broker.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	readAll(t, b, 1)
	bufs, sizes := buffers(4, 100)
	if got, err := b.Read(bufs, sizes, offset); err != io.EOF {
		t.Errorf("read %d: %v", got, err)
	}
	if _, err := b.Write(behind(packet(1, 2, "")), offset); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write: %v", err)
	}
}

func TestEmptyPacketOfAPeerIsNotTheEnd(t *testing.T) {
	broker := memtuntest.Broker(t)
	a, err := Open[event](broker.Context(), broker, "a", memtun.WithPeer("b"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := broker.Open(broker.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	send := func(data string) {
		raw, err := b.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var sendErr error
		raw.Control(func(fd uintptr) { sendErr = syscall.Sendmsg(int(fd), []byte(data), nil, nil, 0) })
		if sendErr != nil {
			t.Fatal(sendErr)
		}
	}
	send("")
	if err := a.File().SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	bufs, sizes := buffers(4, 100)
	if got, err := a.Read(bufs, sizes, offset); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d packets of an empty one: %v", got, err)
	}
	if err := a.File().SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	send("")
	send("packet")
	if found := readAll(t, a, 2); found[0] != "" || found[1] != "packet" {
		t.Errorf("read %q", found)
	}
}

func TestPacketsOfAPeerThatLeftSomeUnreadAreRead(t *testing.T) {
	broker := memtuntest.Broker(t)
	a, err := Open[event](broker.Context(), broker, "a", memtun.WithPeer("b"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := broker.Open(broker.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write(packet(1, 2, "last")); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write(behind(packet(2, 1, "unread")), offset); err != nil {
		t.Fatal(err)
	}
	b.Close() // the kernel tells a of the unread packet: ECONNRESET
	readAll(t, a, 1)
	bufs, sizes := buffers(4, 100)
	if got, err := a.Read(bufs, sizes, offset); err != io.EOF {
		t.Errorf("read %d: %v", got, err)
	}
}

func TestTunnelWithHeadersIsRefused(t *testing.T) {
	broker := memtuntest.Broker(t)
	for name, option := range map[string]memtun.Option{
		"pi": memtun.WithPI(), "vnet": memtun.WithVnetHdr(), "dgram": memtun.WithSocket(memtun.Dgram),
	} {
		if _, err := Open[event](broker.Context(), broker, name, option); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := broker.Show(broker.Context(), name); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("the tunnel %s exists: %v", name, err)
		}
	}
	if _, err := Open[event](broker.Context(), broker, "a", memtun.WithMTU(1)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("mtu: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open[event](ctx, broker, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("context: %v", err)
	}
}

// TestHostAnswersPing sends an echo request to the test host of memtun, which is a TCP/IP stack
// (lwIP) in another process. The bridge makes a host on its Ethernet of the device.
func TestHostAnswersPing(t *testing.T) {
	if _, err := exec.LookPath("memtun-host"); err != nil {
		t.Skip("memtun-host is not built (Debian: liblwip-dev)")
	}
	broker := memtuntest.Broker(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	host := exec.CommandContext(ctx, "memtun", "host", "server", "bridge", memtuntest.BridgeName, "address", "10.0.0.1/24")
	host.Env = broker.Environ()
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	defer host.Wait()
	defer host.Process.Kill()
	if err := broker.WaitState(ctx, "server", memtun.Opened); err != nil {
		t.Fatal(err)
	}
	d := open(t, broker, "wg0", memtun.WithAddress("10.0.0.2/24"))
	request := packet(2, 1, "\x08\x00\x00\x00\x12\x34\x00\x01ping from Go")
	request[9] = 1 // ICMP
	request[10], request[11] = 0, 0
	binary.BigEndian.PutUint16(request[10:], checksum(request[:20]))
	binary.BigEndian.PutUint16(request[22:], checksum(request[20:]))
	if _, err := d.Write(behind(request), offset); err != nil {
		t.Fatal(err)
	}
	for {
		answer := []byte(readAll(t, d, 1)[0])
		if len(answer) >= 28 && answer[9] == 1 && answer[20] == 0 {
			if string(answer[28:]) != "ping from Go" {
				t.Errorf("the answer has %q", answer[28:])
			}
			return
		}
	}
}

// BenchmarkBatchedToSingle moves packets between two peers, between which no broker is, one per
// system call and then in batches, and reports the ratio of both times.
func BenchmarkBatchedToSingle(b *testing.B) {
	broker := memtuntest.Broker(b)
	ctx := broker.Context()
	left, err := Open[event](ctx, broker, "left", memtun.WithPeer("right"))
	if err != nil {
		b.Fatal(err)
	}
	defer left.Close()
	right, err := Open[event](ctx, broker, "right")
	if err != nil {
		b.Fatal(err)
	}
	defer right.Close()
	b.ReportAllocs()
	b.ResetTimer()
	single := move(b, left, right, 1)
	batched := move(b, left, right, 64)
	b.ReportMetric(single.Seconds()/batched.Seconds(), "single/batched")
	b.ReportMetric(float64(b.N)/batched.Seconds(), "batched-packets/s")
}

// move moves b.N packets in groups of this size, and returns the time that it took.
func move(b *testing.B, from, to *Device[event], group int) time.Duration {
	data := packet(1, 2, string(make([]byte, 1400)))
	var sent [][]byte
	for i := 0; i < group; i++ {
		sent = append(sent, append(make([]byte, offset), data...))
	}
	bufs, sizes := buffers(group, 1500)
	start := time.Now()
	for moved := 0; moved < b.N; {
		if _, err := from.Write(sent, offset); err != nil {
			b.Fatal(err)
		}
		for read := 0; read < group; {
			got, err := to.Read(bufs, sizes, offset)
			if err != nil {
				b.Fatal(err)
			}
			read += got
		}
		moved += group
	}
	return time.Since(start)
}

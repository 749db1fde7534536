// SPDX-License-Identifier: MIT

// Package wgtun makes a tun.Device of wireguard-go out of a tunnel of memtund.
//
// Device has the methods of that interface, and the type of its events is a parameter, so that this
// package does not depend on wireguard-go. With golang.zx2c4.com/wireguard/tun and device:
//
//	dev, err := wgtun.Open[tun.Event](ctx, broker, "wg0", memtun.WithBridge("lab"))
//	wg := device.NewDevice(dev, conn.NewDefaultBind(), logger)
//
// Read and Write move up to BatchSize packets by one system call, recvmmsg(2) or sendmmsg(2).
package wgtun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"memtun"
)

// The values of a device's events, which are those of wireguard-go.
const (
	EventUp = 1 << iota
	EventDown
	EventMTUUpdate
)

// tunDevice has the methods of tun.Device in wireguard-go since March 2023, when Read and Write became
// batches.
type tunDevice interface {
	File() *os.File
	Read(bufs [][]byte, sizes []int, offset int) (n int, err error)
	Write(bufs [][]byte, offset int) (int, error)
	MTU() (int, error)
	Name() (string, error)
	Events() <-chan event
	Close() error
	BatchSize() int
}

type event int

var _ tunDevice = (*Device[event])(nil)

// Opener is a connection to a broker: a *memtun.Client, a *memtun.Broker or a *memtuntest.B.
type Opener interface {
	OpenTunnel(context.Context, string, ...memtun.Option) (*os.File, memtun.Tunnel, error)
	Watch(context.Context) (*memtun.Watch, error)
}

// Device is a tunnel of IP packets.
type Device[Event ~int] struct {
	file   *os.File
	id     uint32
	name   atomic.Value // a string
	mtu    atomic.Int64
	events chan Event
	watch  *memtun.Watch
	stop   chan struct{}
	ended  chan struct{} // closed by the goroutine when it ends
	closer sync.Once
	closed atomic.Bool

	receiver batch
	sender   batch
}

// Open opens a tunnel of mode TUN. It can't have the options WithPI, WithVnetHdr, WithSocket and
// WithBackend: each record of its socket is one packet. The context limits only the opening.
func Open[Event ~int](ctx context.Context, broker Opener, name string, opts ...memtun.Option) (*Device[Event], error) {
	// First the events, so that no change of the MTU is missed.
	watch, err := broker.Watch(context.Background())
	if err != nil {
		return nil, err
	}
	opts = append([]memtun.Option{memtun.WithMode(memtun.TUN)}, opts...)
	file, tunnel, err := broker.OpenTunnel(ctx, name, opts...)
	if err != nil {
		watch.Close()
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err == nil && (tunnel.PI || tunnel.VnetHdr || tunnel.Socket != memtun.Seqpacket) {
		err = fmt.Errorf("wgtun: the tunnel %q has headers, or another socket than seqpacket: %w",
			tunnel.Name, syscall.EINVAL)
	}
	if err != nil {
		file.Close()
		watch.Close()
		return nil, err
	}
	d := &Device[Event]{
		file: file, id: tunnel.ID, events: make(chan Event, 4), watch: watch,
		stop: make(chan struct{}), ended: make(chan struct{}),
	}
	d.name.Store(tunnel.Name)
	d.mtu.Store(int64(tunnel.MTU))
	d.receiver.init(raw.Read, sysRecvmmsg, syscall.MSG_DONTWAIT)
	d.sender.init(raw.Write, sysSendmmsg, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
	d.events <- EventUp
	go d.follow()
	return d, nil
}

// follow reports changes of the tunnel's MTU. The end of the connection ends it; the device then
// keeps its last MTU.
func (d *Device[Event]) follow() {
	defer close(d.ended)
	for {
		select {
		case change, ok := <-d.watch.Events():
			if !ok {
				return
			}
			if change.ID != d.id || change.Kind != memtun.EventChanged {
				continue
			}
			tunnel := change.Tunnel()
			d.name.Store(tunnel.Name)
			if d.mtu.Swap(int64(tunnel.MTU)) == int64(tunnel.MTU) {
				continue
			}
			select {
			case d.events <- EventMTUUpdate:
			case <-d.stop:
				return
			}
		case <-d.stop:
			return
		}
	}
}

// File returns the tunnel. Each Read of it is one packet, too.
func (d *Device[Event]) File() *os.File { return d.file }

// Name returns the name of the tunnel.
func (d *Device[Event]) Name() (string, error) { return d.name.Load().(string), nil }

// MTU returns the largest packet that the tunnel's program reads, in bytes.
func (d *Device[Event]) MTU() (int, error) { return int(d.mtu.Load()), nil }

// Events returns the channel of the events: EventUp, and EventMTUUpdate for each change of the MTU.
// Close closes it.
func (d *Device[Event]) Events() <-chan Event { return d.events }

// BatchSize returns how many packets one Read or Write moves at most by one system call. It is 1 on
// architectures of which this package does not know the number of that call.
func (d *Device[Event]) BatchSize() int {
	if sysRecvmmsg == 0 {
		return 1
	}
	return batchMax
}

// Close closes the tunnel, ends Read and Write, and closes the channel of the events.
func (d *Device[Event]) Close() error {
	err := os.ErrClosed
	d.closer.Do(func() {
		d.closed.Store(true)
		err = d.file.Close()
		close(d.stop)
		<-d.ended
		d.watch.Close()
		close(d.events)
	})
	if errors.Is(err, os.ErrClosed) {
		return nil // a second call
	}
	return err
}

// Read waits for packets, and reads those that are there into the parts of bufs behind the offset.
// It returns their number and sets their sizes. A packet that is longer than its buffer has the size
// 0, as has an empty packet of a peer; wireguard-go skips both. The error is io.EOF at the end of the
// tunnel, and os.ErrClosed after Close.
func (d *Device[Event]) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	if len(sizes) < len(bufs) {
		bufs = bufs[:len(sizes)]
	}
	count, err := d.receiver.receive(bufs, sizes, offset)
	return count, d.explain("read", err)
}

// Write writes the packets, which begin at the offset of each buffer. It waits for room, and returns
// how many the broker's socket has taken.
func (d *Device[Event]) Write(bufs [][]byte, offset int) (int, error) {
	count, err := d.sender.send(bufs, offset)
	return count, d.explain("write", err)
}

// explain returns the error of the file that corresponds to one of its raw connection.
func (d *Device[Event]) explain(operation string, err error) error {
	if err == nil {
		return nil
	}
	if d.closed.Load() {
		err = os.ErrClosed
	}
	if errno, ok := err.(syscall.Errno); ok || err == os.ErrClosed {
		if ok {
			err = errno
		}
		return &os.PathError{Op: operation, Path: d.file.Name(), Err: err}
	}
	return err
}

// SPDX-License-Identifier: MIT

package memtun

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Injected is what became of injected frames. A frame that the broker cuts counts once in Frames,
// and with each of its pieces in the other numbers.
type Injected struct {
	Frames                   uint64
	DroppedNoClient          uint64
	DroppedMTU               uint64
	DroppedNotIP             uint64
	DroppedNeedsSegmentation uint64
	DroppedRefused           uint64
	// Offered is how many went to the tunnel's client; 0 with WithDirection(FromClient).
	Offered uint64
}

const injectResultSize = 56 // struct memtun_inject_result

func parseInjected(record []byte) Injected {
	return Injected{
		Frames:                   native.Uint64(record),
		DroppedNoClient:          native.Uint64(record[8:]),
		DroppedMTU:               native.Uint64(record[16:]),
		DroppedNotIP:             native.Uint64(record[24:]),
		DroppedNeedsSegmentation: native.Uint64(record[32:]),
		DroppedRefused:           native.Uint64(record[40:]),
		Offered:                  native.Uint64(record[48:]),
	}
}

// Dropped returns how many frames the tunnel dropped at once.
func (i Injected) Dropped() uint64 {
	return i.DroppedNoClient + i.DroppedMTU + i.DroppedNotIP + i.DroppedNeedsSegmentation +
		i.DroppedRefused
}

// reasons lists the drops that are not 0.
func (i Injected) reasons() string {
	var words []string
	for _, each := range []struct {
		reason string
		count  uint64
	}{
		{"no-client", i.DroppedNoClient},
		{"mtu", i.DroppedMTU},
		{"not-ip", i.DroppedNotIP},
		{"needs-segmentation", i.DroppedNeedsSegmentation},
		{"refused", i.DroppedRefused},
	} {
		if each.count > 0 {
			words = append(words, fmt.Sprintf("%s: %d", each.reason, each.count))
		}
	}
	return strings.Join(words, ", ")
}

// Injector puts frames on a tunnel.
type Injector struct {
	descriptor descriptor
	name       string
}

// Injector makes one for a tunnel. The frames go to the tunnel's client as if they came from its
// bridge; with WithDirection(FromClient), the broker treats them as if the client had sent them.
// With WithVnetHdr, a struct virtio_net_hdr of 10 bytes is before each frame.
func (c *Client) Injector(ctx context.Context, name string, opts ...Option) (*Injector, error) {
	// The broker takes an attribute only once.
	directed := collect(opts).has("direction")
	opts = join(opts, with("name", name))
	if !directed {
		opts = append(opts, WithDirection(ToClient))
	}
	fd, err := c.one(ctx, cmdInject, nil, opts...)
	if err != nil {
		return nil, err
	}
	made, err := newDescriptor(fd, "the injector of "+name)
	if err != nil {
		return nil, err
	}
	return &Injector{made, name}, nil
}

// Send injects one frame. It waits while the queue of the tunnel is full.
func (i *Injector) Send(ctx context.Context, frame []byte) error {
	return i.descriptor.write(ctx, frame)
}

// Finish waits until the broker has read all frames, and returns what became of them.
func (i *Injector) Finish(ctx context.Context) (Injected, error) {
	var shutdownErr error
	if err := i.descriptor.raw.Control(func(fd uintptr) {
		shutdownErr = syscall.Shutdown(int(fd), syscall.SHUT_WR)
	}); err != nil {
		return Injected{}, &os.PathError{Op: "shutdown", Path: i.descriptor.file.Name(), Err: os.ErrClosed}
	}
	if shutdownErr != nil {
		return Injected{}, os.NewSyscallError("shutdown", shutdownErr)
	}
	record := make([]byte, injectResultSize)
	length, err := i.descriptor.read(ctx, record)
	if ctx.Err() != nil && err != nil {
		return Injected{}, err
	}
	if err != nil || length != injectResultSize {
		return Injected{}, newError(syscall.EPIPE, "the tunnel %q has ended", i.name)
	}
	return parseInjected(record), nil
}

// Close ends the injector. Frames that were written before still arrive.
func (i *Injector) Close() error {
	return i.descriptor.file.Close()
}

// Inject puts frames on a tunnel and returns what became of them. The options are those of
// Injector. If the tunnel drops a frame, the error is a *DroppedError.
func (c *Client) Inject(ctx context.Context, name string, frames [][]byte, opts ...Option) (Injected, error) {
	injector, err := c.Injector(ctx, name, opts...)
	if err != nil {
		return Injected{}, err
	}
	defer injector.Close()
	for _, frame := range frames {
		if err := injector.Send(ctx, frame); err != nil {
			return Injected{}, err
		}
	}
	result, err := injector.Finish(ctx)
	if err == nil && result.Dropped() > 0 {
		err = &DroppedError{name, result}
	}
	return result, err
}

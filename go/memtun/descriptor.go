// SPDX-License-Identifier: MIT

package memtun

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
)

// descriptor is a socket that carries records of frames.
type descriptor struct {
	file *os.File
	raw  syscall.RawConn
}

// newDescriptor makes one of a descriptor that the caller gives away.
func newDescriptor(fd int, name string) (descriptor, error) {
	file, err := newFile(fd, name)
	if err != nil {
		return descriptor{}, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return descriptor{}, err
	}
	return descriptor{file, raw}, nil
}

// tryRead reads a record that is there already; otherwise the error is EAGAIN.
func (d descriptor) tryRead(buffer []byte) (length int, err error) {
	rawErr := d.raw.Read(func(fd uintptr) bool {
		for {
			length, err = syscall.Read(int(fd), buffer)
			if err != syscall.EINTR {
				return true
			}
		}
	})
	if rawErr != nil {
		return d.file.Read(buffer) // it was closed; the file's own error says so
	}
	if err != nil {
		return 0, err
	}
	if length == 0 {
		return 0, io.EOF
	}
	return length, nil
}

// read waits for a record until the context ends.
func (d descriptor) read(ctx context.Context, buffer []byte) (int, error) {
	length, err := d.tryRead(buffer)
	if err != syscall.EAGAIN {
		return length, err
	}
	stop := interrupt(ctx, d.file.SetReadDeadline)
	length, err = d.file.Read(buffer)
	stop()
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		return 0, contextError(ctx, "no record of "+d.file.Name())
	}
	return length, err
}

// write waits for room until the context ends.
func (d descriptor) write(ctx context.Context, record []byte) error {
	if ctx.Err() != nil {
		return contextError(ctx, "no room in "+d.file.Name())
	}
	stop := interrupt(ctx, d.file.SetWriteDeadline)
	_, err := d.file.Write(record)
	stop()
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		return contextError(ctx, "no room in "+d.file.Name())
	}
	return err
}

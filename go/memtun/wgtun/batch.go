// SPDX-License-Identifier: MIT

package wgtun

import (
	"io"
	"runtime"
	"sync"
	"syscall"
	"unsafe"
)

// batchMax is how many packets one system call moves: as many as wireguard-go's ideal batch.
const batchMax = 128

const pollRdhup = 0x2000 // POLLRDHUP

// message is struct mmsghdr.
type message struct {
	header syscall.Msghdr
	length uint32
}

// batch moves packets in one direction by recvmmsg(2) or sendmmsg(2). It allocates nothing after
// init. A mutex lets several goroutines use it.
type batch struct {
	mutex    sync.Mutex
	wait     func(func(uintptr) bool) error // of a syscall.RawConn: repeats until it is true
	attempt  func(uintptr) bool
	number   uintptr // of the system call; 0: unknown
	flags    uintptr
	messages [batchMax]message
	vectors  [batchMax]syscall.Iovec

	// What attempt takes and returns.
	first, last int
	moved       int
	errno       syscall.Errno
	hungUp      bool
}

func (b *batch) init(wait func(func(uintptr) bool) error, number, flags uintptr) {
	b.wait, b.number, b.flags = wait, number, flags
	b.attempt = b.try
	for i := range b.messages {
		b.messages[i].header.Iov = &b.vectors[i]
		b.messages[i].header.Iovlen = 1
	}
}

// load points the messages to the buffers behind the offset, and returns how many fit the batch.
func (b *batch) load(bufs [][]byte, offset int) (int, error) {
	count := len(bufs)
	if count > batchMax {
		count = batchMax
	}
	if b.number == 0 && count > 1 {
		count = 1
	}
	for i := 0; i < count; i++ {
		if offset < 0 || len(bufs[i]) <= offset {
			return 0, io.ErrShortBuffer
		}
		b.vectors[i].Base = &bufs[i][offset]
		b.vectors[i].SetLen(len(bufs[i]) - offset)
		b.messages[i].header.Flags = 0
	}
	return count, nil
}

// try makes one system call. It returns false if the poller has to wait first.
func (b *batch) try(fd uintptr) bool {
	for {
		if b.number != 0 {
			moved, _, errno := syscall.Syscall6(b.number, fd, uintptr(unsafe.Pointer(&b.messages[b.first])),
				uintptr(b.last-b.first), b.flags, 0, 0)
			b.moved, b.errno = int(moved), errno
		} else {
			b.one(fd)
		}
		if b.errno == syscall.EINTR {
			continue
		}
		if b.errno != 0 {
			b.moved = 0
		} else if b.messages[b.first].length == 0 {
			b.hungUp = hasHungUp(fd)
		}
		return b.errno != syscall.EAGAIN
	}
}

// one moves one packet where the number of the system call for many is not known.
func (b *batch) one(fd uintptr) {
	vector, message := &b.vectors[b.first], &b.messages[b.first]
	packet := unsafe.Slice(vector.Base, int(vector.Len))
	var length, flags int
	var err error
	if b.flags&syscall.MSG_NOSIGNAL != 0 {
		length, err = syscall.SendmsgN(int(fd), packet, nil, nil, int(b.flags))
	} else {
		length, _, flags, _, err = syscall.Recvmsg(int(fd), packet, nil, int(b.flags))
	}
	b.moved, b.errno = 1, 0
	if err != nil {
		b.errno = err.(syscall.Errno)
		return
	}
	message.length = uint32(length)
	message.header.Flags = int32(flags)
}

// hasHungUp tells whether the other end is closed: a read of 0 bytes alone may be an empty packet.
func hasHungUp(fd uintptr) bool {
	poll := struct {
		fd      int32
		events  int16
		revents int16
	}{int32(fd), pollRdhup, 0}
	var now syscall.Timespec
	syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return poll.revents != 0
}

// receive waits for packets, and returns how many it has read.
func (b *batch) receive(bufs [][]byte, sizes []int, offset int) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	count, err := b.load(bufs, offset)
	if err != nil || count == 0 {
		return 0, err
	}
	for {
		b.first, b.last, b.hungUp = 0, count, false
		err := b.wait(b.attempt)
		runtime.KeepAlive(bufs)
		if err != nil {
			return 0, err
		}
		if b.errno == syscall.ECONNRESET {
			continue // the peer left frames unread; those that it wrote follow
		}
		if b.errno != 0 {
			return 0, b.errno
		}
		if moved := b.sizes(sizes); moved > 0 {
			return moved, nil
		}
		if b.hungUp {
			return 0, io.EOF
		}
	}
}

// sizes sets the sizes of the packets that were read, and returns their number without the empty
// ones at the end. At the end of a tunnel, the whole rest of a batch is empty.
func (b *batch) sizes(sizes []int) int {
	count := 0
	for i := 0; i < b.moved; i++ {
		sizes[i] = int(b.messages[i].length)
		if sizes[i] > 0 {
			count = i + 1
		}
		if b.messages[i].header.Flags&syscall.MSG_TRUNC != 0 {
			sizes[i] = 0
		}
	}
	return count
}

// send waits for room, and returns how many packets it has written.
func (b *batch) send(bufs [][]byte, offset int) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	sent := 0
	for sent < len(bufs) {
		count, err := b.load(bufs[sent:], offset)
		if err != nil {
			return sent, err
		}
		for b.first, b.last = 0, count; b.first < count; b.first += b.moved {
			err := b.wait(b.attempt)
			runtime.KeepAlive(bufs)
			if err != nil {
				return sent, err
			}
			if b.errno != 0 {
				return sent, b.errno
			}
			sent += b.moved
		}
	}
	return sent, nil
}

// SPDX-License-Identifier: MIT

package memtun

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
)

const (
	lengthSize  = 4       // before each frame of a Stream
	piSize      = 4       // struct tun_pi
	vnetHdrSize = 10      // struct virtio_net_hdr, unless WithVnetHdrSize says more
	readSize    = 1 << 17 // bytes: a frame and more in one call
)

// Framer reads and writes the frames of a tunnel whose socket type is Stream, where each frame
// follows its length. With another socket type, it reads and writes the file as it is. One goroutine
// may read while another one writes.
//
// The deadlines are those of the file. If one ends a Write of which the socket has taken only a
// part, Write returns the frame's length and the error: the rest goes before the next frame.
type Framer struct {
	file     *os.File
	isStream bool
	longest  int

	reading  sync.Mutex
	received []byte // what is not yet a whole frame

	writing sync.Mutex
	unsent  []byte // the rest of a frame
}

// NewFramer returns a Framer of a tunnel, with the record that OpenTunnel has returned with the file.
// The file stays the caller's, who closes it.
func NewFramer(file *os.File, tunnel Tunnel) *Framer {
	longest := FrameMax
	if tunnel.PI {
		longest += piSize
	}
	if tunnel.VnetHdr && tunnel.VnetHdrSize > 0 {
		longest += tunnel.VnetHdrSize
	} else if tunnel.VnetHdr {
		longest += vnetHdrSize
	}
	return &Framer{
		file:     file,
		isStream: tunnel.Socket == Stream && tunnel.Backend != Kernel,
		longest:  longest,
	}
}

// Read reads one frame. The error is io.EOF at the end of the tunnel, and io.ErrShortBuffer if the
// frame is longer than the buffer, which has its beginning then. Empty frames are skipped.
func (f *Framer) Read(buffer []byte) (int, error) {
	if !f.isStream {
		return f.file.Read(buffer)
	}
	f.reading.Lock()
	defer f.reading.Unlock()
	for {
		frame, err := f.take()
		if err != nil {
			return 0, err
		}
		if len(frame) > 0 {
			length := copy(buffer, frame)
			if length < len(frame) {
				return length, io.ErrShortBuffer
			}
			return length, nil
		}
		if err := f.receive(); err != nil {
			return 0, err
		}
	}
}

// take takes the first frame that is not empty off what was received; nil: it is not there whole.
func (f *Framer) take() ([]byte, error) {
	for len(f.received) >= lengthSize {
		length := binary.BigEndian.Uint32(f.received)
		if length > FrameMax+headersMax {
			return nil, newError(syscall.EBADMSG, "a frame has the length %d", length)
		}
		end := lengthSize + int(length)
		if len(f.received) < end {
			break
		}
		frame := f.received[lengthSize:end]
		f.received = f.received[end:]
		if length > 0 {
			return frame, nil
		}
	}
	return nil, nil
}

// receive reads some bytes.
func (f *Framer) receive() error {
	if cap(f.received)-len(f.received) < readSize {
		f.received = append(make([]byte, 0, len(f.received)+2*readSize), f.received...)
	}
	for {
		length, err := f.file.Read(f.received[len(f.received):cap(f.received)])
		f.received = f.received[:len(f.received)+length]
		// Only the other end's unread frames are lost. The frames for this end follow.
		if !errors.Is(err, syscall.ECONNRESET) {
			return err
		}
	}
}

// Write writes one frame, and returns its length. The error is EMSGSIZE if the frame is longer than
// FrameMax and the tunnel's headers; nothing is written then, and the tunnel can still be used. The
// broker would end a Stream with such a frame. It drops an empty frame.
func (f *Framer) Write(frame []byte) (int, error) {
	if !f.isStream {
		return f.file.Write(frame)
	}
	if len(frame) > f.longest {
		return 0, newError(syscall.EMSGSIZE, "%s: a frame of %d bytes; a stream carries at most %d bytes",
			f.file.Name(), len(frame), f.longest)
	}
	f.writing.Lock()
	defer f.writing.Unlock()
	if len(f.unsent) > 0 {
		length, err := f.file.Write(f.unsent)
		f.unsent = f.unsent[length:]
		if err != nil {
			return 0, err
		}
	}
	data := make([]byte, lengthSize, lengthSize+len(frame))
	binary.BigEndian.PutUint32(data, uint32(len(frame)))
	data = append(data, frame...)
	length, err := f.file.Write(data)
	if length == 0 {
		return 0, err
	}
	f.unsent = data[length:]
	return len(frame), err
}

// SPDX-License-Identifier: MIT

package memtun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"
)

const (
	captureHeaderSize  = 24 // struct memtun_capture_header
	captureDetailsSize = 80 // struct memtun_capture_details
	captureReasons     = 8  // MEMTUN_CAPTURE_REASONS
	captureHasClock    = 1  // MEMTUN_CAPTURE_CLOCK

	// captureRecordMax has room for a longer header.
	captureRecordMax = FrameMax + 1024
)

// Frame is one record of a capture.
type Frame struct {
	// Data is the frame, without headers of the tunnel.
	Data []byte
	// Time is when the broker saw it.
	Time time.Time
	// Missed is how many frames the capture has missed so far, because its reader was too slow.
	Missed uint64
	// Port is the ID of the tunnel or the uplink.
	Port      uint32
	Direction Direction
	Mode      Mode

	// The other fields are of captures with WithFaults.

	// ID is the same in all records of one frame, its copies and its pieces.
	ID uint64
	// Reasons are the counters of what happened to it. If there is none, it was on its way.
	Reasons []Counter
	// Rule is the number of the rule that did it, or 0. Seed is that of the rule, and Number the
	// number of the frame among those that have reached the rule, from 1.
	Rule   uint32
	Seed   uint64
	Number uint64
	// Clock is the time of the manual clock; nil if the broker has none.
	Clock *time.Duration
}

// Comment tells what happened to the frame, in the words of "memtun capture --faults".
func (f Frame) Comment() string {
	var words []string
	for _, reason := range f.Reasons {
		text := strings.TrimPrefix(strings.TrimPrefix(string(reason), "from-client-"), "to-client-")
		words = append(words, strings.Replace(text, "dropped-", "dropped: ", 1))
	}
	text := strings.Join(words, ", ")
	if f.Rule != 0 {
		text += fmt.Sprintf("; rule %d, seed %d, frame %d", f.Rule, f.Seed, f.Number)
	}
	if f.Clock != nil {
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("clock %d.%09d", *f.Clock/time.Second, *f.Clock%time.Second)
	}
	return text
}

// parseFrame reads a record of a capture. The frame's data is a part of it.
func parseFrame(record []byte, detailed bool) (Frame, error) {
	size := captureHeaderSize
	if detailed {
		size = captureDetailsSize
	}
	if len(record) < size {
		return Frame{}, newError(syscall.EBADMSG, "the broker sent a capture's record of %d bytes", len(record))
	}
	frame := Frame{
		Time:      time.Unix(0, int64(native.Uint64(record))),
		Missed:    native.Uint64(record[8:]),
		Port:      native.Uint32(record[16:]),
		Direction: Direction(attributes["direction"].word(uint64(native.Uint16(record[20:])))),
		Mode:      Mode(attributes["mode"].word(uint64(native.Uint16(record[22:])))),
	}
	if detailed {
		details := record[captureHeaderSize:]
		frame.ID = native.Uint64(details)
		frame.Seed = native.Uint64(details[16:])
		frame.Number = native.Uint64(details[24:])
		frame.Rule = native.Uint32(details[32:])
		size = int(native.Uint16(details[36:]))
		if native.Uint16(details[38:])&captureHasClock != 0 {
			clock := time.Duration(native.Uint64(details[8:]))
			frame.Clock = &clock
		}
		for i := 0; i < captureReasons; i++ {
			if number := native.Uint16(details[40+2*i:]); number != 0 {
				frame.Reasons = append(frame.Reasons, counterOf(number))
			}
		}
		if size < captureDetailsSize || size > len(record) {
			return Frame{}, newError(syscall.EBADMSG, "a capture's record has a header of %d bytes", size)
		}
	}
	frame.Data = record[size:]
	return frame, nil
}

// counterOf returns the counter of an attribute, also of one that this package does not know.
func counterOf(number uint16) Counter {
	if counter, ok := counterNumbers[number]; ok {
		return counter
	}
	return Counter("reason-" + uintText(uint64(number)))
}

// Capture has copies of the frames of a port, or of all ports of a bridge.
type Capture struct {
	descriptor descriptor
	detailed   bool
	buffer     []byte
}

// Capture captures the frames of a tunnel or an uplink, or of the bridge of that name. The options
// are WithDirection and WithFaults.
func (c *Client) Capture(ctx context.Context, name string, opts ...Option) (*Capture, error) {
	fd, err := c.one(ctx, cmdCapture, nil, join(opts, with("name", name))...)
	if errors.Is(err, syscall.ENOENT) {
		var bridgeErr error
		fd, bridgeErr = c.one(ctx, cmdCapture, nil, join(opts, with("bridge", name))...)
		if !errors.Is(bridgeErr, syscall.ENOENT) {
			err = bridgeErr
		}
	}
	if err != nil {
		return nil, err
	}
	made, err := newDescriptor(fd, "the capture of "+name)
	if err != nil {
		return nil, err
	}
	return &Capture{made, collect(opts).has("faults"), make([]byte, captureRecordMax)}, nil
}

// Next returns the next frame. The error is io.EOF when the port or the bridge was deleted. Only one
// goroutine at a time may call Next and Pending.
func (c *Capture) Next(ctx context.Context) (Frame, error) {
	length, err := c.descriptor.read(ctx, c.buffer)
	if err != nil {
		return Frame{}, err
	}
	return parseFrame(append([]byte(nil), c.buffer[:length]...), c.detailed)
}

// Pending returns the frames that have arrived, without waiting.
func (c *Capture) Pending() ([]Frame, error) {
	var frames []Frame
	for {
		length, err := c.descriptor.tryRead(c.buffer)
		if err == syscall.EAGAIN || err == io.EOF {
			return frames, nil
		}
		if err != nil {
			return frames, err
		}
		frame, err := parseFrame(append([]byte(nil), c.buffer[:length]...), c.detailed)
		if err != nil {
			return frames, err
		}
		frames = append(frames, frame)
	}
}

// Expect returns the next frame for which the function returns true.
func (c *Capture) Expect(ctx context.Context, match func(Frame) bool) (Frame, error) {
	for {
		frame, err := c.Next(ctx)
		if err != nil || match(frame) {
			return frame, err
		}
	}
}

// WritePcapng writes each frame to a pcapng file, until the context or the capture ends. Both are no
// error. nameOf returns the name of the port that has an ID; nil names it by the number.
func (c *Capture) WritePcapng(ctx context.Context, file io.Writer, nameOf func(uint32) string) error {
	writer, err := NewPcapngWriter(file, nameOf)
	if err != nil {
		return err
	}
	for {
		frame, err := c.Next(ctx)
		if err == io.EOF || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := writer.Write(frame); err != nil {
			return err
		}
	}
}

// Close ends the capture.
func (c *Capture) Close() error {
	return c.descriptor.file.Close()
}

// SPDX-License-Identifier: MIT

package memtuntest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"memtun"
)

// sendTime is how long the end of a recording waits for the broker. It reads frames at once, unless it
// waits for a program to read.
const sendTime = 500 * time.Millisecond

// recorder owns a capture, its file, and the goroutine that reads the one and writes the other.
type recorder struct {
	broker  *memtun.Broker
	capture *memtun.Capture
	file    *os.File
	buffer  *bufio.Writer
	writer  *memtun.PcapngWriter
	cancel  context.CancelFunc
	done    chan struct{}

	frames int
	missed uint64
	err    error
}

func newRecorder(ctx context.Context, broker *memtun.Broker, name string) (*recorder, error) {
	capture, err := broker.Capture(ctx, name, memtun.WithFaults())
	if err != nil {
		return nil, err
	}
	pattern := "memtun-" + strings.ReplaceAll(name, string(os.PathSeparator), "_") + "-*.pcapng"
	file, err := os.CreateTemp("", pattern)
	if err != nil {
		capture.Close()
		return nil, err
	}
	background, cancel := context.WithCancel(context.Background())
	r := &recorder{
		broker: broker, capture: capture, file: file, buffer: bufio.NewWriter(file), cancel: cancel,
		done: make(chan struct{}),
	}
	r.writer, r.err = memtun.NewPcapngWriter(r.buffer, r.nameOf)
	go r.run(background)
	return r, nil
}

// nameOf returns the name of a port, which may have been deleted by now.
func (r *recorder) nameOf(port uint32) string {
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	tunnels, _ := r.broker.Tunnels(ctx)
	for _, tunnel := range tunnels {
		if tunnel.ID == port {
			return tunnel.Name
		}
	}
	uplinks, _ := r.broker.Uplinks(ctx)
	for _, uplink := range uplinks {
		if uplink.ID == port {
			return uplink.Name
		}
	}
	return fmt.Sprintf("port %d", port)
}

func (r *recorder) run(ctx context.Context) {
	defer close(r.done)
	for {
		frame, err := r.capture.Next(ctx)
		if err != nil {
			return // the end of the port, or of the recording
		}
		r.write(frame)
	}
}

func (r *recorder) write(frame memtun.Frame) {
	r.frames++
	r.missed = frame.Missed
	if r.err == nil {
		r.err = r.writer.Write(frame)
	}
}

// drain writes the frames that have arrived, and returns how many there were.
func (r *recorder) drain() int {
	frames, err := r.capture.Pending()
	if err != nil && r.err == nil {
		r.err = err
	}
	for _, frame := range frames {
		r.write(frame)
	}
	return len(frames)
}

// stop writes what the broker has captured so far, and ends the recording.
func (r *recorder) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	// Frames that the test wrote last may still be on their way into the broker. If that has to
	// wait, as before a queue that blocks, the recording ends without them.
	sent, cancelSent := context.WithTimeout(ctx, sendTime)
	defer cancelSent()
	r.broker.WaitSent(sent)
	r.cancel()
	<-r.done
	// The broker answers after it has put the records before the request on the socket. It may have
	// more that found no room.
	for {
		_, err := r.broker.Sessions(ctx)
		if r.drain() == 0 || err != nil {
			break
		}
	}
	r.capture.Close()
	if err := r.buffer.Flush(); err != nil && r.err == nil {
		r.err = err
	}
	if err := r.file.Close(); err != nil && r.err == nil {
		r.err = err
	}
	return r.err
}

func (r *recorder) path() string {
	return r.file.Name()
}

func (r *recorder) count() string {
	if r.missed > 0 {
		return fmt.Sprintf("%d frames; %d more were missed", r.frames, r.missed)
	}
	return fmt.Sprintf("%d frames", r.frames)
}

func (r *recorder) remove() {
	os.Remove(r.path())
}

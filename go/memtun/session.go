// SPDX-License-Identifier: MIT

package memtun

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

const errInvalid = syscall.EINVAL

// reply is one record of an answer, and its descriptor; -1: none.
type reply struct {
	values values
	fd     int
}

// call is a request that waits for its answer. The mutex of the session guards it.
type call struct {
	replies       []reply
	err           error
	hasDescriptor bool          // the answer may have one; others are closed
	abandoned     bool          // the caller has gone: close the descriptors that come
	done          chan struct{} // closed when the answer is complete
}

// session is a connection to a broker. A goroutine receives its records until the connection ends.
// It closes the descriptors of answers whose caller has stopped waiting, so that such a call costs
// nothing but its answer.
type session struct {
	conn    *net.UnixConn
	address string
	sending chan struct{} // has one token: the right to send
	buffer  []byte        // of the goroutine

	mutex    sync.Mutex
	events   func(message) // takes records without a request; nil: they are ignored
	sequence uint32
	calls    map[uint32]*call
	err      error         // why the connection has ended
	ended    chan struct{} // closed by the goroutine when it ends
}

// newSession says hello on a connection, which it owns.
func newSession(ctx context.Context, conn *net.UnixConn, address string) (*session, error) {
	s := &session{
		conn:    conn,
		address: address,
		sending: make(chan struct{}, 1),
		buffer:  make([]byte, recordMax), // of a longer record, the header tells
		calls:   make(map[uint32]*call),
		ended:   make(chan struct{}),
	}
	s.sending <- struct{}{}
	go s.receive()
	if _, err := s.request(ctx, cmdHello, 0, with("version", uint32(protocolVersion))); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// dialSession connects to the broker at the address, or to the first that is found.
func dialSession(ctx context.Context, address string) (*session, error) {
	conn, address, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return newSession(ctx, conn, address)
}

// takeEvents gives records without a request to the function from now on.
func (s *session) takeEvents(events func(message)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.events = events
}

// close ends the connection, and waits for the goroutine.
func (s *session) close() error {
	err := s.conn.Close()
	<-s.ended
	if errors.Is(err, net.ErrClosed) {
		return nil // a second call
	}
	return err
}

// --- sending ---

// request sends a request and returns the records of its answer. The caller owns their descriptors.
// If the answer is an error, the records before it are returned, too, without descriptors.
func (s *session) request(ctx context.Context, kind command, flags uint16, opts ...Option) ([]reply, error) {
	o := collect(opts)
	if o.err != nil {
		return nil, o.err
	}
	if headerSize+len(o.data) > recordMax {
		return nil, newError(syscall.EMSGSIZE, "the request has more than %d bytes", recordMax)
	}
	waiting, err := s.send(ctx, kind, flagRequest|flagAck|flags, o.data)
	if err != nil {
		return nil, err
	}
	select {
	case <-waiting.done:
	case <-ctx.Done():
		if s.abandon(waiting) {
			return nil, contextError(ctx, "no answer of the broker")
		}
	}
	return waiting.replies, waiting.err
}

// send sends a request, and returns the call that waits for its answer.
func (s *session) send(ctx context.Context, kind command, flags uint16, data []byte) (*call, error) {
	select {
	case <-ctx.Done():
		return nil, contextError(ctx, "the request was not sent")
	default:
	}
	select {
	case <-s.sending:
		defer func() { s.sending <- struct{}{} }()
	case <-ctx.Done():
		return nil, contextError(ctx, "the request was not sent")
	}
	waiting, sequence, err := s.expect(kind)
	if err != nil {
		return nil, err
	}
	stop := interrupt(ctx, s.conn.SetWriteDeadline)
	_, err = s.conn.Write(buildRecord(kind, flags, sequence, data))
	stop()
	if err == nil {
		return waiting, nil
	}
	s.forget(sequence)
	if ctx.Err() != nil {
		return nil, contextError(ctx, "the request was not sent")
	}
	return nil, s.explain(err)
}

// expect adds a call for the next sequence number.
func (s *session) expect(kind command) (*call, uint32, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.err != nil {
		return nil, 0, s.err
	}
	s.sequence++
	if s.sequence == 0 {
		s.sequence++ // 0 is for records without a request
	}
	waiting := &call{hasDescriptor: kind.hasDescriptor(), done: make(chan struct{})}
	s.calls[s.sequence] = waiting
	return waiting, s.sequence, nil
}

// forget removes the call of a request that was not sent.
func (s *session) forget(sequence uint32) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.calls, sequence)
}

// abandon stops waiting for a call. It returns false if the answer is complete.
func (s *session) abandon(waiting *call) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	select {
	case <-waiting.done:
		return false
	default:
	}
	waiting.abandoned = true
	waiting.drop()
	return true
}

// drop closes the descriptors of an answer.
func (c *call) drop() {
	for i := range c.replies {
		if c.replies[i].fd >= 0 {
			syscall.Close(c.replies[i].fd)
			c.replies[i].fd = -1
		}
	}
}

// explain returns the error of a connection that failed.
func (s *session) explain(err error) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.err != nil {
		return s.err
	}
	return connectionError(err)
}

func connectionError(err error) error {
	var known *Error
	var errno syscall.Errno
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, net.ErrClosed):
		return &closedError{}
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return newError(syscall.EPIPE, "the broker has closed the connection")
	case errors.As(err, &errno):
		return newError(errno, "the connection to the broker has failed: %v", errno)
	}
	return newError(syscall.EIO, "the connection to the broker has failed: %v", err)
}

// closedError is the error of calls after Close.
type closedError struct{}

func (*closedError) Error() string { return "memtun: the connection is closed" }
func (*closedError) Unwrap() error { return net.ErrClosed }

// --- receiving ---

// receive is the goroutine.
func (s *session) receive() {
	defer close(s.ended)
	var err error
	for err == nil {
		var m message
		var fd int
		if m, fd, err = s.read(); err == nil {
			err = s.dispatch(m, fd)
		}
	}
	// The error is set before the connection is closed, so that a request which fails by that has it.
	defer s.conn.Close()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.err = connectionError(err)
	for sequence, waiting := range s.calls {
		waiting.drop()
		waiting.finish(s.err)
		delete(s.calls, sequence)
	}
}

// read receives one record and its descriptor; -1: none.
func (s *session) read() (message, int, error) {
	control := make([]byte, syscall.CmsgLen(4)) // room for one descriptor: the kernel gives no more
	length, controlLength, flags, _, err := s.conn.ReadMsgUnix(s.buffer, control)
	if err != nil {
		return message{}, -1, err
	}
	fd := oneDescriptor(control[:controlLength])
	if length == 0 {
		err = io.EOF
	}
	var m message
	if err == nil {
		// The values are parts of a copy, so that a list of short records is short.
		if m, err = parseRecord(append([]byte(nil), s.buffer[:length]...)); err != nil {
			err = newError(syscall.EBADMSG, "the broker sent a malformed record: %v", err)
		}
	}
	if err == nil && fd < 0 && (m.values.number("fds") > 0 || flags&syscall.MSG_CTRUNC != 0) {
		// The record was read whole, so the connection goes on.
		m.errno = syscall.EMFILE
	}
	if err != nil && fd >= 0 {
		syscall.Close(fd)
		fd = -1
	}
	return m, fd, err
}

// oneDescriptor returns the descriptor of a control message; -1: none.
func oneDescriptor(control []byte) int {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil || len(messages) == 0 {
		return -1
	}
	descriptors, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(descriptors) == 0 {
		return -1
	}
	return descriptors[0]
}

// dispatch gives a record to the call that waits for it. It returns the error that ends the
// connection.
func (s *session) dispatch(m message, fd int) error {
	if m.sequence == 0 {
		if fd >= 0 {
			syscall.Close(fd)
		}
		if m.kind == typeError && m.errno != 0 && m.errno != syscall.ENOBUFS {
			return &Error{Errno: m.errno, Text: m.text}
		}
		s.mutex.Lock()
		events := s.events
		s.mutex.Unlock()
		if events != nil {
			events(m)
		}
		return nil
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	waiting := s.calls[m.sequence]
	if waiting == nil {
		if fd >= 0 {
			syscall.Close(fd)
		}
		return newError(syscall.EBADMSG, "the broker answered a request that was not sent")
	}
	if waiting.take(m, fd) {
		delete(s.calls, m.sequence)
	}
	return nil
}

// take adds a record to the answer. It returns true if the answer is complete.
func (c *call) take(m message, fd int) bool {
	if fd >= 0 && (!c.hasDescriptor || m.kind == typeError || m.kind == typeDone) {
		syscall.Close(fd)
		fd = -1
	}
	switch m.kind {
	case typeError:
		if m.errno != 0 {
			c.drop()
			c.finish(&Error{Errno: m.errno, Text: m.text})
		} else {
			c.finish(nil)
		}
		return true
	case typeDone:
		c.finish(nil)
		return true
	}
	if m.errno == syscall.EMFILE {
		c.drop()
		c.err = newError(syscall.EMFILE, "the broker's descriptor was lost: this process has no free descriptor")
	} else {
		c.replies = append(c.replies, reply{m.values, fd})
	}
	if c.abandoned {
		c.drop()
		c.replies = nil
	}
	if m.flags&flagMulti == 0 {
		c.finish(nil)
		return true
	}
	return false
}

// finish completes the answer. An error that came before stays.
func (c *call) finish(err error) {
	if c.err == nil {
		c.err = err
	}
	close(c.done)
}

// --- contexts ---

// interrupt ends reads or writes when the context ends, by a deadline that is over. The caller calls
// stop when its read or write has returned; stop takes the deadline away again.
func interrupt(ctx context.Context, deadline func(time.Time) error) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	finished, returned := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(returned)
		select {
		case <-ctx.Done():
			deadline(time.Unix(1, 0))
		case <-finished:
		}
	}()
	return func() {
		close(finished)
		<-returned
		if ctx.Err() != nil {
			deadline(time.Time{})
		}
	}
}

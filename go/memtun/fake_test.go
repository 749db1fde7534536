// SPDX-License-Identifier: MIT

package memtun

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// fakeBroker is the other end of a session, which sends what a test says.
type fakeBroker struct {
	t    *testing.T
	conn *net.UnixConn
}

// temporary returns a directory with a short path, as that of a socket has at most 107 bytes.
func temporary(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp("/tmp", "memtun-go-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	return directory
}

// fake starts a broker that answers the hello, and returns it and a client of it.
func fake(t *testing.T) (*fakeBroker, *Client) {
	t.Helper()
	path := filepath.Join(temporary(t), "control")
	listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan *fakeBroker)
	go func() {
		conn, err := listener.AcceptUnix()
		if err != nil {
			t.Error(err)
			close(accepted)
			return
		}
		broker := &fakeBroker{t, conn}
		kind, sequence := broker.request()
		broker.send(buildRecord(kind, 0, sequence, nil))
		accepted <- broker
	}()
	client, err := Dial(soon(t), path)
	if err != nil {
		t.Fatal(err)
	}
	broker := <-accepted
	t.Cleanup(func() {
		client.Close()
		broker.conn.Close()
	})
	return broker, client
}

// soon returns a context that ends a test which hangs.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// request receives a request.
func (b *fakeBroker) request() (command, uint32) {
	data := make([]byte, recordMax)
	length, err := b.conn.Read(data)
	if err != nil || length < headerSize {
		b.t.Errorf("the fake broker got %d bytes: %v", length, err)
		return 0, 0
	}
	return command(native.Uint16(data[4:])), native.Uint32(data[8:])
}

// send sends a record, with descriptors.
func (b *fakeBroker) send(record []byte, descriptors ...int) {
	var control []byte
	if len(descriptors) > 0 {
		control = syscall.UnixRights(descriptors...)
	}
	if _, _, err := b.conn.WriteMsgUnix(record, control, nil); err != nil {
		b.t.Error(err)
	}
}

// refusal returns the record of an error.
func refusal(sequence uint32, errno syscall.Errno) []byte {
	body := appendU32(nil, uint32(-int32(errno)))
	body = append(body, make([]byte, headerSize)...)
	body = appendAttribute(body, errorText, []byte("no\x00"))
	return buildRecord(typeError, 0, sequence, body)
}

// pipe returns a pipe, and a function that waits until no descriptor of its writing end is left.
func pipe(t *testing.T) (writer *os.File, closed func() error) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	return writer, func() error {
		reader.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, err := reader.Read(make([]byte, 1))
		if err == io.EOF {
			return nil
		}
		return err
	}
}

func TestCallEndsWithItsContextAndTheClientGoesOn(t *testing.T) {
	broker, client := fake(t)
	writer, closed := pipe(t)
	ctx, cancel := context.WithCancel(context.Background())
	asked := make(chan uint32)
	go func() {
		_, sequence := broker.request()
		cancel()
		asked <- sequence
	}()
	if _, err := client.Open(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Fatalf("open: %v", err)
	}
	late := <-asked
	go func() {
		_, sequence := broker.request()
		fds := appendAttribute(nil, attributes["fds"].number, appendU32(nil, 1))
		broker.send(buildRecord(cmdQueueOpen, 0, late, fds), int(writer.Fd()))
		writer.Close()
		broker.send(buildRecord(cmdClockShow, 0, sequence, nil))
	}()
	if _, err := client.Clock(soon(t)); err != nil {
		t.Errorf("the next request: %v", err)
	}
	if err := closed(); err != nil {
		t.Errorf("the descriptor of the late answer is open: %v", err)
	}
}

func TestRequestThatCannotBeSentEndsWithItsContext(t *testing.T) {
	broker, client := fake(t)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	// Requests that the broker does not read fill the socket.
	var err error
	sent := -1
	for ; err == nil; sent++ {
		_, err = client.session.send(ctx, cmdClockShow, flagRequest, nil)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("request %d: %v", sent+1, err)
	}
	go func() {
		for i := 0; i < sent+1; i++ {
			_, sequence := broker.request()
			broker.send(buildRecord(cmdClockShow, 0, sequence, nil))
		}
	}()
	if _, err := client.Clock(soon(t)); err != nil {
		t.Errorf("the next request: %v", err)
	}
}

func TestMalformedRecordEndsTheConnection(t *testing.T) {
	attribute := appendAttribute(nil, 4, []byte("name\x00"))
	long := append([]byte(nil), attribute...)
	native.PutUint16(long, 200)
	wrong := buildRecord(cmdClockShow, 0, 2, nil)
	native.PutUint32(wrong, 17)
	for name, record := range map[string][]byte{
		"short":           {1, 2, 3},
		"wrong length":    wrong,
		"cut error":       buildRecord(typeError, 0, 2, make([]byte, 8)),
		"long attribute":  buildRecord(cmdClockShow, 0, 2, long),
		"cut attribute":   buildRecord(cmdClockShow, 0, 2, attribute[:len(attribute)-1]),
		"cut header":      buildRecord(cmdClockShow, 0, 2, attribute[:2]),
		"other request":   buildRecord(cmdClockShow, 0, 77, nil),
		"too long":        buildRecord(cmdClockShow, 0, 2, make([]byte, recordMax-headerSize+4)),
		"error's padding": buildRecord(typeError, 0, 2, append(make([]byte, errorBodySize), 5, 0, 1, 0, 65)),
	} {
		t.Run(name, func(t *testing.T) {
			broker, client := fake(t)
			go func() {
				broker.request()
				broker.send(record)
			}()
			if _, err := client.Clock(soon(t)); !errors.Is(err, syscall.EBADMSG) {
				t.Errorf("the request: %v", err)
			}
			if _, err := client.Clock(soon(t)); !errors.Is(err, syscall.EBADMSG) {
				t.Errorf("the next request: %v", err)
			}
		})
	}
}

func TestErrorWithoutARequestEndsTheConnection(t *testing.T) {
	broker, client := fake(t)
	go func() {
		broker.request()
		broker.send(refusal(0, syscall.EPERM))
	}()
	if _, err := client.Clock(soon(t)); !errors.Is(err, syscall.EPERM) {
		t.Errorf("the request: %v", err)
	}
}

func TestAnswerWithoutItsDescriptorIsAnError(t *testing.T) {
	broker, client := fake(t)
	go func() {
		_, sequence := broker.request()
		broker.send(buildRecord(cmdQueueOpen, 0, sequence, nil))
		_, sequence = broker.request()
		fds := appendAttribute(nil, attributes["fds"].number, appendU32(nil, 1))
		broker.send(buildRecord(cmdQueueOpen, 0, sequence, fds))
		_, sequence = broker.request()
		broker.send(buildRecord(typeDone, flagMulti, sequence, nil))
		for i := 0; i < 2; i++ {
			_, sequence = broker.request()
			broker.send(buildRecord(typeError, 0, sequence, make([]byte, errorBodySize)))
		}
		_, sequence = broker.request()
		broker.send(buildRecord(cmdQueueOpen, 0, sequence, nil))
	}()
	if _, err := client.Open(soon(t), "a"); !errors.Is(err, syscall.EBADMSG) {
		t.Errorf("no descriptor: %v", err)
	}
	if _, err := client.Open(soon(t), "a"); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("a lost descriptor: %v", err)
	}
	if _, err := client.Open(soon(t), "a"); !errors.Is(err, syscall.EBADMSG) {
		t.Errorf("an empty list: %v", err)
	}
	if _, err := client.AttachQueue(soon(t), Tunnel{Socket: Stream}, "a"); !errors.Is(err, syscall.EBADMSG) {
		t.Errorf("no record of a queue: %v", err)
	}
	if _, err := client.SetInterface(soon(t), "a"); !errors.Is(err, syscall.EBADMSG) {
		t.Errorf("no record of an interface: %v", err)
	}
	if _, _, err := client.OpenQueue(soon(t), ""); !errors.Is(err, syscall.EBADMSG) {
		t.Errorf("no descriptor of a queue: %v", err)
	}
}

func TestDescriptorsThatNoCallTakesAreClosed(t *testing.T) {
	broker, client := fake(t)
	writer, closed := pipe(t)
	fd := int(writer.Fd())
	go func() {
		_, sequence := broker.request()
		broker.send(buildRecord(cmdEvent, 0, 0, nil), fd)                // an event
		broker.send(buildRecord(cmdQueueOpen, 0, sequence, nil), fd, fd) // more than one
		_, sequence = broker.request()
		broker.send(buildRecord(cmdQueueOpen, flagMulti, sequence, nil), fd)
		broker.send(refusal(sequence, syscall.ENFILE)) // the series fails
		_, sequence = broker.request()
		broker.send(buildRecord(cmdQueueOpen, flagMulti, sequence, nil), fd)
		broker.send(buildRecord(cmdQueueOpen, flagMulti, sequence, nil), fd)
		broker.send(buildRecord(typeDone, flagMulti, sequence, nil)) // two in place of one
		_, sequence = broker.request()
		broker.send(buildRecord(cmdQueueOpen, flagMulti, sequence, nil), fd)
		broker.send([]byte{1, 2, 3, 4}, fd) // the connection ends in the middle of an answer
		writer.Close()
	}()
	file, err := client.Open(soon(t), "a")
	if err == nil {
		file.Close()
	} else if !errors.Is(err, syscall.EMFILE) { // MSG_CTRUNC
		t.Errorf("open: %v", err)
	}
	for _, errno := range []syscall.Errno{syscall.ENFILE, syscall.EBADMSG, syscall.EBADMSG} {
		if _, err := client.Open(soon(t), "a"); !errors.Is(err, errno) {
			t.Errorf("open: %v, not %v", err, errno)
		}
	}
	if err := closed(); err != nil {
		t.Errorf("a descriptor is still open: %v", err)
	}
}

// lists are calls whose answers have no descriptors.
var lists = map[string]func(context.Context, *Client) error{
	"one record": func(ctx context.Context, c *Client) error { _, err := c.Clock(ctx); return err },
	"a list":     func(ctx context.Context, c *Client) error { _, err := c.Tunnels(ctx); return err },
	"no record":  func(ctx context.Context, c *Client) error { return c.Set(ctx, "a") },
}

func TestDescriptorsOfTheEndOfAnAnswerAreClosed(t *testing.T) {
	broker, client := fake(t)
	writer, closed := pipe(t)
	go func() {
		fd := int(writer.Fd())
		_, sequence := broker.request()
		broker.send(refusal(sequence, syscall.EBUSY), fd, fd, fd)
		_, sequence = broker.request()
		broker.send(buildRecord(cmdQueueOpen, flagMulti, sequence, nil), fd)
		broker.send(buildRecord(typeDone, flagMulti, sequence, nil), fd)
		writer.Close()
	}()
	if _, err := client.Open(soon(t), "a"); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("a refusal: %v", err)
	}
	file, err := client.Open(soon(t), "a")
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	if err := closed(); err != nil {
		t.Errorf("a descriptor is open: %v", err)
	}
}

func TestDescriptorsOfAnswersThatHaveNoneAreClosed(t *testing.T) {
	for name, call := range lists {
		t.Run(name, func(t *testing.T) {
			broker, client := fake(t)
			writer, closed := pipe(t)
			go func() {
				kind, sequence := broker.request()
				broker.send(buildRecord(kind, 0, sequence, nil), int(writer.Fd()))
				writer.Close()
			}()
			if err := call(soon(t), client); err != nil {
				t.Error(err)
			}
			if err := closed(); err != nil {
				t.Errorf("the descriptor is still open: %v", err)
			}
		})
	}
}

func TestRecordsOfAListTakeNoMoreMemoryThanTheyHave(t *testing.T) {
	broker, client := fake(t)
	const count = 2000
	name := appendAttribute(nil, attributes["name"].number, []byte("a\x00"))
	go func() {
		kind, sequence := broker.request()
		for i := 0; i < count; i++ {
			broker.send(buildRecord(kind, flagMulti, sequence, name))
		}
		broker.send(buildRecord(typeDone, flagMulti, sequence, nil))
	}()
	replies, err := client.session.request(soon(t), cmdTunnelShow, flagDump)
	if err != nil || len(replies) != count {
		t.Fatalf("%d records: %v", len(replies), err)
	}
	runtime.GC()
	var used runtime.MemStats
	runtime.ReadMemStats(&used)
	if used.HeapAlloc > count*recordMax/4 {
		t.Errorf("%d short records take %d bytes", len(replies), used.HeapAlloc)
	}
	runtime.KeepAlive(replies)
}

func TestWatchThatBeginsWithEventsEndsWithItsContext(t *testing.T) {
	path, connected := listening(t, func(broker *fakeBroker) {
		for i := 0; i < 100; i++ {
			broker.send(buildRecord(cmdEvent, 0, 0, nil))
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := (&Client{&session{address: path}}).Watch(ctx)
		failed <- err
	}()
	select {
	case err := <-failed:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("watch: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the watch hangs")
	}
	(<-connected).conn.Close()
}

// listening starts a broker that does what the function does with its first connection.
func listening(t *testing.T, serve func(*fakeBroker)) (string, <-chan *fakeBroker) {
	t.Helper()
	path := filepath.Join(temporary(t), "control")
	listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	connected := make(chan *fakeBroker, 1)
	go func() {
		conn, err := listener.AcceptUnix()
		if err != nil {
			t.Error(err)
			close(connected)
			return
		}
		broker := &fakeBroker{t, conn}
		serve(broker)
		connected <- broker
	}()
	return path, connected
}

func TestHelloIsRefused(t *testing.T) {
	path := filepath.Join(temporary(t), "control")
	listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.AcceptUnix()
		if err != nil {
			t.Error(err)
			return
		}
		broker := &fakeBroker{t, conn}
		_, sequence := broker.request()
		broker.send(refusal(sequence, syscall.EPROTONOSUPPORT))
		conn.Close()
	}()
	if _, err := Dial(soon(t), path); !errors.Is(err, syscall.EPROTONOSUPPORT) {
		t.Errorf("dial: %v", err)
	}
}

func TestDialWaitsWhileTheBacklogIsFull(t *testing.T) {
	path := filepath.Join(temporary(t), "control")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	first, err := net.Dial("unixpacket", path)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dial: %v", err)
	}
}

func TestBrokerOfAnotherUserIsNotTrusted(t *testing.T) {
	user := uint32(os.Geteuid())
	for _, each := range []struct {
		owner uint32
		named bool
		err   error
	}{
		{user, false, nil},
		{0, false, nil},
		{user + 1, false, syscall.EPERM},
		{user + 1, true, map[bool]error{true: nil, false: syscall.EPERM}[user == 0]},
	} {
		if err := checkOwner(each.owner, "x", each.named); !errors.Is(err, each.err) {
			t.Errorf("user %d, named %v: %v", each.owner, each.named, err)
		}
	}
}

func TestDirectoryThatOthersCanReachIsNotTrusted(t *testing.T) {
	directory := temporary(t)
	for mode, owns := range map[os.FileMode]bool{0o700: true, 0o710: false, 0o701: false} {
		if err := os.Chmod(directory, mode); err != nil {
			t.Fatal(err)
		}
		if ownsDirectory(directory) != owns {
			t.Errorf("mode %o: %v", mode, !owns)
		}
	}
	if ownsDirectory(filepath.Join(directory, "nothing")) {
		t.Error("a directory that does not exist")
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add(buildRecord(cmdTunnelShow, 0, 1, appendAttribute(nil, 4, []byte("a\x00"))))
	f.Add(refusal(1, syscall.ENOENT))
	f.Fuzz(func(t *testing.T, record []byte) {
		m, err := parseRecord(record)
		if err != nil {
			return
		}
		for _, each := range []any{&Tunnel{}, &Uplink{}, &Bridge{}, &Rule{}, &Event{}, &Clock{}} {
			m.values.decode(each)
		}
	})
}

func tags(record any) []string {
	var words []string
	for i := 0; i < reflect.TypeOf(record).NumField(); i++ {
		if word, ok := reflect.TypeOf(record).Field(i).Tag.Lookup("memtun"); ok {
			words = append(words, word)
		}
	}
	return words
}

func TestTagsOfRecordsAreAttributes(t *testing.T) {
	for _, each := range []any{Tunnel{}, Uplink{}, Bridge{}, Address{}, Session{}, Rule{}, Event{}, Clock{}} {
		for _, word := range tags(each) {
			if _, ok := attributes[word]; !ok {
				t.Errorf("%T has a field of %q, which is no attribute", each, word)
			}
		}
	}
}

// SPDX-License-Identifier: MIT

// Package memtuntest gives tests a broker of their own, with a bridge whose frames are recorded.
//
//	func TestServer(t *testing.T) {
//		broker := memtuntest.Broker(t)
//		tunnel := broker.Tunnel("server")
//		...
//	}
//
// If the test fails, its log has the seed of what the broker does at random, and the path of a
// pcapng file with all frames of the bridge, for Wireshark and tcpdump. MEMTUN_SEED runs a test with
// the same seed again:
//
//	MEMTUN_SEED=2707934560 go test -run '^TestServer$'
package memtuntest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"memtun"
)

// BridgeName is the name of the bridge of a test.
const BridgeName = "bridge"

// timeLimit is how long requests, reads and writes of a test wait: a failing test ends.
const timeLimit = 10 * time.Second

// B is the broker of a test.
type B struct {
	*memtun.Broker
	// Seed is that of all rules which have none. It is also for what the test itself does at random.
	Seed uint64

	t testing.TB
}

// Option changes the broker of a test.
type Option func(*memtun.BrokerConfig)

// ManualClock makes a broker whose logical clock moves only by AdvanceClock and AdvanceToNext.
func ManualClock() Option {
	return func(config *memtun.BrokerConfig) { config.ManualClock = true }
}

// Program names the memtund to start. The default is the one in PATH.
func Program(path string) Option {
	return func(config *memtun.BrokerConfig) { config.Program = path }
}

// Broker starts a private broker with the bridge BridgeName, and ends it after the test. It fails
// the test if there is no memtund. The broker also ends if the test is killed. What memtund logs is
// in the test's log.
func Broker(t testing.TB, opts ...Option) *B {
	t.Helper()
	seed, err := chooseSeed()
	if err != nil {
		t.Fatalf("memtun: %v", err)
	}
	logged := &log{t: t}
	config := memtun.BrokerConfig{Seed: &seed, Stderr: logged}
	for _, option := range opts {
		option(&config)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	broker, err := memtun.StartBroker(ctx, config)
	if err != nil {
		logged.flush()
		t.Fatal(err)
	}
	b := &B{broker, seed, t}
	t.Cleanup(func() {
		if hasFailed(t) {
			t.Logf("memtun: seed: %d (run it again: MEMTUN_SEED=%d go test -run '^%s$')", seed, seed, t.Name())
		}
		b.Close()
		logged.flush()
	})
	if err := b.AddBridge(ctx, BridgeName); err != nil {
		t.Fatal(err)
	}
	b.Record(BridgeName)
	return b
}

// hasFailed tells whether the test has failed, or panics. Package testing runs cleanups before it
// notes a panic.
func hasFailed(t testing.TB) bool {
	if t.Failed() {
		return true
	}
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(0, callers)])
	for {
		frame, more := frames.Next()
		if frame.Function == "runtime.gopanic" {
			return true
		}
		if !more {
			return false
		}
	}
}

// chooseSeed returns the seed of MEMTUN_SEED, or a new one.
func chooseSeed() (uint64, error) {
	if text := os.Getenv("MEMTUN_SEED"); text != "" {
		return strconv.ParseUint(text, 10, 64)
	}
	var data [4]byte
	_, err := rand.Read(data[:])
	return uint64(binary.LittleEndian.Uint32(data[:])), err
}

// Context returns a context for requests, which ends after the time in which they are answered. It
// is cancelled after the test.
func (b *B) Context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	b.t.Cleanup(cancel)
	return ctx
}

// Tunnel opens a tunnel on the bridge BridgeName, and closes it after the test. It fails the test if
// that is not possible. The file's reads and writes end 10 seconds after this call, unless the test
// sets another deadline. Options come after WithBridge; for a tunnel elsewhere, use Open.
func (b *B) Tunnel(name string, opts ...memtun.Option) *os.File {
	b.t.Helper()
	opts = append([]memtun.Option{memtun.WithBridge(BridgeName)}, opts...)
	file, err := b.Open(b.Context(), name, opts...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { file.Close() })
	if err := file.SetDeadline(time.Now().Add(timeLimit)); err != nil {
		b.t.Fatal(err)
	}
	return file
}

// Record records the frames of a port or a bridge, with those that are dropped. The test's log has
// the file's path if the test fails; otherwise the file is removed. The bridge BridgeName is recorded
// already.
func (b *B) Record(name string) {
	b.t.Helper()
	recorder, err := newRecorder(b.Context(), b.Broker, name)
	if err != nil {
		b.t.Fatalf("memtun: cannot record %s: %v", name, err)
	}
	b.t.Cleanup(func() {
		if err := recorder.stop(); err != nil {
			b.t.Logf("memtun: the capture of %s is not whole: %v", name, err)
		}
		if hasFailed(b.t) {
			b.t.Logf("memtun: capture: %s (%s)", recorder.path(), recorder.count())
		} else {
			recorder.remove()
		}
	})
}

// log writes lines to the test's log.
type log struct {
	t     testing.TB
	mutex sync.Mutex
	rest  []byte
}

func (l *log) Write(data []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.rest = append(l.rest, data...)
	for {
		end := bytes.IndexByte(l.rest, '\n')
		if end < 0 {
			return len(data), nil
		}
		l.t.Logf("%s", l.rest[:end])
		l.rest = l.rest[end+1:]
	}
}

// flush writes the last line if it has no end.
func (l *log) flush() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if len(l.rest) > 0 {
		l.t.Logf("%s", l.rest)
		l.rest = nil
	}
}

// SPDX-License-Identifier: MIT

package memtun_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
	"time"

	"memtun"
	"memtun/memtuntest"
)

// ether returns an Ethernet frame to all hosts with this payload, of the type for experiments.
func ether(payload string) []byte {
	return append([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5"), payload...)
}

func read(t *testing.T, file *os.File) string {
	t.Helper()
	frame := make([]byte, memtun.FrameMax)
	length, err := file.Read(frame)
	if err != nil {
		t.Fatal(err)
	}
	return string(frame[:length])
}

func write(t *testing.T, file *os.File, frame []byte) {
	t.Helper()
	if _, err := file.Write(frame); err != nil {
		t.Fatal(err)
	}
}

func TestFramePassesBetweenTwoTunnelsOfABridge(t *testing.T) {
	countDescriptors(t)
	broker := memtuntest.Broker(t)
	a, b := broker.Tunnel("a"), broker.Tunnel("b")
	write(t, a, ether("hello"))
	if got := read(t, b); got != string(ether("hello")) {
		t.Errorf("read %q", got)
	}
}

func TestErrorHasTheErrnoAndTheTextOfTheBroker(t *testing.T) {
	broker := memtuntest.Broker(t)
	_, err := broker.Show(broker.Context(), "nothing")
	if !errors.Is(err, syscall.ENOENT) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not ENOENT", err)
	}
	if want := "memtun: there is no tunnel 'nothing'"; err == nil || err.Error() != want {
		t.Errorf("the error is %q, not %q", err, want)
	}
	if errors.Is(err, memtun.ErrNoBroker) {
		t.Errorf("%v is ErrNoBroker", err)
	}
}

func TestDeadlinesOfATunnelWork(t *testing.T) {
	broker := memtuntest.Broker(t)
	a := broker.Tunnel("a")
	if err := a.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
}

func TestContextThatHasEndedEndsACall(t *testing.T) {
	broker := memtuntest.Broker(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := broker.Open(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("open: %v", err)
	}
	if _, err := memtun.Dial(ctx, broker.Address()); !errors.Is(err, context.Canceled) {
		t.Errorf("dial: %v", err)
	}
}

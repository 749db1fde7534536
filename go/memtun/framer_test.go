// SPDX-License-Identifier: MIT

package memtun_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"memtun"
	"memtun/memtuntest"
)

// framerPair returns a Framer of a stream whose other end is the test's.
func framerPair(t *testing.T) (*memtun.Framer, *os.File, *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	near, far := os.NewFile(uintptr(fds[0]), "near"), os.NewFile(uintptr(fds[1]), "far")
	for _, file := range []*os.File{near, far} {
		file.SetDeadline(time.Now().Add(20 * time.Second))
		file := file
		t.Cleanup(func() { file.Close() })
	}
	return memtun.NewFramer(near, memtun.Tunnel{Socket: memtun.Stream}), near, far
}

func TestFramerCarriesFramesWithEachSocketType(t *testing.T) {
	countDescriptors(t)
	broker := memtuntest.Broker(t)
	for _, socket := range []memtun.Socket{memtun.Seqpacket, memtun.Dgram, memtun.Stream} {
		var framers [2]*memtun.Framer
		for i, end := range []string{"a", "b"} {
			file, tunnel, err := broker.OpenTunnel(broker.Context(), string(socket)+end, memtun.WithSocket(socket),
				memtun.WithBridge(string(socket)), memtun.WithMTU(65535))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			file.SetDeadline(time.Now().Add(20 * time.Second))
			framers[i] = memtun.NewFramer(file, tunnel)
		}
		buffer := make([]byte, memtun.FrameMax)
		for _, size := range []int{0, 1, 1486, 65535} {
			frame := append(ether(""), make([]byte, size)...)
			if length, err := framers[0].Write(frame); err != nil || length != len(frame) {
				t.Fatalf("%s: wrote %d: %v", socket, length, err)
			}
			if length, err := framers[1].Read(buffer); err != nil || !bytes.Equal(buffer[:length], frame) {
				t.Fatalf("%s: read %d bytes: %v", socket, length, err)
			}
		}
	}
}

func TestFramerRefusesAFrameThatWouldEndTheStreamAndGoesOn(t *testing.T) {
	broker := memtuntest.Broker(t)
	for longest, opts := range map[int][]memtun.Option{
		69632: nil,
		69636: {memtun.WithPI()},
		69642: {memtun.WithVnetHdr()},
		69656: {memtun.WithPI(), memtun.WithVnetHdr(), memtun.WithVnetHdrSize(20)},
	} {
		file, tunnel, err := broker.OpenTunnel(broker.Context(), "t%d", append(opts, memtun.WithSocket(memtun.Stream))...)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		framer := memtun.NewFramer(file, tunnel)
		if length, err := framer.Write(make([]byte, longest+1)); length != 0 || !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("%d: wrote %d: %v", longest, length, err)
		}
		if _, err := framer.Write(make([]byte, longest)); err != nil {
			t.Errorf("%d: %v", longest, err)
		}
		if _, err := broker.WaitQuiet(broker.Context(), tunnel.Name); err != nil {
			t.Fatal(err)
		}
		now, err := broker.Show(broker.Context(), tunnel.Name)
		if err != nil || now.Counters["from-client-frames"] != 1 || now.State != memtun.Opened {
			t.Errorf("%d: %s, %v: %v", longest, now.State, now.Counters, err)
		}
	}
}

func TestFrameThatARecordCannotHaveIsRefusedByTheKernel(t *testing.T) {
	broker := memtuntest.Broker(t)
	for _, socket := range []memtun.Socket{memtun.Seqpacket, memtun.Dgram} {
		file := broker.Tunnel(string(socket), memtun.WithSocket(socket))
		if _, err := file.Write(make([]byte, 1<<20)); !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("%s: %v", socket, err)
		}
		write(t, file, make([]byte, memtun.FrameMax+1))
		write(t, file, nil)
		if _, err := broker.WaitQuiet(broker.Context(), string(socket)); err != nil {
			t.Fatal(err)
		}
		now, err := broker.Show(broker.Context(), string(socket))
		if err != nil || now.Counters["from-client-dropped-oversize"] != 1 || now.Counters["from-client-dropped-empty"] != 1 {
			t.Errorf("%s: %v: %v", socket, now.Counters, err)
		}
	}
}

func TestFramerReadsFramesThatComeInPiecesAndSkipsEmptyOnes(t *testing.T) {
	framer, near, far := framerPair(t)
	data := append([]byte{0, 0, 0, 0, 0, 0, 0, 14}, ether("")...)
	buffer := make([]byte, 100)
	near.SetReadDeadline(time.Now())
	for i := range data {
		if length, err := framer.Read(buffer); length != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("after %d bytes: read %d: %v", i, length, err)
		}
		write(t, far, data[i:i+1])
		near.SetReadDeadline(time.Now().Add(20 * time.Second))
		if i == len(data)-1 {
			break
		}
		near.SetReadDeadline(time.Now())
	}
	if length, err := framer.Read(buffer); err != nil || !bytes.Equal(buffer[:length], ether("")) {
		t.Errorf("read %q: %v", buffer[:length], err)
	}
	write(t, far, append(data, 0, 0, 0, 0, 0, 0))
	if length, err := framer.Read(buffer[:5]); length != 5 || err != io.ErrShortBuffer {
		t.Errorf("into 5 bytes: read %d: %v", length, err)
	}
	far.Close()
	if length, err := framer.Read(buffer); length != 0 || err != io.EOF {
		t.Errorf("at the end: read %d: %v", length, err)
	}
}

func TestLengthThatNoFrameHasIsAnError(t *testing.T) {
	framer, _, far := framerPair(t)
	write(t, far, []byte{0xff, 0xff, 0xff, 0xff})
	if _, err := framer.Read(make([]byte, 100)); !errors.Is(err, syscall.EBADMSG) {
		t.Error(err)
	}
}

func TestStreamStaysWholeWhenADeadlineEndsAWrite(t *testing.T) {
	framer, near, far := framerPair(t)
	big := append(ether(""), make([]byte, 65000)...)
	near.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	sent := 0
	for {
		length, err := framer.Write(big)
		if length == len(big) {
			sent++
		}
		if err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			break
		}
	}
	near.SetWriteDeadline(time.Now().Add(20 * time.Second))
	done := make(chan error, 1)
	go func() {
		_, err := framer.Write(ether("last"))
		near.Close()
		done <- err
	}()
	other := memtun.NewFramer(far, memtun.Tunnel{Socket: memtun.Stream})
	buffer := make([]byte, memtun.FrameMax)
	for i := 0; i < sent; i++ {
		if length, err := other.Read(buffer); err != nil || !bytes.Equal(buffer[:length], big) {
			t.Fatalf("frame %d: %d bytes: %v", i, length, err)
		}
	}
	if length, err := other.Read(buffer); err != nil || !bytes.Equal(buffer[:length], ether("last")) {
		t.Errorf("read %d bytes: %v", length, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := other.Read(buffer); err != io.EOF {
		t.Error(err)
	}
}

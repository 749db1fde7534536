// SPDX-License-Identifier: MIT

package memtun_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"memtun"
	"memtun/memtuntest"
)

// hasEnded tells whether the process is gone, or only its parent still has to wait for it.
func hasEnded(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X")
}

// TestHelperProcess is no test: others run it as a process that starts a broker and waits.
func TestHelperProcess(t *testing.T) {
	if os.Getenv("MEMTUN_TEST_HELPER") == "" {
		t.Skip("a part of other tests")
	}
	broker, err := memtun.StartBroker(context.Background(), memtun.BrokerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("broker", broker.PID(), broker.Address())
	select {}
}

func TestBrokerEndsWithItsProcessThatIsKilled(t *testing.T) {
	helper := exec.Command(os.Args[0], "-test.run=^TestHelperProcess$")
	helper.Env = append(os.Environ(), "MEMTUN_TEST_HELPER=yes")
	output, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	words := strings.Fields(line)
	if err != nil || len(words) != 3 {
		helper.Process.Kill()
		t.Fatalf("the helper said %q: %v", line, err)
	}
	pid, err := strconv.Atoi(words[1])
	if err != nil || hasEnded(pid) {
		t.Fatalf("process %d: %v", pid, err)
	}
	helper.Process.Kill()
	helper.Wait()
	for deadline := time.Now().Add(10 * time.Second); !hasEnded(pid); {
		if time.Now().After(deadline) {
			t.Fatalf("memtund %d still runs", pid)
		}
	}
	if _, err := os.Stat(words[2]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket %s: %v", words[2], err)
	}
}

func TestBrokerEndsWithClose(t *testing.T) {
	countDescriptors(t)
	var logged bytes.Buffer
	broker, err := memtun.StartBroker(context.Background(), memtun.BrokerConfig{Stderr: &logged, LogLevel: "debug"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", broker.PID()))
	_, rest, _ := strings.Cut(string(data), ") ")
	if words := strings.Fields(rest); err != nil || len(words) < 4 || words[3] != strconv.Itoa(broker.PID()) {
		t.Errorf("memtund is not in a session of its own: %q, %v", data, err)
	}
	for i := 0; i < 2; i++ {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	}
	if !hasEnded(broker.PID()) {
		t.Errorf("memtund %d still runs", broker.PID())
	}
	if logged.Len() == 0 {
		t.Error("memtund has logged nothing")
	}
}

func TestProgramThatIsNoBrokerIsAnError(t *testing.T) {
	countDescriptors(t)
	ctx := context.Background()
	if _, err := memtun.StartBroker(ctx, memtun.BrokerConfig{Program: "/nothing"}); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("no program: %v", err)
	}
	if _, err := memtun.StartBroker(ctx, memtun.BrokerConfig{Program: "memtun-nothing"}); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("no program in PATH: %v", err)
	}
	if _, err := memtun.StartBroker(ctx, memtun.BrokerConfig{Program: "false"}); !errors.Is(err, syscall.ECHILD) || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("a program that fails: %v", err)
	}
	var logged bytes.Buffer
	if _, err := memtun.StartBroker(ctx, memtun.BrokerConfig{LogLevel: "wrong", Stderr: &logged}); !errors.Is(err, syscall.ECHILD) || !strings.Contains(logged.String(), "wrong") {
		t.Errorf("a wrong option: %v, %q", err, logged.String())
	}
	program := filepath.Join(shortDirectory(t), "hangs")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := memtun.StartBroker(short, memtun.BrokerConfig{Program: program}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a program that does not listen: %v", err)
	}
	liar := filepath.Join(shortDirectory(t), "lies")
	if err := os.WriteFile(liar, []byte("#!/bin/sh\necho /nothing\nexec cat\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := memtun.StartBroker(ctx, memtun.BrokerConfig{Program: liar}); !errors.Is(err, memtun.ErrNoBroker) {
		t.Errorf("a program with a wrong address: %v", err)
	}
}

func TestProgramInheritsATunnelAsABlockingDescriptor(t *testing.T) {
	broker := memtuntest.Broker(t)
	a, b := broker.Tunnel("a"), broker.Tunnel("b")
	// dd would fail with EAGAIN if the descriptor was non-blocking.
	program := exec.Command("dd", "bs=70000", "count=1", "status=none")
	program.Stdin = b
	var output bytes.Buffer
	program.Stdout = &output
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	b.Close()
	write(t, a, ether("to the program"))
	if err := program.Wait(); err != nil || output.String() != string(ether("to the program")) {
		t.Errorf("the program read %q: %v", output.String(), err)
	}
}

func TestEnvironmentNamesTheBroker(t *testing.T) {
	broker := memtuntest.Broker(t)
	program := exec.Command("memtun", "add", "a")
	program.Env = broker.Environ()
	if output, err := program.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if _, err := broker.Show(broker.Context(), "a"); err != nil {
		t.Error(err)
	}
}

func TestStartWithoutFreeDescriptorsLeavesNone(t *testing.T) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	for free := uint64(0); free < 6; free++ {
		before := descriptors(t)
		lowest, err := syscall.Open("/dev/null", syscall.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		syscall.Close(lowest)
		limit := syscall.Rlimit{Cur: uint64(lowest) + free, Max: old.Max}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		broker, err := memtun.StartBroker(context.Background(), memtun.BrokerConfig{})
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
		if err == nil {
			broker.Close()
		} else if !errors.Is(err, syscall.EMFILE) && free < 4 {
			t.Errorf("%d free descriptors: %v", free, err)
		}
		if after := descriptors(t); !reflect.DeepEqual(after, before) {
			t.Errorf("%d free descriptors: %v after, %v before", free, after, before)
		}
	}
}

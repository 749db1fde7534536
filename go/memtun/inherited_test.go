// SPDX-License-Identifier: MIT

package memtun_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"memtun"
	"memtun/memtuntest"
)

// TestInheritingProcess is no test: another one runs it by memtun exec.
func TestInheritingProcess(t *testing.T) {
	if os.Getenv("MEMTUN_TEST_INHERITS") == "" {
		t.Skip("a part of another test")
	}
	// memtun exec removes such variables.
	t.Setenv("MEMTUN_FD_closed", "99999")
	t.Setenv("MEMTUN_FD_wrong", "x")
	for name, errno := range map[string]syscall.Errno{
		"nothing": syscall.ENOENT, "closed": syscall.EBADF, "wrong": syscall.EINVAL,
	} {
		if _, err := memtun.Inherited(name); !errors.Is(err, errno) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tunnel, err := memtun.Inherited("a-é")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := memtun.Inherited("a-é"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("again: %v", err)
	}
	tunnel.SetDeadline(time.Now().Add(10 * time.Second))
	write(t, tunnel, ether("from the program"))
	fmt.Printf("read %s\n", read(t, tunnel)[14:])
}

func TestProgramTakesOverATunnelThatItInherits(t *testing.T) {
	broker := memtuntest.Broker(t)
	a := broker.Tunnel("other")
	program := exec.Command("memtun", "exec", "-t", "a-é:bridge="+memtuntest.BridgeName, "--",
		os.Args[0], "-test.run=^TestInheritingProcess$")
	program.Env = append(broker.Environ(), "MEMTUN_TEST_INHERITS=yes")
	var output strings.Builder
	program.Stdout, program.Stderr = &output, &output
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, a); got != string(ether("from the program")) {
		t.Errorf("read %q", got)
	}
	write(t, a, ether("to the program"))
	if err := program.Wait(); err != nil || !strings.Contains(output.String(), "read to the program") {
		t.Errorf("%v: %s", err, output.String())
	}
}

// SPDX-License-Identifier: MIT

package memtun_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sort"
	"strconv"
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

// TestListeningProcess is no test: others run it. It prints what the process inherits.
func TestListeningProcess(t *testing.T) {
	which := os.Getenv("MEMTUN_TEST_LISTENS")
	if which == "" {
		t.Skip("a part of another test")
	}
	if pid := os.Getenv("LISTEN_PID"); pid == "self" {
		t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	if which == "one" {
		a, err := memtun.Inherited("vm-0")
		if err != nil {
			t.Fatal(err)
		}
		_, err = memtun.Inherited("vm-0")
		fmt.Printf("found %s, then %v\n", a.Name(), errors.Is(err, syscall.ENOENT))
		return
	}
	files, err := memtun.AllInherited()
	var found []string
	for name, file := range files {
		raw, _ := file.SyscallConn()
		raw.Control(func(fd uintptr) {
			flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFD, 0)
			found = append(found, fmt.Sprintf("%s=%s:%d:%d", name, file.Name(), fd, flags))
		})
	}
	sort.Strings(found)
	again, againErr := memtun.AllInherited()
	var left []string
	for _, entry := range os.Environ() {
		if strings.HasPrefix(entry, "MEMTUN_FD") || strings.HasPrefix(entry, "LISTEN") {
			left = append(left, entry)
		}
	}
	fmt.Printf("found %v %v, left %v %v %v\n", found, err, left, len(again), againErr)
}

// listen runs TestListeningProcess with a command before it, and returns what it has found.
func listen(t *testing.T, broker *memtuntest.B, which string, files []*os.File, command ...string) string {
	t.Helper()
	command = append(command, os.Args[0], "-test.run=^TestListeningProcess$")
	program := exec.Command(command[0], command[1:]...)
	program.Env = append(broker.Environ(), "MEMTUN_TEST_LISTENS="+which)
	program.ExtraFiles = files
	output, err := program.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	_, found, _ := strings.Cut(string(output), "found ")
	found, _, _ = strings.Cut(found, "\n")
	return found
}

func TestProgramTakesOverAllTunnelsByTheirNames(t *testing.T) {
	broker := memtuntest.Broker(t)
	exec := []string{"memtun", "exec", "-t", "vm-0", "-t", "vm.1", "--"}
	all := "[vm-0=vm-0:3:1 vm.1=vm.1:4:1] <nil>, left [] 0 <nil>"
	for _, row := range []struct {
		which   string
		command []string
		want    string
	}{
		{"all", nil, all},
		{"all", []string{"env", "-u", "MEMTUN_FD_vm_0"}, all},
		// LISTEN_PID is the shell's, so that only the variables and the spelling of names are left.
		{"all", []string{"sh", "-c", `"$@"; :`, "sh"}, "[vm-0=vm-0:3:1 vm.1=vm.1:4:1] <nil>, left [] 0 <nil>"},
		{"all", []string{"env", "-u", "LISTEN_FDS", "-u", "LISTEN_PID", "-u", "LISTEN_FDNAMES"},
			"[vm_0=vm_0:3:1 vm_1=vm_1:4:1] <nil>, left [] 0 <nil>"},
		{"all", []string{"env", "LISTEN_FDS=x"}, "[vm_0=vm_0:3:1 vm_1=vm_1:4:1] <nil>, left [] 0 <nil>"},
		{"all", []string{"env", "-u", "MEMTUN_FD_vm_0", "MEMTUN_FD_z=3"}, "[vm.1=vm.1:4:1 z=z:3:1] <nil>, left [] 0 <nil>"},
		{"one", nil, "vm-0, then true"},
		{"one", []string{"env", "-u", "MEMTUN_FD_vm_0"}, "vm-0, then true"},
		{"one", []string{"env", "-u", "LISTEN_FDS"}, "vm-0, then true"},
	} {
		if got := listen(t, broker, row.which, nil, append(exec[:len(exec):len(exec)], row.command...)...); got != row.want {
			t.Errorf("%v: found %s, not %s", row.command, got, row.want)
		}
	}
}

func TestListeningSocketIsNoTunnel(t *testing.T) {
	broker := memtuntest.Broker(t)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: "@memtun-go-" + strconv.Itoa(os.Getpid()), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	files := []*os.File{file, broker.Tunnel("a")}
	for _, row := range []struct {
		variables []string
		want      string
	}{
		{[]string{"LISTEN_PID=self", "LISTEN_FDS=2", "LISTEN_FDNAMES=control"}, "[fd4=fd4:4:1] <nil>, left [] 0 <nil>"},
		{[]string{"LISTEN_PID=self", "LISTEN_FDS=2", "LISTEN_FDNAMES=control:a"}, "[a=a:4:1] <nil>, left [] 0 <nil>"},
		{[]string{"LISTEN_PID=1", "LISTEN_FDS=2147483647"}, "[] <nil>, left [] 0 <nil>"},
		{[]string{"LISTEN_PID=self", "LISTEN_FDS=99999999999"}, "[] <nil>, left [] 0 <nil>"},
	} {
		if got := listen(t, broker, "all", files, append([]string{"env"}, row.variables...)...); got != row.want {
			t.Errorf("%v: found %s, not %s", row.variables, got, row.want)
		}
	}
	queues := []*os.File{broker.Tunnel("m", memtun.WithMultiQueue()), broker.Tunnel("m", memtun.WithMultiQueue())}
	if got := listen(t, broker, "all", queues, "env", "LISTEN_PID=self", "LISTEN_FDS=2", "LISTEN_FDNAMES=m:m"); got !=
		"[fd4=m:4:1 m=m:3:1] <nil>, left [] 0 <nil>" {
		t.Errorf("two queues: found %s", got)
	}
	// The variable of a descriptor that is not open stays.
	got := listen(t, broker, "all", files[1:], "env", "LISTEN_PID=self", "LISTEN_FDS=1", "MEMTUN_FD_b=99")
	if !strings.Contains(got, "MEMTUN_FD_b is 99, which is not open") || !strings.Contains(got, "left [MEMTUN_FD_b=99]") {
		t.Error(got)
	}
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

// SPDX-License-Identifier: MIT

package memtuntest_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"memtun"
	"memtun/memtuntest"
)

var frame = []byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5hello")

// TestThatFails is no test: others run it in a process of its own.
func TestThatFails(t *testing.T) {
	how := os.Getenv("MEMTUNTEST_HOW")
	if how == "" {
		t.Skip("a part of other tests")
	}
	options := []memtuntest.Option{}
	if how == "no broker" {
		options = append(options, memtuntest.Program("/nothing"))
	}
	broker := memtuntest.Broker(t, options...)
	fmt.Printf("pid %d\n", broker.PID())
	if how == "wrong record" {
		broker.Record("nothing")
	}
	if how == "wrong tunnel" {
		broker.Tunnel("a", memtun.WithMTU(1))
	}
	if _, err := broker.Tunnel("a").Write(frame); err != nil {
		t.Fatal(err)
	}
	if how == "fail" {
		t.Error("it has failed")
	}
	if how == "panic" {
		panic("in the test")
	}
}

// run runs TestThatFails and returns its output, and the files that it left.
func run(t *testing.T, how string, environment ...string) (output string, files []string) {
	t.Helper()
	directory := t.TempDir()
	test := exec.Command(os.Args[0], "-test.run=^TestThatFails$", "-test.v")
	test.Env = append(append(os.Environ(), "MEMTUNTEST_HOW="+how, "TMPDIR="+directory), environment...)
	data, err := test.CombinedOutput()
	if (err == nil) != (how == "pass") {
		t.Errorf("%s: %v\n%s", how, err, data)
	}
	files, err = filepath.Glob(directory + "/*.pcapng")
	if err != nil {
		t.Error(err)
	}
	return string(data), files
}

func TestLogOfAFailingTestHasTheSeedAndTheCapture(t *testing.T) {
	output, files := run(t, "fail", "MEMTUN_SEED=12345")
	if len(files) != 1 {
		t.Fatalf("the files are %q:\n%s", files, output)
	}
	for _, text := range []string{
		"memtun: seed: 12345 (run it again: MEMTUN_SEED=12345 go test -run '^TestThatFails$')",
		"memtun: capture: " + files[0] + " (2 frames)",
	} {
		if !strings.Contains(output, text) {
			t.Errorf("no %q in\n%s", text, output)
		}
	}
	data, err := os.ReadFile(files[0])
	if err != nil || !bytes.Contains(data, frame) || !bytes.Contains(data, []byte("dropped: no-destination")) {
		t.Errorf("the capture is %q: %v", data, err)
	}
}

func TestTestThatPassesLeavesNothing(t *testing.T) {
	output, files := run(t, "pass")
	if len(files) != 0 || strings.Contains(output, "memtun:") {
		t.Errorf("the files are %q:\n%s", files, output)
	}
}

func TestBrokerEndsWithItsTest(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	var pid, before int
	for i := 0; i < 2; i++ { // the first one also starts the runtime's poller
		before = count()
		t.Run("test", func(t *testing.T) {
			broker := memtuntest.Broker(t)
			broker.Tunnel("a")
			pid = broker.PID()
		})
	}
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("memtund %d: %v", pid, err)
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors after the test, %d before it", after, before)
	}
}

func TestSeedIsAnotherOneEachTime(t *testing.T) {
	seed := regexp.MustCompile("seed: ([0-9]+)")
	first, _ := run(t, "fail", "MEMTUN_SEED=")
	second, _ := run(t, "fail", "MEMTUN_SEED=")
	a, b := seed.FindString(first), seed.FindString(second)
	if a == "" || a == b {
		t.Errorf("%q, %q", a, b)
	}
}

func TestPanicOfATestKeepsItsCapture(t *testing.T) {
	if output, files := run(t, "panic"); len(files) != 1 {
		t.Errorf("the files are %q:\n%s", files, output)
	}
}

func TestWhatCannotBeStartedFailsTheTest(t *testing.T) {
	for how, text := range map[string]string{
		"no broker":    "cannot start /nothing",
		"wrong record": "cannot record nothing: memtun: there is no",
		"wrong tunnel": "mtu 1 is not from",
	} {
		if output, _ := run(t, how); !strings.Contains(output, text) {
			t.Errorf("no %q in\n%s", text, output)
		}
	}
	if output, _ := run(t, "wrong seed", "MEMTUN_SEED=seven"); !strings.Contains(output, `parsing "seven"`) {
		t.Errorf("no error in\n%s", output)
	}
}

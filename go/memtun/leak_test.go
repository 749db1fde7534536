// SPDX-License-Identifier: MIT

package memtun_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// descriptors returns what each open descriptor of this process is, without those of the runtime.
func descriptors(t *testing.T) map[string]string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, entry := range entries {
		what, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err != nil || strings.HasPrefix(what, "anon_inode:[event") ||
			strings.HasPrefix(what, fmt.Sprintf("/proc/%d/fd", os.Getpid())) {
			continue // of ReadDir itself, or of the runtime's poller
		}
		found[entry.Name()] = what
	}
	return found
}

// TestMain starts the runtime's poller, so that its descriptors are there before the first count.
func TestMain(m *testing.M) {
	if reader, writer, err := os.Pipe(); err == nil {
		reader.SetReadDeadline(time.Now())
		reader.Close()
		writer.Close()
	}
	os.Exit(m.Run())
}

// countDescriptors checks after the test, and after the cleanups that come later, that it has left
// no descriptor and no goroutine.
func countDescriptors(t *testing.T) {
	t.Helper()
	before, goroutines := descriptors(t), runtime.NumGoroutine()
	t.Cleanup(func() {
		after := descriptors(t)
		for number, what := range after {
			if before[number] != what {
				t.Errorf("descriptor %s is open after the test: %s", number, what)
			}
		}
		// Goroutines that have closed their channel may still be about to end.
		deadline := time.Now().Add(5 * time.Second)
		for runtime.NumGoroutine() > goroutines && time.Now().Before(deadline) {
			runtime.Gosched()
		}
		if count := runtime.NumGoroutine(); count > goroutines {
			var stacks strings.Builder
			pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			t.Errorf("%d goroutines after the test, %d before it:\n%s", count, goroutines, stacks.String())
		}
	})
}

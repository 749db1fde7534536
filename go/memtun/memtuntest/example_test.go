// SPDX-License-Identifier: MIT

package memtuntest_test

import (
	"testing"

	"memtun/memtuntest"
)

func ExampleBroker() {
	// In a file that ends with _test.go:
	_ = func(t *testing.T) {
		broker := memtuntest.Broker(t)
		a, b := broker.Tunnel("a"), broker.Tunnel("b")
		if _, err := a.Write([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5hello")); err != nil {
			t.Fatal(err)
		}
		if length, err := b.Read(make([]byte, 1500)); err != nil || length != 19 {
			t.Errorf("read %d bytes: %v", length, err)
		}
	}
}

// SPDX-License-Identifier: MIT

// Package memtun gives a program TUN and TAP devices for tests, without /dev/net/tun, root or
// namespaces.
//
// A broker, memtund(1), hands out tunnels and forwards frames between them. This package speaks its
// protocol, memtun-protocol(7), and needs neither cgo nor another module. It runs on Linux.
//
// A tunnel is an *os.File: each Read and each Write is one frame, and deadlines work.
//
//	tunnel, err := memtun.Open(ctx, "web", memtun.WithBridge("lab"))
//
// Dial connects to a broker that runs, for all that memtun(1) can do. StartBroker starts a private
// one, which ends with this process. Package memtuntest has one for each test, and package wgtun
// makes a tun.Device of wireguard-go out of a tunnel.
//
// Each call takes a context, and returns when that ends. An error of the broker is an *Error with an
// errno, for errors.Is, and the broker's text.
package memtun

// SPDX-License-Identifier: MIT

package memtun

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// overflowUID is the kernel's default of /proc/sys/kernel/overflowuid.
const overflowUID = 65534

// places returns the addresses at which a broker may listen if none is named.
func places() []string {
	var found []string
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); strings.HasPrefix(runtime, "/") {
		found = append(found, runtime+"/memtun/control")
	}
	user := strconv.Itoa(os.Geteuid())
	found = append(found, "/run/user/"+user+"/memtun/control")
	if temporary := "/tmp/memtun-" + user; ownsDirectory(temporary) {
		found = append(found, temporary+"/control")
	}
	return append(found, "/run/memtun/control")
}

// ownsDirectory tells whether the directory is this user's and closed to all others.
func ownsDirectory(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return false
	}
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(status.Uid) == os.Geteuid() && !isUnmapped(status.Uid)
}

// isUnmapped tells whether the kernel reports this uid for every user that the user namespace does
// not map.
func isUnmapped(uid uint32) bool {
	overflow := uint64(overflowUID)
	if data, err := os.ReadFile("/proc/sys/kernel/overflowuid"); err == nil {
		if number, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 32); err == nil {
			overflow = number
		}
	}
	return uint64(uid) == overflow && !mapIsFull()
}

// mapIsFull tells whether the user namespace maps every uid. What can't be read counts as no.
func mapIsFull() bool {
	data, err := os.ReadFile("/proc/self/uid_map")
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat("/proc/self/status")
		return err == nil // a kernel without user namespaces
	}
	var total uint64
	for _, line := range strings.Split(string(data), "\n") {
		if words := strings.Fields(line); len(words) == 3 {
			count, _ := strconv.ParseUint(words[2], 10, 64)
			total += count
		}
	}
	return total >= 0xffffffff // (uid_t)-1 is no uid
}

// checkOwner checks that a broker is this user's or root's. Root may also name another user's.
func checkOwner(owner uint32, address string, named bool) error {
	if isUnmapped(owner) {
		return newError(syscall.EPERM, "the broker on %s may be another user's: here user %d also "+
			"stands for each user that this user namespace does not map", address, owner)
	}
	user := os.Geteuid()
	if owner != 0 && int(owner) != user && !(named && user == 0) {
		return newError(syscall.EPERM, "the broker on %s is user %d's", address, owner)
	}
	return nil
}

// checkPeer checks the user of the broker at the other end.
func checkPeer(conn *net.UnixConn, address string, named bool) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *syscall.Ucred
	controlErr := raw.Control(func(fd uintptr) {
		peer, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if controlErr != nil {
		err = controlErr
	}
	if err != nil {
		return err
	}
	return checkOwner(peer.Uid, address, named)
}

// dialAt connects to the broker at the address. While its backlog of connections is full, this tries
// again, because the kernel reports that to a non-blocking socket at once (EAGAIN).
func dialAt(ctx context.Context, address string, named bool) (*net.UnixConn, error) {
	var dialer net.Dialer
	for delay := time.Millisecond; ; delay *= 2 {
		conn, err := dialer.DialContext(ctx, "unixpacket", address)
		if err == nil {
			control := conn.(*net.UnixConn)
			if err = checkPeer(control, address, named); err != nil {
				control.Close()
				return nil, err
			}
			return control, nil
		}
		if _, limited := ctx.Deadline(); limited && isTimeout(err) {
			<-ctx.Done() // the dialer's own timer for this deadline was the faster one
			return nil, ctx.Err()
		}
		if !errors.Is(err, syscall.EAGAIN) {
			return nil, err
		}
		if delay > 100*time.Millisecond {
			delay = 100 * time.Millisecond
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

// isTimeout tells whether the time of a dialer was over. EAGAIN counts as a timeout in package net, too.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() && !errors.Is(err, syscall.EAGAIN)
}

// dial connects to the named broker, or to the first that is found, and returns its address.
func dial(ctx context.Context, address string) (*net.UnixConn, string, error) {
	if address == "" {
		address = os.Getenv("MEMTUN_SOCKET")
	}
	candidates := []string{address}
	if address == "" {
		candidates = places()
	}
	for _, place := range candidates {
		conn, err := dialAt(ctx, place, address != "")
		var refused *Error
		var errno syscall.Errno
		switch {
		case err == nil:
			return conn, place, nil
		case ctx.Err() != nil:
			return nil, "", contextError(ctx, "cannot connect to the broker on "+place)
		case errors.As(err, &refused):
			return nil, "", err
		case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED),
			errors.Is(err, syscall.ENOTDIR):
			continue
		case errors.As(err, &errno):
			return nil, "", newError(errno, "cannot connect to the broker on %s: %v", place, errno)
		default:
			return nil, "", newError(errInvalid, "cannot connect to the broker on %s: %v", place, err)
		}
	}
	text := "no broker is running; memtund starts one"
	if address != "" {
		text = fmt.Sprintf("no broker is running at %s", address)
	}
	return nil, "", &Error{Errno: syscall.ENOENT, Text: text, noBroker: true}
}

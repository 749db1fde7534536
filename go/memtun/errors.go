// SPDX-License-Identifier: MIT

package memtun

import (
	"context"
	"errors"
	"fmt"
	"syscall"
)

// ErrNoBroker says that no broker is running. An error that is ErrNoBroker is also syscall.ENOENT.
var ErrNoBroker = errors.New("memtun: no broker is running")

// Error says that the broker refused a request, or that the connection to it failed.
//
// errors.Is compares it with an errno, and so with the errors of package io/fs:
//
//	errors.Is(err, syscall.ENOENT)
//	errors.Is(err, fs.ErrNotExist)
//
// ETIMEDOUT, with which the broker ends a wait at the deadline of its context, is also
// context.DeadlineExceeded.
type Error struct {
	// Errno is the number that memtun-protocol(7) lists for the command.
	Errno syscall.Errno
	// Text is the broker's explanation.
	Text string

	noBroker bool
}

// Error returns the broker's text.
func (e *Error) Error() string {
	if e.Text == "" {
		return "memtun: " + e.Errno.Error()
	}
	return "memtun: " + e.Text
}

// Unwrap returns the errno.
func (e *Error) Unwrap() error {
	return e.Errno
}

// Is tells errors.Is of what the errno does not say.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNoBroker:
		return e.noBroker
	case context.DeadlineExceeded:
		return e.Errno == syscall.ETIMEDOUT
	}
	return false
}

// DroppedError says that a tunnel dropped frames that were injected. It is ENOTCONN, EMSGSIZE or
// EINVAL, by the reason of the first drop in the order of Injected.
type DroppedError struct {
	// Name is the tunnel's.
	Name string
	// Result has what became of all frames.
	Result Injected
}

// Error names the reasons.
func (e *DroppedError) Error() string {
	return fmt.Sprintf("memtun: %q dropped injected frames (%s)", e.Name, e.Result.reasons())
}

// Unwrap returns the errno that says the same as the first reason.
func (e *DroppedError) Unwrap() error {
	switch {
	case e.Result.DroppedNoClient > 0:
		return syscall.ENOTCONN
	case e.Result.DroppedMTU > 0, e.Result.DroppedNeedsSegmentation > 0:
		return syscall.EMSGSIZE
	}
	return syscall.EINVAL
}

// newError returns the error with a text of this package.
func newError(errno syscall.Errno, format string, arguments ...any) *Error {
	return &Error{Errno: errno, Text: fmt.Sprintf(format, arguments...)}
}

// contextError returns the error of a call that its context has ended.
func contextError(ctx context.Context, what string) error {
	return fmt.Errorf("memtun: %s: %w", what, ctx.Err())
}

// SPDX-License-Identifier: MIT

package memtun

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Inherited returns a tunnel with which this program was started, by "memtun exec -t NAME" for
// example: that of the variable MEMTUN_FD_NAME, in which each byte of the name that is no ASCII
// letter or digit is a "_". It removes the variable, so that programs which this one starts do not
// look for the descriptor, which they do not inherit. The error is ENOENT if there is no such
// variable, and EBADF if its descriptor is not open.
func Inherited(name string) (*os.File, error) {
	variable := "MEMTUN_FD_" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, bytesAsRunes(name))
	value, ok := os.LookupEnv(variable)
	if !ok {
		return nil, newError(syscall.ENOENT, "this program has inherited no tunnel %q: there is no %s", name, variable)
	}
	fd, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return nil, newError(errInvalid, "%s is not a descriptor's number: %q", variable, value)
	}
	var status syscall.Stat_t
	if err := syscall.Fstat(int(fd), &status); err != nil {
		return nil, newError(syscall.EBADF, "%s is %s, which is not open", variable, value)
	}
	syscall.CloseOnExec(int(fd))
	file, err := newFile(int(fd), name)
	if err == nil {
		os.Unsetenv(variable)
	}
	return file, err
}

// bytesAsRunes returns a string with one rune for each byte.
func bytesAsRunes(text string) string {
	runes := make([]rune, len(text))
	for i := range runes {
		runes[i] = rune(text[i])
	}
	return string(runes)
}

// SPDX-License-Identifier: MIT

package memtun

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

const (
	fdPrefix    = "MEMTUN_FD_"
	firstListen = 3 // SD_LISTEN_FDS_START
)

// listenVariables are those of sd_listen_fds(3).
var listenVariables = []string{"LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LISTEN_PIDFDID"}

// listened is what the variables of sd_listen_fds(3) told when they were there. Each number is
// deleted when its descriptor is taken over, so that it is taken over only once.
var listened struct {
	sync.Mutex
	names  map[int]string
	isOurs bool // LISTEN_PID is this process; otherwise only the spelling of names is of use
}

// Inherited returns a tunnel with which this program was started, by "memtun exec -t NAME" for
// example: that of the variable MEMTUN_FD_NAME, in which each byte of the name that is no ASCII
// letter or digit is a "_", or else that of LISTEN_FDS and LISTEN_FDNAMES, as sd_listen_fds(3) has
// them, if LISTEN_PID is this process. memtun-languages(7) describes these variables.
//
// It removes the variables, so that programs which this one starts do not look for the descriptor,
// which they do not inherit. The error is ENOENT if there is no such tunnel, and EBADF if its
// descriptor is not open.
func Inherited(name string) (*os.File, error) {
	listened.Lock()
	defer listened.Unlock()
	readListened()
	if _, ok := os.LookupEnv(variableOf(name)); ok {
		return takeVariable(variableOf(name), name)
	}
	if listened.isOurs {
		for number := range listened.names {
			if listened.names[number] == name && !isListening(number) {
				return takeNumber(number, name, "LISTEN_FDS has "+strconv.Itoa(number))
			}
		}
	}
	return nil, newError(syscall.ENOENT, "this program has inherited no tunnel %q: there is no %s", name, variableOf(name))
}

// AllInherited returns all tunnels with which this program was started, by their names. Where only
// MEMTUN_FD_NAME tells of a tunnel, its name has a "_" for each byte that is no ASCII letter or
// digit. A further queue of the same tunnel is under "fdN", where N is the descriptor's number. After
// an error, the files that are returned were taken over.
func AllInherited() (map[string]*os.File, error) {
	listened.Lock()
	defer listened.Unlock()
	readListened()
	found, numbers := make(map[string]*os.File), make(map[int]bool)
	add := func(file *os.File, name string, number int) {
		if _, ok := found[name]; ok {
			name = "fd" + strconv.Itoa(number)
		}
		found[name], numbers[number] = file, true
	}
	for _, entry := range os.Environ() {
		variable, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(variable, fdPrefix) {
			continue
		}
		name := strings.TrimPrefix(variable, fdPrefix)
		number, err := strconv.Atoi(value)
		if err == nil && numbers[number] {
			os.Unsetenv(variable) // a second variable of the same descriptor
			continue
		}
		if spelling, ok := listened.names[number]; ok && variableOf(spelling) == variable {
			name = spelling
		}
		file, err := takeVariable(variable, name)
		if err != nil {
			return found, err
		}
		add(file, name, number)
	}
	if !listened.isOurs {
		return found, nil
	}
	for _, number := range listenedNumbers() {
		if isListening(number) {
			continue
		}
		name := listened.names[number]
		file, err := takeNumber(number, name, "LISTEN_FDS has "+strconv.Itoa(number))
		if err != nil {
			return found, err
		}
		add(file, name, number)
	}
	return found, nil
}

// variableOf returns the variable of a tunnel.
func variableOf(name string) string {
	return fdPrefix + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, bytesAsRunes(name))
}

// readListened reads the variables of sd_listen_fds(3) and removes them.
func readListened() {
	count, ok := os.LookupEnv("LISTEN_FDS")
	if !ok {
		return
	}
	listened.names = make(map[int]string)
	listened.isOurs = os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid())
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for _, variable := range listenVariables {
		os.Unsetenv(variable)
	}
	listed, err := strconv.ParseUint(count, 10, 31)
	if err != nil {
		return
	}
	// No more of them can be open than this process has, whatever the variable claims.
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil && listed > uint64(len(entries)) {
		listed = uint64(len(entries))
	}
	for i := 0; i < int(listed); i++ {
		number := firstListen + i
		listened.names[number] = "fd" + strconv.Itoa(number)
		if i < len(names) && names[i] != "" {
			listened.names[number] = names[i]
		}
	}
}

// listenedNumbers returns the numbers in their order.
func listenedNumbers() []int {
	var numbers []int
	for number := firstListen; len(numbers) < len(listened.names); number++ {
		if _, ok := listened.names[number]; ok {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

// isListening tells whether the descriptor is a socket for connections, such as one of systemd.
func isListening(fd int) bool {
	value, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	return err == nil && value != 0
}

// takeVariable takes over the descriptor of a variable, and removes that.
func takeVariable(variable, name string) (*os.File, error) {
	value := os.Getenv(variable)
	fd, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return nil, newError(errInvalid, "%s is not a descriptor's number: %q", variable, value)
	}
	file, err := takeNumber(int(fd), name, variable+" is "+value)
	if err == nil {
		os.Unsetenv(variable)
	}
	return file, err
}

// takeNumber takes over a descriptor.
func takeNumber(fd int, name, where string) (*os.File, error) {
	var status syscall.Stat_t
	if err := syscall.Fstat(fd, &status); err != nil {
		return nil, newError(syscall.EBADF, "%s, which is not open", where)
	}
	syscall.CloseOnExec(fd)
	file, err := newFile(fd, name)
	if err == nil {
		delete(listened.names, fd)
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

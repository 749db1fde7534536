# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# The environment that tests run in, whatever the user's environment is. make check sources this file
# before each test, and check.sh sources it for shell tests that are started by hand.

# Tests compare messages of programs, and tables with non-ASCII names.
LC_ALL=C.UTF-8
export LC_ALL
unset LANGUAGE POSIXLY_CORRECT TZ MEMTUN_SOCKET XDG_RUNTIME_DIR LISTEN_FDS LISTEN_FDNAMES LISTEN_PID

# The path of a UNIX socket has at most 107 bytes (unix(7)), and $TMPDIR may be longer than that.
TMPDIR=/tmp
export TMPDIR

# Some tests run programs as an ordinary user, who reads files that the test made as root.
umask 022

# Some tests have 512 descriptors and more. 1024 is the kernel's default (INR_OPEN_CUR).
[ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge 1024 ] || ulimit -S -n 1024 || :

# Tests use the descriptors from 3 to 9 themselves. A POSIX shell cannot name those from 10 on.
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-

# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2086 # tests use the variables; word splitting is intended
# The base of each shell test, which sources this file first: the built programs, a directory, an
# environment, a broker, and checks that print what they expected. A test ends at its first failure.
#
# A test runs under timeout(1), which ends the whole process group when the time is over, so no
# process of a test outlives it. A test that sets TEST_NAMESPACES before it sources this file is root
# in a new network namespace, and in a new user namespace where that is allowed. Its changes to
# interfaces do not affect the host.

: "${top_builddir:=$PWD}"
. "${top_srcdir:-.}/tests/environment.sh" || exit 1
if [ "$(ulimit -n)" != unlimited ] && [ "$(ulimit -n)" -lt 1024 ]; then
	echo "skipped: needs 1024 descriptors (ulimit -Hn)"
	exit 77
fi

if [ -z "$TEST_IS_BOUNDED" ]; then
	namespaces=
	# Where user namespaces are forbidden, root can do without one.
	for namespaces in ${TEST_NAMESPACES:+-Urn -n none}; do
		! unshare $namespaces ip link set lo up 2>/dev/null || break
	done
	if [ "$namespaces" = none ]; then
		echo "skipped: no user and network namespaces here (unshare -Urn), or no ip (iproute2)"
		exit 77
	fi
	TEST_OUTSIDE=$(readlink /proc/self/ns/net)
	export TEST_OUTSIDE
	TEST_IS_BOUNDED=yes exec timeout -k 5 "${TEST_SECONDS:-60}" \
		${namespaces:+unshare $namespaces} /bin/sh "$0" "$@"
fi
# Such a test never runs in the namespace where it was started, even if TEST_IS_BOUNDED was set.
if [ -n "$TEST_NAMESPACES" ]; then
	case ${TEST_OUTSIDE:-unknown} in
	unknown | "$(readlink /proc/self/ns/net)")
		echo "FAILED: not in a network namespace of its own"
		exit 1
		;;
	esac
fi

skip() {
	echo "skipped: $*"
	exit 77
}

fail() {
	echo "FAILED: $*"
	[ ! -s "$scratch/errors" ] || sed 's/^/  errors: /' "$scratch/errors"
	[ ! -s "$scratch/broker-log" ] || sed 's/^/  memtund: /' "$scratch/broker-log"
	exit 1
}

# built_with WHAT: whether this build has it, as its config.h says. Sets $left_out to what to say if not.
# needs.py is the same for tests in Python.
built_with() {
	case $1 in
	filters) built_macro=HAVE_PCAP built_package=libpcap-dev ;;
	tables) built_macro=HAVE_SMARTCOLS built_package=libsmartcols-dev ;;
	user-uplinks) built_macro=HAVE_SLIRP built_package=libslirp-dev ;;
	*) fail "there is no part '$1' of a build" ;;
	esac
	left_out="built without $1 (Debian: $built_package)"
	! grep -qx "#define $built_macro 1" "$top_builddir/config.h" || return 0
	grep -qx "/[*] #undef $built_macro [*]/" "$top_builddir/config.h" ||
		fail "$top_builddir/config.h does not say whether this build has $1 ($built_macro)"
	return 1
}

# part_needs WHAT: whether this build has it. If not, it says that a part of the test is skipped.
part_needs() {
	! built_with "$1" || return 0
	echo "skipped a part: $left_out"
	return 1
}

started=
scratch_end() {
	for pid in $started; do
		# The number of a child that has ended may belong to another process now.
		[ "$(sed -n 's/^PPid:\t//p' "/proc/$pid/status" 2>/dev/null)" != $$ ] ||
			kill "$pid" 2>/dev/null
	done
	# Wait for their ends first: they may still write files in the directory.
	wait
	rm -rf "$scratch"
}

scratch=$(mktemp -d "$TMPDIR/memtun-test-XXXXXX") || exit 1
trap scratch_end EXIT
# timeout(1) signals the shell twice, once as a member of its group. The second signal is ignored, so
# that it does not interrupt scratch_end.
trap 'trap "" HUP INT TERM; echo "FAILED: not done in time"; exit 1' HUP INT TERM

# The programs are copied, as an ordinary user may have no access to the build directory.
chmod 755 "$scratch"
mkdir "$scratch/bin" "$scratch/home"
for program in memtund memtun memtun-host memtun-user examples/lwip-http-server examples/lwip-http-client; do
	[ ! -x "$top_builddir/$program" ] || cp "$top_builddir/$program" "$scratch/bin"
done
PATH=$scratch/bin:$PATH
export PATH

# A test that sets TEST_NEEDS to such words is skipped in a build without one of them.
for part in $TEST_NEEDS; do
	built_with "$part" || skip "$left_out"
done
unset HOME

# The prefix of a command that must run as an ordinary user. It is empty if the test is not root.
as_user=
if [ "$(id -u)" = 0 ] && [ -z "$TEST_NAMESPACES" ]; then
	as_user="setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all --bounding-set=-all"
	$as_user true 2>/dev/null || as_user=
	chown 1000:1000 "$scratch/home" 2>/dev/null || as_user=
fi

# run COMMAND...: runs it, and sets $status, $output and $errors.
run() {
	"$@" >"$scratch/output" 2>"$scratch/errors"
	status=$?
	output=
	errors=
	[ ! -s "$scratch/output" ] || output=$(cat "$scratch/output")
	[ ! -s "$scratch/errors" ] || errors=$(cat "$scratch/errors")
}

# ends_with STATUS COMMAND...: runs it as run does, and checks its exit status.
ends_with() {
	expected=$1
	shift
	run "$@"
	[ "$status" = "$expected" ] || fail "exit status $status, not $expected: $*"
}

# watches FILE COMMAND...: starts it in the background, as $!, with its output in the file, and
# returns when the command writes to its --ready-fd.
watches() {
	watches_output=$1
	shift
	# An earlier command may still have the former pipe open.
	rm -f "$scratch/watches"
	mkfifo "$scratch/watches"
	"$@" --ready-fd 9 9>"$scratch/watches" >"$watches_output" &
	started="$started $!"
	read -r _ <"$scratch/watches" || fail "it ended before it was ready: $*"
}

# is VALUE EXPECTED WHAT: checks that both are equal. WHAT names the value in the message.
is() {
	[ "$1" = "$2" ] || fail "$3 is '$1', not '$2'"
}

# has TEXT PATTERN: checks that the text has a part that matches the shell pattern.
has() {
	# shellcheck disable=SC2254 # it is a pattern
	case $1 in
	*$2*) ;;
	*) fail "no '$2' in '$1'" ;;
	esac
}

# says PATTERN: checks that the last command printed one line of errors, which has the pattern.
says() {
	has "$errors" "$1"
	case $errors in
	*"
"*) fail "more than one line of errors: '$errors'" ;;
	esac
}

# ok STATEMENT: prints the statement about the product that all checks since the last ok have shown.
ok() {
	echo "ok: $*"
}

# console_until TEXT [OTHER]: reads the console of a virtual machine from the standard input until a
# line has TEXT or OTHER, and checks that it is TEXT. If neither comes, the time limit of the test ends
# this.
console_until() {
	while IFS= read -r line; do
		printf '  console: %s\n' "$line" | tr -cd '\n -~'
		case $line in
		*"$1"* | *"${2-$1}"*) break ;;
		esac
	done
	has "$line" "$1"
}

# turns_until COMMAND...: repeats it until it succeeds. Each memtun command makes the broker's loop
# run at least once, and the awaited state is at most a few iterations away.
turns_until() {
	turns=0
	until "$@"; do
		turns=$((turns + 1))
		[ $turns -lt 1000 ] || fail "it never came to: $*"
	done
}

# memtund_start DIRECTORY COMMAND...: starts the command, which is memtund or begins with $as_user
# memtund, with its socket in the directory. Sets $MEMTUN_SOCKET, and $broker to its process, and
# returns when it listens.
memtund_start() {
	MEMTUN_SOCKET=$1/control
	export MEMTUN_SOCKET
	shift
	[ -p "$scratch/ready" ] || mkfifo "$scratch/ready"
	"$@" --socket "$MEMTUN_SOCKET" --ready-fd 3 3>"$scratch/ready" 2>"$scratch/broker-log" &
	broker=$!
	started="$started $broker"
	read -r _ <"$scratch/ready" || fail "memtund did not start"
}

# broker_start [OPTION...]: starts a memtund of this user.
broker_start() {
	memtund_start "$scratch" memtund "$@"
}

# json EXPRESSION: prints the value of a Python expression, in which d is the JSON in $output.
json() {
	"${PYTHON:-python3}" -c 'import json, sys
d = json.loads(sys.stdin.read())
print('"$1"')' <"$scratch/output"
}

have_python() {
	"${PYTHON:-python3}" -c '' 2>/dev/null
}

# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2086 # what it sets is for the tests that source it; words are meant
# What the shell tests share: the programs that were built, a directory of their own, a broker, and
# checks that say what was expected. Sourced first; a test ends at its first failure.
#
# Surprising: a test runs under timeout(1), which on time-out ends the whole process group, so that
# nothing that a test started outlives it. One that sets TEST_NAMESPACES before it sources this is
# root in a network namespace of its own, and in a user namespace if it may: what it does there to
# interfaces, the host doesn't see.

: "${top_builddir:=$PWD}"

if [ -z "$TEST_IS_BOUNDED" ]; then
	namespaces=
	# Where user namespaces are forbidden, root needs none.
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
# Never where it was started, whatever the environment says of bounds.
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
	[ ! -s "$scratch/errors" ] || sed 's/^/  it said: /' "$scratch/errors"
	[ ! -s "$scratch/broker-log" ] || sed 's/^/  memtund said: /' "$scratch/broker-log"
	exit 1
}

started=
scratch_end() {
	for pid in $started; do
		# A number that is not our child's any more may be anybody's.
		[ "$(sed -n 's/^PPid:\t//p' "/proc/$pid/status" 2>/dev/null)" != $$ ] ||
			kill "$pid" 2>/dev/null
	done
	# Their ends first, as what they leave behind is removed with the directory.
	wait
	rm -rf "$scratch"
}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/memtun-test-XXXXXX") || exit 1
trap scratch_end EXIT
# timeout(1) signals the shell twice, once as one of its group: the second must not stop the ending.
trap 'trap "" HUP INT TERM; echo "FAILED: not done in time"; exit 1' HUP INT TERM

# Copies, as an ordinary user may not be able to enter the build directory.
chmod 755 "$scratch"
mkdir "$scratch/bin" "$scratch/home"
for program in memtund memtun memtun-host examples/lwip-http-server examples/lwip-http-client; do
	[ ! -x "$top_builddir/$program" ] || cp "$top_builddir/$program" "$scratch/bin"
done
PATH=$scratch/bin:$PATH
export PATH
unset MEMTUN_SOCKET XDG_RUNTIME_DIR HOME LISTEN_FDS LISTEN_FDNAMES LISTEN_PID

# What a command is run with that has to be an ordinary user's: nothing where we are one already.
as_user=
if [ "$(id -u)" = 0 ] && [ -z "$TEST_NAMESPACES" ]; then
	as_user="setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all --bounding-set=-all"
	$as_user true 2>/dev/null || as_user=
	chown 1000:1000 "$scratch/home" 2>/dev/null || as_user=
fi

# run COMMAND...: leaves its $status, its $output and its $errors.
run() {
	"$@" >"$scratch/output" 2>"$scratch/errors"
	status=$?
	output=$(cat "$scratch/output")
	errors=$(cat "$scratch/errors")
}

# ends_with STATUS COMMAND...: as run, and the status is as said.
ends_with() {
	expected=$1
	shift
	run "$@"
	[ "$status" = "$expected" ] || fail "exit status $status, not $expected: $*"
}

# watches FILE COMMAND...: starts it, as $!, with its output in the file, and goes on when it says so
# by --ready-fd.
watches() {
	watches_output=$1
	shift
	# The last one may have this open still.
	rm -f "$scratch/watches"
	mkfifo "$scratch/watches"
	"$@" --ready-fd 9 9>"$scratch/watches" >"$watches_output" &
	started="$started $!"
	read -r _ <"$scratch/watches" || fail "it ended before it was ready: $*"
}

# is VALUE EXPECTED WHAT
is() {
	[ "$1" = "$2" ] || fail "$3 is '$1', not '$2'"
}

# has TEXT PATTERN: a shell pattern, somewhere in it.
has() {
	# shellcheck disable=SC2254 # it is a pattern
	case $1 in
	*$2*) ;;
	*) fail "no '$2' in '$1'" ;;
	esac
}

# says PATTERN: the last command failed with one line of errors, which has the pattern in it.
says() {
	has "$errors" "$1"
	is "$(wc -l <"$scratch/errors")" 1 "the number of lines of '$errors'"
}

# ok WHAT: reached, so all that was checked since the last one is true.
ok() {
	echo "ok: $*"
}

# turns_until COMMAND...: tries until it succeeds. A memtun command is a turn of the broker's loop
# at least, and what is waited for here is at most a few turns away.
turns_until() {
	turns=0
	until "$@"; do
		turns=$((turns + 1))
		[ $turns -lt 1000 ] || fail "it never came to: $*"
	done
}

# broker_start [OPTION...]: a memtund at $MEMTUN_SOCKET, $broker; it listens.
broker_start() {
	MEMTUN_SOCKET=$scratch/control
	export MEMTUN_SOCKET
	[ -p "$scratch/ready" ] || mkfifo "$scratch/ready"
	memtund --socket "$MEMTUN_SOCKET" --ready-fd 3 "$@" 3>"$scratch/ready" \
		2>"$scratch/broker-log" &
	broker=$!
	started="$started $broker"
	read -r _ <"$scratch/ready" || fail "memtund did not start"
}

# json EXPRESSION [FILE]: what Python says of $output's JSON, d.
json() {
	"${PYTHON:-python3}" -c 'import json, sys
d = json.loads(sys.stdin.read())
print('"$1"')' <"$scratch/output"
}

have_python() {
	"${PYTHON:-python3}" -c '' 2>/dev/null
}

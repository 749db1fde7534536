#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC3045 # words are meant
# memtun wrap, run by an ordinary user without capabilities: its command line, the ways that calls
# take, frames, signals, the exit status, children, and faults.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/wrap.sh"

# --- usage ---

while read -r wrong; do
	ends_with 125 memtun wrap $wrong
	says "memtun: "
done <<'END'

--notify
--notify --preload true
-t tun0 true
-t :bridge=lab true
-t tun0:color=green true
-t tun0:mode=tun true
-t tun0:persistent true
--bridge a/b true
--reply-timeout soon true
END
ends_with 125 memtun wrap -t 'tun*:bridg=lab' true
says "did you mean 'bridge'?"
ok "a wrong command line is refused with 125 and one line that says why"

run wrapped --explain
has "$errors" "kernel:"
has "$errors" "libmemtun-preload.so:"
ok "--explain says what the machine allows"
notify_or_skip

# --- a private broker ---

unset MEMTUN_SOCKET
run env XDG_RUNTIME_DIR="$scratch/home" $as_user memtun wrap -- wrap-program known 7
is "$status" 1 "the status of a program that fails"
has "$errors" "gets one of its own"
ok "without a broker, a private one is started"

user_broker_start
ends_with 127 wrapped -- /there/is/none
says "cannot run /there/is/none: No such file or directory"
ends_with 126 wrapped -- /
ends_with 7 wrapped -- sh -c 'exit 7'
ends_with 143 wrapped -- sh -c 'kill $$'
ends_with 125 $as_user memtun wrap --socket "$scratch/none" -- true
ok "the exit status is the program's, or that of exec's failures"

# --- frames ---

# is_wrapped WORD...: starts memtun wrap WORD... as $program, and reads the line $first of it.
is_wrapped() {
	rm -f "$scratch/program" "$scratch/input"
	mkfifo "$scratch/program" "$scratch/input"
	(cd "$scratch/home" && exec $as_user memtun wrap "$@") <"$scratch/input" \
		>"$scratch/program" 2>"$scratch/errors" &
	program=$!
	started="$started $program"
	exec 4>"$scratch/input"
	exec 5<"$scratch/program"
	read -r first <&5 || fail "it printed nothing: $(cat "$scratch/errors")"
}

# way_works OPTION [PROGRAM]: a tunnel opened that way carries frames in both directions.
way_works() {
	ends_with 0 $as_user memtun add sink bridge lab
	expecting=
	if part_needs filters; then
		watches "$scratch/expected" $as_user memtun expect sink --to-client --timeout 20 \
			'ether broadcast'
		expecting=$!
	fi
	is_wrapped $1 --bridge lab -- "${2:-wrap-program}" echo 'tap%d'
	is "$first" tap0 "the name of the tunnel"
	[ -z "$expecting" ] || wait $expecting || fail "no frame from the program"
	ends_with 0 $as_user memtun inject tap0 --hex \
		ffffffffffff020000000001080600000000000000000000000000000000
	read -r line <&5
	is "$line" "read 30" "the frame that the program read"
	exec 4>&- 5<&-
	wait "$program"
	is $? 0 "the program's status"
	ends_with 0 $as_user memtun del sink
}
way_works --notify
way_works --preload
ok "frames go both ways, with notifications and with the library"

if built program-static -static wrap-program; then
	way_works --notify program-static
	ok "frames of a static program go both ways"
fi
if [ "$(uname -m)" = x86_64 ] && built program-32 -m32 wrap-program; then
	way_works --notify program-32
	ok "frames of a 32-bit program go both ways"
fi

run wrapped --trace -- wrap-program echo 'x%d%d'
is "$status" 1 "the status"
has "$errors" 'openat(AT_FDCWD, "/dev/net/tun", O_RDWR|O_CLOEXEC) = '
has "$errors" 'ioctl(3, TUNSETIFF, {"x%d%d", IFF_TAP|IFF_NO_PI}) = -1 EINVAL (Invalid argument)'
ok "--trace prints each call"

run wrapped -t 'tap*:bridge=lab,mtu=1400' -t 'x:mtu=1300' --bridge other -- sh -c '
	exec 5<&0
	wrap-program echo tap7 <&5 >/dev/null & first=$!
	wrap-program echo x <&5 >/dev/null & second=$!
	memtun wait tap7 open --timeout 20 2>&1 && memtun wait x open --timeout 20 2>&1 &&
		memtun -j show
	kill $first $second'
is "$(json '[(t["bridge"], t["mtu"]) for n in ("tap7", "x") for t in d if t["name"] == n]')" \
	"[('lab', 1400), ('other', 1300)]" "the options of the tunnels"
ok "-t and --bridge choose the options of tunnels by their names"

# --- children, threads and signals ---

for way in --notify --preload; do
	run wrapped $way -- wrap-program inherited
	turns_until grep -q known "$scratch/output"
	ends_with 0 wrapped $way -- wrap-program threads
	is "$output" "1000 opens" "what 20 threads did"
	ends_with 0 wrapped $way -- wrap-program timer
	is "$output" "300 opens" "what a program with a timer did"
	ends_with 0 wrapped $way -- wrap-program close_all
	is "$output" "open is 3" "the number after close_range"
done
ok "a descriptor is known after dup, fork, a double fork and exec"
ok "1,000 opens of 20 threads, and a timer of 150 us, disturb nothing"

for which in soft hard; do
	ends_with 0 wrapped -- wrap-program limit $which
	is "$output" "EMFILE after 200 of 200" "opens with a $which limit of 200 descriptors"
done
ends_with 0 wrapped -- wrap-program filter
ends_with 0 wrapped -- wrap-program change
is "$output" after0 "what memory that changes has left"
ok "limits, a filter of the program's own and memory that changes are no trouble"

run wrapped -- wrap-program undumpable
is "$status" 0 "the status"
has "$errors" "is not dumpable"
ok "a program that is not dumpable gets the kernel's device, and a message"

# A set-user-ID program, where this directory may have one.
cp "$scratch/bin/wrap-program" "$scratch/bin/set-user-id"
chmod u+s "$scratch/bin/set-user-id"
owner=$(id -u)
run $as_user set-user-id rights
if [ -z "$as_user" ] || [ "$(head -n 1 "$scratch/output")" != "euid $owner" ]; then
	echo "skipped a part: no set-user-ID programs of another user here"
else
	ends_with 0 wrapped -- set-user-id rights
	is "$output" "euid $($as_user id -u)
set0" "what a set-user-ID child says"
	run wrapped --preload -- set-user-id rights
	has "$output" "euid $owner"
	ok "a set-user-ID child is wrapped, and has the user's rights; the library does not reach it"
fi

run wrapped -- memtun wrap -- wrap-program inherited
is "$status" 0 "the status"
has "$errors" "a seccomp listener is installed already"
has "$errors" "libmemtun-preload.so"
turns_until grep -q known "$scratch/output"
ends_with 125 wrapped -- memtun wrap --notify -- true
says "a seccomp listener is installed already"
ok "wrap inside wrap takes the library, and says so"

is_wrapped -- sh -c 'trap "echo got it; exit 9" TERM; echo ready; while :; do read -r _ || :; done'
kill "$program"
read -r line <&5
is "$line" "got it" "what the program said to SIGTERM"
exec 4>&-
wait "$program"
is $? 9 "its status"
ok "a signal reaches the program, and its status comes back"

is_wrapped -- wrap-program echo gone
kill -KILL "$program"
ends_with 0 $as_user memtun wait gone closed --timeout 20
exec 4>&-
ok "the program ends with a memtun wrap that is killed"

# A reader of the output must see its end, though the daemon and its supervisor go on.
run wrapped -- sh -c '
	sh -c "exec >/dev/null 2>&1 5<&-; exec wrap-program echo late" &
	memtun wait late open --timeout 20 2>&1'
is "$status" 0 "the status"
# The program ends as soon as it has the frame, perhaps before inject knows that.
run $as_user memtun inject late --hex \
	ffffffffffff020000000001080600000000000000000000000000000000
ends_with 0 $as_user memtun wait late closed --timeout 20
ok "a child that outlives the program is still served, and keeps no output open"

# --- faults ---

# child_of PROCESS: prints its child.
child_of() {
	for entry in /proc/[0-9]*; do
		[ "$(sed -n 's/^PPid:\t//p' "$entry/status" 2>/dev/null)" != "$1" ] ||
			echo "${entry#/proc/}"
	done
}

is_wrapped -- wrap-program echo killed
kill -KILL "$(child_of "$(child_of "$program")")"
wait "$program"
is $? 137 "the status of a program that was killed"
ends_with 0 $as_user memtun wait killed closed --timeout 20
exec 4>&- 5<&-
ok "a program that is killed leaves no open tunnel"

is_wrapped -- wrap-program orphan
is "$first" orphan "the tunnel"
kill -KILL "$(child_of "$program")"
turns_until grep -q "supervisor of memtun wrap was killed" "$scratch/errors"
echo go >&4
read -r line <&5
is "$line" "open: ENOSYS" "an open without a supervisor"
read -r line <&5
is "$line" "read-only: opened" "an open for reading only"
ends_with 0 $as_user memtun inject orphan --hex \
	ffffffffffff020000000001080600000000000000000000000000000000
read -r line <&5
is "$line" "read 30" "a frame"
exec 4>&- 5<&-
wait "$program"
is $? 0 "the status of the program"
ok "frames and the exit status survive the supervisor"

is_wrapped -- sh -c 'wrap-program echo served </dev/null; read -r _; wrap-program echo never; echo "status $?"'
is "$first" served "the tunnel"
# A frame that the broker has not read would make it an ECONNRESET.
turns_until sh -c 'memtun -j -s show served | grep -q "from-client-frames\": 1"'
kill -KILL "$broker"
wait "$broker" 2>/dev/null
read -r line <&5
is "$line" "read 0" "the open tunnel of a broker that was killed"
echo go >&4
read -r line <&5
is "$line" "status 1" "an open without a broker"
has "$(cat "$scratch/errors")" "open: No such device"
wait "$program"
exec 4>&- 5<&-
ok "without the broker, an open is ENODEV, as without the kernel's driver"

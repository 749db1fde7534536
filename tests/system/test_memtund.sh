#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2086,SC2119,SC3045 # scripts in quotes and words are meant
# memtund as its user sees it.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

# --- usage ---

ends_with 0 memtund --help
has "$output" "Usage: memtund"
ends_with 0 memtund --version
for wrong in "--nonsense" "--ready-fd x" "--ready-fd -1" "--log-level loud" "--socket" "command" \
	"--handoff" "--ready-fd 99" "--"; do
	ends_with 2 memtund $wrong
	is "$output" "" "what 'memtund $wrong' prints"
done
ok "usage errors exit with 2"

# --- memtund -- CMD ---

ends_with 7 memtund -- sh -c 'exit 7'
ends_with 0 memtund -- true
ends_with 143 memtund -- sh -c 'kill -TERM $$'
ends_with 137 memtund -- sh -c 'kill -KILL $$'
ends_with 127 memtund -- "$scratch/no-such-command"
has "$errors" "no-such-command: No such file"
: >"$scratch/no-program"
ends_with 126 memtund -- "$scratch/no-program"
has "$errors" "no-program: Permission denied"
ends_with 127 sh -c 'memtund -- "$0/no-such-command" 2>&-' "$scratch"
ends_with 125 memtund --socket "$scratch/no-directory/control" -- true
says "cannot make $scratch/no-directory/control"
ok "CMD's status is passed on"

mkdir "$scratch/elsewhere"
ends_with 0 env -C "$scratch" memtund --socket relative -- sh -c 'cd elsewhere && memtun -j show'
ok "CMD finds a socket of a relative path from everywhere"

long=$scratch/$(printf '%090d' 0)
for length in 77 80 83 86 90; do
	directory=$(printf "%.${length}s" "$long")
	[ "$directory" != "$scratch/" ] || continue
	mkdir -p "$directory"
	ends_with 0 env XDG_RUNTIME_DIR="$directory" memtund -- memtun -j show
done
ok "a private socket's directory may be long"

ends_with 0 memtund -- sh -c 'echo "$MEMTUN_SOCKET"; stat -c "%a %F" "$MEMTUN_SOCKET" "${MEMTUN_SOCKET%/*}"'
is "${output#*
}" "600 socket
700 directory" "mode of the private socket and its directory"
directory=${output%%/control*}
[ ! -e "$directory" ] || fail "$directory was left behind"
ends_with 0 env XDG_RUNTIME_DIR="$scratch" memtund -- sh -c 'echo "$MEMTUN_SOCKET"; memtun -j show'
has "$output" "$scratch/memtun-"
is "$(ls -d "$scratch"/memtun-* 2>/dev/null)" "" "what is left behind"
ok "CMD has a private broker, which leaves nothing behind"

limit=$(ulimit -Sn)
[ "$limit" = unlimited ] || [ "$limit" -gt 200 ] && limit=123
ends_with 0 sh -c "ulimit -Sn $limit && exec memtund -- sh -c 'ulimit -Sn'"
is "$output" "$limit" "CMD's limit of descriptors"
run sh -c 'ls /proc/$$/fd'
without=$output
ends_with 0 memtund -- sh -c 'ls /proc/$$/fd'
is "$output" "$without" "the list of CMD's descriptors"
ok "CMD has its own limits and none of memtund's descriptors"

# The process that a program looks at is itself; memtund is its parent.
mine=$(sed -n 's/^CapEff:\t//p' /proc/self/status)
ends_with 0 memtund -- sh -c 'turns=0
	until grep -q "^NoNewPrivs:.1" /proc/$PPID/status; do
		turns=$((turns + 1)); [ $turns -lt 1000 ] || exit 1; done
	sed -n "s/^\(CapEff\|CapPrm\|NoNewPrivs\):\t//p" /proc/$PPID/status
	grep "^NoNewPrivs\|^CapEff" /proc/self/status'
is "$output" "0000000000000000
0000000000000000
1
CapEff:	$mine
NoNewPrivs:	$(sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)" "memtund's rights, and CMD's"
ok "memtund gives up its capabilities, CMD keeps its own"

run memtund -- sh -c 'sleep 1000 & trap "kill $!; exit 9" TERM; kill -TERM $PPID; wait'
is "$status" 9 "status when TERM came to memtund and CMD took it"
run memtund -- sh -c 'kill -INT $PPID; memtun -j show >/dev/null && exit 5'
is "$status" 5 "status when INT came to memtund alone"
ok "TERM is CMD's to take, and INT is left to the terminal"

# --- a broker for everybody ---

broker_start
is "$(stat -c '%a %F' "$MEMTUN_SOCKET")" "600 socket" "mode of the socket"
is "$(stat -c '%a' "$MEMTUN_SOCKET.lock")" 600 "mode of the lock"
ends_with 0 memtun add tun0
ends_with 1 memtund --socket "$MEMTUN_SOCKET"
says "a broker listens on $MEMTUN_SOCKET already"
ends_with 0 memtun -j show tun0
ok "a second broker is refused, and the first doesn't mind"

for signal in TERM INT HUP; do
	kill -$signal "$broker"
	wait "$broker"
	is $? 0 "memtund's status after $signal"
	[ ! -e "$MEMTUN_SOCKET" ] || fail "the socket is still there after $signal"
	[ ! -e "$MEMTUN_SOCKET.lock" ] || fail "the lock is still there after $signal"
	broker_start
done
ok "TERM, INT and HUP end it, and it leaves nothing behind"

kill -KILL "$broker"
wait "$broker" 2>/dev/null
[ -S "$MEMTUN_SOCKET" ] || fail "a killed broker's socket can't have gone"
ends_with 3 memtun -j show
says "no broker listens there; memtund --socket starts one"
broker_start
ends_with 0 memtun -j show
ok "a killed broker's socket is replaced"

: >"$scratch/file"
ends_with 1 memtund --socket "$scratch/file"
says "$scratch/file exists and is no socket"
[ -f "$scratch/file" ] || fail "the file is gone"
ok "a file that is no socket is left alone"

# --- without an address ---

mkdir "$scratch/runtime"
env -u MEMTUN_SOCKET XDG_RUNTIME_DIR="$scratch/runtime" memtund --ready-fd 3 3>"$scratch/ready" &
started="$started $!"
read -r _ <"$scratch/ready" || fail "memtund did not start"
is "$(stat -c %a "$scratch/runtime/memtun")" 700 "mode of the directory that it made"
ends_with 0 env -u MEMTUN_SOCKET XDG_RUNTIME_DIR="$scratch/runtime" memtun -j show
ok "it listens in XDG_RUNTIME_DIR, in a directory of its own"

# Whatever /tmp may hold, it holds nothing for a user whom nobody has heard of.
stranger=$((100000 + $$))
as_stranger="env -u MEMTUN_SOCKET setpriv --reuid $stranger --regid $stranger --clear-groups
	--inh-caps=-all --bounding-set=-all"
directory=/tmp/memtun-$stranger
if [ -n "$as_user" ] && $as_stranger true && mkdir -m 755 $directory; then
	trap 'rmdir $directory; scratch_end' EXIT
	ends_with 1 $as_stranger memtund
	says "$directory is not a directory of this user alone"
	ends_with 1 $as_stranger env XDG_RUNTIME_DIR="$scratch/none" memtund
	says "$directory is not a directory of this user alone"
	chown $stranger $directory
	ends_with 1 $as_stranger memtund
	says "$directory is not a directory of this user alone"
	rmdir $directory
	$as_stranger env XDG_RUNTIME_DIR="$scratch/none" memtund --ready-fd 3 3>"$scratch/ready" &
	pid=$!
	started="$started $pid"
	read -r _ <"$scratch/ready" || fail "memtund did not start"
	is "$(stat -c '%a %u' $directory)" "700 $stranger" "mode and owner of $directory"
	ends_with 0 $as_stranger memtun add tap0
	kill $pid
	wait $pid
	is "$(ls $directory)" "" "what is left in $directory"
	trap scratch_end EXIT
	rmdir $directory
	ok "it listens in /tmp where that fails, in no directory that others can enter or own"
fi

# --- clients that die ---

ends_with 0 memtun bridge add lab
memtun exec -t victim:bridge=lab -- sleep 1000 &
victim=$!
turns_until sh -c 'memtun -j show victim >/dev/null 2>&1'
kill -KILL $victim
wait $victim 2>/dev/null
turns_until sh -c '! memtun -j show victim >/dev/null 2>&1'
ends_with 1 memtun -j show victim
ends_with 0 memtun -j bridge show lab
has "$output" '"ports": 0'
ok "a killed client's tunnel goes"

# --- plain handoff ---

ends_with 2 memtund --socket "$scratch/other" --handoff "$scratch/plain"
says "a handoff is PATH=NAME"
ends_with 2 memtund --socket "$scratch/other" --handoff "$scratch/plain=tap%d:mode=tin"
says "mode is one of tun, tap, not 'tin'"
ends_with 2 memtund --socket "$scratch/other" --handoff "$scratch/plain=a/b"
[ ! -e "$scratch/other" ] || fail "a memtund that did not start left its socket"
kill "$broker"
wait "$broker"
broker_start --handoff "$scratch/plain=tap%d:bridge=lab"
is "$(stat -c '%a %F' "$scratch/plain")" "600 socket" "mode of the plain socket"
if have_python; then
	ends_with 0 "${PYTHON:-python3}" -c '
import os, socket, subprocess, sys
with socket.socket(socket.AF_UNIX) as plain:
    plain.connect(sys.argv[1])
    data, fds, flags, address = socket.recv_fds(plain, 10, 10)
print(len(data), len(fds), flush=True)
subprocess.run(["memtun", "-j", "show", "tap0"], check=True)
' "$scratch/plain"
	has "$output" "1 1"
	turns_until sh -c '! memtun -j show tap0 >/dev/null 2>&1'
	ok "a plain handoff gives one byte with one descriptor"
fi

# --- its output ---

(exec 1>&- 2>&-; exec memtund --socket "$scratch/silent" --ready-fd 3 3>"$scratch/ready") &
silent=$!
started="$started $silent"
read -r _ <"$scratch/ready" || fail "memtund did not start without its output"
# Else a socket would have the number that the log is written to.
is "$(readlink /proc/$silent/fd/1 /proc/$silent/fd/2)" "/dev/null
/dev/null" "what stands in for its output"
ends_with 0 memtun --socket "$scratch/silent" add tap0
ends_with 0 memtun --socket "$scratch/silent" exec -t tap0 -- true
ends_with 0 memtun --socket "$scratch/silent" -j show tap0
kill $silent
wait $silent
is $? 0 "status of a memtund without output"
# Nor where it was told to write that it is ready there.
memtund --socket "$scratch/silent" --ready-fd 2 2>"$scratch/ready" &
silent=$!
started="$started $silent"
read -r _ <"$scratch/ready" || fail "memtund did not start"
ends_with 0 memtun --socket "$scratch/silent" -j show
is "$(readlink /proc/$silent/fd/2)" /dev/null "what stands in for what it was ready on"
kill $silent
wait $silent
mkfifo "$scratch/log"
memtund --log-level debug --socket "$scratch/piped" --ready-fd 3 2>"$scratch/log" 3>"$scratch/ready" &
piped=$!
started="$started $piped"
# Whoever reads the log goes away.
exec 4<"$scratch/log"
read -r _ <"$scratch/ready" || fail "memtund did not start"
exec 4<&-
ends_with 0 memtun --socket "$scratch/piped" add tap0
ends_with 0 memtun --socket "$scratch/piped" -j show tap0
kill $piped
wait $piped
is $? 0 "status of a memtund whose log nobody reads"
ok "nobody has to read what it says"

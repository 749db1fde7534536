#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2086,SC2119,SC3045 # scripts in quotes and words are meant
# The memtun command: its output, its exit statuses, and the descriptors of exec.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

have_python || skip "no Python here to read JSON with"

# --- usage, and no broker ---

ends_with 0 memtun --help
has "$output" "Usage: memtun"
ends_with 0 memtun --version
for wrong in "" "nonsense" "--nonsense" "add" "add tap0 color green" "add tap0 mtu" "add tap0 mtu 100 mtu 100" "add tap0 pi pi" "top -n" "top -b x" \
	"add tap0 mtu large" "add tap0 mode tin" "set tap0" "del" "show a b" "bridge grow" \
	"bridge add" "bridge del" "bridge add a b" "monitor now" "monitor --ready-fd 77" \
	"inject a --udp 10.0.0.1:70000 x" "inject a --udp 10.0.0.1:7 --from 10.0.0.2:0x7 x"; do
	ends_with 2 memtun $wrong
	is "$output" "" "what 'memtun $wrong' prints"
	[ -n "$errors" ] || fail "memtun $wrong: nothing was said"
done
for wrong in "add tap0 mtu large" "add tap0 mode tin" "bridge grow"; do
	ends_with 2 memtun $wrong
	says "memtun: "
done
for wrong in "-j add tap0" "-s capture tap0" "wait tap0 up -j" "-s monitor" "show --ready-fd 1" \
	"-s top" "--ready-fd 1 monitor" "--dot bridge"; do
	ends_with 2 memtun $wrong
	[ -n "$errors" ] || fail "memtun $wrong: nothing was said"
done
while IFS='|' read -r wrong words; do
	ends_with 2 memtun $wrong
	says "memtun: $words"
done <<'END'
-j capture tap0|capture takes no -j
-j bridge add lab|bridge add takes no -j
-s bridge del lab|bridge del takes no -s
uplink add lan bridge lab -s|uplink add takes no -s
-j uplink del lan|uplink del takes no -j
-j uplink grow|there is no command 'uplink grow'
END
ends_with 125 memtun -j exec -- true
says "memtun: exec takes no -j"
ok "usage errors exit with 2 and say what is wrong"

run memtun -j show
if [ "$status" = 3 ]; then
	says "looked for /run/user/$(id -u)/memtun/control, /tmp/memtun-$(id -u)/control and "
fi
for command in "add a" "set a mtu 1400" "del a" "-j show" "-j bridge show" "monitor"; do
	ends_with 3 memtun --socket "$scratch/none" $command
	says "no broker listens there"
done
ends_with 125 memtun --socket "$scratch/none" exec -- true
ok "without a broker it exits with 3"

broker_start

for kind in "" "bridge " "uplink "; do
	for name in one two three; do
		case $kind in
		"uplink ")
			ends_with 0 memtun uplink add $name bridge lab type stream path "$scratch/$name"
			;;
		*) ends_with 0 memtun ${kind}add $name ;;
		esac
	done
	ends_with 1 memtun ${kind}del one none three
	says "'none'"
	ends_with 0 memtun ${kind}del two
	ends_with 1 memtun ${kind}del three
done
ok "del deletes each name, and one that is refused does not prevent the others"

# --- tables and JSON ---

for list in "show" "bridge show" "bridge" "-s show"; do
	ends_with 0 memtun -j $list
	is "$output" "[]" "what memtun -j $list prints of nothing"
done
ends_with 0 memtun add left bridge lab mtu 1400
is "$output" "" "what memtun add prints"
ends_with 0 memtun add vpn mode tun overflow block queue 50 pi
ends_with 0 memtun -j show
json '",".join(sorted(t["name"] for t in d))' >"$scratch/said"
is "$(cat "$scratch/said")" "left,vpn" "the names in JSON"
ends_with 0 memtun --json show left
is "$(json 'len(d), d[0]["mode"], d[0]["bridge"], d[0]["mtu"], d[0]["persistent"], d[0]["state"],
	d[0]["socket"], d[0]["owner"], d[0]["overflow"], d[0]["pi"]')" \
	"1 tap lab 1400 True closed seqpacket $(id -u) drop-tail False" "left in JSON"
ends_with 0 memtun -j show vpn
is "$(json 'len(d), d[0]["mode"], d[0]["overflow"], d[0]["queue"], d[0]["pi"], "bridge" in d[0]')" \
	"1 tun block 50 True False" "vpn in JSON"
ends_with 0 memtun -j -s show left
is "$(json 'd[0]["from-client-frames"], d[0]["to-client-bytes"],
	[k for k in d[0] if k.startswith(("rx", "tx"))],
	[k for k, v in d[0].items() if isinstance(v, (dict, list))]')" \
	"0 0 [] []" "counters in JSON"
ends_with 0 memtun -j bridge show
is "$(json '[(r["object"], r["name"]) for r in d], d[0]["ports"], d[0]["hub"]')" \
	"[('bridge', 'lab'), ('tunnel', 'left')] 1 False" "the bridge in JSON"
if part_needs tables; then
	ends_with 0 memtun show
	is "$(sed -n 1p "$scratch/output" | tr -s ' ')" \
		"NAME MODE STATE BRIDGE PEER SOCKET BACKEND MTU PERSISTENT OWNER PID PROGRAM" "the table's heading"
	is "$(wc -l <"$scratch/output")" 3 "the table's lines"
fi
ends_with 0 memtun set left vlan 7
if part_needs tables; then
	ends_with 0 memtun show
	is "$(awk 'NR == 1 || $1 == "left" { print $4, $5 }' "$scratch/output")" "BRIDGE VLAN
lab 7" "the column of VLANs"
fi
ends_with 0 memtun set left vlan 0
if part_needs tables; then
	ends_with 0 memtun -s show left
	has "$output" "FROM-CLIENT-FRAMES"
fi
ok "show prints tables, and arrays of flat JSON"

# --- changing ---

ends_with 0 memtun set left mtu 9000 nobridge
ends_with 0 memtun -j show left
is "$(json 'd[0]["mtu"], "bridge" in d[0]')" "9000 False" "left after set"
ends_with 0 memtun -j bridge show
is "$output" "[]" "the bridges after the last port left"
ends_with 0 memtun bridge add hub0 hub
ends_with 0 memtun -j bridge show hub0
is "$(json 'd[0]["hub"], d[0]["ports"]')" "True 0" "the hub"
ends_with 0 memtun bridge del hub0
ends_with 0 memtun add 'eth%d' count 3
is "$output" "eth0
eth1
eth2" "names by template"
ends_with 0 memtun add a peer b
ends_with 0 memtun -j show b
is "$(json 'd[0]["peer"]')" "a" "b's peer"
for name in left vpn eth0 eth1 eth2 a; do
	ends_with 0 memtun del $name
done
ends_with 0 memtun -j show
is "$output" "[]" "what is left"
ok "add, set and del do what they say"

# --- refusals: one line, status 1 ---

ends_with 0 memtun add taken
while read -r pattern command; do
	ends_with 1 memtun $command
	says "memtun: "
	has "$errors" "$pattern"
done <<'END'
taken add taken
gone del gone
gone -j show gone
gone set gone mtu 1400
gone bridge del gone
gone -j bridge show gone
1*5 add a-name-of-16-byte
a/b add a/b
tap%s add tap%s
%d add x count 2
END
ends_with 1 memtun add "with space"
says "with space"
ends_with 0 memtun del taken
ok "a refusal of the broker is one line, with status 1"

# --- exec ---

ends_with 0 memtun exec -t one -t b-2:bridge=lab -- sh -c '
	echo "$LISTEN_FDS $LISTEN_FDNAMES $MEMTUN_FD_one $MEMTUN_FD_b_2 $(($$ - LISTEN_PID)) $*"
	stat -Lc "%n %F" /proc/$$/fd/3 /proc/$$/fd/4 | sed "s,/.*/,,"' - 'a={one},b={b-2},{c},{' '{b-2}{one}'
is "$output" "2 one:b-2 3 4 0 a=3,b=4,{c},{ 43
3 socket
4 socket" "what exec hands over"
# Without a pipe, which would be in the list until sh has closed it.
run sh -c 'ls /proc/$$/fd; true'
without=$output
ends_with 0 memtun exec -t one -- sh -c 'ls /proc/$$/fd; true'
is "$(echo "$output" | sort -n)" "$(printf '%s\n' "$without" 3 | sort -n)" "the list of CMD's descriptors"
ends_with 0 memtun exec -- sh -c 'echo $LISTEN_FDNAMES; memtun -j show'
has "$output" "tap0"
ends_with 0 memtun exec -t 'vm%d' -- sh -c 'echo $LISTEN_FDNAMES $1' - '{vm%d}{vm0}'
is "$output" "vm0 33" "a template's name, and its placeholders"
ends_with 0 memtun exec -t x:mode=tun -- memtun -j show x
is "$(json 'd[0]["mode"], d[0]["state"], d[0]["persistent"]')" "tun open False" "x while it is open"
turns_until sh -c '[ "$(memtun -j show)" = "[]" ]'
ok "exec hands over descriptors from 3 up, their names and numbers, and nothing else"

# Each descriptor gets a frame of 100 times its number in bytes, which the tunnel's counter shows.
ends_with 0 memtun exec -t z -t a -t m -- sh -c '
	for fd in 3 4 5; do head -c "${fd}00" /dev/zero >&$fd; done
	turns=0
	while memtun -j -s show | grep -q "\"from-client-bytes\": 0"; do
		turns=$((turns + 1)); [ $turns -lt 1000 ] || exit 1; done
	memtun -j -s show'
is "$(json 'sorted((t["from-client-bytes"], t["name"]) for t in d)')" \
	"[(300, 'z'), (400, 'a'), (500, 'm')]" "the order of descriptors"
ok "exec's descriptors are in the order of its -t"

ends_with 1 memtun -j show nothing
ends_with 125 memtun exec -t a-b -t a+b -- true
says "'a-b' and 'a+b' would both set MEMTUN_FD_a_b"
ends_with 125 memtun exec -t a -t a -- true
says "a"
ends_with 125 memtun exec -t a:mode=tin -- true
says "mode is one of tun, tap, not 'tin'"
ends_with 125 memtun exec -t
says "-t needs a value: SPEC"
ends_with 125 memtun exec
says "exec needs a PROGRAM"
ends_with 127 memtun exec -- "$scratch/no-such-command"
says "cannot run $scratch/no-such-command: No such file"
: >"$scratch/no-program"
ends_with 126 memtun exec -- "$scratch/no-program"
says "cannot run $scratch/no-program: Permission denied"
ends_with 7 memtun exec -t a -- sh -c 'exit 7'
turns_until sh -c '[ "$(memtun -j show)" = "[]" ]'
ok "exec's own failures are 125, 126 and 127, and leave no tunnel"

# --- exec without a broker ---

# If the user runs a broker, exec finds that one.
if [ ! -e "/tmp/memtun-$(id -u)/control" ] && [ ! -e /run/memtun/control ]; then
	mkdir "$scratch/runtime"
	ends_with 9 env -u MEMTUN_SOCKET XDG_RUNTIME_DIR="$scratch/runtime" memtun exec -t a:peer=b -t b -- \
		sh -c 'echo "$MEMTUN_SOCKET $LISTEN_FDNAMES"; memtun -j show a; exit 9'
	has "$output" "$scratch/runtime/memtun-*/control a:b"
	is "$(ls "$scratch/runtime")" "" "what a private broker leaves behind"
	ok "exec starts a private broker where there is none"

	mkdir "$scratch/beside"
	cp "$(command -v memtun)" "$scratch/beside"
	: >"$scratch/beside/memtund"
	ends_with 125 env -u MEMTUN_SOCKET XDG_RUNTIME_DIR="$scratch/runtime" \
		"$scratch/beside/memtun" exec -- true
	has "$errors" "memtund can't be started: Permission denied"
	ok "exec does not look for another memtund if the one beside it cannot be executed"
fi

# --- monitor ---

watches "$scratch/events" memtun -j monitor
monitor=$!
watches "$scratch/lines" memtun monitor
lines=$!
ends_with 0 memtun add watched bridge lab
ends_with 0 memtun set watched mtu 1400
table=true
! part_needs tables || table="memtun show watched"
ends_with 0 memtun exec -t watched -- sh -c "$table && memtun -j show watched"
opener=$(sed -n 's/^ *"pid": \([0-9]*\),$/\1/p' "$scratch/output")
if [ "$table" != true ]; then
	has "$(sed -n 1p "$scratch/output")" " PID *PROGRAM*"
	has "$(sed -n 2p "$scratch/output")" " $opener *sh*"
fi
has "$(cat "$scratch/output")" '"program": "sh"'
ends_with 0 memtun del watched
turns_until grep -q '"deleted"' "$scratch/events"
turns_until grep -q ' deleted watched' "$scratch/lines"
"${PYTHON:-python3}" - "$scratch/events" "$opener" <<'END' || fail "the events: $(cat "$scratch/events")"
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
mine = [e for e in events if e["name"] == "watched"]
kinds = [e["event"] for e in mine]
assert kinds == ["added", "changed", "opened", "closed", "deleted"], kinds
assert [e.get("pid") for e in mine] == [None, None, int(sys.argv[2]), None, None], mine
assert mine[1]["mtu"] == 1400 and mine[0]["bridge"] == "lab", mine
assert all(isinstance(e["time"], int) and isinstance(e["id"], int) for e in events), events
assert [e["time"] for e in events] == sorted(e["time"] for e in events), events
END
grep -q " opened watched tap bridge lab pid $opener program memtun\$" "$scratch/lines" ||
	fail "no process in: $(grep opened "$scratch/lines")"
kill "$broker"
wait "$monitor"
is $? 1 "the monitor's status when the broker ends"
wait "$lines"
is $? 1 "the monitor's status when the broker ends"
"${PYTHON:-python3}" - "$scratch/lines" <<'END' || fail "the time of: $(head -n 1 "$scratch/lines")"
import sys, time
printed = open(sys.argv[1]).readline().split()[0]
hours, minutes, seconds = printed.split(":")
now = time.localtime()
passed = now.tm_hour * 3600 + now.tm_min * 60 + now.tm_sec - \
    (int(hours) * 3600 + int(minutes) * 60 + int(float(seconds)))
assert passed % 86400 < 600, printed
END
ok "monitor prints events, as lines or as JSON Lines"

# --- output that can't be written ---

if [ -w /dev/full ]; then
	broker_start
	ends_with 0 memtun add tap0
	for command in "memtun -j show" "memtun show"; do
		[ "$command" = "memtun -j show" ] || part_needs tables || break
		run sh -c "$command >/dev/full"
		is "$status" 1 "status of $command with a full disk"
		says "cannot write"
	done
	ok "output that can't be written is a failure"
fi

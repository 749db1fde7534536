#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2086,SC3045 # words in quotes are for another shell
# Two memtun wrap on one broker: each sees the interfaces of the other, and memtun sees both. A
# wrapped TUN on an Ethernet bridge answers for the address that its program has set.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/wrap.sh"

notify_or_skip
word_size_or_skip
have_python || skip "no Python here"
cp "$top_srcdir/tests/system/wrap_interface.py" "$scratch"
interface() {
	wrapped -- "${PYTHON:-python3}" "$scratch/wrap_interface.py" "$@"
}

user_broker_start
mkfifo "$scratch/commands" "$scratch/names"
# The TUN has the bridge; the TAP has none.
(cd "$scratch/home" && exec $as_user memtun wrap -t 'shared0=bridge=lab' -- \
	"${PYTHON:-python3}" "$scratch/wrap_interface.py" hold 10.0.0.9 10.0.1.9) \
	<"$scratch/commands" >"$scratch/names" 2>"$scratch/errors" &
started="$started $!"
exec 5>"$scratch/commands" 6<"$scratch/names"
read -r names <&6 || fail "the first program has not started"
is "$names" "shared0 shared1 10.0.0.9 10.0.1.9" "the first program's interfaces"

# --- seeing ---

run interface look
is "$(sort "$scratch/output")" "shared0 10.0.0.9 10.0.0.9 up running
shared1 10.0.1.9 10.0.1.9 up running" "what another program sees"
ok "another wrapped program sees them by SIOCGIFCONF, SIOCGIFADDR and SIOCGIFFLAGS"

run interface mac shared1
is "$output" "$(memtun -j show shared1 | sed -n 's/.*"interface-mac": "\(.*\)".*/\1/p')" "the MAC address"
ok "and the MAC address of a TAP, which the broker has"

if part_needs tables; then
	ends_with 0 memtun show shared0
	has "$output" "interface-address 10.0.0.9/24"
	has "$output" "interface-flags up+pointopoint+running"
	! grep '^interface' "$scratch/output" | grep -q '.\{81\}' || fail "a line is longer than 80 columns"
	ok "memtun show tells addresses and flags"
fi

has "$(memtun -j show shared0)" '"program": "python'
ok "and the program that has it open, not the supervisor"

# --- the bridge ---

asked() {
	run $as_user memtun exec -t probe:bridge=lab -- "${PYTHON:-python3}" \
		"$scratch/wrap_interface.py" arp 3 "$1"
}
# There was no TAP on the bridge before, so there was no adapter.
asked 10.0.0.9
has "$output" "10.0.0.9 "
ok "a wrapped TUN on a bridge with a TAP answers ARP for the address that its program has set"

# --- changing ---

run interface set shared0 10.0.0.7
is "$status" 0 "the status of SIOCSIFADDR"
echo >&5
read -r names <&6
is "$names" "shared0 shared1 10.0.0.7 10.0.1.9" "the first program's interfaces"
asked 10.0.0.7
has "$output" "10.0.0.7 "
ok "what another program sets is seen by the first, and by the bridge"

run interface rename shared0 shared1
is "$output" "EEXIST" "a name that is taken"
run interface rename shared0 lo
is "$output" "EEXIST" "the name of an interface of the kernel"
run interface rename shared0 vpn
is "$output" "" "the errors of SIOCSIFNAME"
echo >&5
read -r names <&6
is "$names" "vpn shared1 10.0.0.7 10.0.1.9" "the first program's interfaces"
ends_with 0 memtun -j show vpn
ends_with 1 memtun -j show shared0
ok "SIOCSIFNAME renames the tunnel, for all"

# --- rtnetlink ---

if [ "$(word_size "$scratch/bin/wrap-program")" != 02 ] || ! command -v ip >/dev/null; then
	echo "skipped a part: no ip here (Debian: iproute2), or memtun is built for 32 bits"
else
	run wrapped -- ip -o -4 addr show dev vpn
	# As in the kernel, SIOCSIFADDR gives a point-to-point interface a prefix of 32 bits.
	has "$output" "inet 10.0.0.7/32 "
	run wrapped -- ip route show dev shared1
	has "$output" "10.0.1.0/24 proto kernel scope link src 10.0.1.9"
	ok "ip addr and ip route show what another wrapped program has set"

	[ -p "$scratch/told" ] || mkfifo "$scratch/told"
	wrapped -- stdbuf -oL ip -o monitor link address route >"$scratch/told" 2>/dev/null \
		5>&- 6<&- &
	monitor=$!
	started="$started $monitor"
	exec 7<"$scratch/told"
	# The monitor begins at some time. Until then, changes are lost on it.
	(
		while :; do
			wrapped -- ip link set dev shared1 mtu 1300
			wrapped -- ip link set dev shared1 mtu 1400
		done
	) >/dev/null 2>&1 5>&- 6<&- &
	changes=$!
	read -r told <&7 || fail "ip monitor has ended"
	kill "$changes"
	wait "$changes" 2>/dev/null
	has "$told" "shared1: "
	monitored() {
		until case $told in *"$1"*) true ;; *) false ;; esac do
			read -r told <&7 || fail "ip monitor has ended, without $1"
		done
	}
	ends_with 0 wrapped -- ip addr add 10.0.5.1/24 dev shared1
	monitored "inet 10.0.5.1/24 "
	monitored "10.0.5.0/24 dev shared1 proto kernel scope link src 10.0.5.1"
	ends_with 0 wrapped -- ip addr del 10.0.5.1/24 dev shared1
	monitored "Deleted "
	ends_with 0 wrapped -- ip link set dev shared1 name other1
	monitored "other1: "
	run wrapped -- ip link set dev other1 name vpn
	is "$status $errors" "2 RTNETLINK answers: File exists" "a name that is taken"
	ends_with 0 memtun -j show other1
	ends_with 0 wrapped -- ip link set dev other1 name shared1
	ok "ip monitor in one hears of the addresses, routes and names that another sets"
	kill "$monitor"
	exec 7<&-

	# adds NAME FORMAT COUNT: prints the status of an ip that adds addresses to shared1.
	adds() {
		seq "$3" | sed "s,.*,addr add $2 dev shared1," >"$scratch/home/$1"
		chmod 644 "$scratch/home/$1"
		(wrapped -- ip -batch "$scratch/home/$1" 2>"$scratch/$1-errors" 5>&- 6<&-)
		echo "$1 $?" >"$scratch/$1-status"
	}
	for adder in 1 2 3; do
		adds adder$adder "10.7$adder.0.&/32" 40 &
		eval adder$adder=$!
	done
	wait "$adder1" "$adder2" "$adder3"
	is "$(cat "$scratch"/adder?-status)" "adder1 0
adder2 0
adder3 0" "the status of three ip that add addresses at the same time"
	run wrapped -- ip -o -4 addr show dev shared1
	is "$(grep -c ' 10\.7[123]\.' "$scratch/output")" 120 "the number of addresses"
	ok "programs that change an interface at the same time do not undo each other's changes"

	# Each has some 40 bytes in a list, which has 8191 at most.
	adds more "fd00:1111:2222:3333:4444:5555:6666:&/128" 300
	is "$(cat "$scratch/more-status")" "more 1" "the status of too many addresses"
	has "$(cat "$scratch/more-errors")" "No buffer space available"
	! grep '^memtun: ' "$scratch/more-errors" || fail "the supervisor says something, too"
	run wrapped -- ip -o -6 addr show dev shared1
	is "$(grep -c ' fd00:1111:' "$scratch/output")" \
		"$(($(sed -n 's/.*more:\([0-9]*\)$/\1/p' "$scratch/more-errors") - 1))" \
		"the number of addresses that were added"
	ok "an address for which the broker has no room is refused"

	mkfifo "$scratch/end" "$scratch/kept"
	interface keep kept0 <"$scratch/end" >"$scratch/kept" 2>"$scratch/keep-errors" 5>&- 6<&- &
	started="$started $!"
	exec 8>"$scratch/end" 7<"$scratch/kept"
	read -r kept <&7
	is "$kept" attached "what the program prints"
	for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		echo "link set dev kept0 name lent0"
		echo "link set dev lent0 name kept0 # $turn"
	done >"$scratch/home/renames"
	chmod 644 "$scratch/home/renames"
	ends_with 0 wrapped -- ip -batch "$scratch/home/renames"
	echo >&8
	read -r kept <&7 || fail "the device was lost: $(cat "$scratch/keep-errors")"
	is "$kept" kept0 "the name of the device"
	exec 7<&- 8>&-
	ok "a program keeps its device while another renames the interface again and again"
fi

# --- the end ---

exec 5>&- 6<&-
turns_until sh -c '[ "$(memtun -j show)" = "[]" ]'
run interface look
is "$output" "" "what is left"
ok "the interfaces go with their tunnels"

# --- another broker ---

(cd "$scratch/home" && exec $as_user memtun wrap -- sh -c 'while read -r command; do
	eval "$command"
done') <"$scratch/commands" >"$scratch/names" 2>"$scratch/wrap-errors" &
started="$started $!"
exec 5>"$scratch/commands" 6<"$scratch/names"
hold="'${PYTHON:-python3}' '$scratch/wrap_interface.py' hold 10.0.2.1 2>'$scratch/home/refused' \
</dev/null || echo failed"
hold=$(echo "$hold" | tr -d '\n')
# answer_is COMMAND LINE: the line is what the wrapped shell prints for the command.
answer_is() {
	echo "$1" >&5
	read -r names <&6
	is "$names" "$2" "what the wrapped program prints"
}
answer_is "$hold" "shared0 10.0.2.1"
# A device of the former broker is none of the next one.
answer_is "'${PYTHON:-python3}' '$scratch/wrap_interface.py' late" open
kill "$broker"
wait "$broker"
user_broker_start
answer_is "" ENODEV
# This open connects wrap to the second broker, if it was not connected before.
answer_is "$hold" "shared0 10.0.2.1"
kill "$broker"
wait "$broker"
answer_is "$hold" failed
has "$(cat "$scratch/home/refused")" "No such device"
turns_until grep -q "the broker has ended" "$scratch/wrap-errors"
user_broker_start
answer_is "$hold" "shared0 10.0.2.1"
is "$(grep -c . "$scratch/wrap-errors")" 2 "the number of messages"
if [ "$(word_size "$scratch/bin/wrap-program")" = 02 ] && command -v ip >/dev/null; then
	echo "stdbuf -oL ip -o monitor link | head -n 1" >&5
	(
		while :; do
			wrapped -- sh -c "$hold"
		done
	) >/dev/null 2>&1 5>&- 6<&- &
	changes=$!
	read -r told <&6
	kill "$changes"
	wait "$changes" 2>/dev/null
	has "$told" ": shared0: <"
fi
exec 5>&- 6<&-
ok "wrap says that the broker has ended, connects to the next one, and hears of its changes"

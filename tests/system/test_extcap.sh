#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2086,SC2119 # the words of a line are several arguments
# memtun extcap: what Wireshark asks of it, one question after the other, and tshark, which asks them.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

mkdir "$scratch/extcap"
ln -s ../bin/memtun "$scratch/extcap/memtun-extcap"
extcap=$scratch/extcap/memtun-extcap

# --- without a broker ---

MEMTUN_SOCKET=$scratch/none
export MEMTUN_SOCKET
ends_with 0 "$extcap" --extcap-interfaces --extcap-version=4.0
case $output in
"extcap {version="*"}{display=memtun}") ;;
*) fail "without a broker the list is '$output'" ;;
esac
is "$errors" "" "what it says without a broker"
ends_with 1 env MEMTUN_SOCKET="/$(printf %0200d 0)" "$extcap" --extcap-interfaces
says "memtun: "
ends_with 3 "$extcap" --extcap-interface memtun:vm --extcap-dlts
says "starts one"
ok "without a broker the list is empty, and another error is told"

# --- usage ---

while read -r wrong; do
	ends_with 2 "$extcap" $wrong
	says "memtun: "
	is "$output" "" "standard output after a wrong command line"
done <<'END'
--capture
--extcap-dlts
--extcap-interface memtun:vm
--extcap-interface memtun:vm --capture
--extcap-interface eth0 --extcap-dlts
--extcap-interface memtun --extcap-dlts
--extcap-interface memtun: --extcap-dlts
--extcap-interface memtun:bridge: --extcap-dlts
--extcap-interface memtun:%7 --extcap-dlts
--extcap-interface memtun:%xx --extcap-dlts
--extcap-interface memtun:%00 --extcap-dlts
--extcap-interface memtun:1234567890123456 --extcap-dlts
--extcap-interfaces --loud
--extcap-interfaces word
END
ok "a wrong command line is a usage error"

# --- a broker ---

broker_start
ends_with 0 memtun bridge add vm
ends_with 0 memtun add vm bridge vm
ends_with 0 memtun add 'a}ü' mode tun
ends_with 0 memtun add left peer right
ends_with 0 memtun uplink add out bridge vm type mcast group 230.0.0.7 port 5000 ifaddr 127.0.0.1
ends_with 0 "$extcap" --extcap-interfaces
interfaces=$(sed 1d "$scratch/output")
is "$interfaces" "interface {value=memtun:bridge:vm}{display=memtun bridge vm}
interface {value=memtun:vm}{display=memtun tunnel vm}
interface {value=memtun:a%7D%C3%BC}{display=memtun tunnel a%7D%C3%BC}
interface {value=memtun:out}{display=memtun uplink out}" "the list"
ends_with 0 memtun extcap --extcap-interfaces
is "$(sed 1d "$scratch/output")" "$interfaces" "the list of memtun extcap"
ok "it lists bridges, tunnels that the broker forwards, and uplinks"

for interface in memtun:vm memtun:bridge:vm memtun:out; do
	ends_with 0 "$extcap" --extcap-interface $interface --extcap-dlts
	is "$output" "dlt {number=1}{name=EN10MB}{display=Ethernet}" "the link type of $interface"
done
ends_with 0 "$extcap" --extcap-interface memtun:a%7D%C3%BC --extcap-dlts
is "$output" "dlt {number=101}{name=RAW}{display=Raw IP}" "the link type of a tun"
for interface in memtun:none memtun:bridge:out memtun:bridge:none; do
	ends_with 1 "$extcap" --extcap-interface $interface --extcap-dlts
	says "there is no "
done
ok "each interface has the link type of its frames"

if part_needs filters; then
	ends_with 0 "$extcap" --extcap-capture-filter 'udp port 7' --extcap-interface memtun:vm
	is "$output" "" "what it says against a right filter"
	ends_with 0 "$extcap" --extcap-capture-filter 'udp prt 7' --extcap-interface memtun:vm
	has "$output" "syntax error"
	ends_with 0 "$extcap" --extcap-capture-filter 'ether broadcast' --extcap-interface memtun:bridge:vm
	is "$output" "" "what it says against a filter of Ethernet frames"
	ends_with 0 "$extcap" --extcap-capture-filter 'ether broadcast' --extcap-interface memtun:a%7D%C3%BC
	[ -n "$output" ] || fail "it approves an Ethernet filter for a tun"
	ok "it tells Wireshark whether a filter is right"
else
	ends_with 0 "$extcap" --extcap-capture-filter 'udp port 7' --extcap-interface memtun:vm
	has "$output" "this build has no filters"
	ok "it tells Wireshark that it has no filters"
fi

# --- capturing into a FIFO, as Wireshark asks for it ---

# captures NUMBER: the broker has this many captures.
captures() {
	ends_with 0 memtun -j session show
	[ "$(grep -c '"captures": *1' "$scratch/output")" = "$1" ]
}
# capture_start [OPTION...]: starts a capture with the FIFO open at descriptor 8.
capture_start() {
	rm -f "$scratch/fifo"
	mkfifo "$scratch/fifo"
	"$extcap" --capture --extcap-interface memtun:bridge:vm --fifo "$scratch/fifo" "$@" \
		2>"$scratch/capture-errors" &
	capture=$!
	started="$started $capture"
	exec 8<"$scratch/fifo"
	turns_until captures 1
}
# capture_ends STATUS ERROR
capture_ends() {
	wait "$capture"
	is $? "$1" "the status of a capture"
	is "$(cat "$scratch/capture-errors")" "$2" "what the capture says"
}

if part_needs filters; then
	capture_start --extcap-capture-filter 'udp port 7'
	ends_with 0 memtun inject vm --allow-drop --udp 10.0.0.1:8 other
	ends_with 0 memtun inject vm --allow-drop --udp 10.0.0.1:7 hello
	ends_with 0 memtun del vm
	ends_with 0 memtun add vm bridge vm
	kill "$capture"
	capture_ends 0 ""
	cat <&8 >"$scratch/file.pcapng"
	grep -aq hello "$scratch/file.pcapng" || fail "no frame that matches was captured"
	! grep -aq other "$scratch/file.pcapng" || fail "a frame that does not match was captured"
	ok "a capture has the frames that match, and SIGTERM ends it without a word"
fi

capture_start
exec 8<&-
turns_until captures 0
capture_ends 141 ""
# A parent that ignores SIGPIPE changes nothing.
(
	trap '' PIPE
	capture_start
	exec 8<&-
	turns_until captures 0
	capture_ends 141 ""
) || exit 1
ok "a capture whose FIFO Wireshark has closed ends without a word, though no frame came"

capture_start
ends_with 0 memtun bridge del vm
capture_ends 0 ""
exec 8<&-
for bad in "memtun:none there.is.no" "memtun:vm cannot.open"; do
	[ "${bad#* }" = there.is.no ] && file=$scratch/file || file=$scratch/none/fifo
	run "$extcap" --capture --extcap-interface ${bad% *} --fifo "$file"
	is "$status" 1 "the status of a capture that cannot begin"
	says "$(echo "${bad#* }" | tr . ' ')"
done
ends_with 2 "$extcap" --capture --extcap-interface memtun:vm --fifo "$scratch/file" \
	--extcap-capture-filter 'udp prt'
says "filter 'udp prt'"
ends_with 0 memtun add vm2 bridge vm
capture_start
kill "$broker"
wait "$broker" 2>/dev/null
wait "$capture"
is $? 1 "the status of a capture whose broker ended"
has "$(cat "$scratch/capture-errors")" "memtun: "
exec 8<&-
ok "a capture ends with its bridge; what is an error is told"

# --- tshark ---

command -v tshark >/dev/null || {
	ok "no tshark here: how it uses memtun was not checked"
	exit 0
}
# As root, Wireshark ignores WIRESHARK_EXTCAP_DIR.
[ -n "$as_user" ] || [ "$(id -u)" != 0 ] || {
	ok "no ordinary user here: how tshark uses memtun was not checked"
	exit 0
}
part_needs filters || exit 0
cat >"$scratch/live" <<'END'
memtun add vm bridge lab && memtun add other bridge lab || exit 1
tshark -D 2>errors >interfaces || exit 1
# tshark's own messages come line by line: it captures when the broker has the capture.
tshark -i memtun:bridge:lab -f 'udp port 7' -c 2 -T fields \
	-e frame.interface_name -e frame.packet_flags_direction -e udp.dstport >frames 2>errors &
tshark=$!
turn=0
until memtun -j session show | grep -q '"captures": *1'; do
	turn=$((turn + 1))
	[ $turn -lt 10000 ] && kill -0 $tshark || exit 1
done
memtun inject vm --as-client --udp 10.0.0.1:8 no
memtun inject vm --as-client --udp 10.0.0.1:7 yes
wait $tshark || exit 1
tshark -i memtun:bridge:lab -f 'udp prt 7' -c 1 >none 2>wrong && exit 1
until memtun -j session show | grep -q '"captures": *0' ; do :; done
tshark -i memtun:vm >none 2>ended &
tshark=$!
until memtun -j session show | grep -q '"captures": *1'; do
	kill -0 $tshark || exit 1
done
memtun del vm
wait $tshark
END
chmod 644 "$scratch/live"
unset MEMTUN_SOCKET
WIRESHARK_EXTCAP_DIR=$scratch/extcap
export WIRESHARK_EXTCAP_DIR
run env -C "$scratch/home" HOME="$scratch/home" $as_user memtund -- sh "$scratch/live"
cd "$scratch/home" || exit 1
is "$status" 0 "the status of tshark ($(cat errors wrong ended 2>/dev/null))"
has "$(cat interfaces)" "memtun:bridge:lab (memtun bridge lab)"
has "$(cat interfaces)" "memtun:vm (memtun tunnel vm)"
is "$(sort frames | tr '\t' ' ')" "other 0x00000002 7
vm 0x00000001 7" "what tshark has captured"
has "$(cat wrong)" "filter 'udp prt 7': can't parse filter expression"
ok "tshark lists the interfaces and captures on a bridge, as an ordinary user"

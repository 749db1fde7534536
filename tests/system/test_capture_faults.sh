#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2046,SC2086,SC2119 # words are meant
# memtun capture --faults: what becomes of each frame, as lines, in a file that tshark reads, and live.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

broker_start
ends_with 0 memtun add vm bridge lab
ends_with 0 memtun add small bridge lab mtu 68
ends_with 0 memtun add closed bridge lab

# A client that reads nothing keeps small open.
memtun exec -t small:mtu=68 -- tail -f /dev/null &
started="$started $!"
ends_with 0 memtun wait small open --timeout 20

# capture_start FILE WORD...: captures lab with these words, its lines to FILE.
capture_start() {
	watches "$@"
	captures="$captures $!"
}
captures=
capture_start "$scratch/lines" memtun capture lab --faults 2>/dev/null
capture_start "$scratch/nothing" memtun capture lab --faults -w "$scratch/faults.pcapng" 2>/dev/null
capture_start "$scratch/quiet" memtun capture lab 2>/dev/null
ends_with 0 memtun inject vm --as-client --udp 10.0.0.1:7 hello
ends_with 0 memtun inject vm --as-client --udp 10.0.0.1:8 "$(printf %0100d 0)"
for capture in $captures; do
	kill -INT "$capture"
	wait "$capture"
	is $? 0 "the status of a capture"
done

# drops FILE: prints the port and the comment of each line that has one, sorted.
drops() {
	sed -n 's/^[^ ]* \([^ ]*\) to-client .*(\(dropped: .*\))$/\1 \2/p' "$1" | sort | tr '\n' ';'
}
is "$(drops "$scratch/lines")" \
	"closed dropped: no-client;closed dropped: no-client;small dropped: mtu;" \
	"what was dropped, as lines"
is "$(grep -c from-client "$scratch/lines")" 2 "frames from clients"
is "$(grep -c -e dropped "$scratch/quiet")" 0 "what a capture without --faults says of drops"
ok "a capture with faults tells of each frame that was dropped why"

# --- rules ---

# A port that loses each frame of its client, and corrupts and duplicates each frame to it.
ends_with 0 memtun add lossy bridge lab
ends_with 0 memtun impair add lossy from-client loss 100% seed 7
ends_with 0 memtun impair add lossy to-client corrupt 100% duplicate 100% seed 8
watches "$scratch/ruled" memtun capture lossy --faults 2>/dev/null
capture=$!
ends_with 0 memtun inject lossy --as-client --udp 10.0.0.1:7 lost
ends_with 0 memtun inject vm --as-client --udp 10.0.0.1:7 twice
ends_with 0 memtun wait vm drained --timeout 20
kill -INT "$capture"
wait "$capture"
is "$(sed -n 's/.*(\([a-z].*\))$/\1/p' "$scratch/ruled" | tr '\n' ';')" \
	"dropped: loss; rule 1, seed 7, frame 1;duplicated, corrupted; rule 2, seed 8, frame 1;dropped: no-client;dropped: no-client;" \
	"what rules did"
ok "a capture with faults tells what each rule did, with its seed"

if part_needs filters; then
	ends_with 0 memtun add half bridge other
	ends_with 0 memtun impair add half from-client match 'udp port 9' loss 100%
	watches "$scratch/expected" memtun expect half --limit 1 --timeout 20 'udp port 10'
	expect=$!
	ends_with 0 memtun inject half --as-client --udp 10.0.0.1:9 lost
	ends_with 0 memtun inject half --as-client --udp 10.0.0.1:10 first
	wait "$expect"
	is $? 0 "the status of expect, which sees no frame that a rule loses"
	ends_with 0 memtun del half
	ok "expect sees what rules leave"
fi

if part_needs tables; then
	ends_with 0 memtun -s show lossy
	for line in "from-client-dropped-loss 1" "to-client-duplicated 1" "to-client-corrupted 1"; do
		has "$output" "lossy: $line"
	done
	ends_with 0 memtun bridge show lab
	has "$(grep lossy "$scratch/output")" "closed+impaired"
	! grep -v lossy "$scratch/output" | grep -q impaired || fail "another port is marked: $output"
fi
ends_with 0 memtun bridge show --dot
has "$(grep 'label="lossy' "$scratch/output")" "closed+impaired\", color=red"
ends_with 0 memtun -j bridge show lab
if have_python; then
	is "$(json '[r["rules"] for r in d if r["object"] == "tunnel" and r["name"] == "lossy"]')" "[2]" \
		"the rules in JSON"
fi
if part_needs tables; then
	ends_with 0 memtun -s bridge show lab
	has "$output" "lossy: to-client-corrupted 1"
fi
ok "show, and a bridge's tree and graph, mark an impaired port and count its faults"

command -v tshark >/dev/null || {
	ok "no tshark here: what it reads in the file was not checked"
	exit 0
}
# fields FILTER NAME...: prints these fields of each packet that the display filter finds.
fields() {
	filter=$1
	shift
	HOME=$scratch/home tshark -r "$scratch/faults.pcapng" -Y "$filter" -T fields \
		$(printf ' -e %s' "$@") 2>"$scratch/errors" | tr '\t\n' ' ;'
}
is "$(fields 'frame.comment contains "mtu"' frame.interface_name udp.dstport frame.comment)" \
	"small 8 dropped: mtu;" "what tshark finds by its comment"
is "$(fields frame.comment frame.interface_name | tr ';' '\n' | sort | tr '\n' ' ')" \
	"closed closed small " "the ports of what was dropped"
id=$(fields 'udp.dstport == 8 && frame.packet_flags_direction == 1' frame.packet_id)
is "$(fields "frame.packet_id == ${id%;}" frame.interface_name udp.dstport | tr ';' '\n' | sort | tr '\n' ';')" \
	"closed 8;closed 8;small 8;small 8;vm 8;" "the packets of one frame"
ok "tshark finds frames by their comment, and a frame at each port by its id"

mkdir "$scratch/extcap"
ln -s ../bin/memtun "$scratch/extcap/memtun-extcap"
ends_with 0 "$scratch/extcap/memtun-extcap" --extcap-interface memtun:bridge:lab --extcap-config
has "$output" "arg {number=0}{call=--faults}{display="
is "$(echo "$output" | sed 's/{[^{}]*}//g')" "arg " "what is outside of the braces"
# As root, Wireshark ignores WIRESHARK_EXTCAP_DIR.
[ -n "$as_user" ] || [ "$(id -u)" != 0 ] || {
	ok "no ordinary user here: what tshark shows live was not checked"
	exit 0
}
cat >"$scratch/live" <<'END'
memtun add vm bridge lab && memtun add closed bridge lab || exit 1
tshark -i memtun:bridge:lab -o extcap.memtun_bridge_lab.faults:true -c 3 -T fields \
	-e frame.interface_name -e frame.comment >live-frames 2>live-errors &
tshark=$!
until memtun -j session show | grep -q '"captures": *1'; do
	kill -0 $tshark || exit 1
done
memtun inject vm --as-client --udp 10.0.0.1:7 hello
wait $tshark
END
unset MEMTUN_SOCKET
run env -C "$scratch/home" HOME="$scratch/home" WIRESHARK_EXTCAP_DIR="$scratch/extcap" \
	$as_user memtund -- sh "$scratch/live"
is "$status" 0 "the status of tshark ($(cat "$scratch/home/live-errors"))"
is "$(tr '\t\n' ' ;' <"$scratch/home/live-frames")" "vm ;closed ;closed dropped: no-client;" \
	"what tshark shows live"
ok "Wireshark's preference for the interface shows faults live"

#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC3045 # words are meant
# Two TCP/IP stacks of an ordinary user (lwIP), one of which knows IP only, and the other Ethernet,
# talk HTTP over one bridge: memtund finds each the other.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

for program in lwip-http-server lwip-http-client; do
	[ -x "$scratch/bin/$program" ] || skip "$program is not built (Debian: liblwip-dev)"
done
have_python || skip "no Python here to read JSON with"

size=$((2 * 1024 * 1024))

# Runs under a memtund of its own: each side's mode, and what its tunnel is made with besides.
cat >"$scratch/pair.sh" <<'END'
memtun add server bridge lab mode $1 $2 || exit 1
memtun add client bridge lab mode $3 $4 || exit 1
mkfifo said || exit 1
memtun exec -t server -- lwip-http-server mode "$1" size 2 once >said &
exec 3<said
read -r line <&3 || exit 1
memtun exec -t client -- lwip-http-client mode "$3" http://10.0.0.1/data || exit 1
cat <&3
wait $! || exit 1
rm said
memtun -j -s show >counters
END

# fetch SERVER-MODE SERVER-OPTIONS CLIENT-MODE CLIENT-OPTIONS: leaves the client's $checksum, and
# the counters as the output.
fetch() {
	run env -C "$scratch/home" $as_user memtund -- sh "$scratch/pair.sh" "$@"
	[ "$status" = 0 ] || fail "the pair ended with $status: $output"
	has "$output" "$size bytes,*checksum"
	has "$output" "GET /data: 200 OK, $size bytes"
	checksum=$(sed -n 's/.* checksum //p' "$scratch/output")
	cp "$scratch/home/counters" "$scratch/output"
}

# Each offer has come to something; ARP is nothing for the TUNs, and nothing of theirs was lost.
accounted='all(t["to-client-offered"] == t["to-client-frames"] + t["to-client-queued"]
	+ sum(v for k, v in t.items() if k.startswith("to-client-dropped")) for t in d),
	all((t.get("mac") is not None) == (t["mode"] == "tun") for t in d),
	all(t["to-client-dropped-not-ip"] > 0 for t in d if t["mode"] == "tun"),
	sum(t["from-client-dropped-unresolved"] for t in d)'
good="(True, True, True, 0)"

fetch tap "" tap ""
first=$checksum
is "${#first}" 16 "the length of checksum '$first'"

fetch tap "" tun "address 10.0.0.2/24"
is "$checksum" "$first" "checksum"
is "$(json "($accounted)")" "$good" "the counters of $(cat "$scratch/output")"
ok "a client of IP, a server of Ethernet"

fetch tap "" tun ""
is "$checksum" "$first" "checksum"
is "$(json "($accounted)")" "$good" "the counters of $(cat "$scratch/output")"
ok "a client of IP, whose address memtund has learned"

fetch tun "address 10.0.0.1/24" tap ""
is "$checksum" "$first" "checksum"
is "$(json "($accounted)")" "$good" "the counters of $(cat "$scratch/output")"
ok "a server of IP, a client of Ethernet"

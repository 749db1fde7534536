#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC3045 # words are meant
# Two processes of an ordinary user, each with a TCP/IP stack of its own (lwIP), talk HTTP over
# tunnels that the kernel knows nothing of: through a bridge of Ethernet, through a bridge of IP, and
# over a peer pair.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

for program in lwip-http-server lwip-http-client; do
	[ -x "$scratch/bin/$program" ] || skip "$program is not built (Debian: liblwip-dev)"
done
have_python || skip "no Python here to read JSON with"

size=$((2 * 1024 * 1024))

# Runs under a memtund of its own: the mode, and how the two tunnels are made.
cat >"$scratch/pair.sh" <<'END'
memtun add left $2 || exit 1
[ -z "$3" ] || memtun add right $3 || exit 1
mkfifo said || exit 1
memtun exec -t left -- lwip-http-server mode "$1" size 2 once >said &
exec 3<said
read -r line <&3 || exit 1
memtun exec -t right -- lwip-http-client mode "$1" http://10.0.0.1/data || exit 1
cat <&3
wait $! || exit 1
rm said
memtun -j -s show >counters
END

# fetch MODE LEFT RIGHT: leaves the client's $checksum, and the counters as the output.
fetch() {
	run env -C "$scratch/home" $as_user memtund -- sh "$scratch/pair.sh" "$@"
	[ "$status" = 0 ] || fail "the pair ended with $status: $output"
	has "$output" "$size bytes,*checksum"
	has "$output" "GET /data: 200 OK, $size bytes"
	checksum=$(sed -n 's/.* checksum //p' "$scratch/output")
	cp "$scratch/home/counters" "$scratch/output"
}

# Delivered or accounted: what one offers, the other is offered, and each offer has come to something.
through_a_bridge='all((
	here["from-client-frames"] - sum(here[k] for k in here if k.startswith("from-client-dropped"))
	== there["to-client-offered"]
	== there["to-client-frames"] + there["to-client-queued"]
	+ sum(there[k] for k in there if k.startswith("to-client-dropped")))
	for here, there in (d, d[::-1])), [t["name"] for t in d],
	d[0]["from-client-bytes"] > 2097152, d[1]["to-client-bytes"] > 2097152'

fetch tap "bridge lab" "bridge lab"
first=$checksum
is "${#first}" 16 "the length of checksum '$first'"
is "$(json "$through_a_bridge")" "True ['left', 'right'] True True" \
	"the counters of $(cat "$scratch/output")"
ok "2 MiB through a bridge of Ethernet"

fetch tun "mode tun bridge lab" "mode tun bridge lab"
is "$checksum" "$first" "checksum"
is "$(json "$through_a_bridge")" "True ['left', 'right'] True True" \
	"the counters of $(cat "$scratch/output")"
ok "2 MiB through a bridge of IP"

fetch tap "peer right" ""
is "$checksum" "$first" "checksum"
is "$(json '[t["peer"] for t in d], sum(v for t in d for k, v in t.items() if "-client-" in k)')" \
	"['right', 'left'] 0" "what the broker counted"
ok "2 MiB over a peer pair, and none of it through the broker"

#!/bin/sh
# SPDX-License-Identifier: MIT
# Two processes of an ordinary user, each with a TCP/IP stack of its own (lwIP), talk HTTP over
# tunnels that the kernel knows nothing of: through a bridge of Ethernet, through a bridge of IP, and
# over a peer pair.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/lwip.sh" || exit 1

# Delivered or accounted: what one offers, the other is offered, and each offer has come to something.
through_a_bridge='all((
	here["from-client-frames"] - sum(here[k] for k in here if k.startswith("from-client-dropped"))
	== there["to-client-offered"]
	== there["to-client-frames"] + there["to-client-queued"]
	+ sum(there[k] for k in there if k.startswith("to-client-dropped")))
	for here, there in (d, d[::-1])), [t["name"] for t in d],
	d[0]["from-client-bytes"] > 2097152, d[1]["to-client-bytes"] > 2097152'

fetch tap "bridge lab" tap "bridge lab"
first=$checksum
is "$(json "$through_a_bridge")" "True ['server', 'client'] True True" \
	"the counters of $(cat "$scratch/output")"
ok "2 MiB through a bridge of Ethernet"

fetch tun "bridge lab" tun "bridge lab"
is "$checksum" "$first" "checksum"
is "$(json "$through_a_bridge")" "True ['server', 'client'] True True" \
	"the counters of $(cat "$scratch/output")"
ok "2 MiB through a bridge of IP"

fetch tap "peer client" tap ""
is "$checksum" "$first" "checksum"
is "$(json '[t["peer"] for t in d], sum(v for t in d for k, v in t.items() if "-client-" in k)')" \
	"['client', 'server'] 0" "what the broker counted"
ok "2 MiB over a peer pair, and none of it through the broker"

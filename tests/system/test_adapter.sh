#!/bin/sh
# SPDX-License-Identifier: MIT
# Two TCP/IP stacks of an ordinary user (lwIP), one of which knows IP only, and the other Ethernet,
# talk HTTP over one bridge: memtund finds each the other.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/lwip.sh" || exit 1

# Each offer has come to something; ARP is nothing for the TUNs, and nothing of theirs was lost.
accounted='all(t["to-client-offered"] == t["to-client-frames"] + t["to-client-queued"]
	+ sum(v for k, v in t.items() if k.startswith("to-client-dropped")) for t in d),
	all((t.get("mac") is not None) == (t["mode"] == "tun") for t in d),
	all(t["to-client-dropped-not-ip"] > 0 for t in d if t["mode"] == "tun"),
	sum(t["from-client-dropped-unresolved"] for t in d)'
good="(True, True, True, 0)"

fetch tap "bridge lab" tap "bridge lab"
first=$checksum

fetch tap "bridge lab" tun "bridge lab address 10.0.0.2/24"
is "$checksum" "$first" "checksum"
is "$(json "($accounted)")" "$good" "the counters of $(cat "$scratch/output")"
ok "a client of IP, a server of Ethernet"

fetch tap "bridge lab" tun "bridge lab"
is "$checksum" "$first" "checksum"
is "$(json "($accounted)")" "$good" "the counters of $(cat "$scratch/output")"
ok "a client of IP, whose address memtund has learned"

fetch tun "bridge lab address 10.0.0.1/24" tap "bridge lab"
is "$checksum" "$first" "checksum"
is "$(json "($accounted)")" "$good" "the counters of $(cat "$scratch/output")"
ok "a server of IP, a client of Ethernet"

#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086 # words are meant
# Two processes, each with a TCP/IP stack of its own (lwIP), transfer 1 MiB on the manual clock under
# each impairment of 20 %, with the right checksum, and twice with the same frames at the same times.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

cp "$top_builddir/tests/system/lwip-clock" "$scratch/bin/" 2>/dev/null ||
	skip "lwip-clock is not built (Debian: liblwip-dev)"
chmod 755 "$scratch/bin/lwip-clock"
cat >"$scratch/twice" <<'END'
lwip-clock "$1" && lwip-clock "$1"
END
while read -r rule; do
	ends_with 0 $as_user memtund --clock manual -- sh "$scratch/twice" "$rule" </dev/null
	first=$(sed -n 1p "$scratch/output")
	is "$(sed -n 2p "$scratch/output")" "$first" "what a second run with $rule has"
	has "$first" "1048576 bytes, checksum 1fd4120eb1b09c60, "
	echo "$rule: $first"
done <<'END'
loss=20%,seed=7
loss=10%,loss-burst=3,seed=7
corrupt=20%,seed=7
truncate=20%,seed=7
duplicate=20%,seed=7
delay=20ms,reorder=20%,seed=7
delay=20ms,jitter=20ms,seed=7
delay=20ms,jitter=4ms,distribution=normal,seed=7
rate=1mbit,seed=7
END
ok "two lwIPs on the manual clock transfer 1 MiB with each impairment of 20 %, twice the same"

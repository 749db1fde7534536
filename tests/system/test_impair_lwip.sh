#!/bin/sh
# SPDX-License-Identifier: MIT
# Two processes of an ordinary user, each with a TCP/IP stack of its own (lwIP), transfer 1 MiB under
# each impairment, with a fixed seed and the right checksum.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/lwip.sh" || exit 1

size=$((1024 * 1024))
sed 's/size 2 once/size 1 once/' "$scratch/pair.sh" >"$scratch/pair1.sh"
mv "$scratch/pair1.sh" "$scratch/pair.sh"

fetch tap "bridge lab" tap "bridge lab"
first=$checksum
while read -r rule; do
	fetch tap "bridge lab $rule seed 7" tap "bridge lab"
	is "$checksum" "$first" "the checksum with $rule"
	case $rule in
	delay*) counter=delayed ;;
	loss*) counter=dropped-loss ;;
	*)
		counter=${rule%% *}
		counter=${counter%e}
		counter=${counter%ed}ed
		;;
	esac
	[ "$(json "sum(t[\"from-client-$counter\"] + t[\"to-client-$counter\"] for t in d) > 0")" = True ] ||
		fail "$rule did nothing"
done <<'END'
loss 0.5%
loss 1% loss-burst 3
duplicate 20%
corrupt 0.5%
truncate 0.5%
delay 1ms jitter 1ms
delay 2ms reorder 20%
END
ok "two lwIPs transfer 1 MiB with the right checksum under each impairment"

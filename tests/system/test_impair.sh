#!/bin/sh
# SPDX-License-Identifier: MIT
# memtun impair from the command line: its messages, the fates that another program computes from
# memtun-impair(7), filters, and holding frames.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

broker_start
memtun add a bridge lab
memtun add t mode tun bridge ip
memtun add p peer q

# refused MESSAGE WORD...: memtun impair add with these words.
refused() {
	message=$1
	shift
	run memtun impair add "$@"
	[ "$status" -ne 0 ] || fail "memtun impair add $* was accepted"
	has "$errors" "$message"
}
refused "loss 150% is not from 0% to 100%" a loss 150%
refused "loss takes a percentage such as 5% or 0.1%, not 'x'" a loss x
refused "delay takes a time with its unit (ns, us, ms, s, min, h), such as 20ms, not '-5ms'" a -- delay -5ms
refused "delay takes a time with its unit (ns, us, ms, s, min, h), such as 20ms, not '-5ms'" a delay -5ms
refused "delay takes a time with its unit (ns, us, ms, s, min, h), such as 20ms, not '5'" a delay 5
refused "delay 172800s is not from 0s to 86400s" a delay 48h
refused "rate takes a rate such as 10mbit or 500kbit, not 'fast'" a rate fast
refused "jitter needs delay" a jitter 5ms
refused "ordered needs jitter" a delay 5ms ordered
refused "icmp needs pmtu" a loss 1% icmp
refused "reorder needs delay" a loss 1% reorder 5%
refused "hold and delay contradict each other" a hold delay 5ms
refused "carrier and loss contradict each other" a carrier off loss 5%
refused "add carrier off, and set carrier on later" a carrier on
refused "loss and loss-burst contradict each other" a loss 90% loss-burst 1
refused "drop takes frame numbers from 1" a drop 0
refused "a rule needs a key that impairs" a seed 5
refused "there is no option 'los' here; did you mean 'loss'?" a los 5%
if part_needs filters; then
	refused "can't parse filter expression" a match 'foo bar' loss 1%
else
	refused "this build has no filters" a match 'foo bar' loss 1%
fi
refused "the frames of t are IP packets" t match 'ether host 02:00:00:00:00:01' loss 1%
refused "use a bridge with two ports" p loss 1%
refused "there is no tunnel 'nosuch'" nosuch loss 1%
refused "match takes one argument: put a filter of several words, as 'udp port ...', in quotes" \
	a match udp port 53 loss 1%
refused "match takes one argument" a match tcp dst port 53 loss 1%
refused "there is no option 'los' here; did you mean 'loss'?" a match udp los 1%
refused "to-client comes before the keys: memtun impair add NAME to-client" a loss 1% to-client
refused "both comes before the keys" a loss 1% both
refused "to-client comes before the keys" a match udp to-client loss 1%
run memtun impair set a 7 loss 1%
has "$errors" "'a' has no rule 7"
run memtun impair release a
has "$errors" "'a' holds no frame"
for words in 0 "1 0" "1 18446744073709551616" "2 3 0 drop"; do
	# shellcheck disable=SC2086 # words
	ends_with 2 memtun impair release a $words
	has "$errors" "frames are numbered from 1"
done
ends_with 2 memtun impair release a 1 all
has "$errors" "takes numbers of frames, 'all' or 'drop', not 'all'"
ok "wrong rules are refused, and the message says why"

# The tables, or JSON in a build without them.
show_options=
part_needs tables || show_options=-j
ends_with 0 memtun impair add a both loss 5%
run memtun $show_options impair show a
if [ -z "$show_options" ]; then
	has "$output" "both"
else
	has "$output" "from-client-seen*to-client-seen"
fi
ends_with 0 memtun impair del a 1
ok "the direction both, which show prints, is one that add takes"

# The filter is one argument of several words.
match=
if part_needs filters; then
	match=match
fi
run memtun impair add a to-client ${match:+match 'udp port 53'} loss 5% loss-burst 2.5 delay 1.5s seed 9
is "$output" 1 "the number of the rule"
run memtun $show_options impair show a
if [ -z "$show_options" ]; then
	has "$output" "delay 1500ms loss 5% loss-burst 2.5"
else
	has "$output" '"delay": "1500ms"'
fi
[ -z "$match" ] || has "$output" "udp port 53"
memtun impair set a 1 loss 7%
run memtun $show_options impair show
has "$output" "loss*7%"
memtun impair del a 1
run memtun -j impair show
is "$(echo "$output" | tr -d '[:space:]')" "[]" "the rules after the last was deleted"
ok "rules are added, shown, changed and deleted"

# The frames that rule 1 holds are the last column.
held() {
	run memtun $show_options impair show a
	if [ -z "$show_options" ]; then
		echo "$output" | awk 'NR == 2 { print $NF }'
	else
		echo "$output" | sed -n 's/.*"holding": *"\(.*\)".*/\1/p'
	fi
}
ends_with 0 memtun impair add a from-client hold seed 1
for i in 1 2 3 4 5 6; do
	memtun inject a --as-client --udp 10.0.0.1:7 $i
done
is "$(held)" "1+2+3+4+5+6" "the held frames"
ends_with 0 memtun impair release a 3 1 6
is "$(held)" "2+4+5" "the held frames after three were released"
ends_with 1 memtun impair release a from-client 2 3 4 drop
has "$errors" "'a' holds no frame 3"
is "$(held)" "4+5" "the held frames after one of three numbers was wrong"
ends_with 0 memtun impair release a from-client 5 4 drop
memtun impair del a
ok "several frames are released by their numbers"

if have_python; then
	memtun del a
	for rule in "300000000 0 7" "200000000 3000 11"; do
		# shellcheck disable=SC2086 # words
		set -- $rule
		run memtun exec -t "a:bridge=lab,queue=2000" -t "b:bridge=lab,queue=2000" -- sh -c "
			memtun impair add a from-client loss $(($1 / 10000000))% seed $3 \
				$([ "$2" = 0 ] || echo "loss-burst $(($2 / 1000))") >/dev/null &&
			exec ${PYTHON:-python3} '$top_srcdir/tests/system/impair_frames.py' $1 $2 $3"
		is "$status" 0 "the status of impair_frames.py $rule: $errors"
		has "$output" "of 500 frames were lost"
	done
	ok "a program that was written from the page computes the same fates"
fi

ends_with 0 env MEMTUN_SEED= memtund -- true
for seed in x -1 0x10 "1 " 18446744073709551616; do
	ends_with 2 env MEMTUN_SEED="$seed" memtund -- true
	has "$errors" "MEMTUN_SEED is a number"
done
run env MEMTUN_SEED=12345 memtund -- sh -c 'memtun add a loss 1% && memtun '"$show_options"' impair show'
has "$output" 12345
ok "MEMTUN_SEED is the default seed of rules"

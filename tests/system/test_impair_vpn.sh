#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC2154 # words are meant; check.sh and wrap.sh have the variables
# Two OpenVPN under memtun wrap, and a rule that loses packets behind them: ping through the VPN
# misses the packets that the rule has lost, and capture --faults tells of each.
TEST_NEEDS=filters
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/wrap.sh"
notify_or_skip
rtnetlink_or_skip
word_size_or_skip
have_python || skip "no Python here to read JSON with"
command -v openvpn >/dev/null || skip "no openvpn here (Debian: openvpn)"
command -v ip >/dev/null || skip "no ip here (Debian: iproute2)"
user_broker_start

# Two addresses of the loopback for this test only.
own=$((($$ >> 16) % 32)).$((($$ >> 8) % 256)).$(($$ % 256))
west=127.$((64 + ${own%%.*})).${own#*.}
east=127.$((96 + ${own%%.*})).${own#*.}
ends_with 0 $as_user openvpn --genkey secret "$scratch/home/key"
# vpn_start SIDE LOCAL REMOTE
vpn_start() {
	(cd "$scratch/home" && exec $as_user memtun wrap --bridge $1 -- openvpn --local $2 --remote $3 \
		--dev vpn$1 --dev-type tap --cipher AES-256-CBC --secret key --port 11943) \
		</dev/null >"$scratch/home/$1" 2>&1 &
	started="$started $!"
}
vpn_start west $west $east
vpn_start east $east $west
host_start far bridge east address 10.0.0.1/24
# The first packets are lost until each OpenVPN has heard the other.
until $as_user memtun ping west 10.0.0.1 --from 10.0.0.2/24 -c 1 -w 1 >"$scratch/output" 2>&1; do
	for side in west east; do
		! grep -qs Exiting "$scratch/home/$side" || fail "$side: $(cat "$scratch/home/$side")"
	done
done

ends_with 0 $as_user memtun impair add far match icmp loss 10% seed 7
watches "$scratch/lines" $as_user memtun capture far --faults 2>/dev/null
capture=$!
run $as_user memtun ping west 10.0.0.1 --from 10.0.0.2/24 -c 50 -i 0.02 -W 5
sent=$(sed -n 's/^\([0-9]*\) packets transmitted.*/\1/p' "$scratch/output")
received=$(sed -n 's/.* transmitted, \([0-9]*\) received.*/\1/p' "$scratch/output")
kill -INT "$capture"
wait "$capture"
ends_with 0 $as_user memtun -j -s show far
lost=$(json 'd[0]["from-client-dropped-loss"] + d[0]["to-client-dropped-loss"]')
[ "$lost" -gt 0 ] || fail "the rule lost nothing"
is "$received" $((sent - lost)) "the answers to $sent requests where $lost packets were lost"
is "$(grep -c 'dropped: loss; rule 1, seed 7, frame [0-9]' "$scratch/lines")" "$lost" \
	"the losses that capture --faults tells of"
ok "ping through two OpenVPN misses what a rule has lost, and capture --faults tells of each loss"

#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2119 # it takes no options here
# passt as a bridge's way to the sockets of a network namespace, over an uplink of type stream, and
# at the descriptor of a stream tunnel. The namespace is the test's own, since passt wants to see an
# interface with a default route, whose address the guest gets; the gateway's address stands for the
# loopback there.
TEST_SECONDS=60
TEST_NAMESPACES=yes
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/uplink.sh" || exit 1

needs passt passt
unshare -U true 2>/dev/null || skip "passt needs user namespaces, which are not to be had here"
[ -x "$scratch/bin/lwip-http-client" ] || skip "lwip-http-client is not built (Debian: liblwip-dev)"
ip link set lo up
ip link add v0 type veth peer name v1 2>/dev/null || skip "no veth in this kernel"
ip link set v0 up
ip link set v1 up
ip addr add 10.1.2.15/24 dev v0
ip route add default via 10.1.2.2 dev v0

path=$scratch/home/passt
user_broker_start
web_start
url="http://10.1.2.2:$web_port/data"

ends_with 0 memtun uplink add out bridge lab type stream path "$path"
is "$(uplink_value out state)" down "the state without passt"
has "$(uplink_value out reason)" "No such file"

peer_start passt -f -e -q -s "$path"
uplink_until out state up
fetch guest:bridge=lab address 10.1.2.15/24 "$url"
uplink_carried out
ok "lwIP fetches from the namespace's loopback through passt"

peer_stop KILL
uplink_until out state down
uplink_told uplink-down out
peer_start passt -f -e -q -s "$path"
uplink_until out state up
is "$(uplink_value out connects)" 2 "how often it has connected"
fetch guest:bridge=lab address 10.1.2.15/24 "$url"
ok "the uplink finds a passt that was killed and started again"

# One client at a time, so who deletes the uplink makes room for the next.
ends_with 0 memtun uplink del out
ends_with 0 memtun uplink add again bridge lab type stream path "$path"
uplink_until again state up
fetch guest:bridge=lab address 10.1.2.15/24 "$url"
peer_stop
ok "another uplink takes its place"

peer_start memtun exec -t gw:bridge=other,socket=stream -- passt -f -e -q -F '{gw}'
fetch guest:bridge=other address 10.1.2.15/24 "$url"
ok "lwIP fetches through a passt that was given a tunnel's descriptor"

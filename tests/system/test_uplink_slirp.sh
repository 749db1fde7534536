#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC2119 # words are meant
# slirp4netns as a bridge's way to the host, over an uplink of type bess: all of it an ordinary
# user's, with no namespace and no device. A fetch from a server on the host's loopback goes by TAP,
# by TUN on the same Ethernet bridge, and again after slirp4netns was killed and started anew. It
# serves one client only, and doesn't end when that one does.
TEST_SECONDS=60
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/uplink.sh" || exit 1

needs slirp4netns slirp4netns
slirp4netns --help | grep -q bess || skip "this slirp4netns has no --target-type=bess (1.2.0 has)"
[ -x "$scratch/bin/lwip-http-client" ] || skip "lwip-http-client is not built (Debian: liblwip-dev)"

path=$scratch/home/bess
user_broker_start
web_start
url="http://10.0.2.2:$web_port/data" # slirp's name for the host's loopback

ends_with 0 memtun uplink add out bridge lab type bess path "$path"
is "$(uplink_value out state)" down "the state without slirp4netns"
has "$(uplink_value out reason)" "No such file"
ok "an uplink is there before its peer is, and says why it is down"

peer_start $as_user slirp4netns --target-type=bess "$path"
uplink_until out state up
fetch guest:bridge=lab address 10.0.2.100/24 "$url"
uplink_carried out
ok "lwIP on a TAP fetches from the host through slirp4netns"

fetch vpn:mode=tun,bridge=lab,address=10.0.2.101 mode tun address 10.0.2.101/24 "$url"
ok "lwIP on a TUN does so too, on the same bridge"

peer_stop KILL
uplink_until out state down
uplink_told uplink-down out
peer_start $as_user slirp4netns --target-type=bess "$path"
uplink_until out state up
is "$(uplink_value out connects)" 2 "how often it has connected"
fetch guest:bridge=lab address 10.0.2.100/24 "$url"
ok "the uplink finds a slirp4netns that was killed and started again"

ends_with 0 memtun uplink del out
uplink_told uplink-deleted out
ends_with 1 memtun -j uplink show out
peer_stop
ok "the uplink is deleted"

#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086 # words are meant
# Connectors on a multicast LAN with a real QEMU, which has no machine, only its user networking:
# a DHCP server and a gateway that answers ping. The LAN is on loopback.
TEST_SECONDS=60
TEST_NEEDS=filters
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

qemu="qemu-system-x86_64"
example=$top_builddir/examples/expect-dhcp
guest=$top_builddir/tests/system/lan-guest
command -v $qemu >/dev/null || skip "no $qemu here (Debian: qemu-system-x86)"

# Anywhere below the ports that the system gives out itself (from 32768).
port=$((10000 + $(od -An -N2 -tu2 /dev/urandom) % 20000))

$as_user $qemu -M none -display none -nodefaults -monitor none -netdev user,id=u \
	-netdev "socket,id=m,mcast=230.0.0.1:$port,localaddr=127.0.0.1" \
	-netdev hubport,hubid=0,id=p1,netdev=u -netdev hubport,hubid=0,id=p2,netdev=m \
	</dev/null >"$scratch/server-output" 2>&1 &
started="$started $!"

ends_with 0 "$example" 230.0.0.1 $port
is "$output" "offered 10.0.2.15" "what the example says"
ok "the example gets an address from QEMU"

ends_with 0 "$guest" 230.0.0.1 $port
is "$output" "a ping of 1514 bytes was answered" "what the guest says"
ok "a connector gets an offer and a whole ping of 1514 bytes from QEMU, and not its own frames"

ends_with 2 "$example"
ends_with 1 "$example" 10.0.0.1 $port
says "cannot join 10.0.0.1:$port on 127.0.0.1: Invalid argument"
ok "the example says what it can't do"

#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2086,SC3045 # the inner shell expands; words are meant
# What people run, through the kernel's own TCP/IP in a memtun netns: with another one, with lwIP, with a
# QEMU, and with TUNs on the same bridge. A tool that is missing is told; the others are tested.
TEST_SECONDS=90
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/netns.sh" || exit 1
have_python || skip "no Python here"
python=${PYTHON:-python3}
# sshd and dnsmasq are where only root looks.
PATH=$PATH:/usr/sbin:/sbin
me=$($as_user id -u)

# has_tools PROGRAM PACKAGE...: are all here? Tells which one is not.
has_tools() {
	while [ $# -gt 0 ]; do
		command -v "$1" >/dev/null || {
			echo "not tested: $1 (Debian: $2)"
			return 1
		}
		shift 2
	done
}

at_server=s:bridge=lab,address=10.0.0.1/24+fd00::1/64
at_client=c:bridge=lab,address=10.0.0.2/24+fd00::2/64
work=$scratch/home/work
$as_user mkdir "$work"
netns_broker_start

# --- ping, curl, iperf3: between two of them ---

if has_tools ping iputils-ping; then
	hears ready $in_netns -t "$at_server" -- sh -c 'echo ready; exec cat "$1"' sh "$scratch/ready"
	for address in 10.0.0.1 fd00::1; do
		ends_with 0 $in_netns -t "$at_client" -- ping -n -c 2 -i 0.01 -s 1400 -W 10 $address
	done
	ends_with 0 $in_netns --map-root -t "$at_client" -- ping -n -c 1 -W 10 10.0.0.1
	# With fragments, and with no capability at all.
	ends_with 0 $in_netns -t "$at_client" -- setpriv --ambient-caps=-all --inh-caps=-all \
		ping -n -c 1 -s 20000 -W 10 10.0.0.1
	stops
	ok "ping gets its answers, also without a capability"
fi

if has_tools curl curl; then
	cat >"$scratch/web.py" <<'END'
import http.server, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(bytes(range(256)) * 16384)

server = http.server.HTTPServer(("10.0.0.1", 80), Handler)
print("listening", flush=True)
server.serve_forever()
END
	hears listening $in_netns -t "$at_server" -- "$python" "$scratch/web.py"
	ends_with 0 $in_netns -t "$at_client" -- curl -sS -m 30 -o "$work/got" http://10.0.0.1/
	is "$(wc -c <"$work/got") $(md5sum <"$work/got")" "4194304 $("$python" -c '
import sys; sys.stdout.buffer.write(bytes(range(256)) * 16384)' | md5sum)" "what curl got"
	ends_with 0 memtun -j -s uplink show s
	is "$(json 'd[0]["from-client-bytes"] / d[0]["from-client-frames"] > 3000')" True \
		"that frames are longer than the mtu"
	stops
	ok "curl gets 4 MiB from a server on port 80, in frames that nobody has cut"

	# The example of README.md, as it is printed there.
	sed -n '/^\$ cat web.sh$/,/^\$ memtund/{/^\$/!p}' "${top_srcdir:-.}/README.md" >"$scratch/web.sh"
	has "$(cat "$scratch/web.sh")" "memtun netns*http.server*memtun netns*curl*"
	ends_with 0 env -C "$work" -u MEMTUN_SOCKET $as_user memtund -- sh "$scratch/web.sh"
	has "$output" "Directory listing"
	ok "the script of README.md serves its directory to curl"
fi

if has_tools iperf3 iperf3; then
	for how in "-c 10.0.0.1" "-c 10.0.0.1 -R" "-c fd00::1" "-c 10.0.0.1 -u -b 100M -l 1200"; do
		hears "Server listening" $in_netns -t "$at_server" -- iperf3 -s -1 --forceflush
		ends_with 0 $in_netns -t "$at_client" -- iperf3 $how -J -n 8M
		is "$(json 'd.get("error"), d["end"].get("sum_received", d["end"].get("sum"))["bytes"] > 4000000')" \
			"None True" "what iperf3 $how says"
		wait "$server"
		exec 7<&-
	done
	ok "iperf3 measures TCP both ways, IPv6 and UDP"
fi

# --- dig, and the key dns ---

if has_tools dnsmasq dnsmasq-base dig bind9-dnsutils; then
	hears started $in_netns -t "$at_server" -- dnsmasq --keep-in-foreground --log-facility=- --no-resolv \
		--no-hosts --conf-file=/dev/null --pid-file --user= --group= --address=/www.test/10.0.0.80
	ends_with 0 $in_netns -t "$at_client" -- dig +short +time=10 +tries=1 @10.0.0.1 www.test
	is "$output" 10.0.0.80 "what dig says"
	ends_with 0 $in_netns -t "$at_client" -- dig +short +tcp +time=10 +tries=1 @fd00::1 www.test
	is "$output" 10.0.0.80 "what dig says over TCP and IPv6"
	ends_with 0 $in_netns -t "$at_client,dns=10.0.0.1" -- dig +short +time=10 +tries=1 www.test
	is "$output" 10.0.0.80 "what dig says with resolv.conf"
	stops
	ok "dig gets its answers, and finds its server by the key dns"
fi

# --- ssh ---

if has_tools sshd openssh-server ssh openssh-client ssh-keygen openssh-client; then
	if ! getent passwd "$me" >/dev/null || [ "$me" = 65534 ]; then
		echo "not tested: ssh, as user $me has no account, or a locked one"
	else
		# Nothing depends on the user's shell: the connection is to a port.
		$as_user ssh-keygen -q -t ed25519 -N '' -f "$work/key"
		cat >"$work/sshd.conf" <<END
ListenAddress 10.0.0.1
HostKey $work/key
AuthorizedKeysFile $work/key.pub
StrictModes no
PidFile none
UsePAM no
END
		chmod 755 "$work"
		hears "Server listening on 10.0.0.1 port 22" $in_netns -t "$at_server" -- \
			"$(command -v sshd)" -D -e -f "$work/sshd.conf"
		ends_with 0 $in_netns -t "$at_client" -- ssh -F none -i "$work/key" -l "$($as_user id -un)" \
			-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile="$work/known" \
			-W 10.0.0.1:22 10.0.0.1 </dev/null
		has "$output" "SSH-2.0"
		stops
		ok "ssh logs in, and forwards a connection"
	fi
fi

# --- lwIP ---

if [ -x "$scratch/bin/lwip-http-server" ]; then
	hears listening $as_user memtun exec -t w:bridge=lab -- lwip-http-server size 4
	ends_with 0 $in_netns -t "$at_client" -- "$python" -c '
import urllib.request
print(len(urllib.request.urlopen("http://10.0.0.1/data", timeout=20).read()))'
	is "$output" 4194304 "how much came from lwIP"
	stops
	ok "lwIP's server is reached, whose frames have no vnet header"

	# A TUN's program needs no Ethernet: the broker has its adapter.
	for spec in "bridge lab mode tun address 10.0.0.9/24" "bridge lab address 10.0.0.9/24"; do
		watches /dev/null $as_user memtun host h $spec
		host=$!
		for how in "$at_client" c:bridge=lab,mode=tun,address=10.0.0.2/24; do
			ends_with 0 $in_netns -t $how -- "$python" -c '
import socket
connection = socket.create_connection(("10.0.0.9", 7), timeout=20)
data = b"0123456789abcdef" * 4096
connection.sendall(data)
got = b""
while len(got) < len(data):
    got += connection.recv(65536)
assert got == data'
		done
		kill $host
		wait $host
		turns_until no_port_is_left
	done
	ok "a TUN on an Ethernet bridge talks to a TAP and to a TUN, whichever side it is on"
else
	echo "not tested: lwIP (Debian: liblwip-dev)"
fi

# --- router advertisements ---

if has_tools dnsmasq dnsmasq-base; then
	hears "router advertisement" $in_netns -t r:bridge=ra,address=fd01::1/64 -- dnsmasq \
		--keep-in-foreground --log-facility=- --no-resolv --no-hosts --conf-file=/dev/null --pid-file \
		--user= --group= --port=0 --enable-ra --dhcp-range=fd01::,ra-only \
		--dhcp-leasefile="$work/leases"
	cat >"$scratch/autoconfigured.sh" <<'END'
until ip -6 route show default | grep -q 'via fe80:.* dev c' &&
	ip -6 addr show dev c scope global -tentative | grep -q 'inet6 fd01:.*ff:fe'; do :; done
exec "$1" -c '
import socket
try:
    socket.create_connection(("fd01::1", 7), timeout=20)
except ConnectionRefusedError:
    print("the router has refused it")'
END
	ends_with 0 $in_netns -t c:bridge=ra -- sh "$scratch/autoconfigured.sh" "$python"
	is "$output" "the router has refused it" "what a connection to the router says"
	stops
	ok "an interface without an address gets one, and a route, from a router's advertisement"
fi

# --- a machine ---

qemu="qemu-system-x86_64"
if has_tools $qemu qemu-system-x86 dnsmasq dnsmasq-base; then
	if ! $qemu -netdev help 2>/dev/null | grep -qx dgram; then
		echo "not tested: QEMU, as this one has no -netdev dgram (7.2 has)"
	elif [ -z "$(for directory in $($qemu -L help); do ls "$directory/efi-e1000.rom"; done 2>/dev/null)" ]; then
		echo "not tested: QEMU, as it has no network boot ROM (Debian: ipxe-qemu)"
	else
		mkdir "$scratch/tftp"
		printf '#!ipxe\necho booted-through-the-kernel\n' >"$scratch/tftp/boot.ipxe"
		hears started $in_netns -t "$at_server" -- dnsmasq --keep-in-foreground --log-facility=- --no-resolv \
			--no-hosts --conf-file=/dev/null --pid-file --user= --group= --port=0 \
			--dhcp-leasefile="$work/leases" --dhcp-range=10.0.0.100,10.0.0.100 \
			--dhcp-boot=boot.ipxe --enable-tftp --tftp-root="$scratch/tftp" --dhcp-authoritative
		mkfifo "$scratch/serial"
		$as_user memtun exec -t vm0:bridge=lab -- $qemu -M pc -m 64 -display none -nodefaults \
			-nographic -serial stdio -monitor none -boot n -no-reboot \
			-netdev 'dgram,id=m,local.type=fd,local.str={vm0}' -device e1000,netdev=m \
			</dev/null >"$scratch/serial" 2>"$scratch/errors" &
		started="$started $!"
		while IFS= read -r line; do
			case $line in
			*booted-through-the-kernel*) break ;;
			esac
		done <"$scratch/serial"
		has "$line" "booted-through-the-kernel"
		kill $!
		stops
		ok "a PC in QEMU boots from the kernel's DHCP and TFTP"
	fi
fi

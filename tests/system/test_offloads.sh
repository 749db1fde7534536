#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC2116 # words are meant
# The kernel's TCP on a bridge sends frames of up to 64 KiB, and every kind of receiver gets them cut:
# two lwIPs, the kernel behind an uplink of UDP, and a PC in QEMU. A kernel with offloads gets them
# whole. What a receiver fetches has to arrive whole.
TEST_SECONDS=120
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/netns.sh" || exit 1
have_python || skip "no Python here"
[ -x "$scratch/bin/lwip-http-client" ] || skip "lwip-http-client is not built (Debian: liblwip-dev)"
python=${PYTHON:-python3}

cp "$top_srcdir/tests/system/web_server.py" "$scratch"
cat >"$scratch/get.py" <<'EOF'
import sys, urllib.request
for url in sys.argv[1:]:
    with urllib.request.urlopen(url, timeout=60) as answer:
        print(len(answer.read()), answer.read() == b"")
EOF
chmod 644 "$scratch/web_server.py" "$scratch/get.py"

netns_broker_start
hears 8080 $in_netns -t web:bridge=lab,address=10.0.2.50/24+fd00::50/64 -- \
	"$python" "$scratch/web_server.py" :: 8080

# port_value NAME KEY...: of a tunnel, or of the uplink that is an interface in a namespace.
port_value() {
	ends_with 0 memtun -j -s show "$1"
	json "d[0].get('$2')"
}

web_frames() {
	ends_with 0 memtun -j -s uplink show
	json "[u['from-client-frames'] for u in d if u['name'] == 'web'][0]"
}

# cut_for TUNNEL FRAMES: of the frames that came from the web server since it had sent FRAMES, the
# tunnel was sent more, as they were cut.
cut_for() {
	sent=$(($(web_frames) - $2))
	got=$(port_value "$1" to-client-frames)
	[ "$got" -gt $((2 * sent)) ] || fail "$1 was sent $got frames of the $sent that the server sent"
	is "$(port_value "$1" to-client-dropped-needs-segmentation)" 0 "the frames that were not cut"
	is "$(port_value "$1" to-client-dropped-mtu)" 0 "the frames that were too long"
}

# --- two lwIPs ---

ends_with 0 $as_user memtun add tap0 bridge lab
ends_with 0 $as_user memtun add tun0 bridge lab mode tun address 10.0.2.61/24
before=$(web_frames)
ends_with 0 $as_user memtun exec -t tap0 -- lwip-http-client address 10.0.2.60/24 http://10.0.2.50:8080/data
has "$output" "524288 bytes,*checksum"
cut_for tap0 "$before"
ok "lwIP on a TAP fetches from the kernel, whose frames are cut"
before=$(web_frames)
ends_with 0 $as_user memtun exec -t tun0 -- lwip-http-client mode tun address 10.0.2.61/24 \
	http://10.0.2.50:8080/data
has "$output" "524288 bytes,*checksum"
cut_for tun0 "$before"
ok "lwIP on a TUN behind its adapter does so too"

# --- the kernel: whole on the same bridge, and cut behind an uplink ---

ends_with 0 $in_netns -t c:bridge=lab,address=10.0.2.70/24+fd00::70/64 -- \
	"$python" "$scratch/get.py" 'http://10.0.2.50:8080/' 'http://[fd00::50]:8080/'
is "$(echo $output)" "524288 True 524288 True" "what the kernel fetched"
ok "a kernel on the same bridge fetches by IPv4 and IPv6"

port=$((10000 + $(od -An -N2 -tu2 /dev/urandom) % 20000))
ends_with 0 memtun uplink add near bridge lab type udp local 127.0.0.1:$port remote 127.0.0.1:$((port + 1))
ends_with 0 memtun uplink add far bridge beyond type udp local 127.0.0.1:$((port + 1)) remote 127.0.0.1:$port
before=$(web_frames)
ends_with 0 $in_netns -t c:bridge=beyond,address=10.0.2.71/24+fd00::71/64 -- \
	"$python" "$scratch/get.py" 'http://10.0.2.50:8080/' 'http://[fd00::50]:8080/'
is "$(echo $output)" "524288 True 524288 True" "what the kernel fetched"
sent=$(($(web_frames) - before))
ends_with 0 memtun -j -s uplink show near
is "$(json "d[0]['to-client-frames'] > 2 * $sent, d[0]['to-client-dropped-needs-segmentation'],
	d[0]['to-client-bytes'] / d[0]['to-client-frames'] <= 1514")" "True 0 True" "the pieces on UDP"
ok "a kernel behind an uplink of type udp gets pieces"

# --- a PC with virtio-net ---

# QEMU's netdevs that can be a tunnel (dgram, stream, socket) have no vnet header, so the PC's virtio
# device offers no offload to it, and takes only frames that are complete. Only -netdev tap has one.
qemu="qemu-system-x86_64"
if ! $qemu -netdev help 2>/dev/null | grep -qx dgram; then
	echo "not tested: a PC in QEMU, as there is no $qemu with -netdev dgram"
	exit 0
fi
for directory in $($qemu -L help) ''; do
	[ ! -e "$directory/efi-virtio.rom" ] || break
done
if [ -z "$directory" ]; then
	echo "not tested: a PC in QEMU, as there is no network boot ROM (Debian: ipxe-qemu)"
	exit 0
fi
mkdir "$scratch/tftp"
printf '#!ipxe\nimgfetch http://10.0.2.50:8080/data && echo fetched-what-was-cut || echo not-fetched\n' \
	>"$scratch/tftp/boot.ipxe"
chmod 755 "$scratch/tftp"
chmod 644 "$scratch/tftp/boot.ipxe"
mkfifo "$scratch/serial"
$as_user memtun exec -t srv:bridge=lab -- $qemu -M none -display none -nodefaults -monitor none \
	-netdev "user,id=u,tftp=$scratch/tftp,bootfile=boot.ipxe" \
	-netdev 'dgram,id=m,local.type=fd,local.str={srv}' \
	-netdev hubport,hubid=0,id=p1,netdev=u -netdev hubport,hubid=0,id=p2,netdev=m \
	</dev/null >"$scratch/server-output" 2>&1 &
started="$started $!"
turns_until memtun -j show srv >/dev/null 2>&1
ends_with 0 $as_user memtun add pc bridge lab
before=$(web_frames)
$as_user memtun exec -t pc -- $qemu -M pc -m 64 -display none -nodefaults -nographic \
	-serial stdio -monitor none -boot n -no-reboot \
	-netdev 'dgram,id=m,local.type=fd,local.str={pc}' -device virtio-net-pci,netdev=m \
	</dev/null >"$scratch/serial" 2>"$scratch/pc-errors" &
started="$started $!"
console_until fetched-what-was-cut not-fetched <"$scratch/serial"
cut_for pc "$before"
ok "a PC with virtio-net fetches from the kernel, whose frames are cut"

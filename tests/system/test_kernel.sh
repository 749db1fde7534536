#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2119,SC2154,SC2086,SC3045 # check.sh sets what isn't set here; words are meant
# The kernel's own interfaces: who may have them, how they come and go, and what goes through them.
# All are in a network namespace of this test's own.
TEST_SECONDS=120
TEST_NAMESPACES=yes
# shellcheck source=tests/system/check.sh
. "${top_srcdir:=.}/tests/system/check.sh"
# shellcheck source=tests/system/uplink.sh
. "$top_srcdir/tests/system/uplink.sh"
needs ip iproute2

ip tuntap add probe0 mode tap 2>/dev/null || skip "no TAP can be made in a namespace here (/dev/net/tun)"
ip link del probe0

# What a program is run with that has no rights, though it is root here.
no_rights="setpriv --inh-caps=-all --bounding-set=-all"

# capabilities PID WHICH: of Inh, Prm, Eff, Amb; hexadecimal.
capabilities() {
	sed -n "s/^Cap$2:\t//p" "/proc/$1/status"
}

gone() {
	! ip link show "$1" >"$scratch/found" 2>&1
}

# no_such_tunnel NAME
no_such_tunnel() {
	! memtun -j show "$1" >"$scratch/found" 2>&1
}

# state_is NAME STATE
state_is() {
	run memtun -j show "$1"
	[ "$(json "d[0]['state']")" = "$2" ]
}

# judge.py HOW FD: what a program that was handed a descriptor finds there.
cat >"$scratch/judge.py" <<'PYTHON'
import errno, fcntl, os, select, signal, socket, struct, sys

how, fd = sys.argv[1], int(sys.argv[2])
TUNSETOFFLOAD, TUNSETTXFILTER, TUNGETIFF, TUNSETVNETHDRSZ = 0x400454d0, 0x400454d1, 0x800454d2, 0x400454d8
US, OTHER = "10.9.0.1", "10.9.0.2"
MAC = b"\x02\0\0\0\0\x99"

def sums(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total

def packet(payload, ports, protocol=17):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0,
                       socket.inet_aton(OTHER), socket.inet_aton(US))
    return head[:10] + struct.pack("!H", 0xffff - sums(head)) + head[12:] + payload

def pseudo(length, protocol):
    return socket.inet_aton(OTHER) + socket.inet_aton(US) + struct.pack("!HH", protocol, length)

def read():
    if not select.select([fd], [], [], 20)[0]:
        sys.exit("nothing came")
    return os.read(fd, 70000)

def echo(tap):
    """The kernel asks by UDP, and is answered by this program."""
    kernel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    kernel.bind((US, 0))
    kernel.settimeout(20)
    kernel.sendto(b"question", (OTHER, 4242))
    while True:
        frame = read()
        if tap and frame[12:14] == b"\x08\x06" and frame[38:42] == socket.inet_aton(OTHER):
            os.write(fd, frame[6:12] + MAC + frame[12:20] + b"\0\2" + MAC + frame[38:42] + frame[22:32])
        at = 14 if tap else 0
        if frame[at:at + 1] == b"\x45" and frame[at + 9] == 17 and frame[at + 22:at + 24] == b"\x10\x92":
            break
    # The sum is complete: nobody was promised that it would be made later.
    udp = frame[at + 20:]
    if sums(frame[at + 12:at + 20] + struct.pack("!HH", 17, len(udp)) + udp) != 0xffff:
        sys.exit("the kernel sent a frame without its checksum")
    answer = packet(struct.pack("!HHHH", 4242, kernel.getsockname()[1], 14, 0) + b"answer", None)
    os.write(fd, (frame[6:12] + MAC + b"\x08\x00" if tap else b"") + answer)
    if kernel.recvfrom(100)[0] != b"answer":
        sys.exit("that was another answer")

if how in ("tap", "tun"):
    echo(how == "tap")
elif how == "whole":
    # A TCP segment of 5000 bytes, unsummed, to be cut into 1000: the kernel gets it as it is.
    seen = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    seen.bind((sys.argv[3], 0))
    seen.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
    seen.settimeout(20)
    tcp = struct.pack("!HHIIBBHHH", 7, 7, 1, 0, 0x50, 0x10, 1000, sums(pseudo(5020, 6)), 0) + b"x" * 5000
    frame = b"\xff" * 6 + MAC + b"\x08\x00" + packet(tcp, None, 6)
    os.write(fd, struct.pack("=BBHHHH", 1, 1, 54, 1000, 34, 16) + frame)
    while True:
        found, extra, _, _ = seen.recvmsg(10000, 1000)
        if found[6:12] == MAC:
            break
    status = struct.unpack_from("=I", extra[0][2])[0]
    if found != frame or not status & 8:  # TP_STATUS_CSUMNOTREADY
        sys.exit(f"the kernel saw {len(found)} bytes, status {status}")
elif how == "flags":
    name, flags = struct.unpack_from("16sH", fcntl.ioctl(fd, TUNGETIFF, bytes(40)))
    # 0x1000 is IFF_NOFILTER here, not IFF_NO_PI: that one isn't told.
    words = {1: "tun", 2: "tap", 0x100: "multi_queue", 0x4000: "vnet_hdr"}
    print(name.rstrip(b"\0").decode(), *(word for bit, word in words.items() if flags & bit))
elif how == "hold":
    # Until it is deleted, or standard input ends.
    print("held", flush=True)
    waiting = select.poll()
    waiting.register(fd, select.POLLIN)
    waiting.register(0, select.POLLIN)
    while True:
        for which, events in waiting.poll():
            if which == 0:
                sys.exit(0)
            try:
                os.read(fd, 70000)
            except OSError as error:
                print(errno.errorcode[error.errno], flush=True)
                sys.exit(0)
elif how == "past":
    # As a former user might have left a persistent interface: also with another header, and a
    # filter that no broadcast passes.
    fcntl.ioctl(fd, TUNSETOFFLOAD, 1)
    fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("=i", 20))
    fcntl.ioctl(fd, TUNSETTXFILTER, struct.pack("=HH6s", 0, 1, MAC))
PYTHON
judge="$python $scratch/judge.py"

# hold SPEC: a program without rights has it open, as $holder, until unhold.
hold() {
	[ -p "$scratch/held" ] || mkfifo "$scratch/held" "$scratch/let-go"
	$no_rights memtun exec -t "$1" -- $judge hold "{${1%%:*}}" <"$scratch/let-go" >"$scratch/held" &
	holder=$!
	started="$started $holder"
	exec 6>"$scratch/let-go" 7<"$scratch/held"
	read -r held <&7 || fail "$1 was not opened"
	is "$held" held "what the program says"
}

unhold() {
	exec 6>&-
	wait "$holder" || fail "who held it ended with $?"
	exec 7<&-
}

# --- who may ---

ends_with 1 $no_rights memtund --kernel --socket "$scratch/nobody"
says "--kernel needs CAP_NET_ADMIN"
ends_with 125 $no_rights memtund --kernel -- sh -c 'echo it runs'
says "--kernel needs CAP_NET_ADMIN"
is "$output" "" "what the command says"
ok "without the right, memtund --kernel doesn't start"

mine=$(grep ^Cap /proc/self/status)
ends_with 0 memtund --kernel -- grep ^Cap /proc/self/status
is "$output" "$mine" "what the command may"
# A program of another user's, as it were: it could pass a right on only by ambience.
ends_with 0 $no_rights memtund -- grep ^CapEff /proc/self/status
has "$output" "0000000000000000"
ok "a private broker's command has the rights that memtund was started with"

ip tuntap add mine0 mode tap user 0
broker_start
for which in Inh Prm Eff Amb; do
	is "$(capabilities $broker $which)" 0000000000000000 "Cap$which without --kernel"
done
ends_with 1 memtun uplink add up bridge lab type kernel device tap0
says "CAP_NET_ADMIN: see memtund --kernel"
says "TAP interface 'tap0'"
ends_with 1 memtun add k backend kernel
says "a memtund that was started with --kernel"
ends_with 125 memtun exec -t k:backend=kernel -- true
has "$errors" "a memtund that was started with --kernel"
gone tap0 || fail "tap0 was made"
gone k || fail "k was made"
ok "without --kernel no interface is made, and the refusal says why"

ends_with 0 memtun uplink add up bridge lab type kernel device mine0
ends_with 0 memtun uplink del up
ip link show mine0 >"$scratch/found" || fail "an interface that was made to stay went"
ok "a TAP that the kernel lets its owner have needs no right"
ip link del mine0
kill $broker
wait $broker 2>/dev/null
rm "$scratch/ready"

user_broker_start --kernel
for which in Prm Eff; do
	# CAP_NET_ADMIN is number 12.
	is "$(capabilities $broker $which)" 0000000000001000 "Cap$which with --kernel"
done
for which in Inh Amb; do
	is "$(capabilities $broker $which)" 0000000000000000 "Cap$which with --kernel"
done
ok "with --kernel it keeps CAP_NET_ADMIN and nothing else"

# AddressSanitizer ends who joins a switch, as libvdeplug loads its plugins with RTLD_DEEPBIND.
if ! grep -q __asan_init "$scratch/bin/memtund"; then
	# A switch that lets nobody in: who joins it waits.
	mkfifo "$scratch/fed" "$scratch/listens"
	$python -c 'import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print(flush=True)
sys.stdin.read()' "$scratch/home/ctl" <"$scratch/fed" >"$scratch/listens" &
	started="$started $!"
	exec 9>"$scratch/fed"
	read -r _ <"$scratch/listens"
	run memtun uplink add joining bridge lab type vde path "$scratch/home"
	case $errors in
	*"built without"*) ;;
	*)
		is "$status" 0 "the exit status"
		is "$(capabilities "$(tr -d " " </proc/$broker/task/$broker/children)" Prm)" 0000000000000000 \
			"CapPrm of who joins a switch"
		ends_with 0 memtun uplink del joining
		ok "who talks to a VDE switch for it has no right"
		;;
	esac
	exec 9>&-
fi

# --- an uplink ---

ends_with 0 memtun uplink add tap0 bridge lab type kernel
is "$(uplink_value tap0 device)" tap0 "the interface's name"
is "$(uplink_value tap0 mode)" tap "its mode"
is "$(uplink_value tap0 state)" up "its state"
ends_with 0 memtun add probe bridge lab
ends_with 0 memtun inject probe --as-client --udp 10.9.0.1:7 text
turns_until [ "$(uplink_value tap0 to-client-dropped-refused)" = 1 ]
ok "an interface that is down refuses frames, and they are counted"
ip address add 10.9.0.1/24 dev tap0
ip link set tap0 up
ends_with 0 memtun exec -t t:bridge=lab -- $judge tap '{t}'
ok "the kernel and a tunnel talk over a TAP"
ends_with 0 memtun exec -t t:bridge=lab,vnet_hdr -- $judge whole '{t}' tap0
is "$(uplink_value tap0 to-client-dropped-needs-segmentation)" 0 "frames that were refused for their size"
ok "a frame with its checksum and cutting left to do passes to the kernel whole"

ends_with 1 memtun uplink add again bridge lab type kernel device tap0
says "cannot open the TAP interface 'tap0', which is open elsewhere"
ends_with 1 memtun uplink add lo0 bridge lab type kernel device lo
says "cannot open the TAP interface 'lo', which is another kind of interface"
ends_with 1 memtun uplink add tun0 bridge lab type kernel mode tap address 10.0.0.1
says "address is for a tun"
ok "an interface that can't be had is refused, and the refusal says why"

ip link del tap0
uplink_until tap0 connects 2
uplink_told uplink-down tap0
grep -q 'the interface was deleted' "$scratch/events" || fail "no reason in $(cat "$scratch/events")"
uplink_until tap0 state up
ip address add 10.9.0.1/24 dev tap0
ip link set tap0 up
ends_with 0 memtun exec -t t:bridge=lab -- $judge tap '{t}'
ok "an interface that was deleted comes back, and works"

# Its name is held by something else for a while, before the uplink can try again.
ip link add taken type veth peer name taken-peer || fail "no veth"
ip -batch - <<'END' || fail "tap0 was not renamed"
link del tap0
link set taken name tap0
END
uplink_told uplink-down tap0
until [ "$(uplink_value tap0 state)" = down ] &&
	case $(uplink_value tap0 reason) in *'another kind of interface'*) true ;; *) false ;; esac; do :; done
ip link del tap0
uplink_until tap0 state up
ok "where it can't come back it says why, and tries again"

ends_with 0 memtun uplink del tap0
gone tap0 || fail "tap0 is there"
ip tuntap add tap0 mode tap
ends_with 0 memtun uplink add any bridge lab type kernel device tap%d
is "$(uplink_value any device)" tap1 "the name that the kernel has chosen"
ip link del tap1
uplink_until any connects 2
is "$(uplink_value any device)" tap1 "the name when it came back"
ends_with 0 memtun uplink del any
gone tap1 || fail "tap1 is there"
ok "the kernel chooses a name for a template, and the uplink keeps it"

# One with a past.
ends_with 0 memtun add past backend kernel vnet_hdr
ends_with 0 memtun exec -t past -- $judge past '{past}'
ends_with 0 memtun uplink add up bridge lab type kernel device past
ip address add 10.9.0.1/24 dev past
ip link set past up
ends_with 0 memtun exec -t t:bridge=lab -- $judge tap '{t}'
ends_with 0 memtun uplink del up
ends_with 0 memtun del past
ok "what an interface's former user has set doesn't matter"

ends_with 0 memtun uplink add tun0 bridge ip type kernel mode tun
ip address add 10.9.0.1/24 dev tun0
ip link set tun0 up
ends_with 0 memtun exec -t t:bridge=ip,mode=tun -- $judge tun '{t}'
ends_with 0 memtun uplink del tun0
ok "the kernel and a tunnel talk over a TUN"

ends_with 0 memtun uplink add tun0 bridge lab type kernel mode tun
ip address add 10.9.0.1/24 dev tun0
ip link set tun0 up
ends_with 0 memtun exec -t t:bridge=lab -- $judge tap '{t}'
ends_with 0 memtun uplink del tun0
ok "the kernel's TUN has an adapter on a bridge of Ethernet"

# --- backend kernel ---

ends_with 0 $no_rights memtun exec -t k:backend=kernel -- $judge flags '{k}'
is "$output" "k tap" "the interface"
ends_with 0 $no_rights memtun exec -t k:backend=kernel,mode=tun,vnet_hdr,multi_queue -- $judge flags '{k}'
is "$output" "k tun multi_queue vnet_hdr" "the interface"
gone k || fail "k is there"
ok "a program without rights gets a real descriptor, and the interface goes with it"

ends_with 0 memtun add p backend kernel mode tun
ends_with 0 memtun -j show p
is "$(json "d[0]['backend'], d[0]['state'], d[0]['queues'], 'socket' in d[0], 'overflow' in d[0]")" \
	"kernel closed 0 False False" "what is shown"
if part_needs tables; then
	ends_with 0 memtun show
	has "$output" kernel
fi
ip address add 10.9.0.1/24 dev p
ip link set p mtu 1400 up
ends_with 0 $no_rights memtun exec -t p -- $judge tun '{p}'
ends_with 0 memtun -j show p
is "$(json "d[0]['mtu']")" 1400 "the mtu that ip link has set"
has "$(ip -d link show p)" "persist on user root"
ok "one that was added has its addresses before it is opened, and stays"

hold p
state_is p open || fail "p isn't open"
ends_with 125 memtun exec -t p -- true
has "$errors" "'p', which is open elsewhere"
unhold
ends_with 0 memtun wait p closed --timeout 20
state_is p closed || fail "p isn't closed"
hold p:mode=tun
memtun wait p closed --timeout 20 6>&- &
waiting=$!
unhold
wait $waiting || fail "wait ended with $?"
ok "it is open once, and its closing is seen and told"

hold p
ends_with 0 memtun del p
read -r held <&7
is "$held" EBADFD "what the program reads"
unhold
gone p || fail "p is there"
ok "deleting the tunnel deletes the interface, and who has it open sees the end"

ends_with 0 memtun add q backend kernel multi_queue pi mode tun
has "$(ip -d link show q)" "type tun pi on vnet_hdr off"
hold q
ends_with 0 memtun exec -t q -- memtun -j show q
is "$(json "d[0]['queues']")" 2 "the number of queues"
unhold
ip link del q
turns_until no_such_tunnel q
hold k:backend=kernel
exec 6>&-
ends_with 0 memtun wait k closed --timeout 20
no_such_tunnel k || fail "k is there"
unhold
ok "a tunnel goes with its interface"

ends_with 0 memtun add q backend kernel
ip link del q
ends_with 0 memtun add q
ends_with 0 memtun del q
ok "the name of one whose interface has gone is free at once"

for option in bridge=lab peer=other socket=dgram mtu=1400 queue=10 overflow=block; do
	ends_with 125 memtun exec -t "k:backend=kernel,$option" -- true
	has "$errors" "a tunnel with backend kernel takes no ${option%=*}"
done
ends_with 0 memtun add k backend kernel
ends_with 1 memtun inject k --udp 10.9.0.1:7 text
has "$errors" "go to the kernel, not through the broker"
ends_with 1 memtun capture k
has "$errors" "go to the kernel, not through the broker"
ends_with 1 memtun set k mtu 1400
says "'k' is an interface of the kernel"
ends_with 125 memtun exec -t k:backend=memory -- true
has "$errors" "'k' exists with backend kernel, not memory"
ends_with 1 memtun wait k drained
says "not see when its frames are read"
ends_with 0 memtun del k
ok "what a broker can't do that sees no frames is refused"

ends_with 1 memtun add tap0 backend kernel
says "cannot make the TAP interface 'tap0', which exists"
ends_with 125 memtun exec -t tap0:backend=kernel -- true
has "$errors" "'tap0', which exists"
ip link show tap0 >"$scratch/found" || fail "tap0 went"
ends_with 0 memtun add tap1
ends_with 0 memtun add tap%d backend kernel count 2
! gone tap2 || fail "no tap2"
! gone tap3 || fail "no tap3"
ok "an interface that is somebody's is left alone"

kill $broker
wait $broker 2>/dev/null
gone tap2 || fail "tap2 was left behind"
gone tap3 || fail "tap3 was left behind"
ok "the interfaces of its tunnels go with the broker"

# --- without /dev/net/tun ---

if unshare -m mount -t tmpfs none /dev/net 2>/dev/null; then
	ends_with 1 unshare -m sh -c 'mount -t tmpfs none /dev/net && exec memtund --kernel -- "$@"' - \
		memtun uplink add up bridge lab type kernel
	has "$errors" "memtund: warning: cannot open /dev/net/tun: No such file or directory; until"
	has "$errors" "memtun: cannot open /dev/net/tun: No such file or directory"
	ok "where there is no /dev/net/tun, that is said"
fi

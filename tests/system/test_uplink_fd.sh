#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2086,SC2119,SC3045 # words are meant; an inner shell expands
# Descriptors that are handed in, as an ordinary user: interfaces of other network namespaces, which
# stand for rootless containers, UNIX sockets of each type, and a QEMU at the other end of one.
TEST_SECONDS=120
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/uplink.sh" || exit 1
. "${top_srcdir:-.}/tests/system/netns.sh" || exit 1
needs nsenter util-linux

# container: starts a process in new user and network namespaces, as $container.
container() {
	rm -f "$scratch/inside"
	mkfifo "$scratch/inside"
	$as_user unshare -Urn sh -c 'ip link set lo up; echo; exec sleep 1000' >"$scratch/inside" &
	container=$!
	started="$started $container"
	read -r _ <"$scratch/inside" || fail "no namespaces"
}

# inside PID COMMAND...: runs it in the namespaces of that process.
inside() {
	inside_pid=$1
	shift
	$as_user nsenter -t "$inside_pid" -U -n --preserve-credentials "$@"
}

user_broker_start

# --- interfaces of namespaces ---

container
one=$container
container
two=$container
ends_with 0 inside $one memtun uplink add one bridge lab type device name eth0 pid $one
is "$errors" "" "what the command says"
ends_with 0 inside $two memtun uplink add two bridge lab type device device eth0 pid $two mtu 9000
ends_with 0 inside $one sh -c 'ip address add 10.0.0.1/24 dev eth0; ip link set eth0 up'
ends_with 0 inside $two sh -c 'ip address add 10.0.0.2/24 dev eth0; ip link set eth0 up'
kernel_asks 10.0.0.2 ping inside $one
ends_with 0 inside $one ip -j -d link show eth0
is "$(json 'd[0]["linkinfo"]["info_data"]["vnet_hdr"]')" True "the vnet header of the interface"
uplink_carried one
ends_with 0 memtun -j uplink show one
is "$(json '[d[0][k] for k in ("type", "mode", "state", "device", "life", "pid")]')" \
	"['device', 'tap', 'up', 'eth0', 'process', $one]" "the uplink"
if part_needs tables; then
	ends_with 0 memtun uplink show
	program=$(cat "/proc/$one/comm")
	has "$output" "one  device lab    up    eth0 until process $one $program ends"
	ends_with 0 memtun bridge show lab
	has "$output" "eth0 until process $one $program ends"
fi
ends_with 1 memtun -j show one
says "there is no tunnel 'one': it is an uplink; see memtun uplink show"
ends_with 1 memtun del lab
says "there is no tunnel 'lab': it is a bridge; see memtun bridge show"
ok "interfaces that a command opens in two namespaces are ports of a bridge"

ends_with 1 inside $one memtun uplink add more bridge lab type device name eth0
says "cannot open the TAP interface 'eth0': Device or resource busy (another program has it open)"
ends_with 1 inside $one memtun uplink add more bridge lab type device name lo
says "another kind of interface"
ends_with 1 $as_user memtun uplink add more bridge lab type device name memtun-test
says "CAP_NET_ADMIN in this network namespace is needed"
ok "an interface that the command cannot open is refused with the reason"

kill $two
uplink_told uplink-deleted two
has "$(cat "$scratch/events")" '"reason": "the process has ended"'
ends_with 1 memtun -j uplink show two
kernel_asks 10.0.0.1 ping inside $one
ok "the uplink goes with the last process of its namespace, and says so"

ends_with 0 memtun uplink del one
ends_with 1 inside $one ip link show eth0
ok "an uplink that is deleted takes its interface along"

# --- TUN, and several queues ---

container
two=$container
ends_with 0 inside $one memtun uplink add one bridge ip type device mode tun pid $one name tun0
ends_with 0 inside $two memtun uplink add two bridge ip type device mode tun pid $two name tun0
ends_with 0 inside $one sh -c 'ip address add 10.1.0.1/24 dev tun0; ip link set tun0 up'
ends_with 0 inside $two sh -c 'ip address add 10.1.0.2/24 dev tun0; ip link set tun0 up'
kernel_asks 10.1.0.2 ping inside $one
ends_with 0 memtun uplink del one
ends_with 0 memtun uplink del two
ends_with 0 inside $one ip tuntap add name many mode tap multi_queue
ends_with 0 inside $one memtun uplink add one bridge lab type device name many pid $one
ends_with 1 inside $one memtun uplink add two bridge lab type device name many pid $one
says "joins bridge 'lab' to the same place"
ends_with 0 inside $one memtun uplink add two bridge other type device name many pid $one
kill $one
uplink_told uplink-deleted one
uplink_told uplink-deleted two
ok "a TUN and an interface with several queues are ports, but not two queues on one bridge"

# --- descriptors of a program ---

cat >"$scratch/hand-in.py" <<'EOF'
"""Open devices and sockets, hand them in by the command, and check what comes of it."""
import fcntl, os, select, socket, struct, subprocess, sys

def memtun(*words, fds=(), fails=None):
    done = subprocess.run(["memtun", *map(str, words)], pass_fds=fds, capture_output=True, text=True, timeout=30)
    if fails is None:
        assert done.returncode == 0 and not done.stderr, (words, done)
    else:
        assert done.returncode == (2 if fails.startswith("usage: ") else 1), (words, done)
        assert fails.removeprefix("usage: ") in done.stderr, (words, done)

def frame(number):
    return b"\xff" * 6 + bytes([2, 0, 0, 0, 0, number]) + b"\x88\xb5" + bytes([number]) * 46

TUNSETIFF, TUNSETVNETHDRSZ, TUNSETQUEUE = 0x400454ca, 0x400454d8, 0x400454d9
TAP, NO_PI, VNET_HDR, MULTI, DETACH = 0x2, 0x1000, 0x4000, 0x100, 0x400

def device(name, flags):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name, flags))
    return fd

if sys.argv[1] == "far-sockets":
    # sock_diag(7) knows the sockets of its own network namespace only: these are not taken for dead.
    near, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    memtun("uplink", "add", "far-dgram", "bridge", "far", "type", "fd", "fd", there.fileno(), fds=[there.fileno()])
    there.close()
    print("ready", flush=True)
    assert near.recv(2000) == frame(9)
    sys.exit()

# Sockets: what one sends, the other receives, through the bridge.
kinds = socket.SOCK_SEQPACKET, socket.SOCK_DGRAM, socket.SOCK_STREAM
for kind in kinds if sys.argv[1] == "sockets" else ():
    near, there = socket.socketpair(socket.AF_UNIX, kind)
    far, here = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    memtun("uplink", "add", "near", "bridge", "wire", "type", "fd", "fd", there.fileno(), fds=[there.fileno()])
    memtun("uplink", "add", "far", "bridge", "wire", "type", "fd", "fd", here.fileno(), fds=[here.fileno()])
    memtun("uplink", "add", "x", "bridge", "wire", "type", "fd", "fd", there.fileno(), fds=[there.fileno()],
           fails="has this socket already")
    memtun("uplink", "add", "x", "bridge", "wire", "type", "fd", "fd", near.fileno(), fds=[near.fileno()],
           fails="the other end of the socket is the broker's own")
    near.send((struct.pack("!I", 60) if kind == socket.SOCK_STREAM else b"") + frame(1))
    assert far.recv(2000) == frame(1)
    assert there.getblocking() and not fcntl.fcntl(there, fcntl.F_GETFL) & os.O_NONBLOCK
    # SIGIO, which the client has the kernel send to the broker, does not end it.
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.connect(os.environ["MEMTUN_SOCKET"])
    broker, _, _ = struct.unpack("3i", control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    control.close()
    fcntl.fcntl(there, fcntl.F_SETOWN, broker)
    fcntl.fcntl(there, fcntl.F_SETFL, fcntl.fcntl(there, fcntl.F_GETFL) | os.O_ASYNC)
    near.send((struct.pack("!I", 60) if kind == socket.SOCK_STREAM else b"") + frame(4))
    assert far.recv(2000) == frame(4)
    there.close(), here.close(), near.close(), far.close()
    memtun("wait", "far", "down")
    memtun("wait", "near", "down")
if sys.argv[1] == "sockets":
    sys.exit()

# Devices: with packet information, with vnet headers of 12 bytes, without offloads.
for number, flags in enumerate((TAP, TAP | NO_PI | VNET_HDR, TAP | NO_PI)):
    name = b"dev%d" % number
    fd = device(name, flags)
    if flags & VNET_HDR:
        fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", 12))
    pi = [] if flags & NO_PI else ["pi"]
    memtun("uplink", "add", "device", "bridge", "wire", "type", "fd", "fd", fd, *pi, fds=[fd])
    # O_NONBLOCK belongs to the open file, so the client can clear it for the broker, too.
    fcntl.fcntl(fd, fcntl.F_SETFL, 0)
    far, here = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    memtun("uplink", "add", "far", "bridge", "wire", "type", "fd", "fd", here.fileno(), fds=[here.fileno()])
    # A copy is refused where the kernel tells that it is one.
    memtun("uplink", "add", "x", "bridge", "other", "type", "fd", "fd", fd, fds=[fd], fails="already")
    subprocess.run(["ip", "link", "set", name.decode(), "up"], check=True)
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    packets.bind((name.decode(), 0))
    packets.send(frame(2))
    while far.recv(2000) != frame(2):
        pass  # what the kernel sends by itself
    far.send(frame(3))
    while packets.recv(2000) != frame(3):
        pass
    nonblocking = not os.get_blocking(fd)
    assert nonblocking == (sys.argv[1] == "polled-devices"), nonblocking
    memtun("uplink", "del", "device"), memtun("uplink", "del", "far")
    os.close(fd), packets.close()

# What is refused.
fd = device(b"queues", TAP | NO_PI | MULTI)
fcntl.ioctl(fd, TUNSETQUEUE, struct.pack("16sH22x", b"", DETACH))
memtun("uplink", "add", "x", "bridge", "wire", "type", "fd", "fd", fd, fds=[fd], fails="detached from 'queues'")
os.close(fd)
fd = device(b"lies", TAP | NO_PI)
memtun("uplink", "add", "x", "bridge", "wire", "type", "fd", "mode", "tun", "fd", fd, fds=[fd],
       fails="'lies' is a TAP interface")
os.close(fd)
fd = os.open("/dev/net/tun", os.O_RDWR)
memtun("uplink", "add", "x", "bridge", "wire", "type", "fd", "fd", fd, fds=[fd], fails="TUNSETIFF")
os.close(fd)
listener = socket.socket(socket.AF_INET)
listener.listen()
fd = listener.fileno()
memtun("uplink", "add", "x", "bridge", "wire", "type", "fd", "fd", fd, fds=[fd], fails="a socket of IPv4")
memtun("uplink", "add", "x", "bridge", "wire", "type", "fd", "fd", 77, fails="usage: descriptor 77 is not open")
memtun("uplink", "add", "x", "bridge", "wire", "type", "fd", fails="usage: needs fd")
memtun("uplink", "add", "x", "bridge", "wire", "type", "device", "fd", fd, fds=[fd], fails="usage: takes no fd")
memtun("uplink", "add", "x", "bridge", "wire", "type", "device", "pi", fails="usage: takes no pi")
memtun("uplink", "add", "x", "bridge", "wire", "type", "bess", "path", "/x", "pid", 1, fails="usage: for the types")
memtun("uplink", "add", "x", "bridge", "wire", "type", "fd", "fd", fd, "pid", 1, "until", fd, fds=[fd],
       fails="usage: not both")
memtun("uplink", "add", "x", "bridge", "wire", "type", "fd", "fd", fd, "fd", fd, fds=[fd], fails="usage: twice")
memtun("uplink", "add", "x", "bridge", "wire", "type", "device", "pid", 4194304, fails="No such process")
EOF
container
rm -f "$scratch/inside"
mkfifo "$scratch/inside"
inside $container "$python" "$scratch/hand-in.py" far-sockets >"$scratch/inside" &
far=$!
started="$started $far"
read -r _ <"$scratch/inside" || fail "it cannot hand in a socket of another network namespace"
# Here the end of a DGRAM socket is seen when the broker looks for dead ones, once a second.
ends_with 0 "$python" "$scratch/hand-in.py" sockets
is "$(uplink_value far-dgram state)" up "the DGRAM socket of another network namespace"
ends_with 0 "$python" -c '
import socket, subprocess
near, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
fd = there.fileno()
subprocess.run(["memtun", "uplink", "add", "sends", "bridge", "far", "type", "fd", "fd", str(fd)], pass_fds=[fd], check=True)
near.send(b"\xff" * 6 + bytes([2, 0, 0, 0, 0, 9]) + b"\x88\xb5" + bytes([9]) * 46)'
wait $far || fail "no frame came to the DGRAM socket of another network namespace"
ends_with 0 inside $container "$python" "$scratch/hand-in.py" devices
ok "devices with each header and sockets of each type are ports, and the rest is refused by name"

# --- a kernel without RWF_NOWAIT for devices, imitated by a seccomp filter ---

forbid=$top_builddir/tests/system/forbid
if [ -x "$forbid" ]; then
	cp "$forbid" "$scratch/bin"
	$as_user forbid preadv2 95 forbid pwritev2 95 memtund --socket "$scratch/home/older" \
		--ready-fd 3 3>"$scratch/ready" 2>"$scratch/older-log" &
	started="$started $!"
	read -r _ <"$scratch/ready" || fail "memtund did not start without RWF_NOWAIT"
	ends_with 0 inside $container env MEMTUN_SOCKET="$scratch/home/older" "$python" "$scratch/hand-in.py" polled-devices
	ok "devices are ports on a kernel that has no RWF_NOWAIT for them"
else
	echo "not tested: a kernel without RWF_NOWAIT, because this is built without libseccomp"
fi

ends_with 0 "$python" -c '
import os, socket, subprocess
near, there = socket.socketpair()
read, write = os.pipe()
subprocess.run(["memtun", "uplink", "add", "piped", "bridge", "lab", "type", "fd", "fd", str(there.fileno()),
    "until", str(read)], pass_fds=[there.fileno(), read], check=True)
os.close(read), there.close()
os.write(write, b"unread")
subprocess.run(["memtun", "wait", "piped", "up"], check=True)
os.close(write)
assert near.recv(1) == b""'
uplink_told uplink-deleted piped
ok "the uplink goes with the end of a pipe"

# --- a client that is killed between the steps leaves nothing ---

ends_with 0 "$python" -c '
import array, os, signal, socket, struct, subprocess, sys
read, write = os.pipe()
child = os.fork()
if child == 0:
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.connect(os.environ["MEMTUN_SOCKET"])
    def ask(command, body=b""):
        control.send(struct.pack("=IHHII", 16 + len(body), command, 5, 1, 0) + body)
        return control.recvmsg(65536, socket.CMSG_SPACE(4))
    ask(0x10, struct.pack("=HHI", 8, 1, 1 << 16))
    for _ in range(16):
        _, messages, _, _ = ask(0x26)
        through = socket.socket(fileno=array.array("i", messages[0][2])[0])
        socket.send_fds(through, [b"\1"], [write])
        through.detach()
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
os.close(write)
assert os.read(read, 1) == b""'
is "$(memtun -j session show | tr -d ' \n' | grep -c '"hand-ins":[1-9]')" 0 "the hand-ins that are left"
ok "a killed client leaves nothing that it was about to hand in"

# --- QEMU ---

qemu=qemu-system-x86_64
if command -v $qemu >/dev/null && $qemu -netdev help 2>/dev/null | grep -qx stream &&
	[ -x "$scratch/bin/lwip-http-client" ]; then
	web_start
	cat >"$scratch/paired.py" <<'EOF'
"""Hand one end of a stream pair in, and execute the rest of the command line with the other as {fd}."""
import os, socket, subprocess, sys
near, there = socket.socketpair()
subprocess.run(["memtun", "uplink", "add", "qemu", "bridge", "guests", "type", "fd", "fd", str(there.fileno())],
               pass_fds=[there.fileno()], check=True)
near.set_inheritable(True)
os.execvp(sys.argv[1], [word.replace("{fd}", str(near.fileno())) for word in sys.argv[1:]])
EOF
	peer_start "$python" "$scratch/paired.py" $qemu -M none -display none -nodefaults -monitor none \
		-netdev user,id=u -netdev 'stream,id=m,server=off,addr.type=fd,addr.str={fd}' \
		-netdev hubport,hubid=0,id=p1,netdev=u -netdev hubport,hubid=0,id=p2,netdev=m
	fetch guest:bridge=guests address 10.0.2.100/24 "http://10.0.2.2:$web_port/data"
	uplink_carried qemu
	peer_stop KILL
	uplink_told uplink-deleted qemu
	ok "lwIP fetches through a QEMU whose stream socket was handed in, and the uplink goes with the QEMU"
else
	echo "not tested: QEMU, which has no -netdev stream here, or lwip-http-client is not built"
fi
kill -0 $broker || fail "the broker has ended"

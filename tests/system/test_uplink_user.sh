#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086 # words are meant
# Uplinks of type user: DHCP and TFTP, forwards, what restrict blocks, and the end of the program. In
# a network namespace, so that what goes out without restrict goes to its loopback only.
TEST_SECONDS=90
TEST_NAMESPACES=yes
TEST_NEEDS=user-uplinks
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
have_python || skip "no Python here"
ip link set lo up || skip "cannot bring the loopback interface up"
python=${PYTHON:-python3}

memtund_start "$scratch/home" memtund

run memtun uplink add out bridge lab type user restrict
is "$status" 0 "the status of uplink add"
is "$errors" "" "what uplink add says"
ends_with 0 memtun -j uplink show out
is "$(json 'd[0]["state"]')" up "its state when uplink add returns"
ends_with 0 memtun uplink del out
ok "uplink add returns when the program has started"

# refuses WHY WORD...
refuses() {
	why=$1
	shift
	ends_with 1 memtun uplink add bad bridge lab type user "$@"
	says "$why"
}
refuses "net takes a prefix from 8 to 26" net 10.0.0.0/30
refuses "net takes an IPv4 network" net fd00::/64
refuses "net6 takes a prefix of 64 bits" net6 fd00::/48
refuses "net6 takes an IPv6 network" net6 10.0.0.0/24
for forward in tcp tcp/127.0.0.1:80 "tcp/127.0.0.1:80/"; do
	refuses "forward" forward "$forward"
done
refuses "forward is of tcp or udp" forward sctp/127.0.0.1:80/10.0.2.15:80
refuses "is no address with a port" forward tcp/127.0.0.1/10.0.2.15:80
refuses "10.0.2.15 is not in the network 10.0.3.0/24" net 10.0.3.0/24 forward tcp/127.0.0.1:80/10.0.2.15:80
refuses "different families" forward "tcp/127.0.0.1:80/[fec0::15]:80"
refuses "tftp takes an absolute path" tftp tftp
refuses "No such file" tftp "$scratch/none"
refuses "takes no path" path /tmp
ok "wrong options are refused with the reason"

# --- forwards, and what goes out ---

[ -x "$scratch/bin/memtun-host" ] || skip "memtun-host is not built (Debian: liblwip-dev)"
cat >"$scratch/talk.py" <<'END'
import socket
import sys

kind, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if kind.endswith("6") else socket.AF_INET
host = "::1" if kind.endswith("6") else "127.0.0.1"
with socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as s:
    s.settimeout(10)
    s.connect((host, port))
    s.sendall(b"echo")
    print(s.recv(10).decode())
END
memtun host gw bridge lab address 10.0.2.100/24 gateway 10.0.2.2 address fec0::64/64 &
host=$!
started="$started $host"
ends_with 0 memtun wait gw open --timeout 20
forwards="tcp/127.0.0.1:8080/10.0.2.100:7+udp/127.0.0.1:8081/10.0.2.100:7"
# Longer than other strings of the protocol, which have at most 107 bytes.
forwards="$forwards+tcp/127.0.0.1:8083/10.0.2.100:7+tcp/127.0.0.1:8084/10.0.2.100:7"
talks="tcp,8080 udp,8081 tcp,8083 tcp,8084"
# Where the kernel has IPv6.
if "$python" -c 'import socket; socket.create_server(("::1", 8082), family=socket.AF_INET6)' \
	2>/dev/null; then
	forwards="$forwards+tcp/[::1]:8082/[fec0::64]:7"
	talks="$talks tcp6,8082"
fi
ends_with 0 memtun uplink add out bridge lab type user forward "$forwards"
ends_with 0 memtun wait out up --timeout 20
for talk in $talks; do
	ends_with 0 "$python" "$scratch/talk.py" "${talk%,*}" "${talk#*,}"
	is "$output" echo "what came back by $talk"
done
ends_with 0 memtun ping lab 10.0.2.2 -c 1 --from 10.0.2.50/24
ends_with 0 memtun ping lab fec0::2 -c 1 --from fec0::50/64
ok "TCP and UDP are forwarded from the host's loopback, and the gateway answers ping"

ends_with 0 memtun uplink add second bridge two type user forward "tcp/127.0.0.1:8080/10.0.2.100:7"
says "uplink second is made, and not up yet: memtun-user: cannot listen on tcp 127.0.0.1:8080: Address already in use"
until_reason() {
	ends_with 0 memtun -j uplink show second
	case $output in
	*"cannot listen on tcp 127.0.0.1:8080: Address already in use"*) return 0 ;;
	esac
	return 1
}
turns_until until_reason
ends_with 0 memtun uplink del second
ok "a port that is in use is the reason why the uplink is down"

# program_pid: the memtun-user of the broker.
program_pid() {
	"$python" - "$broker" <<'END'
import os
import sys

for entry in os.listdir("/proc"):
    try:
        with open(f"/proc/{entry}/stat") as stat:
            text = stat.read()
    except OSError:
        continue
    name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
    if name == "memtun-user" and rest[1] == sys.argv[1] and rest[0] != "Z":
        print(entry)
END
}
pid=$(program_pid)
grep -q "^NoNewPrivs:.1" "/proc/$pid/status" || fail "it can gain privileges"
grep -q "^CapEff:.0*\$" "/proc/$pid/status" || fail "it has capabilities"
for fd in 0 1; do
	is "$(readlink "/proc/$pid/fd/$fd")" /dev/null "its descriptor $fd"
done
for fd in "/proc/$pid/fd"/*; do
	case ${fd##*/},$(readlink "$fd") in
	[012],* | *,socket:*) ;;
	*) fail "it has $(ls -l "$fd")" ;;
	esac
done
[ "$(awk '{ print $5 }' "/proc/$pid/stat")" = "$pid" ] || fail "it is in the process group of memtund"
ok "the program has no descriptor of memtund's, and a terminal's signals do not reach it"
kill -KILL "$pid"
connects() {
	ends_with 0 memtun -j uplink show out
	[ "$(json 'd[0]["connects"]')" = 2 ] && [ "$(json 'd[0]["state"]')" = up ]
}
turns_until connects
ends_with 0 "$python" "$scratch/talk.py" tcp 8080
ok "a program that was killed is started again"

# --- restrict ---

ends_with 0 memtun uplink del out
ends_with 0 memtun uplink add out bridge lab type user restrict \
	forward "tcp/127.0.0.1:8080/10.0.2.100:7"
ends_with 0 memtun wait out up --timeout 20
ends_with 0 "$python" "$scratch/talk.py" tcp 8080
is "$output" echo "what came back with restrict"
ok "with restrict a TCP forward still works"

cat >"$scratch/guest.py" <<'END'
"""As a guest of 10.0.2.0/24 on a tunnel's descriptor: connect to that port of the gateway, and print
what TCP answers: SYN or RST."""
import os
import select
import socket
import struct
import sys

fd, port = int(sys.argv[1]), int(sys.argv[2])
MAC, OWN, GATEWAY = b"\2\0\0\0\0\5", socket.inet_aton("10.0.2.70"), socket.inet_aton("10.0.2.2")


def checksum(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xffff) + (value >> 16)
    return value ^ 0xffff


def arp(kind, mac):
    return (mac + MAC + b"\x08\x06\0\1\x08\0\6\4" + struct.pack("!H", kind) + MAC + OWN +
            (mac if kind == 2 else bytes(6)) + GATEWAY)


def until(limit, wanted):
    while select.select([fd], [], [], limit)[0]:
        frame = os.read(fd, 65536)
        if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\1" and frame[38:42] == OWN:
            os.write(fd, arp(2, frame[6:12]))
        if wanted(frame):
            return frame
    return None


os.write(fd, arp(1, b"\xff" * 6))
gateway = until(10, lambda f: f[12:14] == b"\x08\x06" and f[20:22] == b"\0\2")[6:12]
tcp = struct.pack("!HHIIBBHHH", 4000, port, 1, 0, 0x50, 2, 8192, 0, 0)
sum_ = checksum(OWN + GATEWAY + struct.pack("!HH", 6, len(tcp)) + tcp)
tcp = tcp[:16] + struct.pack("!H", sum_) + tcp[18:]
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, OWN, GATEWAY)
ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
os.write(fd, gateway + MAC + b"\x08\0" + ip + tcp)
reply = until(2, lambda f: f[12:14] == b"\x08\0" and f[23] == 6)
print("silence" if reply is None else "SYN" if reply[47] & 2 else "RST")
END
cat >"$scratch/serve.py" <<'END'
import socket
import sys

server = socket.create_server(("127.0.0.1", 8090))
sys.stdout.close()
while True:
    server.accept()
END
"$python" "$scratch/serve.py" >"$scratch/serving" &
started="$started $!"
serves() {
	"$python" -c 'import socket; socket.create_connection(("127.0.0.1", 8090))' 2>/dev/null
}
turns_until serves
ends_with 0 memtun exec -t guest:bridge=lab -- "$python" "$scratch/guest.py" 3 8090
case $output in
silence | RST) ;;
*) fail "with restrict a guest gets $output" ;;
esac
ends_with 0 memtun uplink del out
ends_with 0 memtun uplink add out bridge lab type user
ends_with 0 memtun wait out up --timeout 20
ends_with 0 memtun exec -t guest:bridge=lab -- "$python" "$scratch/guest.py" 3 8090
is "$output" SYN "what a guest gets without restrict"
ok "restrict keeps a guest from the host, which it reaches otherwise"

kill "$host"
kill "$broker"
wait "$broker"
gone() {
	[ -z "$(program_pid)" ] && ! kill -0 "$pid" 2>/dev/null
}
turns_until gone
ok "the program ends with the broker"

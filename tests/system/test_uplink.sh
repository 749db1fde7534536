#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2086,SC3045 # words and scripts in quotes are meant
# Uplinks from the command line: add, show, monitor, wait and capture. The uplinks here are multicast
# LANs on 127.0.0.1. Each type of uplink has a test of its own for the frames that it carries.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

have_python || skip "no Python here to read JSON with"

# A random port, because another process with the same port would receive the frames.
port=$((20000 + $$ % 20000))
lan="bridge lab type mcast group 230.0.0.1 port $port"

# --- usage ---

for wrong in "uplink grow" "uplink add" "uplink del" "uplink show a b" \
	"uplink add lan type token-ring" "uplink add lan bridge" "uplink add lan port 0" \
	"uplink add lan port 65536" "uplink add lan ttl 256" "uplink add lan vni 16777216" \
	"uplink add lan colour green" "uplink add lan name a/b" "uplink show --dot" \
	"wait lan" "wait lan sideways"; do
	ends_with 2 memtun $wrong
	is "$output" "" "what 'memtun $wrong' prints"
	says "memtun: "
done
ends_with 2 memtun uplink add lan port 65536
says "port 65536 is not from 1 to 65535"
ends_with 2 memtun uplink add lan type token-ring
says "type is one of mcast, kernel, vde, bess, stream, dgram, udp, vxlan, fd, device, user, not 'token-ring'"
for command in "uplink add lan $lan" "uplink del lan" "-j uplink show" "-j uplink" "wait lan up"; do
	ends_with 3 memtun --socket "$scratch/none" $command
	says "no broker listens there"
done
ok "usage errors exit with 2 and say what is wrong"

# --- refusals ---

broker_start
while IFS='|' read -r options words; do
	ends_with 1 memtun uplink add bad $options
	says "$words"
done <<END
type mcast group 230.0.0.1 port $port|needs bridge
bridge lab group 230.0.0.1 port $port|needs type
bridge lab type mcast group 230.0.0.1|an uplink of type mcast needs port
bridge lab type mcast port $port|an uplink of type mcast needs group
$lan path /tmp|an uplink of type mcast takes no path
$lan name tap0|an uplink of type mcast takes no device
$lan peer x|uplink add takes no peer
bridge lab type mcast group 10.0.0.1 port $port|group 10.0.0.1 is no multicast address
bridge lab type mcast group lan port $port|group
$lan ifaddr nowhere|ifaddr
$lan ifaddr 203.0.113.9|cannot join 230.0.0.1 on 203.0.113.9: 
$lan mtu 65535|carries packets of
nobridge type mcast group 230.0.0.1 port $port|an uplink needs a bridge
END
ends_with 1 memtun uplink add 'lan%d' $lan
says "an uplink's name has no %d"
ends_with 0 memtun -j bridge show
is "$output" "[]" "the bridges that refused uplinks leave"
for command in "uplink del none" "-j uplink show none"; do
	ends_with 1 memtun $command
	says "there is no uplink 'none'"
done
ok "a wrong key or value of an uplink is refused by its name"

# --- add, show, del ---

if part_needs tables; then
	ends_with 0 memtun uplink show
	is "$output" "" "the table of no uplinks"
fi
ends_with 0 memtun -j uplink show
is "$output" "[]" "what memtun -j uplink show prints of nothing"
ends_with 0 memtun uplink add lan $lan ttl 0 mtu 1400
is "$output$errors" "" "what memtun uplink add prints"
ends_with 0 memtun uplink add far bridge other type mcast group 230.0.0.1 port $port
ends_with 1 memtun uplink add lan $lan
says "lan"
ends_with 1 memtun add lan
says "lan"
if part_needs tables; then
	ends_with 0 memtun uplink show
	is "$(tr -s ' ' <"$scratch/output" | sed 's/ $//')" "NAME TYPE BRIDGE STATE JOINED-TO REASON
lan mcast lab up 230.0.0.1 port $port
far mcast other up 230.0.0.1 port $port" "the table"
fi
ends_with 0 memtun uplink set far vlan 9
if part_needs tables; then
	ends_with 0 memtun uplink show
	is "$(tr -s ' ' <"$scratch/output" | sed 's/ $//')" "NAME TYPE BRIDGE VLAN STATE JOINED-TO REASON
lan mcast lab up 230.0.0.1 port $port
far mcast other 9 up 230.0.0.1 port $port" "the table with a VLAN"
fi
ends_with 0 memtun uplink set far vlan 0
ends_with 0 memtun -j uplink show lan
is "$(json 'd[0]["name"], d[0]["type"], d[0]["bridge"], d[0]["state"], d[0]["group"], d[0]["port"],
	d[0]["ttl"], d[0]["mtu"], d[0]["mode"], d[0]["connects"], d[0]["owner"], "reason" in d[0]')" \
	"lan mcast lab up 230.0.0.1 $port 0 1400 tap 1 $(id -u) False" "lan in JSON"
is "$(json '[k for k in d[0] if "-client-" in k]')" "[]" "counters that nobody asked for"
ok "an uplink is made and shown"

# One uplink sends the frame to the LAN, and the other receives it.
frame=ffffffffffff02000000000188b5000000000000000000000000
ends_with 0 memtun add pc bridge lab
ends_with 0 memtun add sink bridge other mtu 68
arrived() {
	[ "$(memtun -j -s uplink show far | "${PYTHON:-python3}" -c 'import json, sys
print(json.load(sys.stdin)[0]["from-client-frames"])')" = "$1" ]
}
expect=
if part_needs filters; then
	memtun expect far --timeout 30 --ready-fd 3 'ether proto 0x88b5' 3>"$scratch/ready" \
		>"$scratch/expected" &
	expect=$!
	started="$started $expect"
	read -r _ <"$scratch/ready"
fi
ends_with 0 memtun inject pc --as-client --hex $frame
if [ -n "$expect" ]; then
	wait "$expect"
	is $? 0 "the status of expect on an uplink"
	has "$(cat "$scratch/expected")" "$frame"
fi
turns_until arrived 1
ends_with 1 memtun inject far --hex $frame
says "there is no tunnel 'far'"
if part_needs tables; then
	ends_with 0 memtun -s uplink show far
	is "$(tr -s ' ' <"$scratch/output" | sed 's/ $//')" "NAME FROM-CLIENT-FRAMES FROM-CLIENT-BYTES \
TO-CLIENT-FRAMES TO-CLIENT-BYTES TO-CLIENT-QUEUED
far 1 26 0 0 0" "the table of counters"
fi
"${PYTHON:-python3}" -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
s.sendto(b"short", ("230.0.0.1", int(sys.argv[1])))' "$port" || fail "no datagram sent"
dropped() {
	memtun -j -s uplink show far | grep -q '"from-client-dropped-runt": *1,*$'
}
turns_until dropped
if part_needs tables; then
	ends_with 0 memtun -s uplink show far
	has "$output" "far: from-client-dropped-runt 1"
fi
ok "an uplink's counters, and its drops by reason"

# --- down ---

ends_with 1 memtun add wrong vlan 5000
says "vlan is 1 to 4094, or 0 for none"

# A path without a listener, with all kinds of characters that a path may contain.
path="$scratch/a \"b\\c"
run memtun uplink add weak bridge lab type bess path "$path"
case $errors in
*"built without"*) weak= ;;
*)
	weak=yes
	is "$status" 0 "the status of an uplink that is down"
	is "$output" "" "what memtun uplink add prints of one that is down"
	says "memtun: uplink weak is made, and not up yet: "
	has "$errors" "No such file"
	ends_with 0 memtun -j uplink show weak
	is "$(json 'd[0]["state"], d[0]["connects"], "No such file" in d[0]["reason"], d[0]["path"]')" \
		"down 0 True $path" "weak in JSON"
	if part_needs tables; then
		ends_with 0 memtun uplink show weak
		has "$output" "$(printf '%s\n' "$path" | sed 's/\\/\\\\/')"
		has "$output" "No such file"
	fi
	ends_with 0 memtun uplink del weak
	# A path is relative to the working directory of the command, not of the broker.
	mkdir "$scratch/here"
	run sh -c 'cd "$1" && memtun uplink add weak bridge lab type bess path peer' - "$scratch/here"
	is "$status" 0 "the status of an uplink with a relative path"
	[ "$(memtun -j uplink show weak | "${PYTHON:-python3}" -c 'import json, sys
print(json.load(sys.stdin)[0]["path"])')" = "$scratch/here/peer" ] || fail "path of weak"
	ends_with 0 memtun uplink del weak
	run memtun uplink add weak bridge lab type bess path @abstract
	ends_with 0 memtun -j uplink show weak
	is "$(json 'd[0]["path"]')" "@abstract" "an abstract name"
	ends_with 0 memtun uplink del weak
	long=$(printf '%0100d' 0)
	run sh -c 'cd "$1" && memtun uplink add weak bridge lab type bess path $2' - "$scratch/here" "$long"
	is "$status" 2 "the status of too long a path"
	says "path is from 1 to 107 bytes long"
	;;
esac
[ -z "$weak" ] || ok "an uplink whose other side isn't there is made, and that it is down is said"

# --- events, and waiting ---

watches "$scratch/events" memtun -j monitor
watches "$scratch/lines" memtun monitor
memtun wait late up --timeout 30 &
waiting=$!
started="$started $waiting"
ends_with 124 memtun wait late up --timeout 0
says "late is not up in that time"
ends_with 0 memtun uplink add down bridge lab type dgram path "$scratch/nobody"
ends_with 124 memtun wait down up --timeout 0
says "down is not up in that time: no program has sent to $scratch/nobody yet"
ends_with 0 memtun uplink del down
ends_with 1 memtun uplink add down bridge lab type dgram path "$scratch/none/nobody"
says "cannot bind $scratch/none/nobody: No such file or directory"
ends_with 1 memtun uplink add down bridge lab type dgram path "$scratch/nobody" remote "$scratch/events"
says "cannot join $scratch/events: Socket operation on non-socket"
[ ! -e "$scratch/nobody" ] || fail "$scratch/nobody was left behind"
ends_with 0 memtun add both
ends_with 1 memtun wait both up
says "'both' is a tunnel, which is open, closed or drained"
ends_with 1 memtun wait both down --timeout 0
ends_with 0 memtun del both
for state in open closed drained; do
	ends_with 1 memtun wait lan $state --timeout 0
	says "'lan' is an uplink, which is up or down"
done
ends_with 0 memtun wait late down --timeout 0
ends_with 0 memtun uplink del lan
ends_with 0 memtun uplink add late $lan
wait "$waiting"
is $? 0 "the status of a wait that was over"
ends_with 0 memtun wait late up --timeout 0
ends_with 124 memtun wait late down --timeout 0
memtun wait late down --timeout 30 &
waiting=$!
started="$started $waiting"
ends_with 0 memtun uplink del late
wait "$waiting"
is $? 0 "the status of a wait for one that went"
turns_until grep -q 'uplink-deleted' "$scratch/events"
turns_until grep -q 'uplink-deleted' "$scratch/lines"
ends_with 0 memtun uplink add lan $lan ttl 0
"${PYTHON:-python3}" - "$scratch/events" "$port" <<'END' || fail "events: $(cat "$scratch/events")"
import json, sys
mine = [e for e in map(json.loads, open(sys.argv[1])) if e["name"] == "late"]
assert [e["event"] for e in mine] == ["uplink-added", "uplink-deleted"], mine
assert (mine[0]["state"], mine[1]["state"]) == ("up", "down"), mine
assert mine[0]["type"] == "mcast" and mine[0]["port"] == int(sys.argv[2]), mine
END
has "$(cat "$scratch/lines")" " uplink-added late tap bridge lab type mcast 230.0.0.1 port $port"
ok "monitor prints events of uplinks, and wait waits for them"

# --- captures ---

part_needs filters || exit 0

# Prints the link types of a pcapng file's interfaces by name, and those of its frames.
link_types() {
	"${PYTHON:-python3}" - "$1" <<'END'
import struct, sys
data = open(sys.argv[1], "rb").read()
links, frames = [], []
while data:
    kind, length = struct.unpack_from("=II", data)
    body = data[8:length - 4]
    if kind == 1:
        link, = struct.unpack_from("=H", body)
        code, size = struct.unpack_from("=HH", body, 8)
        assert code == 2, "the first option is the name"
        links.append((body[12:12 + size].decode().rstrip("\0"), link))
    elif kind == 6:
        interface, _, _, captured = struct.unpack_from("=IIIII", body)[:4]
        frames.append((*links[interface], captured))
    data = data[length:]
print(*(f"{name}:{link}" for name, link in links), "|",
      *(f"{name}:{link}:{size}" for name, link, size in frames))
END
}

# capture_of NAME FRAMES COMMAND...: captures this number of frames while the command runs.
capture_of() {
	name=$1
	frames=$2
	shift 2
	memtun capture -w "$scratch/file.pcapng" -c "$frames" --ready-fd 3 "$name" ip or ether proto 0x88b5 \
		3>"$scratch/ready" 2>/dev/null &
	capture=$!
	started="$started $capture"
	read -r _ <"$scratch/ready"
	"$@"
	wait "$capture"
	is $? 0 "the status of a capture of $name"
	link_types "$scratch/file.pcapng"
}

is "$(capture_of lan 1 memtun inject pc --as-client --hex $frame)" "lan:1 | lan:1:26" \
	"the capture of an uplink"
ends_with 0 memtun del pc
ends_with 0 memtun uplink del lan
# An IPv4 header of 20 bytes, from 10.0.0.1 to 255.255.255.255.
packet=45000014000000004011706a0a000001ffffffff
ends_with 0 memtun add vpn mode tun bridge net
ends_with 0 memtun add vpn2 mode tun bridge net
is "$(capture_of net 2 memtun inject vpn --as-client --hex $packet)" \
	"vpn:101 vpn2:101 | vpn:101:20 vpn2:101:20" "the capture of a bridge of TUNs"
becomes_ethernet() {
	memtun inject vpn --as-client --hex $packet
	memtun add pc bridge net
	memtun inject vpn --as-client --hex $packet
}
is "$(capture_of net 5 becomes_ethernet)" "vpn:101 vpn2:101 vpn:1 vpn2:1 pc:1 | \
vpn:101:20 vpn2:101:20 vpn:1:34 vpn2:1:34 pc:1:34" "the capture of one that becomes one of Ethernet"
is "$(capture_of net 1 memtun inject vpn --as-client --hex $packet)" \
	"vpn:1 vpn2:1 pc:1 | vpn:1:34" "the capture of a bridge of Ethernet that TUNs are on"
is "$(capture_of vpn 1 memtun inject vpn --as-client --hex $packet)" "vpn:101 | vpn:101:20" \
	"the capture of a TUN there"
ok "captures of uplinks, and of bridges in both modes"

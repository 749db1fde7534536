#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2086,SC2116,SC3045 # words are meant; the program's shell expands
# memtun netns: what the program finds in its namespace, how it ends, and that nothing is left.
TEST_SECONDS=90
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/netns.sh" || exit 1
have_python || skip "no Python here to read JSON with"

netns_broker_start

# --- the interface ---

ends_with 0 $in_netns -t eth7:bridge=lab,address=10.0.0.2/24+fd00::2/64,gateway=10.0.0.1+fe80::1,mtu=1400 -- \
	ip -j addr
is "$(json 'len(d), d[0]["ifname"], "UP" in d[0]["flags"], d[1]["ifname"], d[1]["mtu"],
	"UP" in d[1]["flags"], d[1]["link_type"], d[1]["address"]')" \
	"2 lo True eth7 1400 True ether 02:00:0a:00:00:02" "the interfaces"
is "$(json 'sorted(a["local"] + "/" + str(a["prefixlen"]) for a in d[1]["addr_info"])')" \
	"['10.0.0.2/24', 'fd00::2/64', 'fe80::aff:fe00:2/64']" "the addresses"
is "$(json '[a["local"] for a in d[1]["addr_info"] if a.get("tentative")]')" "[]" \
	"the addresses that duplicate address detection holds back"
is "$errors" "" "what memtun says itself"
ok "the interface is up, with its name, mtu, MAC address and addresses, and lo is up"

ends_with 0 $in_netns -t c:bridge=lab,address=10.0.0.2/24+fd00::2/64,gateway=10.0.0.1+fe80::1 -- \
	sh -c 'ip -4 route show default; ip -6 route show default'
has "$output" "default via 10.0.0.1 dev c"
has "$output" "default via fe80::1 dev c"
ok "a gateway is a default route"

ends_with 0 $in_netns -t u:bridge=ip,mode=tun,address=10.8.0.2/24 -- ip -j addr show u
is "$(json 'd[0]["link_type"], "POINTOPOINT" in d[0]["flags"], d[0]["addr_info"][0]["local"]')" \
	"none True 10.8.0.2" "the TUN"
ends_with 0 $in_netns -t a:bridge=lab,mac=02:00:00:00:00:aB -t b:bridge=lab -t b2:bridge=other -- ip -j link
is "$(json '[l["ifname"] for l in d], d[1]["address"]')" \
	"['lo', 'a', 'b', 'b2'] 02:00:00:00:00:ab" "several interfaces"
mac=$(json 'd[2]["address"], d[3]["address"]')
ends_with 0 $in_netns -t b:bridge=lab -t b2:bridge=other -- ip -j link
is "$(json 'd[1]["address"], d[2]["address"]')" "$mac" "the MAC addresses of the second time"
is "$(json 'd[1]["address"] != d[2]["address"]')" True "that they differ"
ok "there may be several, a TUN too; without an IPv4 address the MAC address is the same each time"

# --- the program ---

ends_with 7 $in_netns -t c:bridge=lab -- sh -c 'exit 7'
ends_with 143 $in_netns -t c:bridge=lab -- sh -c 'kill $$'
ends_with 127 $in_netns -t c:bridge=lab -- "$scratch/none"
says "cannot run $scratch/none: No such file or directory"
ends_with 126 $in_netns -t c:bridge=lab -- "$scratch"
ends_with 0 $in_netns -t c:bridge=lab sh -c 'echo $$; exec 3</proc/self/status; ls /proc/self/fd | wc -l'
ends_with 0 env -i $as_user "$scratch/bin/memtun" --socket "$MEMTUN_SOCKET" netns -t c:bridge=lab /bin/sh -c 'echo $0' name
is "$output" name "the argument of the program"
ok "exit status and signals are the program's own"

descriptors='for fd in /proc/$$/fd/*; do echo "${fd##*/} $(readlink "$fd")"; done'
ends_with 0 $as_user sh -c "$descriptors"
outside=$(echo "$output" | sed 's/pipe:.*//')
ends_with 0 $in_netns -t c:bridge=lab -- sh -c "$descriptors"
is "$(echo "$output" | sed 's/pipe:.*//')" "$outside" "the program's descriptors"
ok "the program inherits no descriptor of memtun"

me=$($as_user id -u):$($as_user id -g)
ends_with 0 $in_netns -t c:bridge=lab -- sh -c 'id -u; id -g; sed -n "s/^CapAmb:.//p" /proc/self/status
	cat /proc/sys/net/ipv4/ping_group_range'
is "$(echo $output)" "${me%:*} ${me#*:} 0000000000003400 ${me#*:} ${me#*:}" "the user and its rights"
ends_with 0 $in_netns -t c:bridge=lab -- ip addr add 10.9.9.9/32 dev lo
ends_with 0 $in_netns -t c:bridge=lab,address=10.0.0.2/24 -- "${PYTHON:-python3}" -c '
import socket
socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
socket.create_server(("10.0.0.2", 80))'
ends_with 0 $in_netns --map-root -t c:bridge=lab -- sh -c 'id -u; id -g; ip addr add 10.9.9.9/32 dev lo'
is "$(echo $output)" "0 0" "the mapped user"
ok "the user stays itself or is root, and may set up the network"

ends_with 0 memtun netns -t c:bridge=lab,address=10.0.0.2/24 -- sh -c 'id -u; ip addr show c'
has "$output" "$(id -u)
*10.0.0.2/24"
ok "whoever runs this test has it as well"

# --- a second program ---

hears ready $in_netns -t c:bridge=lab,address=10.0.0.2/24 -- \
	sh -c 'echo ready; exec cat "$1"' sh "$scratch/ready"
ends_with 0 memtun -j uplink show c
pid=$(json 'd[0]["pid"]')
ends_with 0 $as_user nsenter --preserve-credentials -U -n -t "$pid" sh -c 'id -u; ip addr show c'
has "$output" "${me%:*}
*10.0.0.2/24"
stops
hears ready $in_netns --map-root -t c:bridge=lab,address=10.0.0.2/24 -- \
	sh -c 'echo ready; exec cat "$1"' sh "$scratch/ready"
ends_with 0 memtun -j uplink show c
pid=$(json 'd[0]["pid"]')
ends_with 0 $as_user nsenter --preserve-credentials -U -n -t "$pid" ip link set c mtu 1400
stops
ok "nsenter runs a second program in the namespace, as the same user, or as its root with capabilities"

# --- name servers ---

if [ -e /etc/resolv.conf ]; then
	before=$(cat /etc/resolv.conf)
	ends_with 0 $in_netns -t c:bridge=lab,dns=10.0.0.53+fd00::53 -t d:bridge=lab,dns=10.0.0.54 -- \
		sh -c 'cat /etc/resolv.conf; ls /tmp >/dev/null'
	is "$output" "nameserver 10.0.0.53
nameserver fd00::53
nameserver 10.0.0.54" "the resolv.conf"
	is "$(cat /etc/resolv.conf)" "$before" "the system's resolv.conf"
	ends_with 0 $in_netns -t c:bridge=lab -- readlink /proc/self/ns/mnt
	is "$output" "$(readlink /proc/self/ns/mnt)" "the mount namespace without dns"
	ok "dns gives the program a resolv.conf of its own, and only then a mount namespace"
else
	echo "not tested: dns, as there is no /etc/resolv.conf"
fi

# --- the port ---

overflow=$(cat /proc/sys/kernel/overflowuid)
if [ "${me%:*}" != "$overflow" ]; then
	ends_with 0 $in_netns -t 'n%d:bridge=lab,queue=77,overflow=drop-head' -t 'n%d:bridge=lab' -- sh -c '
		echo $$ >&2
		memtun -j uplink show'
	is "$(json '[(p["name"], p["device"], p["bridge"], p["queue"], p["overflow"], p["pid"]) for p in d]')" \
		"[('n0', 'n0', 'lab', 77, 'drop-head', $errors), ('n1', 'n1', 'lab', 1000, 'drop-tail', $errors)]" \
		"the ports"
	ok "each interface is a port of the same name, which tells the program's process"

	ends_with 0 $in_netns -t 'n%d:bridge=lab' -- sh -c \
		'memtun netns -t "n%d:bridge=lab" -- sh -c "ip -j link; memtun netns --map-root -t z:bridge=lab id -u >&2"'
	is "$(json '[l["ifname"] for l in d]')" "['lo', 'n1']" "the interfaces of the inner namespace"
	is "$errors" 0 "the user of the innermost namespace"
	ok "memtun netns works inside of memtun netns"
else
	echo "not tested: memtun inside of the namespace, where it trusts no user $overflow"
fi

unset MEMTUN_SOCKET
ends_with 5 env -C "$scratch/home" $as_user env XDG_RUNTIME_DIR="$scratch/home" \
	memtun netns -t 'n%d:bridge=lab' -- sh -c 'ip link show n0 && exit 5'
has "$errors" "this command gets one of its own, whose bridges only it and the programs that it"
has "$errors" "start memtund first, or run all under 'memtund --'"
ok "without a broker, the program gets a private one"
MEMTUN_SOCKET=$scratch/home/control
export MEMTUN_SOCKET

# --- what is refused ---

# refuses TEXT SPEC
refuses() {
	ends_with 125 $in_netns -t "$2" -- true
	says "$1"
}
refuses "it needs a bridge" c
refuses "it needs a bridge" c:bridge=
refuses "there is no option 'pi' here" c:bridge=lab,pi
refuses "did you mean 'gateway'?" c:bridge=lab,gatewy=10.0.0.1
refuses "mac needs a value" c:bridge=lab,mac
refuses "is not one host's" c:bridge=lab,mac=01:00:00:00:00:01
refuses "is not one host's" c:bridge=lab,mac=02:00:00:00:00:01x
refuses "a TUN has no mac" c:bridge=lab,mode=tun,mac=02:00:00:00:00:01
refuses "is no IPv4 or IPv6 address" c:bridge=lab,dns=10.0.0
refuses "more than 3 servers" c:bridge=lab,dns=10.0.0.1+10.0.0.2+10.0.0.3+10.0.0.4
refuses "its prefix length" c:bridge=lab,address=10.0.0.1/33
refuses "gateway 10.0.1.1 is in no prefix" c:bridge=lab,address=10.0.0.1/24,gateway=10.0.1.1
refuses "bridge is given twice" c:bridge=lab,bridge=lab
refuses "dns is given twice" c:bridge=lab,dns=10.0.0.1,dns=10.0.0.2
refuses "mac is given twice" c:bridge=lab,mac=02:00:00:00:00:01,mac=02:00:00:00:00:01
refuses "options have commas between them" c:bridge=lab:address=10.0.0.1/24
refuses "an option is empty" c:bridge=lab,
refuses "options follow a colon" bridge=lab
refuses "longer than 15 bytes" a-name-of-16-bytes:bridge=lab
refuses "lo is the loopback interface" lo:bridge=lab
refuses "an mtu of at most 65521 for a TAP" c:bridge=lab,mtu=65522
refuses "mtu 1279 is too small for IPv6, which needs 1280" c:bridge=lab,mtu=1279,address=fd00::1/64
refuses "gateway 10.0.0.1 needs an address" c:bridge=lab,gateway=10.0.0.1
refuses "gateway 10.0.0.1 needs an address" c:bridge=lab,address=10.0.0.2+fd00::1/64,gateway=10.0.0.1
refuses "gateway has two of one family" c:bridge=lab,address=10.0.0.1/24,gateway=10.0.0.2+10.0.0.3
refuses "address 10.0.0.1 is given twice" c:bridge=lab,address=10.0.0.1/24+10.0.0.1/24
refuses "address needs a value" c:bridge=lab,address=
ends_with 125 $in_netns -t c:bridge=lab -t c:bridge=other -- true
says "-t c is given twice"
ends_with 0 $in_netns -t c:bridge=lab,mtu=65521 -t d:bridge=lab,mtu=1280,address=fd00::1/64 -- true
ends_with 125 $in_netns true
says "netns needs an interface"
ends_with 125 $in_netns -t c:bridge=lab
says "needs a PROGRAM"
ends_with 0 $as_user memtun add taken bridge lab
refuses "'taken' exists: it is a tunnel" taken:bridge=lab
ends_with 0 memtun del taken
turns_until no_port_is_left
ok "what is wrong is refused with its reason, and leaves no port"

# --- the end ---

# The limit counts network namespaces, also those that only a descriptor holds.
cat >"$scratch/limited.sh" <<'END'
echo 1 >/proc/sys/user/max_net_namespaces || exit 77
memtun netns -t one:bridge=lab -- sh -c 'echo $$ >"$1"; exec sleep 1000' sh "$1/pid" &
while [ ! -s "$1/pid" ]; do kill -0 $! || exit 1; done
memtun netns -t two:bridge=lab -- true 2>"$1/refusal" && exit 1
kill -9 "$(cat "$1/pid")"
wait
until memtun netns -t two:bridge=lab -- true 2>/dev/null; do :; done
END
$as_user mkdir "$scratch/home/limited"
run $as_user unshare -Ur sh "$scratch/limited.sh" "$scratch/home/limited"
if [ "$status" = 77 ]; then
	echo "not tested: the limit of network namespaces"
else
	is "$status" 0 "the status of the second namespace"
	has "$(cat "$scratch/home/limited/refusal")" "user.max_*_namespaces is reached"
	ok "a program that is killed leaves no namespace behind"
fi
turns_until no_port_is_left
case $(ls -l "/proc/$broker/fd") in
*/dev/net/tun*) fail "the broker has kept a device" ;;
esac
ok "nor a port or a descriptor in the broker"

hears ready $in_netns -t c:bridge=lab,address=10.0.0.2/24 -- sh -c \
	'echo ready; while ip link show c >/dev/null 2>&1; do :; done; echo the interface has gone; exec cat "$1"' \
	sh "$scratch/home/hold"
mkfifo "$scratch/home/hold"
kill -9 "$broker"
wait "$broker" 2>/dev/null
read -r heard <&7
is "$heard" "the interface has gone" "what the program sees of the broker's death"
stops
netns_broker_start
ok "a broker that is killed takes the interface with it, and the program goes on"

# --- many ---

rm "$scratch/home/hold"
mkfifo -m 666 "$scratch/home/hold"
: >"$scratch/errors"
count=0
pids=
while [ $count -lt 200 ]; do
	$in_netns -t "m%d:bridge=many,address=10.1.0.$((count + 1))/16" -- \
		cat "$scratch/home/hold" 2>>"$scratch/errors" &
	pids="$pids $!"
	count=$((count + 1))
done
started="$started $pids"
all_are_there() {
	[ "$(memtun -j uplink show | grep -c '"state": "up"')" = 200 ]
}
until all_are_there; do [ ! -s "$scratch/errors" ] || fail "one of 200 has failed"; done
ends_with 0 memtun -j uplink show
is "$(json 'len({p["pid"] for p in d}), sorted(int(p["name"][1:]) for p in d) == list(range(200))')" \
	"200 True" "how many there are"
: >"$scratch/home/hold"
for pid in $pids; do
	wait "$pid" || fail "one of 200 ended with $?"
done
until no_port_is_left; do :; done
ok "200 at once have a name each, and leave nothing"

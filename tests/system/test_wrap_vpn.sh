#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2086,SC3045 # words are meant
# Two of each VPN under memtun wrap, run by an ordinary user without capabilities: a host behind one
# pings a host behind the other. The VPNs configure their interfaces themselves. What is not
# installed is skipped with a message.
#
#	pc == bridge west == VPN ~~ loopback ~~ VPN == bridge east == far
#
# test_wrap_vpn_container.sh and test_wrap_vpn_container_root.sh run the same in a container.
TEST_SECONDS=150
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/wrap.sh"
# wireguard-go and wg have the directory /run/wireguard.
container_options="--tmpfs /run --dir /run/wireguard"
container_variant
notify_or_skip
rtnetlink_or_skip
word_size_or_skip
have_python || skip "no Python here to ping with"
[ -x "$scratch/bin/memtun-host" ] || skip "memtun-host is not built (Debian: liblwip-dev)"
command -v ip >/dev/null || skip "no ip here (Debian: iproute2)"
user_broker_start

# Two addresses of the loopback for this test only, as tests that run at the same time use the same
# ports.
own=$((($$ >> 16) % 32)).$((($$ >> 8) % 256)).$(($$ % 256))
west=127.$((64 + ${own%%.*})).${own#*.}
east=127.$((96 + ${own%%.*})).${own#*.}

# may PROGRAM PACKAGE: whether the program is here.
may() {
	command -v "$1" >/dev/null && return
	echo "skipped a part: no $1 here (Debian: $2)"
	return 1
}

# side_start SIDE WORD...: starts the words under memtun wrap on the bridge SIDE, in a directory of
# their own, as $SIDE_end. $prefix is a command that runs memtun wrap.
prefix=
west_end=
east_end=
side_start() {
	side=$1
	mkdir -p "$scratch/home/$side"
	[ -z "$as_user" ] || chown 1000:1000 "$scratch/home/$side"
	shift
	(cd "$scratch/home/$side" && exec $as_user $container $prefix memtun wrap --bridge $side -- \
		"$@") </dev/null >"$scratch/home/$side/output" 2>&1 &
	started="$started $!"
	eval ${side}_end=$!
}

# side_until SIDE COMMAND...: repeats the command until it succeeds, while the side runs, for at most
# 40 seconds.
side_until() {
	side=$1
	shift
	limit=$(($(date +%s) + 40))
	until "$@"; do
		[ "$(date +%s)" -lt $limit ] ||
			fail "it never came to: $*; $side: $(cat "$scratch/home/$side/output")"
		eval kill -0 \$${side}_end 2>/dev/null ||
			fail "$side has ended: $(cat "$scratch/home/$side/output")"
	done
}

# both_carry tun|tap [TEXT...]: a host behind the west end pings a host behind the east end, and the
# output of the west end comes to have the texts. Then ends the two, $west_end and $east_end.
both_carry() {
	host_start far$1 mode $1 bridge east address 10.0.0.1/24
	cp "$top_srcdir/tests/system/host_peer.py" "$scratch"
	run timeout 40 $as_user memtun exec -t pc$1:mode=$1,bridge=west -- "${PYTHON:-python3}" \
		"$scratch/host_peer.py" 3 $1 ping4
	[ "$status" = 0 ] || fail "no ping: $output; west: $(cat "$scratch/home/west/output")
		east: $(cat "$scratch/home/east/output")"
	shift
	for text in "$@"; do
		side_until west grep -qsF "$text" "$scratch/home/west/output"
	done
	kill $west_end $east_end
	wait $west_end $east_end 2>/dev/null
	kill $host
	wait $host 2>/dev/null
	rm -rf "$scratch/home/west" "$scratch/home/east"
}

# --- OpenVPN ---

if may openvpn openvpn; then
	ends_with 0 $as_user openvpn --genkey secret "$scratch/home/key"
	cat >"$scratch/home/shown" <<-'END'
		#!/bin/sh
		ip addr show dev "$dev"
		ip route show dev "$dev"
	END
	chmod 755 "$scratch/home/shown"
	# vpn_start SIDE LOCAL REMOTE TYPE IFCONFIG ROUTE [GATEWAY]
	vpn_start() {
		side_start $1 openvpn --local $2 --remote $3 --dev vpn$1 --dev-type $4 --ifconfig $5 \
			--cipher AES-256-CBC --secret ../key --port 11942 --route $6 255.255.0.0 \
			${7:+--route-gateway $7} --script-security 2 --route-up ../shown
	}
	# Each sees the other's interface, so the addresses and the routes differ, as on one host.
	vpn_start west $west $east tun "10.8.1.1 10.8.1.2" 10.21.0.0
	vpn_start east $east $west tun "10.8.2.1 10.8.2.2" 10.22.0.0
	both_carry tun "inet 10.8.1.1 peer 10.8.1.2/32" "10.21.0.0/16 via 10.8.1.2"
	vpn_start west $west $east tap "10.8.1.1 255.255.255.0" 10.21.0.0 10.8.1.2
	vpn_start east $east $west tap "10.8.2.1 255.255.255.0" 10.22.0.0 10.8.2.2
	both_carry tap "inet 10.8.1.1/24" "10.21.0.0/16 via 10.8.1.2"
	ok "two OpenVPN that set their addresses and routes carry ping, with tun and tap"

	# The example of the README, as written but for its addresses and its line of the prompt.
	sed -n '/^\$ cat vpn.sh$/,/^\$ memtund -- sh vpn.sh$/p' "$top_srcdir/README.md" |
		sed "1d;\$d;s/127\.0\.0\.1/$west/g;s/127\.0\.0\.2/$east/g" >"$scratch/home/vpn.sh"
	has "$(cat "$scratch/home/vpn.sh")" "--local $west"
	if [ -x "$scratch/bin/lwip-http-server" ]; then
		ends_with 0 sh -c 'cd "$1" && shift && exec "$@"' sh "$scratch/home" $as_user $container \
			memtund --socket example -- sh vpn.sh </dev/null
		has "$output" "GET /data: 200 OK, 16777216 bytes"
		has "$output" "checksum 069bb1ba14f0458a"
		ok "the example of the README transfers 16 MiB through two OpenVPN"
	else
		echo "skipped a part: the examples with lwIP are not built (Debian: liblwip-dev)"
	fi
fi

# --- wireguard-go, with wg and ip ---

# own_run_or_skipped: sets $prefix so that /run/wireguard is writable. In the user namespace that
# bwrap makes, memtun trusts no broker of the overflow user.
own_run_or_skipped() {
	$as_user $container test -w /run/wireguard && return
	prefix="bwrap --dev-bind / / --tmpfs /run --dir /run/wireguard --die-with-parent"
	if [ -z "$container" ] && $as_user $prefix test -w /run/wireguard 2>/dev/null &&
		[ "$($as_user id -u)" != "$(cat /proc/sys/kernel/overflowuid)" ]; then
		return
	fi
	echo "skipped a part: /run/wireguard is not writable, and bwrap gives this user no other /run"
	return 1
}
if may wireguard-go wireguard-go && may wg wireguard-tools && own_run_or_skipped; then
	cat >"$scratch/bin/wireguard" <<-'END'
		#!/bin/sh
		# wireguard NAME ADDRESS PEER-ADDRESS PEER-KEY [PEER-PORT]: ./key has its own key.
		configure() {
			until wg show "$1" >/dev/null 2>&1; do kill -0 $$ || exit 1; done
			wg set "$1" private-key key peer "$4" allowed-ips "$3/32" \
				${5:+persistent-keepalive 1 endpoint "127.0.0.1:$5"}
			ip addr add "$2/24" dev "$1" && ip link set "$1" mtu 1380 up
			until wg show "$1" listen-port | grep -v '^0$' >port.new; do
				kill -0 $$ || exit 1
			done
			ip addr show dev "$1"
			mv port.new port
		}
		configure "$@" &
		exec wireguard-go -f "$1"
	END
	chmod 755 "$scratch/bin/wireguard"
	for key in west east; do
		mkdir "$scratch/home/$key"
		wg genkey >"$scratch/home/$key/key" 2>"$scratch/errors" || fail "no key of wg"
		chmod 644 "$scratch/home/$key/key"
		wg pubkey <"$scratch/home/$key/key" >"$scratch/$key.pub"
	done
	side_start east wireguard wge$$ 10.0.0.1 10.0.0.2 "$(cat "$scratch/west.pub")"
	side_until east [ -e "$scratch/home/east/port" ]
	side_start west wireguard wgw$$ 10.0.0.2 10.0.0.1 "$(cat "$scratch/east.pub")" \
		"$(cat "$scratch/home/east/port")"
	both_carry tun "wgw$$: <POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP> mtu 1380" \
		"inet 10.0.0.2/24 scope global wgw$$"
	ok "two wireguard-go that wg and ip configure carry ping"
fi
prefix=

# --- tinc, with a script that runs ip ---

if may tincd tinc; then
	# tinc_make SIDE LOCAL ADDRESS
	tinc_make() {
		mkdir -p "$scratch/home/$1/hosts"
		printf 'Name = %s\nInterface = tinc%s\nBindToAddress = %s 14655\nAddressFamily = ipv4\n' \
			$1 $1 $2 >"$scratch/home/$1/tinc.conf"
		[ $1 = east ] || echo "ConnectTo = east" >>"$scratch/home/$1/tinc.conf"
		printf 'Address = %s 14655\nSubnet = %s/32\n' $2 $3 >"$scratch/home/$1/hosts/$1"
		cat >"$scratch/home/$1/tinc-up" <<-END
			#!/bin/sh
			ip addr add $3/24 dev "\$INTERFACE" && ip link set "\$INTERFACE" up &&
				ip addr show "\$INTERFACE" && ip route show dev "\$INTERFACE"
		END
		chmod 755 "$scratch/home/$1/tinc-up"
		tincd -c "$scratch/home/$1" -K 1024 </dev/null >"$scratch/output" 2>&1 ||
			fail "no key of tincd: $(cat "$scratch/output")"
		[ -z "$as_user" ] || chown -R 1000:1000 "$scratch/home/$1"
	}
	tinc_make west $west 10.0.0.2
	tinc_make east $east 10.0.0.1
	cp "$scratch/home/east/hosts/east" "$scratch/home/west/hosts"
	cp "$scratch/home/west/hosts/west" "$scratch/home/east/hosts"
	chmod 644 "$scratch/home/west/hosts/east" "$scratch/home/east/hosts/west"
	for end in east west; do
		side_start $end tincd -c "$scratch/home/$end" -D -d2 --bypass-security \
			--pidfile="$scratch/home/$end/pid"
		side_until $end grep -qs Ready "$scratch/home/$end/output"
	done
	both_carry tun "inet 10.0.0.2/24 scope global tincwest" \
		"10.0.0.0/24 proto kernel scope link src 10.0.0.2"
	ok "two tinc whose scripts run ip carry ping"
fi

# --- n2n: two edges and a supernode, all on the loopback ---

if may edge n2n && may ifconfig net-tools; then
	port=$((20000 + $$ % 10000))
	supernode -l $port </dev/null >"$scratch/supernode" 2>&1 &
	started="$started $!"
	# The hosts behind the edges have these MAC addresses, as an edge takes frames of its own.
	side_start east edge -d n2neast -a 10.0.0.1 -m 02:00:0a:00:00:01 -c memtun -k key \
		-s 255.255.255.0 -l 127.0.0.1:$port
	side_start west edge -d n2nwest -a 10.0.0.2 -m 02:00:0a:00:00:02 -c memtun -k key \
		-s 255.255.255.0 -l 127.0.0.1:$port
	both_carry tap
	ok "two edges of n2n and their supernode carry ping"
fi

# --- programs that insist on the uid 0 ---

if [ -z "$container" ] || [ -n "$as_user" ]; then
	echo "skipped a part: iodine and ocserv need uid 0, which test_wrap_vpn_container_root.sh has"
	exit 0
fi
if may iodined iodine && may ifconfig net-tools; then
	side_start east iodined -f -c -P secret -l $east -d dnseast 10.0.0.1/24 memtun.test
	side_until east grep -qs "Listening to dns" "$scratch/home/east/output"
	side_start west iodine -f -P secret -d dnswest -T NULL $east memtun.test
	side_until west grep -qs "Connection setup complete" "$scratch/home/west/output"
	both_carry tun
	ok "iodine and iodined carry ping"
fi

if may ocserv ocserv && may ocpasswd ocserv && may openconnect openconnect && may openssl openssl; then
	mkdir "$scratch/home/ocserv"
	cd "$scratch/home/ocserv" || exit 1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key \
		-out certificate -subj /CN=memtun.test >"$scratch/output" 2>&1 || fail "no certificate"
	pin=$(openssl x509 -in certificate -pubkey -noout | openssl pkey -pubin -outform der |
		openssl dgst -sha256 -binary | openssl base64)
	printf 'secret\nsecret\n' | ocpasswd -c passwords user >"$scratch/output"
	cat >configuration <<-END
		auth = "plain[passwd=passwords]"
		listen-host = $east
		tcp-port = 14443
		run-as-user = root
		run-as-group = root
		socket-file = socket
		server-cert = certificate
		server-key = key
		device = ocs
		ipv4-network = 10.0.0.0/24
	END
	cd "$OLDPWD" || exit 1
	side_start east sh -c 'cd ../ocserv && exec ocserv -f -c configuration'
	side_until east grep -qs "listening (TCP)" "$scratch/home/east/output"
	# It takes the place of the shell, so that the end of the test ends it.
	echo secret >"$scratch/home/ocserv/secret"
	side_start west sh -c 'exec openconnect --servercert "$1" --user user --passwd-on-stdin \
		--interface ocwest --script true --no-dtls "https://$2:14443/" <../ocserv/secret' sh \
		"pin-sha256:$pin" $east
	both_carry tun "CSTP connected"
	ok "openconnect and ocserv carry ping"
fi

#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086 # words are meant
# memtun host ... socks: hosts on a bridge, reached by SOCKS5 from an ordinary process.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

for wrong in "" "x" "0" "127.0.0.1:0" "127.0.0.1" "localhost:1080" "65536" "1 socks 2"; do
	ends_with 2 memtun host vm address 10.0.0.1/24 socks $wrong
	says "memtun: "
done
ok "a wrong address is a usage error"

[ -x "$scratch/bin/memtun-host" ] || skip "memtun-host is not built (Debian: liblwip-dev)"
have_python || skip "no Python here to be a client"
python=${PYTHON:-python3}
cp "$top_srcdir/tests/system/socks_client.py" "$scratch"
memtund_start "$scratch/home" $as_user memtund

# host_start WORD...: starts a host, with at most $files descriptors, and waits until it answers.
files=$(ulimit -n)
host_start() {
	rm -f "$scratch/host-ready"
	mkfifo "$scratch/host-ready"
	(ulimit -n "$files" &&
		ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 exec $as_user memtun host "$@" --ready-fd 3) \
		3>"$scratch/host-ready" 2>>"$scratch/errors" &
	host=$!
	started="$started $host"
	read -r _ <"$scratch/host-ready"
}
free_port() {
	"$python" -c 'import socket
with socket.create_server(("127.0.0.1", 0)) as s: print(s.getsockname()[1])'
}
port=$(free_port)
host_start far bridge lab overflow block address 10.0.0.2/24 address fd00::2/64 || fail "no host"
host_start near bridge lab overflow block address 10.0.0.1/24 address fd00::1/64 socks "$port" ||
	fail "no SOCKS server"
near=$host

# Its places are free again after 10 seconds, in which the other checks run.
idle_port=$(free_port)
host_start idle bridge lab overflow block address 10.0.0.4/24 socks "$idle_port" || fail "no idle server"
"$python" "$scratch/socks_client.py" "$idle_port" idle >"$scratch/idle" 2>&1 &
idle=$!
started="$started $idle"

ends_with 0 "$python" "$scratch/socks_client.py" "$port" echo refusals garbage
ok "it connects to IPv4 and IPv6 addresses, and refuses the rest with the right codes"
ends_with 0 "$python" "$scratch/socks_client.py" "$port" many
ok "64 programs at once get back what they send, and a further one waits"
ends_with 0 "$python" "$scratch/socks_client.py" "$port" slow half_close killed
ok "nothing is lost for a slow reader or after a half-close; clients may vanish"
ends_with 0 "$python" "$scratch/socks_client.py" "$port" echo
ok "the server still serves new programs"

# poll(2) takes 68 descriptors only up to this limit, and the server has some of its own.
files=68
poor_port=$(free_port)
host_start poor bridge lab overflow block address 10.0.0.5/24 socks "$poor_port" || fail "no poor server"
files=$(ulimit -n)
ends_with 0 env SERVER_PID="$host" "$python" "$scratch/socks_client.py" "$poor_port" descriptors
ok "without a free descriptor programs wait, and the server does not spin"

if [ -x "$scratch/bin/lwip-http-server" ] && command -v curl >/dev/null; then
	$as_user memtun exec -t web:bridge=lab -- lwip-http-server address 10.0.0.9/24 >"$scratch/web" &
	started="$started $!"
	ends_with 0 memtun wait web open --timeout 20
	turns_until grep -q listening "$scratch/web"
	ends_with 0 env -u http_proxy curl -sS --socks5 "127.0.0.1:$port" -o "$scratch/data" \
		http://10.0.0.9/data
	is "$(wc -c <"$scratch/data")" 16777216 "the bytes that curl got"
	ok "curl fetches 16 MiB from a host on the bridge"
fi

wait "$idle" || fail "idle programs: $(cat "$scratch/idle")"
ok "programs that send no request lose their places"

if host_start second bridge lab address 10.0.0.3/24 socks "$port"; then
	fail "two servers on one port"
fi
grep -q "cannot listen on 127.0.0.1:$port: Address already in use" "$scratch/errors" ||
	fail "no reason: $(cat "$scratch/errors")"
: >"$scratch/errors"
kill "$near"
wait "$near"
is $? 0 "the status after a signal"
ok "a port in use is an error, and a signal ends it"

# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2086,SC2154 # shared with check.sh and the tests; words
# What the tests of two TCP/IP stacks (lwIP) share: a server and a client of HTTP, each a process of
# an ordinary user on a tunnel of its own, and what memtund has counted when they are done. Sourced
# after check.sh.

for program in lwip-http-server lwip-http-client; do
	[ -x "$scratch/bin/$program" ] || skip "$program is not built (Debian: liblwip-dev)"
done
have_python || skip "no Python here to read JSON with"

size=$((2 * 1024 * 1024))

# Runs under a memtund of its own.
cat >"$scratch/pair.sh" <<'END'
memtun add server mode $1 $2 || exit 1
[ -z "$4" ] || memtun add client mode $3 $4 || exit 1
mkfifo said || exit 1
# timeout(1) makes a process of its own for the client, so LISTEN_PID is not the client's.
memtun exec -t server -- lwip-http-server mode "$1" size 2 once >said &
exec 3<said
read -r line <&3 || exit 1
memtun exec -t client -- timeout 60 lwip-http-client mode "$3" http://10.0.0.1/data || exit 1
cat <&3
wait $! || exit 1
rm said
memtun -j -s show >counters
END

# fetch SERVER-MODE SERVER-OPTIONS CLIENT-MODE CLIENT-OPTIONS: each side's mode, and what its tunnel
# is made with besides (the client's may be there already: ""). Leaves the client's $checksum, and
# the counters as the output.
fetch() {
	run env -C "$scratch/home" $as_user memtund -- sh "$scratch/pair.sh" "$@"
	[ "$status" = 0 ] || fail "the pair ended with $status: $output"
	has "$output" "$size bytes,*checksum"
	has "$output" "GET /data: 200 OK, $size bytes"
	checksum=$(sed -n 's/.* checksum //p' "$scratch/output")
	is "${#checksum}" 16 "the length of checksum '$checksum'"
	cp "$scratch/home/counters" "$scratch/output"
}

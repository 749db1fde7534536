#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC3045 # words are meant
# The libev example: descriptors arrive with their names in order, and a sender whose receiver
# stands still is paused, and resumed.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

example=$top_builddir/examples/libev-transport
mkfifo "$scratch/received" "$scratch/said"

ends_with 2 "$example"
ends_with 1 "$example" send "$scratch/nobody" "$0"
says "cannot connect to $scratch/nobody"

"$example" serve "$scratch/socket" >"$scratch/received" &
server=$!
started="$started $server"
exec 5<"$scratch/received"
read -r line <&5
is "$line" "listening on $scratch/socket" "what the receiver says"

printf 12345 >"$scratch/five"
: >"$scratch/none"
ends_with 0 "$example" send "$scratch/socket" "$scratch/five" "$scratch/none" "$scratch/five"
is "$output" "sent 3 files" "what the sender says"
for expected in "$scratch/five: 5 bytes" "$scratch/none: 0 bytes" "$scratch/five: 5 bytes" \
	"a client left after 3 files: orderly"; do
	read -r line <&5
	is "$line" "$expected" "what the receiver says"
done
ok "descriptors arrive in their order, with their names"

# More than a socket buffer takes, and more than a process may have open.
files=
while [ ${#files} -lt $((2000 * 2)) ]; do
	files="$files f f f f f f f f f f"
done
: >"$scratch/f"
kill -STOP "$server"
(cd "$scratch" && ulimit -Sn 256 && exec "$example" send "$scratch/socket" $files) >"$scratch/said" &
sender=$!
started="$started $sender"
exec 6<"$scratch/said"
read -r line <&6
kill -CONT "$server"
case $line in
"paused with 65 of "*" files waiting") ;;
*) fail "the sender says '$line'" ;;
esac
read -r line <&6
is "$line" "resumed" "what the sender says when the receiver goes on"
while read -r line <&6; do
	last=$line
done
is "$last" "sent 2000 files" "the last that the sender says"
wait "$sender"
is $? 0 "the sender's status"
count=0
while read -r line <&5 && [ "$line" = "f: 0 bytes" ]; do
	count=$((count + 1))
done
is "$count" 2000 "how many files arrived"
is "$line" "a client left after 2000 files: orderly" "what the receiver says at the end"
ok "a sender whose receiver stands still is paused and resumed, and nothing is lost"

kill "$server"
wait "$server"
is $? 0 "the receiver's status"
[ ! -e "$scratch/socket" ] || fail "the receiver left its socket"

# SPDX-License-Identifier: MIT
# examples/memtun-client.py, which was written from memtun-protocol(7) alone, against a real
# memtund: what the page says is what the broker does.
: "${top_srcdir:=.}"
. "$top_srcdir/tests/system/check.sh"

: "${PYTHON:=python3}"
export PYTHON
"$PYTHON" -c 'import socket; socket.recv_fds' 2>/dev/null || skip "no Python with socket.recv_fds"
client=$top_srcdir/examples/memtun-client.py
export client scratch
cd "$scratch" || exit 1

ends_with 0 memtund -- sh -c '
	memtun add one bridge lab
	memtun add left peer right mode tun
	"$PYTHON" "$client" show'
is "$output" "one tap closed lab -
left tun closed - right
right tun closed - left" "the list"
ok "it lists the tunnels"

# More than fit the queue of a client, so that the list is made as it is read.
ends_with 0 memtund -- sh -c '
	memtun add t%d count 2000 >/dev/null
	"$PYTHON" "$client" show'
is "$(wc -l <"$scratch/output")" 2000 "the length of the list"
is "$(sort -u "$scratch/output" | wc -l)" 2000 "the number of different lines"
ok "a long list comes whole"

cat >exchange <<'END'
memtun add one bridge lab
memtun add two bridge lab
mkfifo said
# Its input stays open and silent: a descriptor of this shell, which nothing writes to.
mkfifo silence
exec 4<>silence
"$PYTHON" "$client" open two <silence >said &
exec 5<said
read -r line <&5
echo "$line"
"$PYTHON" "$client" show
echo ffffffffffff02000000000188b5cafe | "$PYTHON" "$client" open one
read -r line <&5
echo "two got $line"
memtun del two
wait $!
echo "and ended with $?"
END
ends_with 0 memtund -- sh exchange
is "$output" "opened two
one tap closed lab -
two tap open lab -
opened one
two got ffffffffffff02000000000188b5cafe
and ended with 0" "the exchange"
ok "a frame that one client sends comes to the other, and it sees the end of its tunnel"

ends_with 0 memtund -- sh -c 'echo | "$PYTHON" "$client" open "vm%d"'
is "$output" "opened vm0" "what a name with a %d became"
ends_with 1 memtund -- sh -c 'echo | "$PYTHON" "$client" open a/b'
says "name 'a/b' has a '/'"
ok "it is told the name, and what is wrong, in the broker's words"

ends_with 0 memtund --socket "@memtun-test-$$" -- sh -c 'memtun add one && "$PYTHON" "$client" show'
is "$output" "one tap closed - -" "the list at an abstract address"
mkdir -m 700 runtime runtime/memtun
export XDG_RUNTIME_DIR="$scratch/runtime"
memtund --socket runtime/memtun/control -- sh -c 'unset MEMTUN_SOCKET
	memtun add found && "$PYTHON" "$client" show' >listed || fail "nothing at XDG_RUNTIME_DIR"
is "$(cat listed)" "found tap closed - -" "the list at XDG_RUNTIME_DIR"
MEMTUN_SOCKET=$scratch/nothing ends_with 1 "$PYTHON" "$client" show
says "no broker is running"
ok "it looks where a client is to look"

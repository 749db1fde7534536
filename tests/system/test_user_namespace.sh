#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086 # words are meant
# In a user namespace the kernel reports all users that it does not map as one, the overflow uid. A
# process that has this uid there takes no other process and no directory for its own.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

overflow=$(cat /proc/sys/kernel/overflowuid) || skip "this kernel has no overflow uid"
[ "$(id -u)" != "$overflow" ] || skip "this test needs another user than $overflow"
# A namespace that maps no user: everything and everybody in it is of the overflow uid.
[ "$($as_user unshare -U id -u 2>/dev/null)" = "$overflow" ] || skip "no user namespaces here"
name=@memtun-test-$$

# broker_at ADDRESS COMMAND...: a memtund with $broker as its number, started as COMMAND says.
broker_at() {
	address=$1
	shift
	[ -p "$scratch/ready" ] || mkfifo "$scratch/ready"
	"$@" memtund --socket "$address" --ready-fd 3 3>"$scratch/ready" 2>"$scratch/broker-log" &
	broker=$!
	started="$started $broker"
	read -r _ <"$scratch/ready" || fail "memtund did not start"
}

broker_at "$name" $as_user unshare -U
has "$(cat "$scratch/broker-log")" "only root can connect"
ends_with 1 $as_user env MEMTUN_SOCKET="$name" memtun add tun0
says "user namespace does not map this user"
ends_with 1 $as_user unshare -U env MEMTUN_SOCKET="$name" memtun -j show
says "may be another user's: here user $overflow also stands for each user"
kill "$broker"
wait "$broker"
ok "a broker with the overflow uid serves no unmapped user"

broker_at "$name" $as_user
ends_with 0 $as_user env MEMTUN_SOCKET="$name" memtun -j show
ends_with 1 $as_user unshare -U env MEMTUN_SOCKET="$name" memtun -j show
says "may be another user's: here user $overflow also stands for each user"
kill "$broker"
wait "$broker"
ok "a client with the overflow uid trusts no unmapped user's broker"

$as_user mkdir -m 700 "$scratch/home/memtun"
ends_with 1 $as_user unshare -U env XDG_RUNTIME_DIR="$scratch/home" timeout 5 memtund
has "$errors" "cannot be told from an unmapped user's directory"
ok "a directory with the overflow uid is not one's own"

ends_with 3 $as_user unshare -Ur env -u MEMTUN_SOCKET XDG_RUNTIME_DIR="$scratch/home" memtun -j show
says "no broker is running for this user, root of a user namespace; --socket or MEMTUN_SOCKET names one outside (looked for "
broker_at "$name" $as_user
ends_with 0 $as_user unshare -Ur env MEMTUN_SOCKET="$name" memtun -j show
kill "$broker"
wait "$broker"
ok "root of a user namespace is told to name the broker"

# Root of the first namespace can have the overflow uid with all users mapped.
[ "$(id -u)" = 0 ] || { echo "not tested: the overflow uid with a full map, which needs root"; exit 0; }
as_overflow="setpriv --reuid $overflow --regid $overflow --clear-groups --inh-caps=-all"
if grep -q '^ *0 *0 *4294967295$' /proc/self/uid_map; then
	broker_at "$name" $as_overflow
	ends_with 0 $as_overflow env MEMTUN_SOCKET="$name" memtun add tun0
	ok "where all users are mapped, the overflow uid is a user like all others"
fi

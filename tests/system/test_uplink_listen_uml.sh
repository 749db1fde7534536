#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC2119 # words are meant
# Two User Mode Linux, an ordinary user's, connect their vector interfaces to one listening uplink of
# type bess at once. Each has an answer from a host on the bridge, and leaves.
#
# The kernel's command line has no quotes for blanks, so paths on it are relative.
TEST_SECONDS=60
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/uplink.sh" || exit 1

needs linux.uml user-mode-linux
[ -x "$scratch/bin/memtun-host" ] || skip "memtun-host is not built (Debian: liblwip-dev)"
compiler=${CC:-cc}
echo | $compiler -dM -E - 2>/dev/null | grep -q __x86_64__ || skip "no compiler for x86_64 here"
# The guest has no shared libraries.
$compiler -static -o "$scratch/init" "$top_srcdir/tests/system/uml-guest.c" 2>"$scratch/errors" ||
	skip "no compiler and static C library here (Debian: gcc, libc6-dev)"

# An initramfs: a console and the guest's only process.
"$python" - "$scratch/init" >"$scratch/home/initrd" <<'EOT'
import sys

def entry(number, name, mode, data=b"", device=(0, 0)):
    name = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)

with open(sys.argv[1], "rb") as file:
    init = file.read()
sys.stdout.buffer.write(
    entry(1, "dev", 0o40755) + entry(2, "dev/console", 0o20600, device=(5, 1))
    + entry(3, "init", 0o100755, init) + entry(0, "TRAILER!!!", 0))
EOT

chmod 644 "$scratch/home/initrd"
user_broker_start
cd "$scratch/home" || exit 1
ends_with 0 memtun uplink add vm bridge lab type bess listen vm
mkfifo "$scratch/host-ready"
memtun host host --ready-fd 9 bridge lab address 10.0.0.1/24 9>"$scratch/host-ready" 8<&- \
	2>"$scratch/host-errors" &
started="$started $!"
read -r _ <"$scratch/host-ready" || fail "memtun host did not start"

# guest NUMBER: a User Mode Linux; its console is the FIFO console-NUMBER.
guest() {
	mkfifo "$scratch/console-$1"
	HOME=$scratch/home $as_user linux.uml mem=64M initrd=initrd con=null con0=null,fd:1 \
		"vec0:transport=bess,dst=vm,src=guest-$1,depth=64,mtu=1500" "guest=10.0.0.1$1" \
		</dev/null >"$scratch/console-$1" 2>&1 8<&- &
	started="$started $!"
}

guest 2
guest 3
console_until "10.0.0.12 was answered" "no answer" <"$scratch/console-2"
console_until "10.0.0.13 was answered" "no answer" <"$scratch/console-3"
ok "two User Mode Linux have answers over one listening uplink"
uplink_until vm connected 0
is "$(uplink_value vm accepted)" 2 "how many were accepted"
ok "their ports go with them"

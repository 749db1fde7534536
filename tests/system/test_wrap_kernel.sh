#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086 # words are meant
# The same calls with the kernel's /dev/net/tun, in namespaces of the test's own, and under memtun
# wrap as an ordinary user: dynamic, static and 32-bit programs, and through the preloaded library.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/wrap.sh"
notify_or_skip
word_size_or_skip
have_python || skip "no Python here to compare with"
for namespaces in -Urn -n none; do
	! unshare $namespaces ip link set lo up 2>/dev/null || break
done
[ $namespaces != none ] || skip "no user and network namespaces here (unshare -Urn), or no ip"
unshare $namespaces sh -c ': <>/dev/net/tun' 2>/dev/null || skip "no /dev/net/tun here"
user_broker_start

# kernel_and_wrapped PROGRAM [OPTION]: prints both, into the files kernel and wrapped.
kernel_and_wrapped() {
	ends_with 0 unshare $namespaces sh -c 'ip link set lo up; exec "$1"' sh "$scratch/bin/$1" \
		</dev/null
	cp "$scratch/output" "$scratch/kernel"
	ends_with 0 wrapped $2 -- "$1" </dev/null
	cp "$scratch/output" "$scratch/wrapped"
}
compared() {
	run "${PYTHON:-python3}" "$top_srcdir/tests/system/compare_calls.py" "$scratch/kernel" \
		"$scratch/wrapped" "$top_srcdir/man/memtun-wrap.1"
	[ "$status" = 0 ] || fail "$output"
}

kernel_and_wrapped wrap-calls
compared
ok "$output: results and errors are the kernel's"
kernel_and_wrapped wrap-calls --preload
compared
ok "$output: and with the preloaded library"

if built calls-static -static wrap-calls; then
	kernel_and_wrapped calls-static
	compared
	ok "$output: of a static program"
fi
if [ "$(uname -m)" = x86_64 ] && built calls-32 -m32 wrap-calls; then
	kernel_and_wrapped calls-32
	compared
	ok "$output: of a 32-bit program"
fi

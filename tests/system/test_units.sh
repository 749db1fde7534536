#!/bin/sh
# SPDX-License-Identifier: MIT
# systemd accepts the units, and they start memtund by its installed path.
. "${top_srcdir:-.}/tests/system/check.sh"

command -v systemd-analyze >/dev/null || skip "systemd-analyze is missing"

# verify SYSTEM-OR-USER: Copy the units with the path of a program that exists, and check them.
verify() {
	mkdir "$scratch/$1" || fail "mkdir"
	sed "s,@bindir@,$scratch," "$top_srcdir/systemd/$1/memtund.service.in" \
		>"$scratch/$1/memtund.service"
	cp "$top_srcdir/systemd/$1/memtund.socket" "$scratch/$1"
	XDG_RUNTIME_DIR=$scratch systemd-analyze "--$1" --man=no verify "$scratch/$1/memtund.socket" \
		"$scratch/$1/memtund.service" >"$scratch/said" 2>&1 || fail "$(cat "$scratch/said")"
	# Warnings, such as of an unknown key, leave the status 0.
	grep "$scratch/$1" "$scratch/said" && fail "systemd-analyze warns of the units for $1"
	grep -qx "ExecStart=$(sed -n 's/^bindir = //p' "$top_builddir/Makefile" |
		sed "s,\${exec_prefix},$(sed -n 's/^prefix = //p' "$top_builddir/Makefile"),")/memtund" \
		"$top_builddir/systemd/$1/memtund.service" ||
		fail "$1/memtund.service does not start the installed memtund"
}

ln -s "$(command -v memtund)" "$scratch/memtund"
verify system
verify user

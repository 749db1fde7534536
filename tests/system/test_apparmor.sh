#!/bin/sh
# SPDX-License-Identifier: MIT
# The AppArmor profile: it names the program that make install installs, and AppArmor reads it.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
PATH=$PATH:/usr/sbin:/sbin

profile=$top_builddir/apparmor/memtun
bindir=$(sed -n 's/^prefix = //p' "$top_builddir/Makefile")/bin
is "$(sed -n 's/^profile memtun \(.*\) flags=(unconfined) {$/\1/p' "$profile")" "$bindir/memtun" \
	"the program of the profile"
grep -qx '  userns,' "$profile" || fail "the profile does not allow user namespaces"
ok "the profile allows user namespaces to the installed memtun"

command -v apparmor_parser >/dev/null || skip "no apparmor_parser here (Debian: apparmor)"
[ -e /etc/apparmor.d/abi/4.0 ] || skip "this AppArmor knows no user namespaces: it is older than 4.0"
ends_with 0 apparmor_parser --skip-kernel-load --skip-cache "$profile"
ok "AppArmor reads the profile"

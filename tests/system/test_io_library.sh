# SPDX-License-Identifier: MIT
# The library of the I/O system is for programs that want nothing else: it needs the C library only,
# and shows nothing but what memtun/io.h and its siblings declare.
: "${top_srcdir:=.}"
. "$top_srcdir/tests/system/check.sh"

command -v readelf >/dev/null || skip "no readelf"
library=$top_builddir/.libs/libmemtun-io.so
[ -e "$library" ] || fail "there is no $library"

# Sanitizers bring libraries of their own.
needed=$(readelf -d "$library" | sed -nE 's/.*NEEDED.*\[(.*)\]/\1/p' |
	grep -vE '^(libc|libpthread|libasan|libubsan)\.so|^ld-linux')
is "$needed" "" "what libmemtun-io needs besides the C library"
ok "libmemtun-io needs the C library only"

shown=$(readelf --dyn-syms -W "$library" |
	awk '$5 == "GLOBAL" && $7 ~ /^[0-9]+$/ { sub(/@.*/, "", $8); print $8 }' | grep -v '^memtun_')
is "$shown" "" "symbols of libmemtun-io that are no one's business"
ok "libmemtun-io shows what is public"

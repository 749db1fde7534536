# SPDX-License-Identifier: MIT
# Each public header compiles alone and without a warning, in every standard of C from C99 and of C++
# from C++11 that a compiler here knows, and so does a program that uses a connector's patterns.
: "${top_srcdir:=.}"
TEST_SECONDS=300
. "$top_srcdir/tests/system/check.sh"

include=$top_srcdir/include
headers="memtun.h memtun/connector.h memtun/io.h memtun/protocol.h memtun/testing.h memtun/transport.h"

# The patterns are macros, which only a use compiles.
cat >"$scratch/patterns.h" <<'END'
#include <memtun/connector.h>

static inline int expect_udp(struct memtun_connector *connector)
{
	const struct memtun_pattern patterns[] = {MEMTUN_FILTER("udp"), MEMTUN_EOF, MEMTUN_TIMEOUT,
						  MEMTUN_LIMIT, MEMTUN_CALLBACK(NULL, NULL)};

	return memtun_connector_expect(connector, patterns, 5, 1000, 1);
}
END

# compiles HEADER COMPILER LANGUAGE STANDARD [OPTION...]
compiles() {
	header=$1 compiler=$2 language=$3 standard=$4
	shift 4
	echo "#include <$header>" >"$scratch/source"
	"$compiler" -x "$language" -std="$standard" -fsyntax-only -Wall -Wextra -pedantic -Wshadow -Werror \
		-I"$include" -I"$scratch" "$@" "$scratch/source" 2>"$scratch/errors"
}

# all_compile COMPILER LANGUAGE STANDARD...
all_compile() {
	compiler=$1 language=$2
	shift 2
	command -v "$compiler" >/dev/null || return 0
	for standard in "$@"; do
		# A compiler may be older than the standard, or have no library for the language.
		compiles stddef.h "$compiler" "$language" "$standard" || continue
		for header in $headers patterns.h; do
			compiles "$header" "$compiler" "$language" "$standard" ||
				fail "$compiler -std=$standard does not take $header"
		done
		# It needs struct ifreq, which strict C hides, and cmocka.
		if [ -n "$have_cmocka" ]; then
			compiles memtun/cmocka.h "$compiler" "$language" "$standard" -D_DEFAULT_SOURCE ||
				fail "$compiler -std=$standard does not take memtun/cmocka.h"
		fi
		compiled=$((compiled + 1))
	done
}

have_cmocka=
printf '#include <setjmp.h>\n#include <stdarg.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <cmocka.h>\n' \
	>"$scratch/cmocka-is-here.h"
for compiler in gcc clang; do
	! command -v "$compiler" >/dev/null || ! compiles cmocka-is-here.h "$compiler" c gnu11 ||
		have_cmocka=yes
done
for header in "$include"/memtun.h "$include"/memtun/*.h; do
	has " $headers memtun/cmocka.h " " ${header#"$include"/} "
done

compiled=0
all_compile gcc c c99 c11 c17 c2x c23 gnu99 gnu2x
all_compile clang c c99 c11 c17 c2x c23 gnu99 gnu2x
all_compile g++ c++ c++11 c++14 c++17 c++20 c++2b c++23 gnu++11 gnu++2b
all_compile clang++ c++ c++11 c++14 c++17 c++20 c++2b c++23 gnu++11 gnu++2b
[ "$compiled" -gt 0 ] || skip "no compiler named gcc, g++, clang or clang++"
ok "the public headers compile alone: $compiled compilers and standards${have_cmocka:+, with cmocka}"

#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086 # words are meant
# The Rust crate in client/rust: it builds offline with Debian's crates, its tests pass with a real
# memtund, also the examples in its documentation, and clippy finds nothing.
#
# cargo writes only below client/rust/ of the build directory, where a later run finds what was built.
TEST_SECONDS=600
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

crates=/usr/share/cargo/registry
# That of the user, such as rustup's, if it works without a home; otherwise Debian's.
find_cargo() {
	for cargo in cargo /usr/bin/cargo; do
		! $cargo --version >/dev/null 2>&1 || return 0
	done
	return 1
}
find_cargo || skip "no cargo here (Debian: cargo)"
[ "$cargo" = cargo ] || PATH=/usr/bin:$PATH
set -- "$crates"/libc-0.2.*
[ -d "$1" ] || skip "no crate libc here (Debian: librust-libc-dev)"
case $CC in
*-m32*) skip "the crate is tested with the memtund of this machine's own architecture" ;;
esac
[ -z "$(sed -n 's/^SANITIZER_CFLAGS = //p' "$top_builddir/Makefile")" ] ||
	skip "the crate has no C code that sanitizers could check"

# --- the licence and the files are those of memtun ---

top=$(cd "${top_srcdir:-.}" && pwd)
cmp "$top/LICENSE" "$top/client/rust/LICENSE" || fail "client/rust/LICENSE is not LICENSE"
for file in "$top"/client/rust/src/*.rs "$top"/client/rust/tests/*/*.rs; do
	grep -qwF "${file#"$top/"}" "$top/client/rust/Makefile.inc" ||
		fail "client/rust/Makefile.inc does not list ${file#"$top/"}"
done
ok "the crate has the licence of memtun, and all its files are in the release"

# --- cargo ---

# The source may be read-only, and cargo writes Cargo.lock next to Cargo.toml. The copy keeps the times
# of files, so that cargo builds again only what has changed.
build=$top_builddir/client/rust
mkdir -p "$build" || fail "cannot make $build"
rm -rf "$build/crate"
mkdir "$build/crate" || fail "cannot make $build/crate"
cp -Rp "$top/client/rust/Cargo.toml" "$top/client/rust/README.md" "$top/client/rust/src" \
	"$top/client/rust/tests" "$build/crate" || fail "cannot copy the crate"
chmod -R u+w "$build/crate"
export CARGO_HOME="$build/cargo" CARGO_TARGET_DIR="$build/target" CARGO_TERM_COLOR=never
# Warnings are errors below, and backtraces only make the log long.
export RUST_BACKTRACE=0 MEMTUN_PROTOCOL_H="$top/include/memtun/protocol.h"
if [ -x "$scratch/bin/memtun-host" ]; then
	export MEMTUN_TEST_HOST=yes
else
	echo "not tested: a ping, as memtun-host is not built (Debian: liblwip-dev)"
fi

# cargo_run SUBCOMMAND [ARGUMENT...]: runs it on the copy, without a network.
cargo_run() {
	subcommand=$1
	shift
	$cargo "$subcommand" --offline --manifest-path "$build/crate/Cargo.toml" \
		--config 'source.crates-io.replace-with="debian"' \
		--config "source.debian.directory=\"$crates\"" "$@" 3>&- 2>&1
}
# cargo_checked SUBCOMMAND [ARGUMENT...]: the same, and prints only results; fails with the whole log.
cargo_checked() {
	cargo_run "$@" >"$scratch/log"
	status=$?
	grep -E '^(test result|warning|error)' "$scratch/log"
	[ $status = 0 ] || { cat "$scratch/log" && fail "cargo $*: exit status $status"; }
}

$cargo --version
RUSTFLAGS=-Dwarnings
export RUSTFLAGS
# One at a time, as the tests count the descriptors of their process.
cargo_checked test --lib --tests -- --test-threads=1
ok "the crate's tests pass"
RUSTDOCFLAGS=-Dwarnings cargo_checked test --doc
ok "the examples in its documentation run"
RUSTDOCFLAGS=-Dwarnings cargo_checked doc --no-deps
ok "its documentation has no wrong link"
if $cargo clippy --version >/dev/null 2>&1; then
	cargo_checked clippy --all-targets -- -D warnings
	ok "clippy finds nothing"
else
	echo "not checked by clippy, which is not here (Debian: rust-clippy)"
fi

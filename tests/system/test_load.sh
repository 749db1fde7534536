#!/bin/sh
# SPDX-License-Identifier: MIT
# Delivered or accounted: under load, with readers that are slow, stopped or killed, under each
# overflow policy and on each socket type, the counters of every port add up. And one stopped reader
# slows no other: the senders get through.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

cp "$top_builddir/tests/system/load" "$scratch/bin/" 2>/dev/null || skip "load is not built"
chmod 755 "$scratch/bin/load"
# shellcheck disable=SC2086 # words are meant
ends_with 0 $as_user memtund -- load
echo "$output"
is "$(echo "$output" | wc -l)" 12 "the number of readers"
ok "each frame is delivered, or counted with a reason"

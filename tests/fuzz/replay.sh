#!/bin/sh
# SPDX-License-Identifier: MIT
# Replay the corpus of each fuzz target.
set -eu
for target in message frame segment session socks uplink; do
	"$top_builddir/tests/fuzz/replay_$target" "$top_srcdir/tests/fuzz/corpus/$target"/*
done

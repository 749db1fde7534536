#!/bin/sh
# SPDX-License-Identifier: MIT
# Make a page for each function of the pages in section 3, so that man(1) finds it by its name: a file
# with one .so request. "links.sh add DIRECTORY PAGE..." makes the files in DIRECTORY, a folder man3,
# and "links.sh remove DIRECTORY PAGE..." deletes them.
set -eu

action=$1 directory=$2
shift 2
for page in "$@"; do
	name=${page##*/}
	for function in $(sed -nE '1,/^\.Sh DESCRIPTION/s/^\.F[no] ([a-z][a-z0-9_]+).*/\1/p' "$page"); do
		case $action in
		add) printf '.so man3/%s\n' "$name" >"$directory/$function.3" ;;
		remove) rm -f "$directory/$function.3" ;;
		esac
	done
done

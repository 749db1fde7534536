#!/bin/sh
# SPDX-License-Identifier: MIT
# What test_wrap_vpn.sh tests, as uid 0 with Docker's capabilities in a container with Docker's
# default seccomp profile, without /dev/net/tun and without user namespaces.
. "${top_srcdir:-.}/tests/system/test_wrap_vpn.sh"

#!/bin/sh
# SPDX-License-Identifier: MIT
# What test_wrap_vpn.sh tests, as an ordinary user in a container with Docker's default seccomp
# profile, without /dev/net/tun and without user namespaces.
. "${top_srcdir:-.}/tests/system/test_wrap_vpn.sh"

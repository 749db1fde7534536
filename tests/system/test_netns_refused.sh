#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2086 # the inner shell expands; words are meant
# Each reason why memtun netns can't make a namespace or an interface is made to happen, and is told
# with what to do. What only a system administrator can set is imitated: sysctls by a tmpfs over
# /proc/sys, in a namespace of the test's own, and refusals by a seccomp filter.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/netns.sh" || exit 1

forbid=$top_builddir/tests/system/forbid
[ -x "$forbid" ] || skip "built without libseccomp (Debian: libseccomp-dev)"
cp "$forbid" "$scratch/bin"
ends_with 0 $as_user forbid mount 1 true
netns_broker_start
command='memtun netns -t c:bridge=lab,address=10.0.0.2/24'

# refused TEXT COMMAND...: memtun netns says why it can't, and the program does not run.
refused() {
	text=$1
	shift
	ends_with 125 "$@"
	says "$text"
	is "$output" "" "what the program printed"
	turns_until no_port_is_left
}
# as_root COMMANDS: in new user and mount namespaces of the user, as their root.
as_root() {
	$as_user unshare -Urm sh -c "$1"
}
# Of a process that has no capability in the namespace that it is in.
powerless='setpriv --bounding-set=-all --inh-caps=-all'

# --- namespaces ---

ends_with 0 as_root "$command -- true"
refused "cannot make a user namespace: No space left on device (user.max_user_namespaces is 0; as root, run: sysctl -w user.max_user_namespaces=" \
	as_root "echo 0 >/proc/sys/user/max_user_namespaces; exec $powerless $command -- echo ran"
refused "cannot make a network namespace: No space left on device (user.max_net_namespaces is 0;" \
	as_root "echo 0 >/proc/sys/user/max_net_namespaces; exec $command -- echo ran"
refused "cannot make a mount namespace: No space left on device (user.max_mnt_namespaces is 0;" \
	as_root "echo 0 >/proc/sys/user/max_mnt_namespaces; exec $command,dns=10.0.0.1 -- echo ran"
ok "a limit of namespaces that is 0 is named"

ends_with 0 as_root "echo 0 >/proc/sys/user/max_user_namespaces; exec $command -- true"
ends_with 125 as_root "echo 0 >/proc/sys/user/max_user_namespaces; exec $powerless $command -- true"
ok "a process with the capability needs no user namespace"

refused "cannot make a user namespace: Operation not permitted (a seccomp filter forbids it, as the default one of a container does;" \
	$as_user forbid unshare 1 $command -- echo ran
refused "cannot make a user namespace: Function not implemented (a seccomp filter forbids it; memtun wrap needs no namespace and no device)" \
	$as_user forbid unshare 38 $command -- echo ran
refused "cannot make a user namespace: Invalid argument (a seccomp filter forbids it; memtun wrap needs no namespace and no device)" \
	$as_user forbid unshare 22 $command -- echo ran
refused "cannot make a mount namespace: Operation not permitted (a seccomp filter" \
	$as_user forbid unshare 1:0x20000 $command,dns=10.0.0.1 -- echo ran
ok "a seccomp filter is named"

sysctl() {
	echo "mount -t tmpfs none /proc/sys/kernel && echo $2 >/proc/sys/kernel/$1 && exec $powerless"
}
refused "(kernel.unprivileged_userns_clone is 0; as root, run: sysctl -w kernel.unprivileged_userns_clone=1; memtun wrap needs no namespace and no device)" \
	as_root "$(sysctl unprivileged_userns_clone 0) forbid unshare 1 $command -- echo ran"
ok "Debian's sysctl is named"

# Ubuntu's kernel makes the user namespace, and refuses what its root does first.
refused "cannot make a network namespace: Operation not permitted (AppArmor restricts user namespaces here; as root, load memtun's AppArmor profile (see memtun(1)), or run: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0; memtun wrap needs no namespace and no device)" \
	as_root "$(sysctl apparmor_restrict_unprivileged_userns 1) forbid unshare 1:0x40000000 $command -- echo ran"
refused "cannot make a user namespace: Permission denied (AppArmor restricts" \
	as_root "$(sysctl apparmor_restrict_unprivileged_userns 2) forbid unshare 13 $command -- echo ran"
ok "AppArmor's restriction is named, whichever step it refuses"

# As where /proc is not writable.
refused "cannot write /proc/self/uid_map: " \
	as_root "mount --bind /proc /proc && mount -o remount,bind,ro /proc && exec $command -- echo ran"
ok "a user map that can't be written is told"

# --- the device ---

refused "cannot open /dev/net/tun: No such file or directory (it is missing; a container gets it by --device /dev/net/tun; memtun wrap needs no namespace and no device)" \
	as_root "mount -t tmpfs none /dev/net; exec $command -- echo ran"
printf '' >"$scratch/closed"
chmod 600 "$scratch/closed"
if [ -n "$as_user" ]; then
	refused "cannot open /dev/net/tun: Permission denied (it is not open to all users; as root, run: chmod 666 /dev/net/tun; memtun wrap needs no namespace and no device)" \
		as_root "mount --bind '$scratch/closed' /dev/net/tun; exec $command -- echo ran"
fi
refused "cannot make the interface 'c': Inappropriate ioctl for device" \
	as_root "mount -t tmpfs none /dev/net; echo >/dev/net/tun; exec $command -- echo ran"
ok "a missing or closed device is told, with what to do"

# --- the rest ---

refused "cannot open a pidfd of this process: Function not implemented" \
	$as_user forbid pidfd_open 38 $command -- echo ran
refused "cannot keep mounts in the namespace: Operation not permitted" \
	$as_user forbid mount 1 $command,dns=10.0.0.1 -- echo ran
refused "cannot unmount the tmpfs on /tmp: Operation not permitted" \
	$as_user forbid umount2 1 $command,dns=10.0.0.1 -- echo ran
refused "cannot bind a file over /etc/resolv.conf: No such file or directory" \
	as_root "mount -t tmpfs none /etc; exec $command,dns=10.0.0.1 -- echo ran"
# For i386, where socketcall(2) has the arguments in memory, the filter forbids all kinds of sockets.
# Byte 4 of an ELF file is its class.
if [ "$(od -An -tx1 -j4 -N1 "$forbid")" = " 02" ]; then
	refused "cannot open a netlink socket: Operation not permitted" \
		$as_user forbid socket 1:16 $command -- echo ran
else
	echo "skipped a part: a filter for 32 bits cannot forbid netlink sockets alone"
fi
refused "cannot pass on the capabilities of the network: " $as_user forbid capset 1 $command -- echo ran
ok "each later step that fails is told, and leaves no port"

# SPDX-License-Identifier: MIT
"""Which user a broker may run as, so that its client trusts it."""
import errno
import os
import socket
import stat
import struct

from ._errors import make_error

#: struct ucred: pid, uid, gid.
_UCRED = struct.Struct("=3I")
#: The kernel's default of /proc/sys/kernel/overflowuid.
_OVERFLOW_UID = 65534


def _overflow_uid() -> int:
    try:
        with open("/proc/sys/kernel/overflowuid", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return _OVERFLOW_UID


def _map_is_full() -> bool:
    """Return whether this user namespace maps every uid. What cannot be read counts as no."""
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            # (uid_t)-1 is no uid, so a full map has one less than 2^32.
            return sum(int(line.split()[2]) for line in file) >= 0xffffffff
    except FileNotFoundError:
        return os.path.exists("/proc/self/status")  # a kernel without user namespaces
    except OSError:
        return False


def is_unmapped(uid: int) -> bool:
    """Return whether the kernel reports this uid for every user that the namespace does not map."""
    return uid == _overflow_uid() and not _map_is_full()


def check_peer(control: socket.socket, address: str, named: bool) -> None:
    """Check that the broker is this user's or root's. Root may also name another user's broker."""
    credentials = control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    owner = _UCRED.unpack(credentials)[1]
    if is_unmapped(owner):
        raise make_error(errno.EPERM, f"the broker on {address} may be another user's: here user "
                         f"{owner} also stands for each user that this user namespace does not map")
    if owner not in (0, os.geteuid()) and not (named and os.geteuid() == 0):
        raise make_error(errno.EPERM, f"the broker on {address} is user {owner}'s")


def owns_directory(path: str) -> bool:
    """Return whether the directory is this user's and closed to all others."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return (stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
            and not status.st_mode & 0o077 and not is_unmapped(status.st_uid))

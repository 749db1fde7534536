# SPDX-License-Identifier: MIT
"""Opens a TUN or TAP interface of the kernel, in this process's network namespace."""
import errno
import fcntl
import os
import struct

from ._errors import make_error

_DEVICE = "/dev/net/tun"
#: From <linux/if_tun.h>.
_TUNSETIFF = 0x400454ca
_IFF_TUN, _IFF_TAP, _IFF_MULTI_QUEUE, _IFF_NO_PI, _IFF_VNET_HDR = 1, 2, 0x100, 0x1000, 0x4000
#: struct ifreq: the name, the flags, and the rest of its union.
_IFREQ = struct.Struct("=16sH22x")


def _attach(fd: int, name: bytes, flags: int) -> None:
    try:
        fcntl.ioctl(fd, _TUNSETIFF, _IFREQ.pack(name, flags))
    except OSError as error:
        # An interface with several queues has to be opened with IFF_MULTI_QUEUE.
        if error.errno != errno.EINVAL or flags & _IFF_MULTI_QUEUE:
            raise
        _attach(fd, name, flags | _IFF_MULTI_QUEUE)


def open_device(name: str, mode: str) -> int:
    """Return a descriptor of the interface, which the caller closes."""
    try:
        fd = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise make_error(error.errno or errno.ENOENT,
                         f"cannot open {_DEVICE}: {error.strerror}") from None
    try:
        _attach(fd, os.fsencode(name),
                (_IFF_TUN if mode == "tun" else _IFF_TAP) | _IFF_NO_PI | _IFF_VNET_HDR)
    except OSError as error:
        os.close(fd)
        raise make_error(error.errno or errno.EINVAL, f"cannot open the {mode} interface {name!r}: "
                         f"{error.strerror}") from None
    return fd

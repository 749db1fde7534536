# SPDX-License-Identifier: MIT
"""The exceptions: each is an OSError with the errno of memtun-protocol(7) and the broker's text."""
import errno
import os
from typing import Dict, Type


class Error(OSError):
    """The broker refused a request, or the connection to it failed.

    >>> try:
    ...     with broker() as b:
    ...         b.show("nothing")
    ... except Error as error:
    ...     print(error.errno == errno.ENOENT, error.strerror)
    True there is no tunnel 'nothing'
    """


class NotFoundError(Error, FileNotFoundError):
    """There is no such object (ENOENT)."""


class NoBrokerError(NotFoundError):
    """No broker is running (ENOENT)."""


class BusyError(Error):
    """The name is taken, or the tunnel is open already (EBUSY)."""


class NotPermittedError(Error, PermissionError):
    """The object, or the broker, is another user's (EPERM)."""


class ReplyTimeoutError(Error, TimeoutError):
    """The broker did not answer in time (ETIMEDOUT)."""


class DroppedError(Error):
    """The tunnel dropped injected frames. ``result`` tells how many and why."""

    result: object = None


for _class in (Error, NotFoundError, NoBrokerError, BusyError, NotPermittedError, ReplyTimeoutError,
               DroppedError):
    _class.__module__ = "memtun"  # where users import it from, for tracebacks

_CLASSES: Dict[int, Type[Error]] = {
    errno.ENOENT: NotFoundError,
    errno.EBUSY: BusyError,
    errno.EPERM: NotPermittedError,
    errno.EACCES: NotPermittedError,
    errno.ETIMEDOUT: ReplyTimeoutError,
}


def make_error(number: int, text: str = "") -> Error:
    """Return the exception for an errno."""
    return _CLASSES.get(number, Error)(number, text or os.strerror(number))

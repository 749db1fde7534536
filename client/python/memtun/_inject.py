# SPDX-License-Identifier: MIT
"""Frames that a test puts on a tunnel."""
import errno
import select
import socket
from typing import Dict

from . import _protocol
from ._descriptor import Descriptor
from ._errors import DroppedError, make_error
from ._record import Injected

#: The errno that says the same as the reason of a drop.
_ERRORS: Dict[str, int] = {
    "no-client": errno.ENOTCONN,
    "mtu": errno.EMSGSIZE,
    "needs-segmentation": errno.EMSGSIZE,
}


class Injector(Descriptor):
    """Puts frames on a tunnel, one per call, and tells at last what became of them."""

    def __init__(self, fd: int, name: str) -> None:
        super().__init__(fd)
        self.name = name

    def __repr__(self) -> str:
        return f"<memtun.Injector on {self.name!r} fd={self.fileno()}>"

    def send(self, frame: bytes) -> None:
        """Inject one frame, and wait while the tunnel's queue is full; see settimeout()."""
        deadline = self._deadline()
        while True:
            try:
                self._try_write(bytes(frame))
                return
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline)

    def finish(self) -> Injected:
        """Wait until the broker has read all frames, close the injector, and return the result."""
        self._check_open()
        if self._socket is None:
            raise make_error(errno.EBADMSG, "the broker sent a descriptor that is no socket")
        self._socket.shutdown(socket.SHUT_WR)
        deadline = self._deadline()
        while True:
            try:
                data = self._try_read(_protocol.INJECT_RESULT.size)
                break
            except BlockingIOError:
                self._wait(select.POLLIN, deadline)
        self.close()
        if len(data) != _protocol.INJECT_RESULT.size:
            raise BrokenPipeError(errno.EPIPE, f"the tunnel {self.name!r} has ended")
        return Injected(*_protocol.INJECT_RESULT.unpack(data))


def check_drops(name: str, result: Injected) -> None:
    """Raise DroppedError if the tunnel has dropped frames."""
    if not result.drops:
        return
    reasons = ", ".join(f"{reason}: {count}" for reason, count in result.drops.items())
    error = DroppedError(_ERRORS.get(next(iter(result.drops)), errno.EINVAL),
                         f"{name!r} dropped injected frames ({reasons})")
    error.result = result
    raise error

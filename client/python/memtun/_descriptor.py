# SPDX-License-Identifier: MIT
"""A descriptor of the broker that carries frames: the base of tunnels, captures and injectors.

The descriptor stays in blocking mode, as programs expect that inherit it. Time limits are kept with
poll(2) and MSG_DONTWAIT, and asyncio waits for it as a reader or writer of the event loop.
"""
import asyncio
import os
import select
import socket
import stat
import time
import warnings
from types import TracebackType
from typing import Optional, Type, TypeVar

_Self = TypeVar("_Self", bound="Descriptor")


class Descriptor:
    """Owns one descriptor. It is a context manager that closes it."""

    def __init__(self, fd: int) -> None:
        self._fd = -1
        self._timeout: Optional[float] = None
        self._socket: Optional[socket.socket] = None
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            self._socket = socket.socket(fileno=fd)
            # socket.setdefaulttimeout() would have made it non-blocking.
            self._socket.setblocking(True)
        self._fd = fd

    # --- life ---

    def fileno(self) -> int:
        """Return the descriptor's number; -1 once it is closed."""
        return self._fd

    def close(self) -> None:
        """Close the descriptor. A second call does nothing."""
        fd, self._fd = self._fd, -1
        if self._socket is not None:
            self._socket.close()
        elif fd >= 0:
            os.close(fd)

    def detach(self) -> int:
        """Give the descriptor to the caller, which closes it, and return its number."""
        fd, self._fd = self._fd, -1
        if self._socket is not None:
            self._socket.detach()
        return fd

    @property
    def closed(self) -> bool:
        """Whether close() or detach() was called."""
        return self._fd < 0

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            warnings.warn(f"{self!r} was not closed", ResourceWarning, source=self)
            self.close()

    # --- waiting ---

    def settimeout(self, seconds: Optional[float]) -> None:
        """Limit how long a call may wait; None, the default, is no limit, and 0 is not to wait.

        A call that takes longer raises TimeoutError. In coroutines, use asyncio.wait_for() instead.
        """
        if seconds is not None and seconds < 0:
            raise ValueError("a time limit is not negative")
        self._timeout = seconds

    def gettimeout(self) -> Optional[float]:
        """Return the limit in seconds, or None."""
        return self._timeout

    def _check_open(self) -> int:
        if self._fd < 0:
            raise ValueError(f"{self!r} is closed")
        return self._fd

    def _deadline(self) -> Optional[float]:
        return None if self._timeout is None else time.monotonic() + self._timeout

    def _wait(self, events: int, deadline: Optional[float]) -> None:
        """Wait until the descriptor is ready, at most until the deadline."""
        if not wait_ready(self._check_open(), events, deadline):
            what = "can be read" if events == select.POLLIN else "can be written"
            raise TimeoutError(f"{self!r}: nothing {what} after {self._timeout:g} seconds")

    # --- one attempt ---

    def _is_at_end(self) -> bool:
        """Return whether a read of 0 bytes was the end, and not an empty frame."""
        poll = select.poll()
        poll.register(self._check_open(), 0)
        return bool(poll.poll(0))

    def _try_read(self, size: int) -> bytes:
        """Read once without waiting. Raise BlockingIOError if there is nothing."""
        fd = self._check_open()
        if self._socket is not None:
            while True:
                try:
                    return self._socket.recv(size, socket.MSG_DONTWAIT)
                except ConnectionResetError:
                    # Only the other end's unread frames are lost. The frames for this end follow.
                    continue
        if not wait_ready(fd, select.POLLIN, 0):
            raise BlockingIOError
        return os.read(fd, size)

    def _try_write(self, data: bytes) -> int:
        """Write once without waiting. Raise BlockingIOError if there is no room."""
        fd = self._check_open()
        if self._socket is not None:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        if not wait_ready(fd, select.POLLOUT, 0):
            raise BlockingIOError
        return os.write(fd, data)


def wait_ready(fd: int, events: int, deadline: Optional[float]) -> bool:
    """Wait until the descriptor is ready; return False once time.monotonic() is at the deadline."""
    poll = select.poll()
    poll.register(fd, events)
    if deadline is None:
        return bool(poll.poll())
    # poll(2) takes whole milliseconds: round up, so as not to spin at the end.
    return bool(poll.poll(int(max(0.0, deadline - time.monotonic()) * 1000 + 0.999)))


async def until_ready(fd: int, events: int) -> None:
    """Wait in the running event loop until the descriptor is ready."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    add, remove = ((loop.add_reader, loop.remove_reader) if events == select.POLLIN
                   else (loop.add_writer, loop.remove_writer))
    add(fd, wake)
    try:
        await ready
    finally:
        remove(fd)

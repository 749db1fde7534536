# SPDX-License-Identifier: MIT
"""Copies of the frames of a port or a bridge, and a wait for one of them."""
import select
import time
from typing import AsyncIterator, Callable, Iterator, List, Optional

from ._descriptor import Descriptor, until_ready
from ._protocol import FRAME_MAX
from ._record import Captured, parse_captured

#: The header may become longer.
_RECORD_MAX = FRAME_MAX + 1024

Match = Callable[[bytes], object]


class Capture(Descriptor):
    """Frames as they pass. It ends when the port or the bridge is deleted.

    >>> with broker() as b, b.open("a", bridge="lab") as a, b.capture("lab") as seen:
    ...     a.send(bytes.fromhex("ffffffffffff 020000000001 88b5"))
    ...     one = seen.recv()
    >>> one.direction, len(one.frame), one.missed
    ('from-client', 14, 0)
    """

    def __init__(self, fd: int, name: str, faults: bool = False) -> None:
        super().__init__(fd)
        self.name = name
        self.faults = faults

    def __repr__(self) -> str:
        return f"<memtun.Capture of {self.name!r} fd={self.fileno()}>"

    def _try_recv(self) -> Optional[Captured]:
        data = self._try_read(_RECORD_MAX)
        return parse_captured(data, self.faults) if data else None

    def recv(self) -> Optional[Captured]:
        """Return the next frame; None at the end. Raise TimeoutError, see settimeout()."""
        deadline = self._deadline()
        while True:
            try:
                return self._try_recv()
            except BlockingIOError:
                self._wait(select.POLLIN, deadline)

    def pending(self) -> List[Captured]:
        """Return the frames that have arrived, without waiting."""
        frames: List[Captured] = []
        while True:
            try:
                captured = self._try_recv()
            except BlockingIOError:
                return frames
            if captured is None:
                return frames
            frames.append(captured)

    def __iter__(self) -> Iterator[Captured]:
        """Yield each frame until the end."""
        while True:
            captured = self.recv()
            if captured is None:
                return
            yield captured

    async def arecv(self) -> Optional[Captured]:
        """Return the next frame in a coroutine; None at the end."""
        while True:
            try:
                return self._try_recv()
            except BlockingIOError:
                await until_ready(self._check_open(), select.POLLIN)

    async def __aiter__(self) -> AsyncIterator[Captured]:
        """Yield each frame until the end, in a coroutine."""
        while True:
            captured = await self.arecv()
            if captured is None:
                return
            yield captured


class Expectation:
    """A wait for a frame that began when this was made: no frame after that is missed."""

    def __init__(self, capture: Capture, match: Match, limit: Optional[int]) -> None:
        self._capture = capture
        self._match = match
        self._limit = limit
        self._count = 0

    def wait(self, timeout: Optional[float] = None) -> bytes:
        """Return the next frame that matches.

        Raise TimeoutError after ``timeout`` seconds, or LookupError after ``limit`` frames or at
        the end of the tunnel.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            rest = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._capture.settimeout(rest)
            try:
                captured = self._capture.recv()
            except TimeoutError:
                raise TimeoutError(f"no frame of {self._capture.name!r} matched within {timeout:g} "
                                   f"seconds; {self._count} frames came") from None
            if captured is None:
                raise LookupError(f"{self._capture.name!r} ended; {self._count} frames came, and "
                                  "none matched")
            self._count += 1
            if self._match(captured.frame):
                return captured.frame
            if self._limit is not None and self._count >= self._limit:
                raise LookupError(f"none of {self._count} frames of {self._capture.name!r} matched")

    def close(self) -> None:
        """Stop looking at frames."""
        self._capture.close()

    def __enter__(self) -> "Expectation":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

# SPDX-License-Identifier: MIT
"""The events of a broker, on a connection of their own."""
import select
import time
from typing import AsyncIterator, Iterator, Optional

from ._connection import Connection
from ._descriptor import until_ready, wait_ready
from ._protocol import ERROR, Command, Message
from ._record import Record

#: The event that says that this program was too slow and lost events.
_LOST = Record({"event": "lost"})


class Watch:
    """Each change of tunnels, bridges, uplinks and rules since this was made.

    >>> with broker() as b, b.watch() as events:
    ...     b.add("a", bridge="lab")
    ...     for event in events:
    ...         print(event.event, event.name)
    ...         if event.event == "added":
    ...             break
    Record({...})
    bridge-added lab
    added a
    """

    def __init__(self, address: Optional[str], timeout: Optional[float]) -> None:
        self._connection = Connection(address, timeout)
        self._timeout: Optional[float] = None
        try:
            self._connection.request(Command.SUBSCRIBE, {})
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Return a descriptor that is readable when an event has come."""
        return self._connection.fileno()

    def close(self) -> None:
        """End the subscription."""
        self._connection.close()

    def settimeout(self, seconds: Optional[float]) -> None:
        """Limit how long next() and an iteration wait; None, the default, is no limit."""
        self._timeout = seconds

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def _record(message: Message) -> Record:
        return _LOST if message.kind == ERROR else Record(message.values)

    def next(self) -> Record:
        """Return the next event. Raise TimeoutError, see settimeout()."""
        if self._connection.events:
            return self._record(self._connection.events.popleft())
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        if not wait_ready(self.fileno(), select.POLLIN, deadline):
            raise TimeoutError(f"no event within {self._timeout:g} seconds")
        return self._record(self._connection.receive_event())

    def __iter__(self) -> Iterator[Record]:
        while True:
            yield self.next()

    async def __aiter__(self) -> AsyncIterator[Record]:
        while True:
            if not self._connection.events:
                await until_ready(self.fileno(), select.POLLIN)
            yield self.next()

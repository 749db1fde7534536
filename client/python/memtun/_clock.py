# SPDX-License-Identifier: MIT
"""The broker's logical clock, which delays, the ageing of addresses and some timers follow."""
from typing import Optional

from ._connection import Connection, connect_patiently
from ._protocol import Command
from ._quantity import Time, nanoseconds
from ._record import Record


class Clock:
    """The clock of a broker: ``broker.clock``. It moves by these calls if it is manual.

    A record has ``clock``, real or manual, ``clock_time``, ``due``, the number of events to come,
    and ``clock_next``, the time of the first of them. Times are in nanoseconds.

    >>> with broker(clock="manual") as b:
    ...     b.clock.advance("20ms").clock_time
    20000000
    """

    def __init__(self, connection: Connection, reply_timeout: Optional[float]) -> None:
        self._connection = connection
        self._reply_timeout = reply_timeout

    def show(self) -> Record:
        """Return what the clock shows."""
        return self._connection.request_one(Command.CLOCK_SHOW, {}).record

    def advance(self, time: Time) -> Record:
        """Move the clock, and run each event until then at its time.

        ``time`` is a number of seconds, or text with a unit such as "20ms".
        """
        return self._connection.request_one(Command.CLOCK_ADVANCE,
                                            {"move": nanoseconds(time)}).record

    def next(self, timeout: Optional[float] = None) -> Record:
        """Wait until the broker is quiet, move the clock to the next event, and run that.

        ``move`` of the record is by how much it has moved. Raise memtun.Error with ENODATA if
        nothing is due, and TimeoutError after ``timeout`` seconds; the clock has not moved then.
        """
        limit = None if timeout is None else nanoseconds(timeout)
        with connect_patiently(self._connection.address, self._reply_timeout, timeout) as other:
            return other.request_one(Command.CLOCK_NEXT, {"time_limit": limit}).record

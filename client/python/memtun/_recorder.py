# SPDX-License-Identifier: MIT
"""Writes a capture to a pcapng file while a test runs."""
import os
import select
import threading
from typing import IO, Union

from ._broker import Broker
from ._capture import Capture
from ._errors import Error
from ._pcapng import PcapngWriter


class Recorder:
    """Owns a capture and a thread that reads it, so that it misses no frame of a long test."""

    def __init__(self, broker: Broker, name: str, path: Union[str, "os.PathLike[str]"]) -> None:
        self.path = path
        self.frames = 0
        self.missed = 0
        self._broker = broker
        self._capture: Capture = broker.capture(name, faults=True)
        self._file: IO[bytes] = open(path, "wb")
        self._writer = PcapngWriter(self._file, self._name_of)
        self._wake, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, name="memtun capture", daemon=True)
        self._thread.start()

    def _name_of(self, port: int) -> str:
        """Return the name of a port, which may have been deleted by now."""
        try:
            records = [*self._broker.list(), *self._broker.uplinks.list()]
        except Error:
            records = []
        return next((str(record.name) for record in records if record.id == port), f"port {port}")

    def _drain(self) -> int:
        captured = self._capture.pending()
        for one in captured:
            self._writer.write(one)
            self.missed = one.missed
        self.frames += len(captured)
        return len(captured)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._capture.fileno(), select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            count = self._drain()
            if self._wake in ready:
                return
            if not count and ready.get(self._capture.fileno(), 0) & select.POLLHUP:
                return

    def stop(self) -> None:
        """Write what the broker has captured so far, and end. A second call does nothing."""
        if self._capture.closed:
            return
        os.close(self._stop)
        self._thread.join()
        os.close(self._wake)
        try:
            # The broker answers after it has put the records before the request on the socket; it
            # may have more that found no room.
            self._broker.sessions.list()
            while self._drain():
                self._broker.sessions.list()
        except Error:
            self._drain()
        self._capture.close()
        self._file.close()

    def remove(self) -> None:
        """End, and remove the file."""
        self.stop()
        os.unlink(self.path)

# SPDX-License-Identifier: MIT
"""The clients of a broker."""
from typing import List

from ._connection import Connection, records
from ._protocol import Command
from ._record import Record


class Sessions:
    """The clients of a broker: ``broker.sessions``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> List[Record]:
        """Return the record of each client that is connected, or has a capture or an injector."""
        return records(self._connection.request(Command.SESSION_SHOW, {}, dump=True))

    def delete(self, id: int) -> None:
        """Disconnect a client, and end its captures and injectors."""
        self._connection.request(Command.SESSION_DELETE, {"id": id})

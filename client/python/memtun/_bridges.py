# SPDX-License-Identifier: MIT
"""The bridges of a broker."""
from typing import List, Optional

from ._connection import Connection, records
from ._protocol import Command
from ._record import Record


class Bridges:
    """The bridges of a broker: ``broker.bridges``.

    >>> with broker() as b:
    ...     b.bridges.add("lab", hub=True)
    ...     b.bridges.show("lab").hub
    True
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, name: str, *, hub: Optional[bool] = None,
            loop_guard: Optional[bool] = None) -> None:
        """Make a bridge that stays until it is deleted."""
        self._connection.request(Command.BRIDGE_ADD,
                                 {"name": name, "hub": hub, "loop_guard": loop_guard})

    def show(self, name: str) -> Record:
        """Return the record of one bridge."""
        return self._connection.request_one(Command.BRIDGE_SHOW, {"name": name}).record

    def list(self) -> List[Record]:
        """Return the records of all bridges."""
        return records(self._connection.request(Command.BRIDGE_SHOW, {}, dump=True))

    def addresses(self, name: str) -> List[Record]:
        """Return what the bridge has learned: address, name of the port, vlan and age."""
        return records(self._connection.request(Command.ADDRESS_SHOW, {"bridge": name},
                                                 dump=True))

    def delete(self, name: str) -> None:
        """Delete a bridge. Its ports stay, without a bridge."""
        self._connection.request(Command.BRIDGE_DELETE, {"name": name})

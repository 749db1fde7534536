# SPDX-License-Identifier: MIT
"""TUN and TAP devices for tests, without /dev/net/tun, root or namespaces.

A broker, memtund(1), hands out tunnels and forwards frames between them. This package speaks its
protocol, memtun-protocol(7), and starts a private one on request:

>>> with memtun.broker() as b, b.open("a", bridge="lab") as a, b.open("b", bridge="lab") as other:
...     a.send(b"\\xff" * 6 + b"\\x02\\0\\0\\0\\0\\1" + b"\\x88\\xb5" + b"hello")
...     print(other.recv()[14:])
b'hello'

memtun.connect() connects to a broker that runs. memtun.process starts programs that inherit
tunnels, memtun.scapy is a socket for Scapy, and memtun.pytest_plugin has fixtures for pytest. What
is imported from here is loaded when it is first used.
"""
import importlib
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from ._bridges import Bridges
    from ._broker import Broker, broker, connect
    from ._capture import Capture, Expectation
    from ._clock import Clock
    from ._errors import (BusyError, DroppedError, Error, NoBrokerError, NotFoundError,
                          NotPermittedError, ReplyTimeoutError)
    from ._expect import FilterExpectation
    from ._impair import Impairments
    from ._inherited import inherited
    from ._inject import Injector
    from ._pcapng import PcapngWriter
    from ._record import Captured, Injected, Record
    from ._sessions import Sessions
    from ._tunnel import Tunnel
    from ._uplinks import Uplinks
    from ._watch import Watch

__all__ = [
    "Bridges", "Broker", "BusyError", "Capture", "Captured", "Clock", "DroppedError", "Error",
    "Expectation", "FilterExpectation", "Impairments", "Injected", "Injector", "NoBrokerError",
    "NotFoundError", "NotPermittedError", "PcapngWriter", "Record", "ReplyTimeoutError",
    "Sessions", "Tunnel", "Uplinks", "Watch", "broker", "connect", "inherited",
]

__version__ = "0.1.0"

_MODULES = {
    "_bridges": "Bridges",
    "_broker": "Broker broker connect",
    "_capture": "Capture Expectation",
    "_clock": "Clock",
    "_errors": "BusyError DroppedError Error NoBrokerError NotFoundError NotPermittedError "
               "ReplyTimeoutError",
    "_expect": "FilterExpectation",
    "_impair": "Impairments",
    "_inherited": "inherited",
    "_inject": "Injector",
    "_pcapng": "PcapngWriter",
    "_record": "Captured Injected Record",
    "_sessions": "Sessions",
    "_tunnel": "Tunnel",
    "_uplinks": "Uplinks",
    "_watch": "Watch",
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that the pytest plugin costs nothing before."""
    if name not in _HOMES:
        raise AttributeError(f"module 'memtun' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"memtun.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted([*globals(), *_HOMES])

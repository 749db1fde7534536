# SPDX-License-Identifier: MIT
"""Writes captured frames as a pcapng file, one interface per port and link type."""
import struct
from typing import IO, Callable, Dict, Tuple

from ._record import Captured

#: Block types, and options, of draft-ietf-opsawg-pcapng.
_SECTION, _INTERFACE, _PACKET = 0x0a0d0d0a, 1, 6
_COMMENT, _IF_NAME, _IF_TSRESOL, _EPB_FLAGS, _EPB_PACKETID = 1, 2, 9, 2, 5
#: LINKTYPE_ETHERNET and LINKTYPE_RAW of pcap-linktype(7).
_LINK_TYPES = {"tap": 1, "tun": 101}
#: epb_flags: inbound is what a client sent into the broker.
_DIRECTIONS = {"from-client": 1, "to-client": 2}


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("=HH", code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("=I", 12 + len(body))
    return struct.pack("=I", kind) + length + body + length


class PcapngWriter:
    """Writes to a binary file, which stays the caller's.

    >>> file = io.BytesIO()
    >>> with broker() as b, b.open("a", mode="tun") as a, b.capture("a") as seen:
    ...     a.send(b"E" + bytes(19))
    ...     PcapngWriter(file).write(seen.recv())
    >>> len(file.getvalue())
    136
    """

    def __init__(self, file: IO[bytes], name_of: Callable[[int], str] = "port {}".format) -> None:
        """Write to the file. ``name_of`` returns the name of the port that has an id."""
        self._file = file
        self._name_of = name_of
        self._interfaces: Dict[Tuple[int, str], int] = {}
        # The byte order, version 1.0, and a section of unknown length.
        self._file.write(_block(_SECTION, struct.pack("=IHHq", 0x1a2b3c4d, 1, 0, -1)))

    def _interface(self, port: int, mode: str) -> int:
        """Return the number of the port's interface, which this may have to write."""
        key = (port, mode)
        if key not in self._interfaces:
            name = self._name_of(port).encode(errors="surrogateescape")
            self._file.write(_block(_INTERFACE, struct.pack("=HHI", _LINK_TYPES[mode], 0, 0)
                                    + _option(_IF_NAME, name) + _option(_IF_TSRESOL, b"\x09")
                                    + _option(0, b"")))
            self._interfaces[key] = len(self._interfaces)
        return self._interfaces[key]

    def write(self, captured: Captured) -> None:
        """Write one frame."""
        interface = self._interface(captured.port, captured.mode)
        length = len(captured.frame)
        options = _option(_EPB_FLAGS, struct.pack("=I", _DIRECTIONS[captured.direction]))
        if captured.id:
            options += _option(_EPB_PACKETID, struct.pack("=Q", captured.id))
        if captured.comment:
            options += _option(_COMMENT, captured.comment.encode())
        self._file.write(_block(_PACKET, struct.pack(
            "=IIIII", interface, captured.time >> 32, captured.time & 0xffffffff, length, length)
            + captured.frame + bytes(-length % 4) + options + _option(0, b"")))

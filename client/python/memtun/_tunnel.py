# SPDX-License-Identifier: MIT
"""An open tunnel: one frame per call, with time limits, as an iterator, and in coroutines."""
import errno
import select
import struct
from typing import AsyncIterator, Iterator

from ._descriptor import Descriptor, until_ready
from ._errors import make_error
from ._protocol import FRAME_MAX, HEADERS_MAX
from ._record import Record

#: Before each frame on a stream socket: its length, big-endian.
_LENGTH = struct.Struct("!I")
#: The lengths of a struct tun_pi, and of a struct virtio_net_hdr unless vnet_hdr_size says more.
_PI_SIZE, _VNET_HDR_SIZE = 4, 10


class Tunnel(Descriptor):
    """One end of a tunnel, which a program can read, write, pass on and select on.

    A frame is an IP packet of a TUN and an Ethernet frame of a TAP, behind the headers that the
    options ``pi`` and ``vnet_hdr`` ask for. The end is the broker's end, or that the tunnel was
    deleted; a tunnel with the option ``socket="dgram"`` doesn't see it.

    >>> with broker() as b, b.open("a", bridge="lab") as a, b.open("b", bridge="lab") as other:
    ...     a.send(bytes.fromhex("ffffffffffff 020000000001 88b5") + b"hello")
    ...     other.recv()[14:]
    b'hello'
    """

    def __init__(self, fd: int, record: Record, address: str) -> None:
        super().__init__(fd)
        #: What the broker told when the tunnel was opened, or its queue attached or detached.
        self.record = record
        #: The broker's control socket, for MEMTUN_SOCKET.
        self.address = address
        self._is_stream = record.socket == "stream"
        self._received = bytearray()  # of a stream: what is not yet a whole frame
        self._unsent = b""  # of a stream: the rest of a frame

    @property
    def name(self) -> str:
        """The tunnel's name; what a template with ``%d`` became. A detached queue has ""."""
        return str(self.record.name or "")

    def __repr__(self) -> str:
        return f"<memtun.Tunnel {self.name!r} fd={self.fileno()}>"

    # --- one attempt ---

    def _try_recv_stream(self) -> bytes:
        while True:
            if len(self._received) >= _LENGTH.size:
                length = _LENGTH.unpack_from(self._received)[0]
                if length > FRAME_MAX + HEADERS_MAX:
                    raise make_error(errno.EBADMSG, f"a frame has the length {length}")
                end = _LENGTH.size + length
                if len(self._received) >= end:
                    frame = bytes(self._received[_LENGTH.size:end])
                    del self._received[:end]
                    if not frame:
                        continue  # as on the other sockets
                    return frame
            data = self._try_read(FRAME_MAX + HEADERS_MAX)
            if not data:
                return b""
            self._received += data

    def _try_recv(self) -> bytes:
        """Receive a frame that is there already; b"" is the end."""
        if self._is_stream:
            return self._try_recv_stream()
        while True:
            frame = self._try_read(FRAME_MAX + HEADERS_MAX)
            # A peer can send an empty frame, which is nothing to anyone.
            if frame or self._is_at_end():
                return frame

    def _try_flush(self) -> None:
        while self._unsent:
            self._unsent = self._unsent[self._try_write(self._unsent):]

    def _longest(self) -> int:
        """Return the length of the longest frame that the broker takes from a stream."""
        length = FRAME_MAX
        if self.record.pi:
            length += _PI_SIZE
        if self.record.vnet_hdr:
            length += int(self.record.vnet_hdr_size or _VNET_HDR_SIZE)
        return length

    def _try_send(self, frame: bytes) -> None:
        """Send a frame. Of a stream, the rest that finds no room is left in _unsent."""
        if not self._is_stream:
            self._try_write(frame)
            return
        # The broker would end the tunnel, as it could trust no length that follows.
        if len(frame) > self._longest():
            raise make_error(errno.EMSGSIZE, f"{self!r}: a frame of {len(frame)} bytes; a stream "
                             f"carries at most {self._longest()} bytes")
        self._try_flush()
        data = _LENGTH.pack(len(frame)) + frame
        self._unsent = data[self._try_write(data):]

    # --- calls that wait ---

    def recv(self) -> bytes:
        """Receive one frame. Return b"" at the end. Raise TimeoutError, see settimeout()."""
        deadline = self._deadline()
        while True:
            try:
                return self._try_recv()
            except BlockingIOError:
                self._wait(select.POLLIN, deadline)

    def send(self, frame: bytes) -> None:
        """Send one frame, and wait for room if the broker is behind.

        Raise BrokenPipeError if the tunnel has ended, and TimeoutError, see settimeout(). If a
        stream socket took only a part of the frame before that, the rest goes before the next
        frame. A frame that is too long is an OSError with EMSGSIZE, and the tunnel can still be
        used: on a stream socket one of more than 69632 bytes and the headers, and on the others
        what the kernel refuses. The broker drops an empty frame.
        """
        deadline = self._deadline()
        while True:
            try:
                self._try_send(bytes(frame))
                break
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline)
        while self._unsent:
            self._wait(select.POLLOUT, deadline)
            try:
                self._try_flush()
            except BlockingIOError:
                continue

    def __iter__(self) -> Iterator[bytes]:
        """Yield each frame until the end."""
        while True:
            frame = self.recv()
            if not frame:
                return
            yield frame

    # --- coroutines ---

    async def arecv(self) -> bytes:
        """Receive one frame in a coroutine. Return b"" at the end.

        >>> async def exchange():
        ...     with broker() as b, b.open("l", mode="tun", peer="r") as l, b.open("r") as r:
        ...         await l.asend(b"E" + bytes(19))
        ...         async for frame in r:
        ...             return len(frame)
        >>> asyncio.run(exchange())
        20
        """
        while True:
            try:
                return self._try_recv()
            except BlockingIOError:
                await until_ready(self._check_open(), select.POLLIN)

    async def asend(self, frame: bytes) -> None:
        """Send one frame in a coroutine."""
        while True:
            try:
                self._try_send(bytes(frame))
                break
            except BlockingIOError:
                await until_ready(self._check_open(), select.POLLOUT)
        while self._unsent:
            await until_ready(self._check_open(), select.POLLOUT)
            try:
                self._try_flush()
            except BlockingIOError:
                continue

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield each frame until the end, in a coroutine."""
        while True:
            frame = await self.arecv()
            if not frame:
                return
            yield frame

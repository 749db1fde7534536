# SPDX-License-Identifier: MIT
"""A connection to a broker: it finds the broker, sends requests, and receives their answers.

A connection owns its socket. It hands each descriptor of an answer to its caller, and closes those
of an answer that fails.
"""
import collections
import contextlib
import errno
import os
import socket
import struct
import threading
import time
from typing import Any, Deque, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from . import _protocol, _users
from ._errors import Error, NoBrokerError, make_error
from ._protocol import Command, Message
from ._record import Record

#: One descriptor of SCM_RIGHTS.
_FD = struct.Struct("=i")
#: In place of a descriptor: there was one, and this process had no free number for it.
_LOST = -2
#: Errors of connect(2) that mean that no broker listens at a place.
_ABSENT = (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR)
#: Commands whose answers have a descriptor.
_WITH_DESCRIPTOR = (Command.QUEUE_OPEN, Command.CAPTURE, Command.INJECT, Command.HAND_IN)


class Reply(NamedTuple):
    """One record of an answer, and its descriptor; -1: none."""

    record: Record
    fd: int


def _places() -> List[str]:
    """Return the addresses at which a broker may listen if none is named."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    places = [f"{runtime}/memtun/control"] if runtime.startswith("/") else []
    places.append(f"/run/user/{os.geteuid()}/memtun/control")
    temporary = f"/tmp/memtun-{os.geteuid()}"
    if _users.owns_directory(temporary):
        places.append(f"{temporary}/control")
    return [*places, "/run/memtun/control"]


def _connect_at(address: str, timeout: Optional[float], named: bool) -> socket.socket:
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        control.settimeout(timeout)
        control.connect("\0" + address[1:] if address.startswith("@") else address)
        _users.check_peer(control, address, named)
    except BaseException:
        control.close()
        raise
    return control


def _connect(address: Optional[str], timeout: Optional[float]) -> Tuple[socket.socket, str]:
    """Connect to the named broker, or to the first that is found."""
    named = address or os.environ.get("MEMTUN_SOCKET")
    for place in [named] if named else _places():
        try:
            return _connect_at(place, timeout, bool(named)), place
        except socket.timeout:
            raise make_error(errno.ETIMEDOUT, f"the broker on {place} has not accepted the "
                             f"connection within {timeout:g} seconds") from None
        except Error:
            raise
        except OSError as error:
            if error.errno not in _ABSENT:
                raise make_error(error.errno or errno.EINVAL, f"cannot connect to the broker on "
                                 f"{place}: {error.strerror or error}") from None
    raise NoBrokerError(errno.ENOENT, f"no broker is running at {named}" if named
                        else "no broker is running; memtund starts one")


class Connection:
    """A session with the broker at ``address``."""

    def __init__(self, address: Optional[str] = None, timeout: Optional[float] = 10) -> None:
        self._lock = threading.Lock()
        self._sequence = 0
        self._timeout = timeout
        self._why_closed = "the connection is closed"
        #: Events that came between the records of answers.
        self.events: Deque[Message] = collections.deque()
        self._socket, self.address = _connect(address, timeout)
        try:
            self.request(Command.HELLO, {"version": _protocol.VERSION})
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the session. Tunnels, captures and injectors that it opened stay."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the socket's descriptor; -1 once it is closed."""
        return self._socket.fileno()

    # --- records ---

    def receive(self, timeout: Optional[float]) -> Tuple[Message, int]:
        """Receive one record and its descriptor; -1: none, _LOST: it found no free number.

        Raise socket.timeout after this time.
        """
        self._socket.settimeout(timeout)
        # Not socket.recv_fds(), which ignores its flags up to Python 3.12 at least.
        data, ancillary, flags, _ = self._socket.recvmsg(
            _protocol.RECORD_MAX, socket.CMSG_LEN(_FD.size), socket.MSG_CMSG_CLOEXEC)
        fd = next((_FD.unpack(value)[0] for level, kind, value in ancillary if
                   (level, kind, len(value)) == (socket.SOL_SOCKET, socket.SCM_RIGHTS, _FD.size)),
                  -1)
        try:
            if not data:
                raise make_error(errno.EPIPE, "the broker has closed the connection")
            message = _protocol.parse(data)
            if fd < 0 and (message.values.get("fds", 0) or flags & socket.MSG_CTRUNC):
                fd = _LOST
            if message.sequence == 0 and message.error not in (0, errno.ENOBUFS):
                raise make_error(message.error, message.text)
        except BaseException as error:
            if fd >= 0:
                os.close(fd)
            if isinstance(error, ValueError):
                raise make_error(errno.EBADMSG, f"the broker sent a malformed record: "
                                 f"{error}") from None
            raise
        return message, fd

    def _receive_answer(self, sequence: int, deadline: Optional[float]) -> Tuple[Message, int]:
        """Receive the next record that is no event. Raise socket.timeout after the deadline."""
        while True:
            rest = None if deadline is None else deadline - time.monotonic()
            if rest is not None and rest <= 0:
                raise socket.timeout
            message, fd = self.receive(rest)
            if message.sequence == sequence:
                return message, fd
            _close(fd)
            if message.sequence:
                raise make_error(errno.EBADMSG, "the broker answered another request")
            self.events.append(message)

    def receive_event(self) -> Message:
        """Receive the next event, for which this waits without a limit."""
        message, fd = self.receive(None)
        _close(fd)
        return message

    def _receive_all(self, sequence: int, deadline: Optional[float], has_descriptors: bool,
                     replies: List[Reply]) -> Optional[Error]:
        """Receive an answer to its end. Return the broker's error, if it is one."""
        lost: Optional[Error] = None
        while True:
            message, fd = self._receive_answer(sequence, deadline)
            if fd == _LOST:
                # The record was read whole, and the answer goes on.
                lost = make_error(errno.EMFILE, "the broker's descriptor was lost: this process has "
                                  "no free descriptor")
            if not has_descriptors or message.kind in (_protocol.ERROR, _protocol.DONE):
                _close(fd)
                fd = -1
            if message.kind == _protocol.ERROR and message.error:
                return lost or make_error(message.error, message.text)
            if message.kind in (_protocol.ERROR, _protocol.DONE):
                return lost
            replies.append(Reply(Record(message.values), fd))
            if not message.flags & _protocol.MULTI:
                return lost

    # --- requests ---

    def request(self, command: Command, options: Mapping[str, Any], dump: bool = False,
                ) -> List[Reply]:
        """Send a request and return the records of its answer.

        The caller owns the descriptors of the commands of _WITH_DESCRIPTOR; others are closed.

        An interrupted or late answer closes the connection, as its rest would be taken for the
        answer of the next request.
        """
        attributes = _protocol.encode(options)
        replies: List[Reply] = []
        with self._lock:
            if self._socket.fileno() < 0:
                raise make_error(errno.EPIPE, self._why_closed)
            self._sequence = self._sequence % 0xffffffff + 1
            flags = _protocol.REQUEST | _protocol.ACK | (_protocol.DUMP if dump else 0)
            deadline = None if self._timeout is None else time.monotonic() + self._timeout
            try:
                self._socket.settimeout(self._timeout)
                self._socket.send(_protocol.build(command, flags, self._sequence, attributes))
                error = self._receive_all(self._sequence, deadline, command in _WITH_DESCRIPTOR,
                                          replies)
            except BaseException as failure:
                self._socket.close()
                _close_all(replies)
                raise self._explain(failure) from None
        if error:
            _close_all(replies)
            raise error
        return replies

    def request_one(self, command: Command, options: Mapping[str, Any]) -> Reply:
        """Send a request and return the last record of its answer, which has to have one."""
        replies = self.request(command, options)
        if not replies:
            raise make_error(errno.EBADMSG, "the broker sent no record")
        if command in _WITH_DESCRIPTOR:
            _close_all(replies[:-1])
            if replies[-1].fd < 0:
                raise make_error(errno.EBADMSG, "the broker sent no descriptor")
        return replies[-1]

    def _explain(self, failure: BaseException) -> BaseException:
        """Return the exception for a request whose answer did not come whole."""
        if isinstance(failure, socket.timeout):
            failure = make_error(errno.ETIMEDOUT,
                                 f"the broker has not answered within {self._timeout:g} seconds")
        elif isinstance(failure, OSError) and not isinstance(failure, Error):
            failure = make_error(failure.errno or errno.EIO,
                                 f"the connection to the broker has failed: {failure.strerror}")
        self._why_closed = f"the connection was closed before: {failure}"
        return failure


@contextlib.contextmanager
def connect_patiently(address: str, reply_timeout: Optional[float], timeout: Optional[float],
                      ) -> Iterator[Connection]:
    """Make a connection for one request whose answer takes as long as the caller waits.

    The broker reads no further request of a client meanwhile, so the request has a connection of
    its own, which ends with the wait.
    """
    patience = (None if timeout is None or reply_timeout is None else timeout + reply_timeout)
    connection = Connection(address, patience)
    try:
        yield connection
    finally:
        connection.close()


def _close(fd: int) -> None:
    if fd >= 0:
        os.close(fd)


def _close_all(replies: List[Reply]) -> None:
    for reply in replies:
        _close(reply.fd)


def records(replies: List[Reply]) -> List[Record]:
    """Return the records of an answer that has no descriptors."""
    return [reply.record for reply in replies]

# SPDX-License-Identifier: MIT
"""A broker: tunnels, captures and injectors, and the bridges, uplinks and sessions beside them.

The keyword options are the keys of memtun(1), with ``_`` for ``-``; None is an option that isn't
given. Addresses may be a list.
"""
import errno
import os
import select
import socket
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from . import _inject, _private, _protocol
from ._capture import Capture, Expectation, Match
from ._connection import Connection, Reply
from ._descriptor import wait_ready
from ._errors import NotFoundError, make_error
from ._expect import FilterExpectation
from ._inject import Injector
from ._protocol import Command, Frames, Injected, Record
from ._tunnel import Tunnel
from ._watch import Watch

#: One address, or several.
Addresses = Union[None, str, Sequence[object]]
#: Seconds between two looks whether a tunnel is drained: there is no event for it.
_DRAINED_INTERVAL = 0.01


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
        return self._connection.request(Command.BRIDGE_SHOW, {"name": name})[0].record

    def list(self) -> List[Record]:
        """Return the records of all bridges."""
        return _records(self._connection.request(Command.BRIDGE_SHOW, {}, dump=True))

    def addresses(self, name: str) -> List[Record]:
        """Return what the bridge has learned: address, name of the port, vlan and age."""
        return _records(self._connection.request(Command.ADDRESS_SHOW, {"bridge": name},
                                                 dump=True))

    def delete(self, name: str) -> None:
        """Delete a bridge. Its ports stay, without a bridge."""
        self._connection.request(Command.BRIDGE_DELETE, {"name": name})


class Uplinks:
    """The uplinks of a broker: ``broker.uplinks``. memtun-tunnels(7) describes their types.

    >>> with broker() as b:
    ...     b.uplinks.add("lan", bridge="lab", type="mcast", group="230.0.0.1", port=5558).state
    'up'
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, name: str, *, bridge: str, type: str, fd: Any = None,
            pid: Optional[int] = None, until: Any = None, mode: Optional[str] = None,
            pi: Optional[bool] = None, mtu: Optional[int] = None, queue: Optional[int] = None,
            overflow: Optional[str] = None, address: Addresses = None, gateway: Addresses = None,
            device: Optional[str] = None, path: Union[None, str, "os.PathLike[str]"] = None,
            group: Optional[str] = None, port: Optional[int] = None,
            ifaddr: Optional[str] = None, ttl: Optional[int] = None, loop: Optional[bool] = None,
            local: Optional[str] = None, remote: Union[None, str, "os.PathLike[str]"] = None,
            vni: Optional[int] = None) -> Record:
        """Make an uplink, and return its record.

        For the types ``fd`` and ``device``, ``fd`` is the descriptor or an object with fileno(),
        and stays open. ``pid`` is a process, or ``until`` a descriptor, whose end deletes the
        uplink. Paths become absolute, as the broker has another working directory.
        """
        options = {
            "name": name, "bridge": bridge, "type": type, "mode": mode, "pi": pi, "mtu": mtu,
            "queue": queue, "overflow": overflow, "address": address, "gateway": gateway,
            "device": device, "path": _absolute(path), "group": group, "port": port,
            "ifaddr": ifaddr, "ttl": ttl, "loop": loop, "local": local,
            "remote": _absolute(remote) if type == "dgram" else remote, "vni": vni,
        }
        if fd is None and pid is None and until is None:
            return self._connection.request(Command.UPLINK_ADD, options)[0].record
        process = -1
        try:
            descriptors = [_number_of(fd)]
            if until is not None:
                descriptors.append(_number_of(until))
            elif pid is not None:
                process = os.pidfd_open(pid)
                descriptors.append(process)
            options["hand_in"] = self._hand_in(descriptors)
            return self._connection.request(Command.UPLINK_ADD, options)[0].record
        finally:
            if process >= 0:
                os.close(process)

    def _hand_in(self, descriptors: List[int]) -> Any:
        """Give copies of the descriptors to the broker, and return the id of the hand-in."""
        reply = self._connection.request(Command.HAND_IN, {})[0]
        with socket.socket(fileno=reply.fd) as channel:
            socket.send_fds(channel, [bytes([len(descriptors)])], descriptors)
        return reply.record.hand_in

    def set(self, name: str, *, bridge: Optional[str] = None, nobridge: bool = False,
            mtu: Optional[int] = None, queue: Optional[int] = None,
            overflow: Optional[str] = None, address: Addresses = None,
            gateway: Addresses = None) -> None:
        """Change an uplink in use."""
        self._connection.request(Command.UPLINK_SET, {
            "name": name, "bridge": _bridge(bridge, nobridge), "mtu": mtu, "queue": queue,
            "overflow": overflow, "address": address, "gateway": gateway})

    def show(self, name: str, statistics: bool = False) -> Record:
        """Return the record of one uplink, with counters if ``statistics``."""
        return self._connection.request(Command.UPLINK_SHOW,
                                        {"name": name, "statistics": statistics})[0].record

    def list(self, statistics: bool = False) -> List[Record]:
        """Return the records of all uplinks."""
        return _records(self._connection.request(Command.UPLINK_SHOW,
                                                 {"statistics": statistics}, dump=True))

    def delete(self, name: str) -> None:
        """Delete an uplink."""
        self._connection.request(Command.UPLINK_DELETE, {"name": name})


class Sessions:
    """The clients of a broker: ``broker.sessions``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> List[Record]:
        """Return the record of each client that is connected, or has a capture or an injector."""
        return _records(self._connection.request(Command.SESSION_SHOW, {}, dump=True))

    def delete(self, id: int) -> None:
        """Disconnect a client, and end its captures and injectors."""
        self._connection.request(Command.SESSION_DELETE, {"id": id})


class Broker:
    """A connection to a broker, which broker() or connect() makes.

    It can be used by several threads. It is a context manager that closes it; the tunnels that it
    opened stay open, except with a private broker, which ends.
    """

    def __init__(self, connection: Connection, private: Optional[_private.PrivateBroker] = None,
                 reply_timeout: Optional[float] = 10) -> None:
        self._connection = connection
        self._private = private
        self._reply_timeout = reply_timeout
        self.bridges = Bridges(connection)
        self.uplinks = Uplinks(connection)
        self.sessions = Sessions(connection)

    def __repr__(self) -> str:
        return f"<memtun.Broker at {self.address!r}>"

    # --- life ---

    @property
    def address(self) -> str:
        """The control socket: a path, or ``@name``."""
        return self._connection.address

    @property
    def pid(self) -> Optional[int]:
        """The process ID of a private broker; None of another one."""
        return self._private.pid if self._private else None

    @property
    def environment(self) -> Dict[str, str]:
        """This process's environment with MEMTUN_SOCKET, for programs that are to find the broker.

        >>> with broker() as b:
        ...     subprocess.run(["memtun", "add", "a"], env=b.environment, check=True).returncode
        ...     b.show("a").state
        0
        'closed'
        """
        return {**os.environ, "MEMTUN_SOCKET": self.address}

    def close(self) -> None:
        """Disconnect. A private broker ends, and with it its tunnels."""
        self._connection.close()
        if self._private:
            self._private.close()

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- tunnels ---

    def open(self, name: str = "tap%d", *, mode: Optional[str] = None,
             bridge: Optional[str] = None, peer: Optional[str] = None,
             socket: Optional[str] = None, mtu: Optional[int] = None,
             queue: Optional[int] = None, overflow: Optional[str] = None,
             address: Addresses = None, gateway: Addresses = None, pi: Optional[bool] = None,
             vnet_hdr: Optional[bool] = None, offload: Optional[int] = None,
             vnet_hdr_size: Optional[int] = None, multi_queue: Optional[bool] = None,
             backend: Optional[str] = None, exclusive: Optional[bool] = None,
             persistent: Optional[bool] = None) -> Tunnel:
        """Open a tunnel. One that doesn't exist is made, and deleted when it is closed.

        A ``%d`` in the name stands for the lowest number that makes a free name.
        """
        reply = self._connection.request(Command.QUEUE_OPEN, {
            "name": name, "mode": mode, "bridge": bridge, "peer": peer, "socket": socket,
            "mtu": mtu, "queue": queue, "overflow": overflow, "address": address,
            "gateway": gateway, "pi": pi, "vnet_hdr": vnet_hdr, "offload": offload,
            "vnet_hdr_size": vnet_hdr_size, "multi_queue": multi_queue, "backend": backend,
            "exclusive": exclusive, "persistent": persistent})[0]
        return Tunnel(reply.fd, reply.record, self.address)

    def add(self, name: str, *, mode: Optional[str] = None, bridge: Optional[str] = None,
            peer: Optional[str] = None, socket: Optional[str] = None, mtu: Optional[int] = None,
            queue: Optional[int] = None, overflow: Optional[str] = None,
            address: Addresses = None, gateway: Addresses = None, pi: Optional[bool] = None,
            vnet_hdr: Optional[bool] = None, offload: Optional[int] = None,
            vnet_hdr_size: Optional[int] = None, multi_queue: Optional[bool] = None,
            backend: Optional[str] = None, count: int = 1) -> Record:
        """Make a tunnel that stays until it is deleted, and return its record.

        With ``count``, make that many from a name with a ``%d``, and return the last one's record.
        """
        return self._connection.request(Command.TUNNEL_ADD, {
            "name": name, "mode": mode, "bridge": bridge, "peer": peer, "socket": socket,
            "mtu": mtu, "queue": queue, "overflow": overflow, "address": address,
            "gateway": gateway, "pi": pi, "vnet_hdr": vnet_hdr, "offload": offload,
            "vnet_hdr_size": vnet_hdr_size, "multi_queue": multi_queue, "backend": backend,
            "count": count if count != 1 else None})[-1].record

    def set(self, name: str, *, bridge: Optional[str] = None, nobridge: bool = False,
            mtu: Optional[int] = None, queue: Optional[int] = None,
            overflow: Optional[str] = None, address: Addresses = None,
            gateway: Addresses = None, offload: Optional[int] = None,
            vnet_hdr_size: Optional[int] = None, persistent: Optional[bool] = None) -> None:
        """Change a tunnel in use. ``nobridge`` takes it off its bridge."""
        self._connection.request(Command.TUNNEL_SET, {
            "name": name, "bridge": _bridge(bridge, nobridge), "mtu": mtu, "queue": queue,
            "overflow": overflow, "address": address, "gateway": gateway, "offload": offload,
            "vnet_hdr_size": vnet_hdr_size, "persistent": persistent})

    def show(self, name: str, statistics: bool = False) -> Record:
        """Return the record of one tunnel, with counters if ``statistics``."""
        return self._connection.request(Command.TUNNEL_SHOW,
                                        {"name": name, "statistics": statistics})[0].record

    def list(self, statistics: bool = False) -> List[Record]:
        """Return the records of all tunnels.

        >>> with broker() as b:
        ...     b.add("t%d", count=3).name
        ...     [record.name for record in b.list()]
        't2'
        ['t0', 't1', 't2']
        """
        return _records(self._connection.request(Command.TUNNEL_SHOW,
                                                 {"statistics": statistics}, dump=True))

    def delete(self, name: str) -> None:
        """Delete a tunnel, and its peer. A program that has it open reads the end."""
        self._connection.request(Command.TUNNEL_DELETE, {"name": name})

    # --- frames ---

    def capture(self, name: str, *, direction: Optional[str] = None) -> Capture:
        """Return copies of the frames of a tunnel or an uplink, or of the bridge of that name.

        ``direction`` is from-client or to-client; without it, both are captured.
        """
        try:
            reply = self._capture({"name": name, "direction": direction})
        except NotFoundError:
            reply = self._capture({"bridge": name, "direction": direction})
        return Capture(reply.fd, name)

    def _capture(self, options: Dict[str, Any]) -> Reply:
        return self._connection.request(Command.CAPTURE, options)[0]

    def injector(self, name: str, *, as_client: bool = False, vnet_hdr: bool = False) -> Injector:
        """Return an Injector, which puts frames on a tunnel.

        They go to the tunnel's program; with ``as_client``, they count as sent by it. With
        ``vnet_hdr``, a struct virtio_net_hdr of 10 bytes is before each frame.
        """
        reply = self._connection.request(Command.INJECT, {
            "name": name, "direction": "from-client" if as_client else "to-client",
            "vnet_hdr": vnet_hdr})[0]
        return Injector(reply.fd, name)

    def inject(self, name: str, *frames: Frames, as_client: bool = False,
               vnet_hdr: bool = False, allow_drop: bool = False) -> Injected:
        """Put frames on a tunnel, and return what became of them.

        Each argument is a frame or an iterable of frames. Raise DroppedError if the tunnel drops
        one, unless ``allow_drop``.

        >>> with broker() as b, b.open("a", mode="tun") as a:
        ...     b.inject("a", b"E" + bytes(19)).offered
        ...     len(a.recv())
        1
        20
        """
        with self.injector(name, as_client=as_client, vnet_hdr=vnet_hdr) as injector:
            for frame in _protocol.frames_of(frames):
                injector.send(frame)
            result = injector.finish()
        if not allow_drop:
            _inject.check_drops(name, result)
        return result

    def expect(self, name: str, match: Union[str, Match], *, direction: str = "from-client",
               limit: Optional[int] = None) -> Union[Expectation, FilterExpectation]:
        """Begin to wait for a frame of a tunnel or an uplink, or of the bridge of that name.

        ``match`` is a function that takes a frame and returns whether it is the one, or a filter of
        pcap-filter(7), for which this starts the command ``memtun expect``.

        >>> with broker() as b, b.open("a", bridge="lab") as a:
        ...     with b.expect("a", lambda frame: frame[12:14] == b"\\x88\\xb5") as expected:
        ...         a.send(bytes.fromhex("ffffffffffff 020000000001 88b5"))
        ...         len(expected.wait(timeout=5))
        14
        """
        if isinstance(match, str):
            return FilterExpectation(self.address, name, match, direction, limit)
        return Expectation(self.capture(name, direction=direction), match, limit)

    # --- changes ---

    def watch(self) -> Watch:
        """Return the events from now on."""
        return Watch(self.address, self._reply_timeout)

    def wait(self, name: str, state: str, timeout: Optional[float] = None) -> None:
        """Wait until a tunnel is open, closed or drained, or an uplink up or down.

        A tunnel is drained when its program has read all frames for it. A tunnel or an uplink need
        not exist yet, except to be drained. Raise TimeoutError after ``timeout`` seconds.

        >>> with broker() as b, b.open("a") as a:
        ...     b.wait("a", "open", timeout=5)
        """
        if state not in ("open", "closed", "drained", "up", "down"):
            raise ValueError(f"a tunnel is open, closed or drained, and an uplink up or down, "
                             f"not {state!r}")
        deadline = None if timeout is None else time.monotonic() + timeout
        with self.watch() as events:
            while not self._is(name, state):
                if not self._wait_event(events, name, state, deadline):
                    if deadline is not None and time.monotonic() >= deadline:
                        raise TimeoutError(f"{name} is not {state} after {timeout:g} seconds")
                    continue
                # The state may be another one again by now.
                return

    def _wait_event(self, events: Watch, name: str, state: str,
                    deadline: Optional[float]) -> bool:
        """Wait for an event. Return whether it says that the object has reached the state."""
        until = deadline
        if state == "drained":
            soon = time.monotonic() + _DRAINED_INTERVAL
            until = soon if deadline is None else min(soon, deadline)
        if not wait_ready(events.fileno(), select.POLLIN, until):
            return False
        event = events.next()
        if event.name != name:
            return False
        # The event of a deletion has the object's last state.
        ended = {"deleted": "closed", "uplink-deleted": "down"}.get(str(event.event))
        return bool((ended or event.state) == state)

    def _is(self, name: str, state: str) -> bool:
        record, other = self._find(name, is_uplink=state in ("up", "down"))
        if other:
            raise ValueError(f"{name!r} is an uplink, which is up or down" if state not in
                             ("up", "down") else f"{name!r} is a tunnel, which is open or closed")
        if state == "drained":
            if record is None:
                raise NotFoundError(errno.ENOENT, f"there is no tunnel {name!r}")
            if record.to_client_queued is None:
                raise make_error(errno.EOPNOTSUPP, f"the broker doesn't see what is read of "
                                 f"{name!r}, because it has a peer or is the kernel's")
            return not record.to_client_queued + record.to_client_unread
        if state in ("closed", "down"):
            return record is None or record.state == state
        return record is not None and record.state == state

    def _find(self, name: str, is_uplink: bool) -> Tuple[Optional[Record], bool]:
        """Return the tunnel or the uplink, and whether the name is one of the other kind."""
        shows = [self.show, self.uplinks.show]
        if is_uplink:
            shows.reverse()
        try:
            return shows[0](name, statistics=True), False
        except NotFoundError:
            pass
        try:
            shows[1](name)
        except NotFoundError:
            return None, False
        return None, True


def _records(replies: List[Reply]) -> List[Record]:
    return [reply.record for reply in replies]


def _bridge(bridge: Optional[str], nobridge: bool) -> Optional[str]:
    """Return the option bridge, which is empty for no bridge."""
    if bridge is not None and nobridge:
        raise TypeError("bridge or nobridge, not both")
    return "" if nobridge else bridge


def _absolute(path: Union[None, str, "os.PathLike[str]"]) -> Optional[str]:
    return None if path is None else os.path.abspath(path)


def _number_of(descriptor: Any) -> int:
    """Return a descriptor's number."""
    if descriptor is None:
        raise TypeError("an uplink with pid or until needs fd")
    return descriptor if isinstance(descriptor, int) else int(descriptor.fileno())


def connect(address: Optional[str] = None, *, reply_timeout: Optional[float] = 10) -> Broker:
    """Connect to the broker at the address, or find one as memtun(1) does.

    Raise NoBrokerError if there is none. ``reply_timeout`` limits how long the broker may take for
    an answer, in seconds.
    """
    return Broker(Connection(address, reply_timeout), None, reply_timeout)


def broker(*, program: str = "memtund", kernel: bool = False, log_level: Optional[str] = None,
           handoff: Sequence[str] = (), reply_timeout: Optional[float] = 10) -> Broker:
    """Start a private broker and connect to it. It ends with this process, whatever ends that.

    ``kernel``, ``log_level`` and ``handoff`` are the options of memtund(1), which is ``program`` and
    is searched for in PATH. It writes to standard error.
    """
    options = ["--kernel"] if kernel else []
    if log_level is not None:
        options += ["--log-level", log_level]
    for spec in handoff:
        options += ["--handoff", spec]
    private = _private.PrivateBroker(program, options)
    try:
        return Broker(Connection(private.address, reply_timeout), private, reply_timeout)
    except BaseException:
        private.close()
        raise

# SPDX-License-Identifier: MIT
"""A broker: its tunnels, captures, injectors and events, and how to start or find one.

The keyword options are the keys of memtun(1), with ``_`` for ``-``; None is an option that isn't
given. Addresses may be a list.
"""
import errno
import os
import select
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from . import _inject, _private, _protocol
from ._bridges import Bridges
from ._capture import Capture, Expectation, Match
from ._clock import Clock
from ._connection import Connection, Reply, connect_patiently, records
from ._descriptor import wait_ready
from ._errors import NotFoundError
from ._expect import FilterExpectation
from ._impair import Impairments, rule_options
from ._inject import Injector
from ._protocol import WORDS, Addresses, Command, Frames, Words, bridge_option
from ._quantity import Time, nanoseconds
from ._record import Injected, Record
from ._sessions import Sessions
from ._tunnel import Tunnel
from ._uplinks import Uplinks
from ._watch import Watch


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
        self.impair = Impairments(connection)
        self.clock = Clock(connection, reply_timeout)

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
             socket: Optional[str] = None, vlan: Optional[int] = None, mtu: Optional[int] = None,
             queue: Optional[int] = None, overflow: Optional[str] = None,
             address: Addresses = None, gateway: Addresses = None, pi: Optional[bool] = None,
             vnet_hdr: Optional[bool] = None, offload: Union[None, int, Words] = None,
             vnet_hdr_size: Optional[int] = None, multi_queue: Optional[bool] = None,
             backend: Optional[str] = None, exclusive: Optional[bool] = None,
             persistent: Optional[bool] = None, **rule: Any) -> Tunnel:
        """Open a tunnel. One that doesn't exist is made, and deleted when it is closed.

        A ``%d`` in the name stands for the lowest number that makes a free name. With keys of
        Impairments.add(), the new tunnel has that rule.
        """
        reply = self._connection.request_one(Command.QUEUE_OPEN, {
            "name": name, "mode": mode, "bridge": bridge, "peer": peer, "socket": socket,
            "vlan": vlan, "mtu": mtu, "queue": queue, "overflow": overflow, "address": address,
            "gateway": gateway, "pi": pi, "vnet_hdr": vnet_hdr, "offload": offload,
            "vnet_hdr_size": vnet_hdr_size, "multi_queue": multi_queue, "backend": backend,
            "exclusive": exclusive, "persistent": persistent, **rule_options(rule, WORDS)})
        return Tunnel(reply.fd, reply.record, self.address)

    def add(self, name: str, *, mode: Optional[str] = None, bridge: Optional[str] = None,
            peer: Optional[str] = None, socket: Optional[str] = None,
            vlan: Optional[int] = None, mtu: Optional[int] = None,
            queue: Optional[int] = None, overflow: Optional[str] = None,
            address: Addresses = None, gateway: Addresses = None, pi: Optional[bool] = None,
            vnet_hdr: Optional[bool] = None, offload: Union[None, int, Words] = None,
            vnet_hdr_size: Optional[int] = None, multi_queue: Optional[bool] = None,
            backend: Optional[str] = None, count: int = 1, **rule: Any) -> Record:
        """Make a tunnel that stays until it is deleted, and return its record.

        With ``count``, make that many from a name with a ``%d``, and return the last one's record.
        With keys of Impairments.add(), each has that rule.
        """
        return self._connection.request_one(Command.TUNNEL_ADD, {
            "name": name, "mode": mode, "bridge": bridge, "peer": peer, "socket": socket,
            "vlan": vlan, "mtu": mtu, "queue": queue, "overflow": overflow, "address": address,
            "gateway": gateway, "pi": pi, "vnet_hdr": vnet_hdr, "offload": offload,
            "vnet_hdr_size": vnet_hdr_size, "multi_queue": multi_queue, "backend": backend,
            "count": count if count != 1 else None, **rule_options(rule, WORDS)}).record

    def set(self, name: str, *, bridge: Optional[str] = None, nobridge: bool = False,
            vlan: Optional[int] = None, mtu: Optional[int] = None, queue: Optional[int] = None,
            overflow: Optional[str] = None, address: Addresses = None,
            gateway: Addresses = None, offload: Union[None, int, Words] = None,
            vnet_hdr_size: Optional[int] = None, persistent: Optional[bool] = None) -> None:
        """Change a tunnel in use. ``nobridge`` takes it off its bridge."""
        self._connection.request(Command.TUNNEL_SET, {
            "name": name, "bridge": bridge_option(bridge, nobridge), "vlan": vlan,
            "mtu": mtu, "queue": queue,
            "overflow": overflow, "address": address, "gateway": gateway, "offload": offload,
            "vnet_hdr_size": vnet_hdr_size, "persistent": persistent})

    def rename(self, name: str, new_name: str) -> Record:
        """Give a tunnel, also one in use, another name, and return its record.

        A ``%d`` in the new name stands for the lowest number that makes a free name.

        >>> with broker() as b, b.open("a"):
        ...     b.rename("a", "vm%d").name
        'vm0'
        """
        return self._connection.request_one(Command.TUNNEL_RENAME,
                                            {"name": name, "new_name": new_name}).record

    def set_interface(self, name: str, *, flags: Optional[Words] = None,
                      carrier: Optional[bool] = None, address: Addresses = None,
                      route: Addresses = None, neighbour: Addresses = None,
                      mac: Optional[str] = None, txqlen: Optional[int] = None,
                      revision: Optional[int] = None) -> Record:
        """Change the interface that programs under ``memtun wrap`` see in place of the tunnel.

        They are told as the kernel tells of a change. A tunnel without an interface gets one. A
        list replaces the former one, and its elements are written as in ip(8). With ``revision``,
        the record's ``interface_revision``, a change that another client made meanwhile raises
        memtun.Error with ESTALE. Return the tunnel's record.

        >>> with broker() as b, b.open("a", mode="tun"):
        ...     record = b.set_interface("a", flags=["up"], address=["10.0.0.1/24"])
        ...     record.interface_address, "up" in record.interface_flags.split("+")
        ('10.0.0.1/24', True)
        """
        return self._connection.request_one(Command.INTERFACE_SET, {
            "name": name, "interface_flags": flags, "interface_carrier": carrier,
            "interface_address": _elements(address), "interface_route": _elements(route),
            "interface_neighbour": _elements(neighbour), "interface_mac": mac,
            "interface_txqlen": txqlen, "interface_revision": revision}).record

    def show(self, name: str, statistics: bool = False) -> Record:
        """Return the record of one tunnel, with counters if ``statistics``."""
        return self._connection.request_one(Command.TUNNEL_SHOW,
                                            {"name": name, "statistics": statistics}).record

    def list(self, statistics: bool = False) -> List[Record]:
        """Return the records of all tunnels.

        >>> with broker() as b:
        ...     b.add("t%d", count=3).name
        ...     [record.name for record in b.list()]
        't2'
        ['t0', 't1', 't2']
        """
        return records(self._connection.request(Command.TUNNEL_SHOW,
                                                 {"statistics": statistics}, dump=True))

    def delete(self, name: str) -> None:
        """Delete a tunnel, and its peer. A program that has it open reads the end."""
        self._connection.request(Command.TUNNEL_DELETE, {"name": name})

    # --- queues, which a program attaches to tunnels as it does with TUNSETIFF ---

    def open_queue(self, *, socket: Optional[str] = None) -> Tunnel:
        """Open a queue that belongs to no tunnel yet.

        >>> with broker() as b, b.open("a") as a, b.open_queue() as queue:
        ...     b.attach_queue(queue, "b%d")
        ...     print(queue.name)
        ...     b.detach_queue(queue)
        b0
        """
        reply = self._connection.request_one(Command.QUEUE_OPEN, {"socket": socket})
        return Tunnel(reply.fd, Record({"socket": socket or "seqpacket", **reply.record}),
                      self.address)

    def attach_queue(self, tunnel: Tunnel, name: str = "tap%d", *, mode: Optional[str] = None,
                     bridge: Optional[str] = None, vlan: Optional[int] = None,
                     mtu: Optional[int] = None, queue: Optional[int] = None,
                     overflow: Optional[str] = None, address: Addresses = None,
                     gateway: Addresses = None, pi: Optional[bool] = None,
                     vnet_hdr: Optional[bool] = None, offload: Union[None, int, Words] = None,
                     vnet_hdr_size: Optional[int] = None, multi_queue: Optional[bool] = None,
                     exclusive: Optional[bool] = None, persistent: Optional[bool] = None) -> None:
        """Attach a queue to the tunnel ``name``, which is found or made as by open().

        The queue is that of open_queue(), or was detached by detach_queue().
        """
        record = self._connection.request_one(Command.QUEUE_ATTACH, {
            "queue_id": tunnel.record.queue_id, "socket": tunnel.record.socket, "name": name,
            "mode": mode, "bridge": bridge, "vlan": vlan, "mtu": mtu, "queue": queue,
            "overflow": overflow, "address": address, "gateway": gateway, "pi": pi,
            "vnet_hdr": vnet_hdr, "offload": offload, "vnet_hdr_size": vnet_hdr_size,
            "multi_queue": multi_queue, "exclusive": exclusive,
            "persistent": persistent}).record
        tunnel.record = record

    def detach_queue(self, tunnel: Tunnel) -> None:
        """Detach the queue from its tunnel. Its descriptor stays open, and carries no frames."""
        self._connection.request(Command.QUEUE_DETACH, {"queue_id": tunnel.record.queue_id})
        tunnel.record = Record({key: tunnel.record[key] for key in ("socket", "queue-id", "inode")})

    # --- frames ---

    def capture(self, name: str, *, direction: Optional[str] = None,
                faults: bool = False) -> Capture:
        """Return copies of the frames of a tunnel or an uplink, or of the bridge of that name.

        ``direction`` is from-client or to-client; without it, both are captured. With ``faults``,
        a frame that a port drops, or to which a rule does something, is there with the reasons.

        >>> with broker() as b, b.open("a") as a, b.capture("a", faults=True) as seen:
        ...     a.send(b"too short")
        ...     seen.recv().reasons
        ('from-client-dropped-runt',)
        """
        options = {"direction": direction, "faults": faults or None}
        try:
            reply = self._capture({"name": name, **options})
        except NotFoundError:
            reply = self._capture({"bridge": name, **options})
        return Capture(reply.fd, name, faults)

    def _capture(self, options: Dict[str, Any]) -> Reply:
        return self._connection.request_one(Command.CAPTURE, options)

    def injector(self, name: str, *, as_client: bool = False, vnet_hdr: bool = False) -> Injector:
        """Return an Injector, which puts frames on a tunnel.

        They go to the tunnel's program; with ``as_client``, they count as sent by it. With
        ``vnet_hdr``, a struct virtio_net_hdr of 10 bytes is before each frame.
        """
        reply = self._connection.request_one(Command.INJECT, {
            "name": name, "direction": "from-client" if as_client else "to-client",
            "vnet_hdr": vnet_hdr})
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
        """Wait until a tunnel is open, closed or drained, an uplink up or down, or a port quiet.

        A tunnel is drained when its program has read all frames for it; for quiet, see
        wait_quiet(). For the other states, a tunnel or an uplink need not exist yet. Raise
        TimeoutError after ``timeout`` seconds.

        >>> with broker() as b, b.open("a") as a:
        ...     b.wait("a", "open", timeout=5)
        """
        if state not in ("open", "closed", "drained", "up", "down", "quiet"):
            raise ValueError(f"a tunnel is open, closed or drained, an uplink up or down, and both "
                             f"can be quiet, not {state!r}")
        if state == "quiet":
            self.wait_quiet(name, timeout=timeout)
            return
        if state == "drained":
            self._is(name, state)
            self._quiet({"names": name, "direction": "to-client"}, timeout)
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        with self.watch() as events:
            while not self._is(name, state):
                if self._wait_event(events, name, state, deadline):
                    return  # the state may be another one again by now
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"{name} is not {state} after {timeout:g} seconds")

    def _wait_event(self, events: Watch, name: str, state: str,
                    deadline: Optional[float]) -> bool:
        """Wait for an event. Return whether it says that the object has reached the state."""
        if not wait_ready(events.fileno(), select.POLLIN, deadline):
            return False
        event = events.next()
        if event.name != name:
            return False
        # The event of a deletion has the object's last state.
        ended = {"deleted": "closed", "uplink-deleted": "down"}.get(str(event.event))
        return bool((ended or event.state) == state)

    def wait_quiet(self, *names: str, idle: Optional[Time] = None,
                   timeout: Optional[float] = None) -> List[str]:
        """Wait until programs and broker have read all frames of these ports and bridges.

        Without a name, wait for all ports. A test uses this in place of a sleep. With ``idle``,
        also wait until no frame has come for that time: seconds, or text such as "20ms". Return the
        names of uplinks whose frames count as read once they are sent. Raise TimeoutError, which
        tells what is unread, after ``timeout`` seconds.

        >>> with broker() as b, b.open("a", bridge="lab") as a, b.open("b", bridge="lab") as other:
        ...     a.send(bytes.fromhex("ffffffffffff 020000000001 88b5"))
        ...     frame = other.recv()
        ...     b.wait_quiet("lab", timeout=5)
        []
        """
        for name in names:
            if "," in name:
                raise ValueError(f"wait_quiet takes no name with a comma: {name!r}")
        return self._quiet({"names": ",".join(names) or None,
                            "idle": None if idle is None else nanoseconds(idle)}, timeout)

    def _quiet(self, options: Dict[str, Any], timeout: Optional[float]) -> List[str]:
        options["time_limit"] = None if timeout is None else nanoseconds(timeout)
        with connect_patiently(self.address, self._reply_timeout, timeout) as connection:
            return [str(record.name) for record in
                    records(connection.request(Command.QUIET, options))]

    def _is(self, name: str, state: str) -> bool:
        """Return whether the object is in the state. Raise an error if it can't be."""
        record, other = self._find(name, is_uplink=state in ("up", "down"))
        if other:
            raise ValueError(f"{name!r} is an uplink, which is up or down" if state not in
                             ("up", "down") else f"{name!r} is a tunnel, which is open or closed")
        if record is None and state == "drained":
            raise NotFoundError(errno.ENOENT, f"there is no tunnel {name!r}")
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


def _elements(elements: Addresses) -> Addresses:
    """Return a list of an interface, whose word for the empty list is none."""
    return elements if elements is None or len(elements) else "none"


def connect(address: Optional[str] = None, *, reply_timeout: Optional[float] = 10) -> Broker:
    """Connect to the broker at the address, or find one as memtun(1) does.

    Raise NoBrokerError if there is none. ``reply_timeout`` limits how long the broker may take for
    an answer, in seconds.
    """
    return Broker(Connection(address, reply_timeout), None, reply_timeout)


def broker(*, program: str = "memtund", kernel: bool = False, clock: Optional[str] = None,
           log_level: Optional[str] = None,
           handoff: Sequence[str] = (), reply_timeout: Optional[float] = 10) -> Broker:
    """Start a private broker and connect to it. It ends with this process, whatever ends that.

    ``kernel``, ``clock``, ``log_level`` and ``handoff`` are the options of memtund(1), which is
    ``program`` and is searched for in PATH. It writes to standard error.
    """
    options = ["--kernel"] if kernel else []
    if clock is not None:
        options += ["--clock", clock]
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

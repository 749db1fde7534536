# SPDX-License-Identifier: MIT
"""The uplinks of a broker, also those of a descriptor that this process gives to it."""
import contextlib
import grp
import os
import re
import socket
from typing import Any, List, Optional, Union

from ._connection import Connection, records
from ._device import open_device
from ._impair import rule_options
from ._protocol import WORDS, Addresses, Command, bridge_option
from ._record import Record


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
            pi: Optional[bool] = None, vlan: Optional[int] = None, mtu: Optional[int] = None,
            queue: Optional[int] = None,
            overflow: Optional[str] = None, address: Addresses = None, gateway: Addresses = None,
            device: Optional[str] = None, path: Union[None, str, "os.PathLike[str]"] = None,
            group: Optional[str] = None, port: Optional[int] = None,
            ifaddr: Optional[str] = None, ttl: Optional[int] = None, loop: Optional[bool] = None,
            local: Optional[str] = None, remote: Union[None, str, "os.PathLike[str]"] = None,
            vni: Optional[int] = None, listen: Union[None, str, "os.PathLike[str]"] = None,
            max: Optional[int] = None, allow: Optional[str] = None,
            socket_mode: Union[None, int, str] = None,
            socket_group: Union[None, int, str] = None, net: Optional[str] = None,
            net6: Optional[str] = None, forward: Addresses = None,
            tftp: Union[None, str, "os.PathLike[str]"] = None, bootfile: Optional[str] = None,
            restrict: Optional[bool] = None, **rule: Any) -> Record:
        """Make an uplink, and return its record.

        For the type ``fd``, ``fd`` is the descriptor or an object with fileno(), and stays open.
        For the type ``device``, this opens the interface ``device``, or else ``name``, in the
        network namespace of this process. ``pid`` is a process, or ``until`` a descriptor, whose
        end deletes the uplink. ``socket_mode`` is a number such as 0o660. Paths become absolute,
        as the broker has another working directory. With keys of Impairments.add() except
        ``until``, the uplink has that rule.
        """
        options = {
            "name": name, "bridge": bridge, "type": type, "mode": mode, "pi": pi,
            "vlan": vlan, "mtu": mtu,
            "queue": queue, "overflow": overflow, "address": address, "gateway": gateway,
            "device": device, "path": _absolute(path), "group": group, "port": port,
            "ifaddr": ifaddr, "ttl": ttl, "loop": loop, "local": local,
            "remote": _absolute(remote) if type == "dgram" else remote, "vni": vni,
            "listen": _listen(listen), "max": max, "allow": allow,
            "socket_mode": f"{socket_mode:04o}" if isinstance(socket_mode, int) else socket_mode,
            "socket_group": _group(socket_group), "net": net, "net6": net6, "forward": forward,
            "tftp": _absolute(tftp), "bootfile": bootfile, "restrict": restrict,
            **rule_options(rule, WORDS),
        }
        with contextlib.ExitStack() as owned:
            if type == "device" and fd is None:
                fd = open_device(device or name, mode or "tap")
                options["device"] = None  # the broker asks the kernel for the name
                owned.callback(os.close, fd)
            if fd is not None or pid is not None or until is not None:
                descriptors = [_number_of(fd)]
                if until is not None:
                    descriptors.append(_number_of(until))
                elif pid is not None:
                    descriptors.append(os.pidfd_open(pid))
                    owned.callback(os.close, descriptors[-1])
                options["hand_in"] = self._hand_in(descriptors)
            reply = self._connection.request_one(Command.UPLINK_ADD, options)
        return reply.record

    def _hand_in(self, descriptors: List[int]) -> Any:
        """Give copies of the descriptors to the broker, and return the id of the hand-in."""
        reply = self._connection.request_one(Command.HAND_IN, {})
        with socket.socket(fileno=reply.fd) as channel:
            socket.send_fds(channel, [bytes([len(descriptors)])], descriptors)
        return reply.record.hand_in

    def set(self, name: str, *, bridge: Optional[str] = None, nobridge: bool = False,
            vlan: Optional[int] = None, mtu: Optional[int] = None, queue: Optional[int] = None,
            overflow: Optional[str] = None, address: Addresses = None,
            gateway: Addresses = None) -> None:
        """Change an uplink in use."""
        self._connection.request(Command.UPLINK_SET, {
            "name": name, "bridge": bridge_option(bridge, nobridge), "vlan": vlan,
            "mtu": mtu, "queue": queue,
            "overflow": overflow, "address": address, "gateway": gateway})

    def show(self, name: str, statistics: bool = False) -> Record:
        """Return the record of one uplink, with counters if ``statistics``."""
        return self._connection.request_one(Command.UPLINK_SHOW,
                                            {"name": name, "statistics": statistics}).record

    def list(self, statistics: bool = False) -> List[Record]:
        """Return the records of all uplinks."""
        return records(self._connection.request(Command.UPLINK_SHOW,
                                                 {"statistics": statistics}, dump=True))

    def delete(self, name: str) -> None:
        """Delete an uplink."""
        self._connection.request(Command.UPLINK_DELETE, {"name": name})


def _absolute(path: Union[None, str, "os.PathLike[str]"]) -> Optional[str]:
    """Return the path for a broker in another directory. ``@NAME`` is no path."""
    if path is None or os.fspath(path).startswith(("/", "@")):
        return path if path is None else os.fspath(path)
    return os.path.join(os.getcwd(), path)


def _listen(where: Union[None, str, "os.PathLike[str]"]) -> Optional[str]:
    """Return where an uplink listens: an address with a port, or a path."""
    if isinstance(where, str) and re.fullmatch(r"[^/]*:[0-9]+", where):
        return where
    return _absolute(where)


def _group(group: Union[None, int, str]) -> Union[None, int, str]:
    """Return a group's number, because memtund looks up no names."""
    if isinstance(group, str) and not group.isdecimal():
        return grp.getgrnam(group).gr_gid
    return group


def _number_of(descriptor: Any) -> int:
    """Return a descriptor's number."""
    if descriptor is None:
        raise TypeError("an uplink with pid or until needs fd")
    return descriptor if isinstance(descriptor, int) else int(descriptor.fileno())

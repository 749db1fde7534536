# SPDX-License-Identifier: MIT
"""The tunnels that this process inherited from ``memtun exec``, memtun.process or another program.

Their descriptors are named by MEMTUN_FD_NAME, and by LISTEN_FDS and LISTEN_FDNAMES as of
sd_listen_fds(3). memtun-languages(7) describes these variables.
"""
import errno
import itertools
import os
import re
import socket
import stat
from typing import Dict, Iterable, Optional, Tuple

from ._broker import Broker
from ._errors import make_error
from ._protocol import Value
from ._record import Record
from ._tunnel import Tunnel

#: What the variables of inherited tunnels begin with, and the variables of sd_listen_fds(3).
PREFIX = "MEMTUN_FD_"
LISTEN = ("LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LISTEN_PIDFDID")
#: The number of the first descriptor of LISTEN_FDS: SD_LISTEN_FDS_START.
_FIRST_FD = 3
_TYPES = {socket.SOCK_SEQPACKET: "seqpacket", socket.SOCK_DGRAM: "dgram",
          socket.SOCK_STREAM: "stream"}


def variable_of(name: str) -> str:
    """Return the variable of a tunnel: each byte that is no ASCII letter or digit is a ``_``.

    >>> variable_of("vm-0")
    'MEMTUN_FD_vm_0'
    """
    return PREFIX + re.sub(rb"[^A-Za-z0-9]", b"_", os.fsencode(name)).decode()


def _kind(fd: int) -> Tuple[Optional[str], bool]:
    """Return the type of a socket, None of anything else, and whether the socket listens."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return None, False
    borrowed = socket.socket(fileno=fd)
    try:
        waits = borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        return _TYPES.get(borrowed.type), bool(waits)
    finally:
        borrowed.detach()


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except (OSError, OverflowError):
        return False
    return True


def _open_number(variable: str) -> int:
    """Return the descriptor's number in a variable, if it is open."""
    value = os.environ[variable]
    if not value.isdecimal():
        raise make_error(errno.EINVAL, f"{variable} is not a descriptor's number: {value!r}")
    if not _is_open(int(value)):
        raise make_error(errno.EBADF, f"{variable} is {value}, which is not open")
    return int(value)


def _listened() -> Dict[int, str]:
    """Return the descriptors of LISTEN_FDS and their names."""
    count = os.environ.get("LISTEN_FDS", "")
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    # No more of them can be open than this process has, whatever the variable claims.
    most = len(os.listdir("/proc/self/fd"))
    listed = min(int(count), most) if count.isdecimal() and len(count) < 10 else 0
    numbers = range(_FIRST_FD, _FIRST_FD + listed)
    return {number: name or f"fd{number}"
            for number, name in itertools.zip_longest(numbers, names[:len(numbers)])}


def _spelling(variable: str, names: Iterable[str]) -> str:
    """Return the name that became the variable, or else what the variable has of it."""
    found = [name for name in names if variable_of(name) == variable]
    return found[0] if len(found) == 1 else variable[len(PREFIX):]


def _find(broker: Optional[Broker]) -> Dict[int, str]:
    """Return the number and the name of each inherited tunnel."""
    listened, found = _listened(), {}
    names = [str(record.name) for record in broker.list()] if broker else []
    for variable in os.environ:
        if variable.startswith(PREFIX):
            number = _open_number(variable)
            found[number] = _spelling(variable, [listened[number]] if number in listened else names)
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        for number, name in listened.items():
            if not _is_open(number):
                raise make_error(errno.EBADF, f"LISTEN_FDS has {number}, which is not open")
            if number not in found and not _kind(number)[1]:
                found[number] = name
    return found


def _record(fd: int, name: str, broker: Optional[Broker]) -> Record:
    """Return what is known of a tunnel."""
    values: Dict[str, Value] = dict(broker.show(name)) if broker else {"name": name}
    kind = _kind(fd)[0]
    if kind:
        values["socket"] = kind
    return Record(values)


def inherited(broker: Optional[Broker] = None) -> Dict[str, Tunnel]:
    """Take over the tunnels that this process inherited, and return each by its name.

    A record has the name and the socket type; with ``broker``, it has all that the broker tells.
    MEMTUN_FD_NAME has ``_`` for characters such as ``-``. The name itself is known from
    ``memtun exec`` or from ``broker``. A further queue of the same tunnel is under ``fdN``, where N
    is the descriptor's number.

    The descriptors are closed on exec from now on, and the variables are removed, so that neither
    a second call nor another program takes them.

    >>> text = "import memtun; memtun.inherited()['a'].send(bytes(14))"
    >>> with broker() as b, b.open("a") as a, b.capture("a") as seen:
    ...     done = process.run([sys.executable, "-c", text], tunnels=[a], check=True)
    ...     len(seen.recv().frame)
    14
    """
    records = {number: _record(number, name, broker)
               for number, name in sorted(_find(broker).items())}
    for variable in list(os.environ):
        if variable.startswith(PREFIX) or variable in LISTEN:
            del os.environ[variable]
    address = broker.address if broker else os.environ.get("MEMTUN_SOCKET", "")
    tunnels: Dict[str, Tunnel] = {}
    for number, record in records.items():
        os.set_inheritable(number, False)
        name = str(record.name)
        tunnels[f"fd{number}" if name in tunnels else name] = Tunnel(number, record, address)
    return tunnels

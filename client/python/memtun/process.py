# SPDX-License-Identifier: MIT
"""Programs that inherit tunnels, as those of ``memtun exec``.

The program finds the number of each descriptor in MEMTUN_FD_NAME, and ``{NAME}`` in its arguments
is replaced by it; a program in Python calls memtun.inherited(). It finds the broker by
MEMTUN_SOCKET. LISTEN_FDS is not set, as the descriptors keep their numbers, which do not begin with
3; ``memtun exec`` sets it.

>>> with broker() as b, b.open("vm0", mode="tun") as tunnel:
...     done = run(["sh", "-c", "test $MEMTUN_FD_vm0 = {vm0} && echo same"], tunnels=[tunnel],
...                stdout=subprocess.PIPE, text=True)
>>> done.stdout
'same\\n'
"""
import os
import subprocess
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ._inherited import LISTEN, PREFIX, variable_of
from ._tunnel import Tunnel

def _prepare(args: Sequence[Any], tunnels: Iterable[Tunnel], env: Optional[Mapping[str, str]],
             ) -> Tuple[List[str], Dict[str, str], List[int]]:
    """Return the arguments, the environment and the descriptors of a program."""
    if isinstance(args, (str, bytes)):
        raise TypeError("the program's arguments are a list")
    # The program doesn't have the descriptors of an outer memtun exec.
    environment = {name: value for name, value in (os.environ if env is None else env).items()
                   if not name.startswith(PREFIX) and name not in LISTEN}
    words = [os.fsdecode(word) for word in args]
    numbers = []
    for tunnel in tunnels:
        if tunnel.closed:
            raise ValueError(f"{tunnel!r} is closed")
        variable = variable_of(tunnel.name)
        if variable in environment:
            raise ValueError(f"two tunnels would both set {variable}")
        environment[variable] = str(tunnel.fileno())
        if env is None or "MEMTUN_SOCKET" not in env:
            environment["MEMTUN_SOCKET"] = tunnel.address
        words = [word.replace("{%s}" % tunnel.name, str(tunnel.fileno())) for word in words]
        numbers.append(tunnel.fileno())
    return words, environment, numbers


def popen(args: Sequence[Any], *, tunnels: Iterable[Tunnel],
          env: Optional[Mapping[str, str]] = None, pass_fds: Iterable[int] = (),
          **options: Any) -> "subprocess.Popen[Any]":
    """Start a program that inherits the tunnels, and return subprocess.Popen.

    This process has the tunnels open, too. Close them here if they are to end with the program.
    """
    words, environment, numbers = _prepare(args, tunnels, env)
    return subprocess.Popen(words, env=environment, pass_fds=[*pass_fds, *numbers], **options)


def run(args: Sequence[Any], *, tunnels: Iterable[Tunnel],
        env: Optional[Mapping[str, str]] = None, pass_fds: Iterable[int] = (),
        **options: Any) -> "subprocess.CompletedProcess[Any]":
    """Run a program that inherits the tunnels, and return subprocess.CompletedProcess."""
    words, environment, numbers = _prepare(args, tunnels, env)
    return subprocess.run(words, env=environment, pass_fds=[*pass_fds, *numbers], **options)

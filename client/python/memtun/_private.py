# SPDX-License-Identifier: MIT
"""A private memtund, which ends with this process, whatever ends it.

memtund runs a command and ends with it. Here the command is cat, which reads a pipe. Only this
process has the pipe's other end, so the kernel closes it when this process ends, also by SIGKILL;
cat reads the end of file, and memtund ends.
"""
import errno
import os
import subprocess
import weakref
from typing import IO, List, Sequence

from ._errors import make_error

#: Tells the address, then lives until the end of its input.
_COMMAND = ("/bin/sh", "-c", 'echo "$MEMTUN_SOCKET" && exec cat >/dev/null')
#: How long memtund may take to end, in seconds; it takes milliseconds.
_END_SECONDS = 10

_pipes: "weakref.WeakSet[IO[bytes]]" = weakref.WeakSet()


def _close_copies() -> None:
    """In a forked process: close the copies of the pipes, which would keep the brokers alive."""
    for pipe in list(_pipes):
        pipe.close()


os.register_at_fork(after_in_child=_close_copies)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End memtund and wait for it. A fork has no copy of the pipe, and nothing to wait for."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class PrivateBroker:
    """A memtund of this process. ``address`` is its control socket."""

    def __init__(self, program: str, options: Sequence[str]) -> None:
        command: List[str] = [program, *options, "--", *_COMMAND]
        try:
            # A session of its own: the interrupt key of a terminal doesn't end the broker before
            # the tests that use it.
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       bufsize=0, start_new_session=True)
        except OSError as error:
            raise make_error(error.errno or errno.ENOENT,
                             f"cannot start {program}: {error.strerror}") from None
        assert process.stdin is not None and process.stdout is not None
        _pipes.add(process.stdin)
        self._process = process
        self._finalizer = weakref.finalize(self, _end, process)
        with process.stdout:
            line = b""
            while not line.endswith(b"\n"):
                data = process.stdout.read(4096)
                if not data:
                    break
                line += data
        if not line.endswith(b"\n"):
            self.close()
            raise make_error(errno.ECHILD, f"{program} ended with status {process.returncode} "
                             "before it listened; standard error has its message")
        self.address = os.fsdecode(line[:-1])

    @property
    def pid(self) -> int:
        """The process ID of memtund."""
        return self._process.pid

    def close(self) -> None:
        """End memtund and wait until it has ended."""
        self._finalizer()

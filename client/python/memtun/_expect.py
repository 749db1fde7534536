# SPDX-License-Identifier: MIT
"""A wait for a frame that a filter of pcap-filter(7) takes.

The filter is compiled by libpcap in the command memtun, so that this package needs no C library.
"""
import errno
import os
import subprocess
from typing import Dict, List, Optional, Tuple

from ._errors import make_error

#: How memtun expect ends without a frame: exit_status.h.
_TIMEOUT, _LIMIT = 124, 5
_DIRECTIONS: Dict[str, List[str]] = {"from-client": [], "to-client": ["--to-client"]}


class FilterExpectation:
    """A wait for a frame that began when this was made: no frame after that is missed.

    >>> with broker() as b, b.open("a", mode="tun"):
    ...     with b.expect("a", "udp port 53", direction="to-client") as expected:
    ...         b.inject("a", bytes.fromhex("45000021 00010000 401124c8 0a010203 0a000001"
    ...                                     "5361 0035 000d0000 68656c6c6f")).frames
    ...         expected.wait(timeout=5)[28:]
    1
    b'hello'
    """

    def __init__(self, address: str, name: str, match: str, direction: str,
                 limit: Optional[int]) -> None:
        if direction not in _DIRECTIONS:
            raise ValueError(f"direction is from-client or to-client, not {direction!r}")
        self._name = name
        ready, told = os.pipe()
        command = ["memtun", "--socket", address, "expect", name, "--ready-fd", str(told),
                   *_DIRECTIONS[direction]]
        if limit is not None:
            command += ["--limit", str(limit)]
        try:
            self._process = subprocess.Popen([*command, "--", match], stdin=subprocess.DEVNULL,
                                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                             pass_fds=[told], text=True)
        except OSError as error:
            os.close(ready)
            raise make_error(error.errno or errno.ENOENT, "a filter needs the command memtun: "
                             f"{error.strerror}") from None
        finally:
            os.close(told)
        with open(ready, "rb") as pipe:
            if not pipe.read(1):
                self._fail(self._process.communicate())

    def _fail(self, output: Tuple[str, str]) -> None:
        """Raise the command's error."""
        status, text = self._process.returncode, output[1].strip().replace("memtun: ", "", 1)
        if status == _LIMIT:
            raise LookupError(text)
        raise make_error(errno.ENOENT if "there is no" in text else errno.EINVAL, text)

    def wait(self, timeout: Optional[float] = None) -> bytes:
        """Return the first frame that matches.

        Raise TimeoutError after ``timeout`` seconds, LookupError after ``limit`` frames, and
        memtun.Error if the filter is wrong.
        """
        try:
            output = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"no frame of {self._name!r} matched within {timeout:g} "
                               "seconds") from None
        if self._process.returncode:
            self._fail(output)
        return _first_frame(output[0])

    def close(self) -> None:
        """End the command."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.communicate()

    def __enter__(self) -> "FilterExpectation":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _first_frame(output: str) -> bytes:
    """Return the first frame of the output: behind the filter's number and a description."""
    digits: List[str] = []
    for line in output.splitlines()[2:]:
        try:
            bytes.fromhex(line)
        except ValueError:
            break
        digits.append(line)
    return bytes.fromhex("".join(digits))

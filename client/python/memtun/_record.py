# SPDX-License-Identifier: MIT
"""What the broker tells: records of objects, captured frames, and results of injections."""
import errno
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ._errors import make_error
from ._protocol import ATTRIBUTES, BY_NUMBER, CAPTURE_DETAILS, CAPTURE_HEADER, WORDS, Value

#: MEMTUN_CAPTURE_CLOCK.
_HAS_CLOCK = 1


class Record(Mapping[str, Value]):
    """What the broker tells of an object: a mapping whose keys are those of memtun's JSON.

    Each key is also an attribute, with ``_`` for ``-``. An attribute that this object doesn't have
    is None.

    >>> record = Record({"name": "a", "state": "open", "from-client-frames": 2})
    >>> record["state"], record.from_client_frames, record.bridge
    ('open', 2, None)
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)

    def __getitem__(self, key: str) -> Value:
        return self._values[key]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        word = WORDS.get(name)
        if word is None:
            raise AttributeError(f"a record has no attribute {name!r}")
        return self._values.get(word)

    def __dir__(self) -> List[str]:
        return [*super().__dir__(), *(word.replace("-", "_") for word in self._values)]

    def __repr__(self) -> str:
        return f"Record({self._values!r})"

    @property
    def drops(self) -> Dict[str, int]:
        """The reasons for which frames were dropped, with their numbers; needs ``statistics``.

        >>> Record({"to-client-dropped-mtu": 3, "to-client-dropped-full": 0}).drops
        {'to-client-dropped-mtu': 3}
        """
        return {word: value for word, value in self._values.items()
                if "-dropped-" in word and isinstance(value, int) and value}


class Captured(NamedTuple):
    """One frame of a capture."""

    frame: bytes
    time: int  # nanoseconds of CLOCK_REALTIME
    missed: int  # frames so far that the reader was too slow for
    port: int  # the id of the tunnel or uplink
    direction: str  # from-client or to-client
    mode: str  # tun or tap
    # With faults, also:
    id: int = 0  # the same for all records of one frame, its copies and its pieces
    reasons: Tuple[str, ...] = ()  # the counters of what happened to it; none: it was on its way
    rule: int = 0  # the number of the rule that did it; 0: none
    seed: int = 0  # of the rule
    number: int = 0  # of the frame among those that have reached the rule, from 1
    clock: Optional[int] = None  # nanoseconds of the broker's manual clock, if it has one

    @property
    def comment(self) -> str:
        """What happened to the frame, in the words of ``memtun capture --faults``.

        >>> Captured(b"", 0, 0, 1, "to-client", "tap", 5, ("to-client-dropped-full",)).comment
        'dropped: full'
        """
        text = ", ".join(reason.split("-client-")[-1].replace("dropped-", "dropped: ")
                         for reason in self.reasons)
        if self.rule:
            text += f"; rule {self.rule}, seed {self.seed}, frame {self.number}"
        if self.clock is not None:
            clock = "clock {}.{:09}".format(*divmod(self.clock, 10**9))
            text = f"{text}; {clock}" if text else clock
        return text


def parse_captured(data: bytes, faults: bool) -> Captured:
    """Read a record of a capture."""
    size = CAPTURE_HEADER.size + (CAPTURE_DETAILS.size if faults else 0)
    if len(data) < size:
        raise make_error(errno.EBADMSG, f"the broker sent a capture's record of {len(data)} bytes")
    time, missed, port, direction, mode = CAPTURE_HEADER.unpack_from(data)
    if direction not in (1, 2) or mode not in (1, 2):
        raise make_error(errno.EBADMSG, "the broker sent a capture's record with direction "
                         f"{direction} and mode {mode}")
    words = ATTRIBUTES["direction"].words[direction - 1], ATTRIBUTES["mode"].words[mode - 1]
    if not faults:
        return Captured(data[CAPTURE_HEADER.size:], time, missed, port, *words)
    frame, clock, seed, number, rule, begin, flags, *reasons = CAPTURE_DETAILS.unpack_from(
        data, CAPTURE_HEADER.size)
    if not size <= begin <= len(data):
        raise make_error(errno.EBADMSG, f"a capture's record has a header of {begin} bytes")
    return Captured(data[begin:], time, missed, port, *words, frame,
                    tuple(BY_NUMBER.get(reason, f"reason {reason}")
                          for reason in reasons if reason),
                    rule, seed, number, clock if flags & _HAS_CLOCK else None)


class Injected(NamedTuple):
    """What became of injected frames. A frame that the broker cut counts with all its pieces."""

    frames: int
    dropped_no_client: int
    dropped_mtu: int
    dropped_not_ip: int
    dropped_needs_segmentation: int
    dropped_refused: int
    offered: int

    @property
    def drops(self) -> Dict[str, int]:
        """The reasons for which frames were dropped at once, with their numbers."""
        return {name[len("dropped_"):].replace("_", "-"): value
                for name, value in self._asdict().items()
                if name.startswith("dropped_") and value}

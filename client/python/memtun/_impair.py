# SPDX-License-Identifier: MIT
"""Rules that lose, delay, change or hold the frames of a tunnel or an uplink."""
import difflib
import errno
import subprocess
from datetime import timedelta
from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence, Union

from ._connection import Connection, records
from ._errors import make_error
from ._protocol import ATTRIBUTES, WORDS, Command
from ._quantity import Quantity, Time, format_quantity, parse_quantity
from ._record import Record

#: The keys of a rule, beside its match and its direction.
_KEYS = frozenset(
    "delay jitter distribution ordered loss loss_burst duplicate corrupt truncate reorder gap rate "
    "limit drop pmtu icmp hold until until_time carrier seed".split())


def rule_options(keys: Mapping[str, Any], others: Collection[str] = ()) -> Dict[str, Any]:
    """Return the options of a rule's keys. Raise TypeError if a key is of no rule.

    The error suggests the nearest key of a rule or of the others, which the caller takes besides.
    """
    options = dict(keys)
    for name in options:
        if name not in _KEYS:
            nearest = difflib.get_close_matches(name, [*_KEYS, *others], 1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            raise TypeError(f"there is no option {name!r} here{hint}")
    until = options.get("until")
    if isinstance(until, (str, float, timedelta)):
        options["until"], options["until_time"] = None, until
    return options


def _words(options: Mapping[str, Any]) -> List[str]:
    """Return the options as words of the command line."""
    words = []
    for name, value in options.items():
        if value is None:
            continue
        word = WORDS[name]
        kind = ATTRIBUTES[word].type
        if word == "carrier":
            words += [word, "on" if value else "off"]
        elif kind == "flag":
            words += [word] if value else []
        elif kind in ("time", "rate", "percent", "thousandths"):
            words += ["until" if word == "until-time" else word,
                      format_quantity(kind, parse_quantity(kind, value))]
        else:
            words += [word, "+".join(map(str, value)) if isinstance(value, (list, tuple))
                      else str(value)]
    return words


class Impairments:
    """The rules of a broker: ``broker.impair``. memtun-impair(7) describes their keys.

    >>> with broker() as b, b.open("a", bridge="lab") as a, b.open("b", bridge="lab") as other:
    ...     rule = b.impair.add("a", direction="from-client", drop=[1], seed=7)
    ...     for number in range(2):
    ...         a.send(bytes.fromhex("ffffffffffff 020000000001 88b5") + bytes([number]))
    ...     other.recv()[14:], b.show("a", statistics=True).drops
    (b'\\x01', {'from-client-dropped-listed': 1})
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, name: str, *, direction: Optional[str] = None, match: Optional[str] = None,
            delay: Optional[Time] = None, jitter: Optional[Time] = None,
            distribution: Optional[str] = None, ordered: Optional[bool] = None,
            loss: Optional[Quantity] = None, loss_burst: Optional[Quantity] = None,
            duplicate: Optional[Quantity] = None, corrupt: Optional[Quantity] = None,
            truncate: Optional[Quantity] = None, reorder: Optional[Quantity] = None,
            gap: Optional[int] = None, rate: Optional[Quantity] = None,
            limit: Optional[int] = None, drop: Union[None, str, Sequence[object]] = None,
            pmtu: Optional[int] = None, icmp: Optional[bool] = None, hold: Optional[bool] = None,
            until: Optional[Time] = None, carrier: Optional[bool] = None,
            seed: Optional[int] = None) -> Record:
        """Add a rule to a tunnel or an uplink, and return its record with ``rule`` and ``seed``.

        Times are seconds or text such as "20ms", rates bits per second or text such as "10mbit",
        and shares percent or text such as "5%". ``drop`` is text or a list of frame numbers and
        ranges. ``until`` is the number of a frame if it is an int, and otherwise a time. For
        ``match``, a filter of pcap-filter(7), this executes ``memtun impair``.
        """
        options = rule_options({
            "delay": delay, "jitter": jitter, "distribution": distribution, "ordered": ordered,
            "loss": loss, "loss_burst": loss_burst, "duplicate": duplicate, "corrupt": corrupt,
            "truncate": truncate, "reorder": reorder, "gap": gap, "rate": rate, "limit": limit,
            "drop": drop, "pmtu": pmtu, "icmp": icmp, "hold": hold, "until": until,
            "carrier": carrier, "seed": seed})
        if match is not None:
            return self._add_with_filter(name, direction, match, options)
        return self._connection.request_one(Command.IMPAIR_ADD, {
            "name": name, "direction": direction, **options}).record

    def _add_with_filter(self, name: str, direction: Optional[str], match: str,
                         options: Mapping[str, Any]) -> Record:
        """Add a rule by the command, in which libpcap compiles the filter."""
        command = ["memtun", "--socket", self._connection.address, "impair", "add", name,
                   *([direction] if direction else []), "match", match, *_words(options)]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, check=False)
        except OSError as error:
            raise make_error(error.errno or errno.ENOENT, "a filter needs the command memtun: "
                             f"{error.strerror}") from None
        if done.returncode:
            text = done.stderr.strip().replace("memtun: ", "", 1)
            raise make_error(errno.ENOENT if "there is no" in text else errno.EINVAL, text)
        number = int(done.stdout)
        return next(rule for rule in self.list(name) if rule.rule == number)

    def set(self, name: str, rule: int, **keys: Any) -> None:
        """Change keys of a rule, which are those of add()."""
        self._connection.request(Command.IMPAIR_SET,
                                 {"name": name, "rule": rule, **rule_options(keys)})

    def list(self, name: Optional[str] = None) -> List[Record]:
        """Return the rules of a tunnel or an uplink, or all."""
        return records(self._connection.request(Command.IMPAIR_SHOW, {"name": name},
                                                dump=name is None))

    def release(self, name: str, *, direction: Optional[str] = None,
                frame: Union[None, int, str] = None, drop: bool = False) -> None:
        """Release frames that rules hold: the oldest, the one of a number, or "all".

        With ``drop``, drop them instead.
        """
        self._connection.request(Command.IMPAIR_RELEASE, {
            "name": name, "direction": direction, "frame": 0 if frame == "all" else frame,
            "discard": drop or None})

    def delete(self, name: str, rule: Optional[int] = None) -> None:
        """Delete a rule, or all rules of a tunnel or an uplink. Frames that it holds go on."""
        self._connection.request(Command.IMPAIR_DELETE, {"name": name, "rule": rule})

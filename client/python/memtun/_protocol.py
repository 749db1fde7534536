# SPDX-License-Identifier: MIT
"""The records of memtun-protocol(7): their numbers, how a request is built, how an answer is read.

This module knows no socket. Names of attributes are the words of memtun's command line and JSON. In
Python, a ``-`` of such a word is a ``_``.
"""
import enum
import os
import struct
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from ._quantity import format_quantity, parse_quantity

#: The largest record in either direction, in bytes.
RECORD_MAX = 32768
#: Version 1.0: the major number in the upper 16 bits, the minor number in the lower.
VERSION = 1 << 16
#: The largest frame of memtund, in bytes; behind a tun_pi of 4 and a vnet header of up to 20.
FRAME_MAX = 69632
HEADERS_MAX = 24

#: Types of answers, and flags of struct nlmsghdr, from <linux/netlink.h>.
ERROR, DONE = 2, 3
REQUEST, MULTI, ACK, DUMP = 0x1, 0x2, 0x4, 0x300

HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, pid
ATTRIBUTE = struct.Struct("=HH")  # length, type
#: Behind the header of an error: the error, and the header of the request.
ERROR_BODY = struct.Struct("=iIHHII")
#: NLMSGERR_ATTR_MSG: the explanation.
ERROR_TEXT = 1

#: struct memtun_capture_header: time, missed, port, direction, mode.
CAPTURE_HEADER = struct.Struct("=QQIHH")
#: What follows in struct memtun_capture_details: frame, clock, seed, number, rule, size, flags,
#: reasons.
CAPTURE_DETAILS = struct.Struct("=QQQQIHH8H")
#: struct memtun_inject_result.
INJECT_RESULT = struct.Struct("=7Q")


class Command(enum.IntEnum):
    """The requests, and the event."""

    HELLO = 0x10
    TUNNEL_ADD = 0x11
    TUNNEL_SET = 0x12
    TUNNEL_DELETE = 0x13
    TUNNEL_SHOW = 0x14
    QUEUE_OPEN = 0x15
    QUEUE_ATTACH = 0x16
    QUEUE_DETACH = 0x17
    BRIDGE_ADD = 0x18
    BRIDGE_DELETE = 0x19
    BRIDGE_SHOW = 0x1a
    SUBSCRIBE = 0x1b
    EVENT = 0x1c
    CAPTURE = 0x1d
    INJECT = 0x1e
    UPLINK_ADD = 0x1f
    UPLINK_DELETE = 0x20
    UPLINK_SHOW = 0x21
    ADDRESS_SHOW = 0x22
    SESSION_SHOW = 0x23
    SESSION_DELETE = 0x24
    UPLINK_SET = 0x25
    HAND_IN = 0x26
    INTERFACE_SET = 0x28
    TUNNEL_RENAME = 0x29
    CLOCK_SHOW = 0x30
    CLOCK_ADVANCE = 0x31
    CLOCK_NEXT = 0x32
    QUIET = 0x33
    IMPAIR_ADD = 0x34
    IMPAIR_SHOW = 0x35
    IMPAIR_SET = 0x36
    IMPAIR_DELETE = 0x37
    IMPAIR_RELEASE = 0x38


class Attribute(NamedTuple):
    """The number and the type of an attribute. Words are the values from 1, or the bits from 0."""

    number: int
    type: str  # u32, u64, flag, text, word, bits, or a kind of _quantity.py
    words: Tuple[str, ...] = ()


def _word(number: int, words: str) -> Attribute:
    return Attribute(number, "word", tuple(words.split()))


_DROPS_FROM_CLIENT = "empty runt oversize malformed no-destination overrun foreign unresolved"
_DROPS_TO_CLIENT = "full no-client mtu needs-segmentation refused not-ip"
#: The counters, from MEMTUN_A_FROM_CLIENT_FRAMES on.
COUNTERS = (
    "from-client-frames", "from-client-bytes",
    *(f"from-client-dropped-{reason}" for reason in _DROPS_FROM_CLIENT.split()),
    "to-client-offered", "to-client-frames", "to-client-bytes", "to-client-queued",
    *(f"to-client-dropped-{reason}" for reason in _DROPS_TO_CLIENT.split()),
    "to-client-copied-bytes", "to-client-unread",
)

#: The counters of what rules did, from MEMTUN_A_FROM_CLIENT_DROPPED_LOSS on.
_RULE_COUNTERS = tuple(
    f"{direction}-{what}" for direction in ("from-client", "to-client") for what in
    ("dropped-loss dropped-listed dropped-pmtu dropped-link-down dropped-discarded "
     "dropped-waiting-full duplicated corrupted truncated delayed reordered held waiting").split())

#: The events from 1 on. A number that has no event yet has an empty word.
_EVENTS = (
    "added", "changed", "deleted", "opened", "closed", "bridge-added", "bridge-deleted", "lost",
    "uplink-added", "uplink-deleted", "uplink-up", "uplink-down", "address-moving", "port-shut",
    "port-reopened", "uplink-changed", "", "", "impair-added", "impair-changed",
    "impair-deleted", "", "uplink-refused",
)

ATTRIBUTES: Dict[str, Attribute] = {
    "version": Attribute(1, "u32"),
    "features": Attribute(2, "u32"),
    "id": Attribute(3, "u32"),
    "name": Attribute(4, "text"),
    "mode": _word(5, "tun tap"),
    "socket": _word(6, "seqpacket dgram stream"),
    "bridge": Attribute(7, "text"),
    "peer": Attribute(8, "text"),
    "mtu": Attribute(9, "u32"),
    "queue": Attribute(10, "u32"),
    "overflow": _word(11, "drop-tail drop-head block"),
    "pi": Attribute(12, "flag"),
    "vnet_hdr": Attribute(13, "flag"),
    "multi_queue": Attribute(14, "flag"),
    "exclusive": Attribute(15, "flag"),
    "persistent": Attribute(16, "flag"),
    "owner": Attribute(17, "u32"),
    "count": Attribute(18, "u32"),
    "hub": Attribute(19, "flag"),
    "queues": Attribute(20, "u32"),
    "queue-id": Attribute(21, "u32"),
    "inode": Attribute(22, "u64"),
    "fds": Attribute(23, "u32"),
    "state": _word(24, "closed open up down"),
    "event": Attribute(25, "word", _EVENTS),
    "time": Attribute(26, "u64"),
    "statistics": Attribute(27, "flag"),
    "ports": Attribute(28, "u32"),
    "addresses": Attribute(29, "u32"),
    "hangup-seen": Attribute(30, "flag"),
    "direction": _word(31, "from-client to-client"),
    "type": _word(32, "mcast kernel vde bess stream dgram udp vxlan fd device user"),
    "group": Attribute(33, "text"),
    "port": Attribute(34, "u32"),
    "ifaddr": Attribute(35, "text"),
    "ttl": Attribute(36, "u32"),
    "loop": Attribute(37, "flag"),
    "path": Attribute(38, "text"),
    "remote": Attribute(39, "text"),
    "local": Attribute(40, "text"),
    "address": Attribute(41, "text"),
    "gateway": Attribute(42, "text"),
    "vni": Attribute(43, "u32"),
    "device": Attribute(44, "text"),
    "backend": _word(45, "memory kernel"),
    "loop-guard": Attribute(49, "flag"),
    "hand-in": Attribute(50, "u32"),
    "offload": Attribute(51, "u32", tuple("csum tso4 tso6 tso-ecn ufo uso4 uso6".split())),
    "vnet_hdr_size": Attribute(52, "u32"),
    "interface-revision": Attribute(53, "u32"),
    "new-name": Attribute(56, "text"),
    "interface-flags": Attribute(57, "bits", tuple(
        "up broadcast debug loopback pointopoint notrailers running noarp promisc allmulti master "
        "slave multicast portsel automedia dynamic lower_up dormant echo".split())),
    "interface-txqlen": Attribute(58, "u32"),
    "interface-mac": Attribute(59, "text"),
    "interface-address": Attribute(60, "text"),
    "interface-route": Attribute(61, "text"),
    "interface-neighbour": Attribute(62, "text"),
    "interface-carrier": Attribute(63, "flag"),
    **{word: Attribute(number, "u64") for number, word in enumerate(COUNTERS, 64)},
    "mac": Attribute(86, "text"),
    "vlan": Attribute(87, "u32"),
    "age": Attribute(88, "u64"),
    "connects": Attribute(89, "u64"),
    "reason": Attribute(90, "text"),
    "pid": Attribute(91, "u32"),
    "program": Attribute(92, "text"),
    "captures": Attribute(93, "u32"),
    "injectors": Attribute(94, "u32"),
    "subscriptions": Attribute(95, "u32"),
    "queued-bytes": Attribute(96, "u64"),
    "address-moves": Attribute(97, "u64"),
    "loop-shut": Attribute(98, "flag"),
    "changed": Attribute(99, "text"),
    "life": _word(100, "process pipe socket"),
    "hand-ins": Attribute(101, "u32"),
    "interface-index": Attribute(110, "u32"),
    "former-name": Attribute(111, "text"),
    "clock": _word(112, "real manual"),
    "clock-time": Attribute(113, "u64"),
    "clock-next": Attribute(114, "u64"),
    "due": Attribute(115, "u32"),
    "move": Attribute(116, "u64"),
    "names": Attribute(117, "text"),
    "idle": Attribute(118, "u64"),
    "time-limit": Attribute(119, "u64"),
    "rule": Attribute(120, "u32"),
    "match": Attribute(121, "text"),
    "delay": Attribute(123, "time"),
    "jitter": Attribute(124, "time"),
    "distribution": _word(125, "uniform normal pareto"),
    "ordered": Attribute(126, "flag"),
    "loss": Attribute(127, "percent"),
    "loss-burst": Attribute(128, "thousandths"),
    "duplicate": Attribute(129, "percent"),
    "corrupt": Attribute(130, "percent"),
    "truncate": Attribute(131, "percent"),
    "reorder": Attribute(132, "percent"),
    "gap": Attribute(133, "u32"),
    "rate": Attribute(134, "rate"),
    "drop": Attribute(135, "text"),
    "pmtu": Attribute(136, "u32"),
    "icmp": Attribute(137, "flag"),
    "hold": Attribute(138, "flag"),
    "until": Attribute(139, "u64"),
    "until-time": Attribute(140, "time"),
    "carrier": Attribute(141, "flag"),
    "seed": Attribute(142, "u64"),
    "frame": Attribute(143, "u64"),
    "discard": Attribute(144, "flag"),
    "rules": Attribute(145, "u32"),
    "holding": Attribute(146, "text"),
    "from-client-seen": Attribute(147, "u64"),
    "to-client-seen": Attribute(148, "u64"),
    "limit": Attribute(149, "u32"),
    "faults": Attribute(151, "flag"),
    "listen": Attribute(155, "text"),
    "max": Attribute(156, "u32"),
    "allow": _word(157, "own any"),
    "socket-mode": Attribute(158, "text"),
    "socket-group": Attribute(159, "text"),
    "listener": Attribute(160, "text"),
    "uid": Attribute(161, "u32"),
    "connected": Attribute(162, "u32"),
    "accepted": Attribute(163, "u64"),
    "refused": Attribute(164, "u64"),
    "net": Attribute(165, "text"),
    "net6": Attribute(166, "text"),
    "forward": Attribute(167, "text"),
    "tftp": Attribute(168, "text"),
    "bootfile": Attribute(169, "text"),
    "restrict": Attribute(170, "flag"),
    **{word: Attribute(number, "u64") for number, word in enumerate(_RULE_COUNTERS, 180)},
}

#: The word of each number.
BY_NUMBER = {attribute.number: word for word, attribute in ATTRIBUTES.items()}
#: The word of each name in Python.
WORDS = {word.replace("-", "_"): word for word in ATTRIBUTES}

#: What the value of an attribute is in Python.
Value = Union[int, str]
#: A set of words: joined by +, or a list.
Words = Union[str, Sequence[str]]
#: One address, or several.
Addresses = Union[None, str, Sequence[object]]


#: The sizes of the types that are numbers: struct formats.
_FORMATS = {"u32": "I", "u64": "Q", "time": "Q", "rate": "Q", "percent": "I", "thousandths": "I"}
_QUANTITIES = ("time", "rate", "percent", "thousandths")


def _number(word: str, kind: str, value: Any) -> bytes:
    """Return an option's number. The broker checks its bounds, but it must fit the record."""
    if kind in _QUANTITIES:
        value = parse_quantity(kind, value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{word} is a number, not {value!r}")
    try:
        return struct.pack("=" + _FORMATS[kind], value)
    except struct.error:
        raise ValueError(f"{word} is out of range: {value}") from None


def _text(word: str, value: Any) -> bytes:
    """Return a string with its 0 byte; of a list, such as addresses, the parts with ``+``."""
    if isinstance(value, (list, tuple)):
        value = "+".join(str(part) for part in value)
    data = os.fsencode(value) if isinstance(value, (str, os.PathLike)) else str(value).encode()
    if b"\0" in data:
        raise ValueError(f"{word} has a 0 character: {value!r}")
    return data + b"\0"


def _bits(word: str, attribute: Attribute, value: Any) -> bytes:
    """Return a set of words, such as ("up", "running") or "up+running"; "none" is no word."""
    words = value.split("+") if isinstance(value, str) else value
    bits = 0
    for one in words if words != ["none"] else ():
        if one not in attribute.words:
            raise ValueError(f"{word} has no {one!r}, only {', '.join(attribute.words)}")
        bits |= 1 << attribute.words.index(one)
    return struct.pack("=I", bits)


def _payload(word: str, attribute: Attribute, value: Any) -> bytes:
    if attribute.type == "text":
        return _text(word, value)
    if attribute.type == "flag":
        if not isinstance(value, bool):
            raise TypeError(f"{word} is True or False, not {value!r}")
        return struct.pack("=I", value)
    if attribute.type == "word":
        if value not in attribute.words:
            raise ValueError(f"{word} is one of {', '.join(attribute.words)}, not {value!r}")
        return struct.pack("=I", attribute.words.index(value) + 1)
    if attribute.type == "bits" or attribute.words and not isinstance(value, int):
        return _bits(word, attribute, value)
    return _number(word, attribute.type, value)


def encode(options: Mapping[str, Any]) -> bytes:
    """Return the attributes of the options, whose keys are names in Python; None is no attribute.

    >>> encode({"bridge": "lab", "mtu": None}).hex()
    '080007006c616200'
    """
    data = b""
    for name, value in options.items():
        if value is None:
            continue
        word = WORDS.get(name)
        if word is None:
            raise TypeError(f"there is no option {name!r}")
        payload = _payload(word, ATTRIBUTES[word], value)
        data += ATTRIBUTE.pack(ATTRIBUTE.size + len(payload), ATTRIBUTES[word].number)
        data += payload + bytes(-len(payload) % 4)
    return data


def bridge_option(bridge: Optional[str], nobridge: bool) -> Optional[str]:
    """Return the option bridge, which is empty for no bridge."""
    if bridge is not None and nobridge:
        raise TypeError("bridge or nobridge, not both")
    return "" if nobridge else bridge


def build(kind: int, flags: int, sequence: int, attributes: bytes) -> bytes:
    """Return one record."""
    return HEADER.pack(HEADER.size + len(attributes), kind, flags, sequence, 0) + attributes


def split(data: bytes) -> Iterable[Tuple[int, bytes]]:
    """Yield the number and the value of each attribute. Raise ValueError if they don't fit."""
    while data:
        if len(data) < ATTRIBUTE.size:
            raise ValueError("an attribute is cut off")
        length, number = ATTRIBUTE.unpack_from(data)
        if not ATTRIBUTE.size <= length <= len(data):
            raise ValueError(f"attribute {number} has the length {length}")
        yield number, data[ATTRIBUTE.size:length]
        data = data[(length + 3) & ~3:]


def _value(attribute: Attribute, data: bytes) -> Value:
    if attribute.type == "text":
        return os.fsdecode(data.rstrip(b"\0"))
    number = int.from_bytes(data, "little" if struct.pack("=H", 1)[0] else "big")
    if attribute.type == "flag":
        return bool(number)
    if attribute.type == "word" and 1 <= number <= len(attribute.words):
        return attribute.words[number - 1] or number
    if attribute.type in _QUANTITIES:
        return format_quantity(attribute.type, number)
    if attribute.type == "bits":
        return "+".join(word for bit, word in enumerate(attribute.words)
                        if number >> bit & 1) or "none"
    return number


class Message(NamedTuple):
    """One record of the broker."""

    kind: int
    flags: int
    sequence: int
    values: Dict[str, Value]
    error: int  # errno; 0: none
    text: str  # the broker's explanation of the error


def parse(record: bytes) -> Message:
    """Read a record, without the attributes that are unknown. Raise ValueError if malformed."""
    if len(record) < HEADER.size:
        raise ValueError(f"the record has only {len(record)} bytes")
    length, kind, flags, sequence, _ = HEADER.unpack_from(record)
    if length != len(record):
        raise ValueError(f"the record has {len(record)} bytes, and its header says {length}")
    if kind == ERROR:
        if length < HEADER.size + ERROR_BODY.size:
            raise ValueError("the error is cut off")
        error = -ERROR_BODY.unpack_from(record, HEADER.size)[0]
        texts = dict(split(record[HEADER.size + ERROR_BODY.size:]))
        text = texts.get(ERROR_TEXT, b"").rstrip(b"\0").decode(errors="replace")
        return Message(kind, flags, sequence, {}, error, text)
    values = {}
    for number, data in split(record[HEADER.size:]):
        word = BY_NUMBER.get(number)
        if word is not None:
            values[word] = _value(ATTRIBUTES[word], data)
    return Message(kind, flags, sequence, values, 0, "")


Frames = Union[bytes, bytearray, memoryview, Iterable[bytes]]


def frames_of(frames: Sequence[Frames]) -> Iterable[bytes]:
    """Yield each frame of arguments that are frames or iterables of frames."""
    for argument in frames:
        if isinstance(argument, (bytes, bytearray, memoryview)):
            yield bytes(argument)
        else:
            yield from argument

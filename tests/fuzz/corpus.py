#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the hand-made part of the fuzz corpus: corpus.py DIRECTORY.

Each file's name says what it contains. The numbers are those of memtun/protocol.h; fuzz_session.c,
fuzz_frame.c, fuzz_segment.c, fuzz_socks.c and fuzz_uplink.c describe the layout of their inputs. Numbers are
little-endian, as on the machines that the fuzzer runs on.
"""
import os
import struct
import sys

HELLO, ADD, SET, DELETE, SHOW, OPEN, ATTACH, DETACH = range(0x10, 0x18)
BRIDGE_ADD, BRIDGE_DELETE, BRIDGE_SHOW, SUBSCRIBE, EVENT = range(0x18, 0x1d)
VERSION, ID, NAME, MODE, SOCKET, BRIDGE, PEER, MTU, QUEUE, OVERFLOW = 1, 3, 4, 5, 6, 7, 8, 9, 10, 11
PI, VNET_HDR, MULTI_QUEUE, EXCLUSIVE, PERSISTENT, COUNT, HUB, QUEUE_ID = 12, 13, 14, 15, 16, 18, 19, 21
TIME, STATISTICS = 26, 27
DUMP = 0x300


def attribute(kind, value):
    if isinstance(value, str):
        value = value.encode() + b"\0"
    elif isinstance(value, int):
        value = struct.pack("<I", value)
    return struct.pack("<HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def message(command, *attributes, flags=0, sequence=2, length=None):
    body = b"".join(attribute(*one) if isinstance(one, tuple) else one for one in attributes)
    length = 16 + len(body) if length is None else length
    return struct.pack("<IHHII", length, command, 5 | flags, sequence, 0) + body


MESSAGES = {
    "hello": message(HELLO, (VERSION, 0x10000)),
    "add-all-options": message(ADD, (NAME, "tap%d"), (MODE, 2), (SOCKET, 3), (BRIDGE, "lab"), (MTU, 1400),
                               (QUEUE, 10), (OVERFLOW, 3), (PI, 1), (VNET_HDR, 1), (MULTI_QUEUE, 1), (COUNT, 5)),
    "empty": b"",
    "cut-header": message(HELLO)[:15],
    "length-0": message(HELLO, length=0),
    "length-65535": message(HELLO, length=65535),
    "cut-attribute": message(ADD, (NAME, "tap0"), length=22)[:22],
    "unpadded-attribute": message(ADD, struct.pack("<HH", 9, NAME) + b"tap0\0"),
    "attribute-length-0": message(ADD, struct.pack("<HH", 0, NAME)),
    "attribute-length-3": message(ADD, struct.pack("<HH", 3, NAME)),
    "attribute-length-65535": message(ADD, struct.pack("<HH", 65535, NAME)),
    "trailing-garbage": message(ADD, (NAME, "tap0"), b"\1\2"),
    "attribute-twice": message(ADD, (NAME, "tap0"), (NAME, "tap1")),
    "attribute-unknown": message(ADD, (NAME, "tap0"), (999, 1)),
    "attribute-nested-flag": message(ADD, (0x8000 | NAME, "tap0")),
    "number-too-short": message(ADD, (NAME, "tap0"), (MTU, b"\1\0")),
    "number-out-of-bounds": message(ADD, (NAME, "tap0"), (MTU, 65536)),
    "u64": message(EVENT, (TIME, struct.pack("<Q", 1 << 40)), sequence=0),
    "string-without-nul": message(ADD, (NAME, b"tap0")),
    "string-with-inner-nul": message(ADD, (NAME, b"ta\0p\0")),
    "string-empty": message(ADD, (NAME, "")),
    "name-too-long": message(ADD, (NAME, "a" * 16)),
    "name-percent-s": message(ADD, (NAME, "tap%s")),
    "name-two-numbers": message(ADD, (NAME, "%d%d")),
    "name-dot": message(ADD, (NAME, ".")),
    "name-control-character": message(ADD, (NAME, "a\x01b")),
    "error": message(2, struct.pack("<iIHHII", -22, 16, ADD, 5, 2, 0), (1, "name 'x' has a space"), (2, 16)),
    "error-cut": message(2, struct.pack("<i", -22)),
    "error-text-too-long": message(2, struct.pack("<iIHHII", -22, 16, ADD, 5, 2, 0), (1, "a" * 300)),
    "done": message(3, flags=2),
}


def step(what, data=b"", on=0):
    return struct.pack("<BBH", what, on, len(data)) + data


(SAY, SAY_OTHER, SAY_WHOLE, SAY_OTHER_WHOLE, SAY_WITH_FD, SEND, RECEIVE, CLOSE, SHUT, STOP_READING, LEAVE) = range(11)
GREET, SAME_USER = b"\1", b"\3"


def say(*arguments, **more):
    return step(SAY, message(*arguments, **more))


def other(*arguments, **more):
    return step(SAY_OTHER, message(*arguments, **more))


ETHERNET = bytes.fromhex("020000000002 020000000001 88b5") + bytes(50)
BROADCAST = bytes.fromhex("ffffffffffff 020000000001 8100 0005 0800") + bytes(46)
IPV4 = bytes.fromhex("45000028 0000 4000 4011 0000 0a000001 0a000002 1388 0035 0014 0000") + bytes(12)
IPV6 = bytes.fromhex("60000000 0008 11ff") + bytes(15) + b"\1" + bytes(15) + b"\2" + bytes.fromhex("13880035 0008 0000")
VNET_CHECKSUM = struct.pack("<BBHHHHH", 1, 0, 0, 0, 20, 20, 6) + b"\0\0"
VNET_GSO = struct.pack("<BBHHHHH", 1, 1, 40, 1400, 34, 34, 16) + b"\0\0"


def framed(frame):
    return struct.pack(">I", len(frame)) + frame


def two_tunnels(*options):
    return b"".join(say(OPEN, (NAME, name), (BRIDGE, "lab"), *options) for name in ("a", "b"))


SESSIONS = {
    "before-hello": b"\0" + say(SHOW, flags=DUMP) + say(HELLO, (VERSION, 0x20000)) + say(HELLO, (VERSION, 0x10000)),
    "add-set-show-delete": GREET + say(ADD, (NAME, "a"), (MODE, 1)) + say(SET, (NAME, "a"), (MTU, 100), (BRIDGE, "lab")) +
    say(SHOW, (NAME, "a"), (STATISTICS, 1)) + say(SHOW, flags=DUMP) + say(BRIDGE_SHOW) + say(DELETE, (ID, 1)),
    "open-and-close": GREET + say(OPEN, (NAME, "tap%d")) + say(OPEN, (NAME, "tap0")) + step(CLOSE) + say(OPEN, (NAME, "tap0")),
    "open-batch": GREET + say(OPEN, (NAME, "tap%d"), (COUNT, 5)) + step(SEND, ETHERNET, 1) + step(SHUT, on=2),
    "add-batch-unread": GREET + step(STOP_READING) + say(ADD, (NAME, "tap%d"), (COUNT, 2000)) + say(SHOW, flags=DUMP),
    "bridge-exchange": GREET + two_tunnels() + step(SEND, ETHERNET) + step(SEND, BROADCAST, 1) + step(RECEIVE, on=1) +
    say(SHOW, (STATISTICS, 1), flags=DUMP) + step(CLOSE) + step(SEND, ETHERNET, 1),
    "bridge-hub": GREET + say(BRIDGE_ADD, (NAME, "lab"), (HUB, 1)) + two_tunnels((SOCKET, 2)) + step(SEND, ETHERNET) +
    say(BRIDGE_SHOW, (NAME, "lab")) + say(BRIDGE_DELETE, (NAME, "lab")),
    "bridge-block": GREET + two_tunnels((SOCKET, 2), (QUEUE, 1), (OVERFLOW, 3)) + step(SEND, ETHERNET) * 24 +
    step(RECEIVE, on=1) + step(CLOSE, on=1),
    "bridge-drop-head": GREET + two_tunnels((SOCKET, 2), (QUEUE, 2), (OVERFLOW, 2)) + step(SEND, ETHERNET) * 16 + step(RECEIVE, on=1),
    "tun-ip": GREET + two_tunnels((MODE, 1)) + step(SEND, IPV4) + step(SEND, IPV6) + step(SEND, IPV4[:10]) + step(SEND, b"\x10"),
    "stream": GREET + two_tunnels((SOCKET, 3)) + step(SEND, framed(ETHERNET) * 3 + b"\0\0") + step(SEND, framed(ETHERNET)[2:]) +
    step(RECEIVE, on=1) + step(SEND, framed(b"") + b"\xff\xff\xff\xff"),
    "vnet-checksum": GREET + say(OPEN, (NAME, "a"), (BRIDGE, "lab"), (MODE, 1), (VNET_HDR, 1)) +
    say(OPEN, (NAME, "b"), (BRIDGE, "lab"), (MODE, 1)) + step(SEND, VNET_CHECKSUM[:10] + IPV4) + step(SEND, VNET_GSO[:10] + IPV4),
    "peers": GREET + say(ADD, (NAME, "a"), (PEER, "b")) + say(OPEN, (NAME, "a")) + say(OPEN, (NAME, "b")) +
    step(SEND, ETHERNET) + step(RECEIVE, on=1) + step(CLOSE) + say(OPEN, (NAME, "a")) + say(DELETE, (NAME, "b")),
    "peers-dgram": GREET + say(ADD, (NAME, "a"), (PEER, "b"), (SOCKET, 2)) + say(OPEN, (NAME, "a")) + step(CLOSE) +
    say(OPEN, (NAME, "a")) + say(SHOW, flags=DUMP),
    "multi-queue": GREET + say(OPEN, (NAME, "a"), (MULTI_QUEUE, 1), (BRIDGE, "lab")) + say(OPEN, (NAME, "a"), (MULTI_QUEUE, 1)) +
    say(OPEN, (NAME, "b"), (BRIDGE, "lab")) + step(SEND, ETHERNET, 2) + step(SEND, BROADCAST, 2) + step(CLOSE, on=1),
    "unattached": GREET + say(OPEN, (SOCKET, 3)) + say(ATTACH, (QUEUE_ID, 1), (NAME, "a"), (SOCKET, 3)) +
    step(SEND, framed(ETHERNET)) + say(DETACH, (QUEUE_ID, 1)) + say(ATTACH, (QUEUE_ID, 1), (NAME, "b"), (SOCKET, 1)),
    "events": GREET + say(SUBSCRIBE) + other(OPEN, (NAME, "a")) + other(DELETE, (NAME, "a")),
    "events-unread": GREET + say(SUBSCRIBE) + step(STOP_READING) + other(ADD, (NAME, "tap%d"), (COUNT, 2000)) +
    other(DELETE, (NAME, "tap0")),
    "other-users": GREET + say(ADD, (NAME, "a")) + other(DELETE, (NAME, "a")) + other(OPEN, (NAME, "a")) + other(SHOW, (NAME, "a")),
    "same-user": SAME_USER + say(OPEN, (NAME, "a")) + other(OPEN, (NAME, "a")) + other(SET, (NAME, "a"), (PERSISTENT, 1)),
    "descriptors-sent": GREET + step(SAY_WITH_FD, message(SHOW, flags=DUMP)) + say(SHOW, flags=DUMP),
    "leaves": GREET + other(OPEN, (NAME, "tap%d"), (COUNT, 100)) + step(LEAVE) + step(CLOSE, on=3),
    "malformed": GREET + b"".join(step(SAY, one) for name, one in sorted(MESSAGES.items()) if name != "hello"),
    "unknown-command": GREET + say(0x7f) + say(EVENT) + say(3),
}

FRAMES = {
    "tap-ipv4": b"\1" + ETHERNET[:12] + b"\x08\0" + IPV4,
    "tap-vlan": b"\1" + BROADCAST,
    "tap-two-vlans": b"\1" + BROADCAST[:12] + bytes.fromhex("88a8 0001 8100 0002 86dd") + IPV6,
    "tap-arp": b"\1" + BROADCAST[:12] + bytes.fromhex("0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002"),
    "tap-cut": b"\1" + ETHERNET[:13],
    "tun-ipv4": b"\0" + IPV4,
    "tun-ipv4-fragment": b"\0" + IPV4[:6] + b"\x20\x01" + IPV4[8:],
    "tun-ipv4-options": b"\0" + b"\x4f" + IPV4[1:] + bytes(40),
    "tun-ipv6": b"\0" + IPV6,
    "tun-ipv6-extensions": b"\0" + IPV6[:6] + b"\0" + IPV6[7:40] + bytes.fromhex("2b00010400000000 2c00 0400000000 00 3a000008 00000001") + IPV6[40:],
    "tun-ipv6-routing": b"\0" + IPV6[:6] + b"\x2b" + IPV6[7:40] + bytes.fromhex("1102000100000000") + bytes(16) + IPV6[40:],
    "pi-ipv4": b"\2" + b"\0\0\x08\0" + IPV4,
    "vnet-10-checksum": b"\4" + VNET_CHECKSUM[:10] + IPV4,
    "vnet-12-gso": b"\x08" + VNET_GSO + IPV4,
    "vnet-20": b"\x0c" + VNET_CHECKSUM + bytes(8) + IPV4,
    "spec": b"\0tap%d:bridge=lab,mode=tap,socket=stream,mtu=1400,queue=5,overflow=block,pi,vnet_hdr=off,multi_queue",
    "spec-wrong": b"\0vm0:bridge=,,mtu=x,mode=bridge",
    "spec-nobridge": b"\0vm0:nobridge,peer=vm1,owner=5,inode=99999999999999999999",
    "name-template": b"\0tap%d",
}


GSO_TCPV4, GSO_UDP, GSO_TCPV6, GSO_UDP_L4, GSO_ECN = 1, 3, 4, 5, 0x80
TCP = bytes.fromhex("1388 1770 fffffff0 00000001 50d9 01f4 0000 0000")
TCP_OPTIONS = TCP[:12] + b"\x80" + TCP[13:] + bytes.fromhex("0101080a 0000000100000002")
VLANS = ETHERNET[:12] + bytes.fromhex("8100 0005 8100 0007")


def gso_frame(version, gso_type, gso_size, transport, payload, extensions=(), link=b"", options=b""):
    """Return a GSO frame behind its mode and its vnet header."""
    protocol = 17 if gso_type in (GSO_UDP, GSO_UDP_L4) else 6
    if protocol == 17:
        transport = struct.pack(">HHHH", 5000, 6000, 8 + payload, 0)
    middle = b""
    for number, body in reversed(extensions):
        middle = bytes([protocol]) + body + middle
        protocol = number
    body = transport + bytes(i * 7 & 255 for i in range(payload))
    if version == 4:
        packet = struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(body), 65535, 0x4000, 64,
                             protocol, 0) + b"\x0a\0\0\1\x0a\0\0\2" + options
    else:
        packet = struct.pack(">IHBB", 0x60000000, len(middle) + len(body), protocol, 64) + IPV6[8:40] + middle
    if link:
        packet = link + (b"\x08\0" if version == 4 else b"\x86\xdd") + packet
    vnet = struct.pack("<BBHHHH", 1, gso_type, len(packet) + len(transport), gso_size, len(packet),
                       16 if len(transport) > 8 else 6)
    return (b"\1" if link else b"\0") + vnet + packet + body


SEGMENTS = {
    "tcp4": gso_frame(4, GSO_TCPV4, 100, TCP_OPTIONS, 250, link=ETHERNET[:12]),
    "tcp4-vlans-ecn": gso_frame(4, GSO_TCPV4 | GSO_ECN, 100, TCP, 251, link=VLANS),
    "tcp4-options": gso_frame(4, GSO_TCPV4, 99, TCP, 250, options=b"\x94\4\0\0"),
    "tcp4-one-piece": gso_frame(4, GSO_TCPV4, 100, TCP, 100),
    "tcp4-tiny": gso_frame(4, GSO_TCPV4, 1, TCP, 300),
    "tcp4-as-6": gso_frame(4, GSO_TCPV6, 100, TCP, 300),
    "tcp6": gso_frame(6, GSO_TCPV6, 100, TCP, 300, link=ETHERNET[:12]),
    "tcp6-extensions": gso_frame(6, GSO_TCPV6, 100, TCP, 300, extensions=[
        (0, bytes.fromhex("00 010400000000")), (43, bytes.fromhex("02020000000000") + bytes(16)), (60, b"\0\1\4" + bytes(4))]),
    "tcp6-authentication": gso_frame(6, GSO_TCPV6, 100, TCP, 300, extensions=[(51, b"\4" + bytes(22))]),
    "tcp6-fragment": gso_frame(6, GSO_TCPV6, 100, TCP, 300, extensions=[(44, bytes(7))]),
    "udp4": gso_frame(4, GSO_UDP_L4, 100, TCP, 300),
    "udp4-too-many": gso_frame(4, GSO_UDP_L4, 1, TCP, 129),
    "udp6": gso_frame(6, GSO_UDP_L4, 100, TCP, 301, link=VLANS),
    "ufo4": gso_frame(4, GSO_UDP, 96, TCP, 301, link=ETHERNET[:12]),
    "ufo4-odd": gso_frame(4, GSO_UDP, 100, TCP, 301),
    "ufo6": gso_frame(6, GSO_UDP, 96, TCP, 301),
}


DATAGRAM, VXLAN, STREAM, TUN, LOSE = range(5)


def comes(by, data=b""):
    return struct.pack("<BH", by, len(data)) + data


VXLAN_HEADER = bytes.fromhex("0800000000002a00")
ARP_REQUEST = BROADCAST[:12] + bytes.fromhex("0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002")
ARP_ANSWER = BROADCAST[:12] + bytes.fromhex("0806 0001 0800 06 04 0002 020000000001 0a000001 020000000009 0a000002")

UPLINKS = {
    "vxlan": comes(VXLAN, ETHERNET) + comes(VXLAN, BROADCAST) + comes(DATAGRAM, VXLAN_HEADER + ETHERNET),
    "vxlan-wrong": comes(DATAGRAM) + comes(DATAGRAM, VXLAN_HEADER[:7]) + comes(DATAGRAM, VXLAN_HEADER) +
    comes(DATAGRAM, bytes(8) + ETHERNET) + comes(DATAGRAM, b"\xff" * 6 + b"\x2b\xff" + ETHERNET) + comes(VXLAN, ETHERNET[:13]),
    "stream": comes(STREAM, framed(BROADCAST) + b"\0\0") + comes(STREAM, framed(ETHERNET)[2:]) + comes(VXLAN, ETHERNET) +
    comes(STREAM, b"\xff\xff\xff\xff") + comes(STREAM, framed(ETHERNET)) * 3,
    "adapter": comes(VXLAN, ARP_REQUEST) + comes(TUN, IPV4) + comes(VXLAN, ARP_ANSWER) + comes(TUN, IPV4) + comes(TUN, IPV6),
    "lose": comes(TUN, IPV4) + comes(LOSE) + comes(VXLAN, ETHERNET) + comes(STREAM, framed(BROADCAST)),
}

GREETING = bytes.fromhex("050100")
SOCKS = {
    "ipv4": GREETING + bytes.fromhex("05010001 0a000001 0050"),
    "ipv6": bytes.fromhex("05020200") + bytes.fromhex("05010004") + bytes(15) + b"\1" + b"\0\7",
    "name": GREETING + bytes.fromhex("05010003") + b"\5hosts" + b"\0\x50",
    "name-empty": GREETING + bytes.fromhex("05010003 00 0050"),
    "name-longest": b"\5\xff" + bytes(range(255)) + bytes.fromhex("05010003") + b"\xff" + b"a" * 255 + b"\0\x50",
    "bind": GREETING + bytes.fromhex("05020001 0a000001 0050"),
    "type-unknown": GREETING + bytes.fromhex("05010002 0a000001 0050"),
    "no-methods": bytes.fromhex("0500"),
    "version-4": bytes.fromhex("04010050 0a000001 00"),
    "cut": GREETING + bytes.fromhex("05010001 0a00"),
    "request-first": bytes.fromhex("05010001 0a000001 0050"),
    "empty": b"",
}


def main():
    for folder, files in (("message", MESSAGES), ("session", SESSIONS), ("frame", FRAMES), ("segment", SEGMENTS),
                          ("uplink", UPLINKS), ("socks", SOCKS)):
        path = os.path.join(sys.argv[1], folder)
        os.makedirs(path, exist_ok=True)
        for name, data in files.items():
            with open(os.path.join(path, name), "wb") as file:
                file.write(data)


main()

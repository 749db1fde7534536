# SPDX-License-Identifier: MIT
# The other side of a `memtun ping` on a tunnel's descriptor, which answers ARP and then echo requests
# for 10.0.0.1 wrongly: ping_peer.py FD CASE.
import os
import socket
import struct
import sys

MAC, OWN = b"\2\0\0\0\0\1", socket.inet_aton("10.0.0.1")


def checksum(data):
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xffff) + (value >> 16)
    return value ^ 0xffff


def packet(source, target, message):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(message), 1, 0, 60, 1, 0, source, target)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + message


def icmp(kind, code, rest, bad=0):
    message = struct.pack("!BBH", kind, code, 0) + rest
    return message[:2] + struct.pack("!H", checksum(message) ^ bad) + message[4:]


def answers(case, ip, rest):
    """The source and the message of each answer to the request, whose id, sequence and data are
    rest."""
    if case == "twice":
        return [(OWN, icmp(0, 0, rest))] * 2
    if case == "wrong":
        return [(OWN, icmp(0, 0, rest[:9] + b"\xff" + rest[10:]))]
    if case == "cut":
        return [(OWN, icmp(0, 0, rest[:12]))]
    if case == "checksum":
        return [(OWN, icmp(0, 0, rest, 1)), (OWN, icmp(0, 0, rest))]
    if case == "elsewhere":
        return [(socket.inet_aton("10.0.0.8"), icmp(0, 0, rest))]
    if case == "unreachable":
        return [(socket.inet_aton("10.0.0.3"), icmp(3, 13, b"\0" * 4 + ip[:28]))]
    if case == "foreign":  # about another program's request, then one that is not
        other = ip[:24] + bytes([ip[24] ^ 1]) + ip[25:28]
        return [(OWN, icmp(3, 1, b"\0" * 4 + other)), (OWN, icmp(0, 0, bytes([rest[0] ^ 1]) + rest[1:])),
                (OWN, icmp(11, 0, b"\0" * 4 + ip[:10])), (OWN, icmp(0, 0, rest))]
    return []


fd, case = int(sys.argv[1]), sys.argv[2]
while True:
    frame = os.read(fd, 65536)
    if not frame:
        break
    if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\1" and frame[38:42] == OWN:
        os.write(fd, frame[6:12] + MAC + frame[12:20] + b"\0\2" + MAC + OWN + frame[22:32])
    elif frame[12:14] == b"\x08\0" and frame[23] == 1 and frame[34] == 8:
        ip = frame[14:14 + struct.unpack("!H", frame[16:18])[0]]
        for source, message in answers(case, ip, ip[24:]):
            os.write(fd, frame[6:12] + MAC + frame[12:14] + packet(source, ip[12:16], message))

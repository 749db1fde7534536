# SPDX-License-Identifier: MIT
"""A guest of an uplink of type user, on a tunnel's descriptor: udp_guest.py FD tftp NAME... fetches
files from 10.0.2.2 and prints the text or the error of each; udp_guest.py FD dns NAME asks 10.0.2.3
for an address and prints it, or silence."""
import os
import select
import socket
import struct
import sys

MAC, OWN = b"\2\0\0\0\0\6", socket.inet_aton("10.0.2.71")
GATEWAY, NAMES = socket.inet_aton("10.0.2.2"), socket.inet_aton("10.0.2.3")


def checksum(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xffff) + (value >> 16)
    return value ^ 0xffff


class Guest:
    def __init__(self, fd):
        self.fd = fd
        self.macs = {}

    def arp(self, kind, mac, address):
        os.write(self.fd, (mac if kind == 2 else b"\xff" * 6) + MAC + b"\x08\x06\0\1\x08\0\6\4" +
                 struct.pack("!H", kind) + MAC + OWN + (mac if kind == 2 else bytes(6)) + address)

    def until(self, limit, wanted):
        while select.select([self.fd], [], [], limit)[0]:
            frame = os.read(self.fd, 65536)
            if frame[12:14] == b"\x08\x06" and frame[38:42] == OWN:
                self.macs[frame[28:32]] = frame[22:28]
                if frame[20:22] == b"\0\1":
                    self.arp(2, frame[6:12], frame[28:32])
            if wanted(frame):
                return frame
        return None

    def send(self, to, source, target, data):
        if to not in self.macs:
            self.arp(1, b"", to)
            self.until(10, lambda frame: to in self.macs)
        udp = struct.pack("!HHHH", source, target, 8 + len(data), 0) + data
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, OWN, to)
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        os.write(self.fd, self.macs[to] + MAC + b"\x08\0" + ip + udp)

    def receive(self, port, limit):
        """The data and the source port of a datagram; None, 0 if none came."""
        frame = self.until(limit, lambda f: f[12:14] == b"\x08\0" and f[23] == 17 and
                           f[36:38] == struct.pack("!H", port))
        if frame is None:
            return None, 0
        return (frame[42:34 + struct.unpack("!H", frame[38:40])[0]],
                struct.unpack("!H", frame[34:36])[0])


def tftp(guest, name, port):
    guest.send(GATEWAY, port, 69, b"\0\1" + name.encode() + b"\0octet\0")
    data, other = guest.receive(port, 10)
    if data is None:
        return "silence"
    if data[1] != 3:
        return "error " + data[4:].rstrip(b"\0").decode()
    guest.send(GATEWAY, port, other, b"\0\4" + data[2:4])
    return data[4:].decode().strip()


def dns(guest, name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    guest.send(NAMES, 5001, 53, struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1")
    data, _ = guest.receive(5001, 3)
    return "silence" if data is None else socket.inet_ntoa(data[-4:])


def main():
    guest = Guest(int(sys.argv[1]))
    for number, name in enumerate(sys.argv[3:]):
        print(tftp(guest, name, 6000 + number) if sys.argv[2] == "tftp" else dns(guest, name))


main()

# SPDX-License-Identifier: MIT
# The other side of a `memtun host`, byte by byte on a tunnel's descriptor: what a host must answer,
# and what it must survive. host_peer.py FD tap|tun CHECK... makes those checks in that order.
#
# Nothing here waits for silence: what must not be answered is sent ahead of what must, and the
# answer to that comes first.
import os
import random
import select
import socket
import struct
import sys
import time

LIMIT = 20  # seconds, for one answer
HOST4, PEER4, GATEWAY4, FAR4, PAIR4, OTHER4, NEW4 = (
    socket.inet_aton(a) for a in ("10.0.0.1", "10.0.0.2", "10.0.0.3", "192.0.2.9", "10.0.0.4",
                                  "10.0.0.5", "10.0.0.6"))
HOST6, PEER6, GATEWAY6, FAR6, SUBNET6, NOBODY6, NEW6 = (
    socket.inet_pton(socket.AF_INET6, a)
    for a in ("fd00::1", "fd00::2", "fd00::3", "2001:db8::9", "fd00::1:0:9", "fd00::dead",
              "fd00::6"))
HOST_MAC, PEER_MAC, GATEWAY_MAC = b"\2\0" + HOST4, b"\2\0" + PEER4, b"\2\0" + GATEWAY4
HOST_LINK_LOCAL = bytes.fromhex("fe80000000000000 0000 0afffe000001")
EVERYBODY = b"\xff" * 6
IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86dd
ICMP, TCP, UDP, FRAGMENT, ICMPV6 = 1, 6, 17, 44, 58
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ECHO = 7


def checksum(data):
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xffff) + (value >> 16)
    return value ^ 0xffff


def pseudo(source, target, protocol, length):
    return source + target + struct.pack("!II", length, protocol)


class Peer:
    def __init__(self, fd, tap):
        self.fd, self.tap = fd, tap
        # Who answers when the host asks for an address.
        self.neighbours = {PEER4: PEER_MAC, OTHER4: PEER_MAC, NEW4: PEER_MAC,
                           GATEWAY4: GATEWAY_MAC, NEW6: PEER_MAC,
                           PEER6: PEER_MAC, GATEWAY6: GATEWAY_MAC}
        self.seen = {}  # the destination MAC of the last frame, by destination address
        self.parts = {}
        self.mark = random.randrange(65536)

    # --- sending ---

    def write(self, packet, to_mac=HOST_MAC, from_mac=PEER_MAC):
        if self.tap:
            kind = IPV6 if packet[0] >> 4 == 6 else IPV4
            packet = to_mac + from_mac + struct.pack("!H", kind) + packet
        os.write(self.fd, packet)

    def packets(self, source, target, protocol, data, mtu):
        """The packets, several if it has to be fragments."""
        self.mark += 1  # what an earlier one has left of its fragments is not this one's
        step = (mtu - 48) // 8 * 8
        many = len(data) > step
        for at in range(0, len(data) or 1, step):
            part, more = data[at:at + step], at + step < len(data)
            if len(source) == 4:
                head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(part), self.mark & 0xffff,
                                   at // 8 | more << 13, 64, protocol, 0) + source + target
                yield head[:10] + struct.pack("!H", checksum(head)) + head[12:] + part
            else:
                extra = struct.pack("!BBHI", protocol, 0, at | more, self.mark) if many else b""
                head = struct.pack("!IHBB", 6 << 28, len(extra + part),
                                   FRAGMENT if many else protocol, 255) + source + target
                yield head + extra + part

    def send(self, source, target, protocol, data, mtu=1500, **macs):
        for packet in self.packets(source, target, protocol, data, mtu):
            self.write(packet, **macs)

    def checked(self, source, target, protocol, data, at):
        """data with its checksum, over the pseudo header too, at that offset."""
        whole = data if protocol == ICMP else pseudo(source, target, protocol, len(data)) + data
        return data[:at] + struct.pack("!H", checksum(whole)) + data[at + 2:]

    def ping(self, source, target, number, data=b"x" * 56, **how):
        kind, protocol = (8, ICMP) if len(source) == 4 else (128, ICMPV6)
        data = struct.pack("!BBHHH", kind, 0, 0, 1, number) + data
        self.send(source, target, protocol, self.checked(source, target, protocol, data, 2), **how)

    def datagram(self, source, target, text, port=999, **how):
        data = struct.pack("!HHHH", port, ECHO, 8 + len(text), 0) + text
        self.send(source, target, UDP, self.checked(source, target, UDP, data, 6), **how)

    # --- receiving ---

    def answer(self, frame):
        """As a neighbour would, to ARP and neighbour solicitations."""
        if frame[12:14] == struct.pack("!H", ARP) and frame[20:22] == b"\0\1":
            mac = self.neighbours.get(frame[38:42])
            if mac:
                os.write(self.fd, frame[6:12] + mac + frame[12:20] + b"\0\2" + mac + frame[38:42] +
                         frame[22:32])
        if frame[12:14] == struct.pack("!H", IPV6) and frame[20] == ICMPV6 and frame[54] == 135:
            target, asker = frame[62:78], frame[22:38]
            if target in self.neighbours:
                self.advertise(target, asker, self.neighbours[target], to_mac=frame[6:12])

    def advertise(self, target, asker, mac, to_mac=HOST_MAC):
        data = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + target + b"\2\1" + mac
        data = self.checked(target, asker, ICMPV6, data, 2)
        self.send(target, asker, ICMPV6, data, to_mac=to_mac, from_mac=mac)

    def frame(self, until):
        ready, _, _ = select.select([self.fd], [], [], max(0, until - time.monotonic()))
        if not ready:
            raise AssertionError("no answer in that time")
        frame = os.read(self.fd, 70000)
        if not frame:
            raise AssertionError("the host is gone")
        return frame

    def packet(self, until):
        """The next IP packet: source, target, protocol, data; whole, its sums checked."""
        while True:
            packet = self.frame(until)
            if self.tap:
                self.answer(packet)
                mac, kind, packet = packet[:6], packet[12:14], packet[14:]
                if kind == struct.pack("!H", ARP):
                    continue
            if packet[0] >> 4 == 4:
                assert checksum(packet[:20]) == 0, packet.hex()
                length, mark, bits, _, protocol = struct.unpack("!2xHHHBB", packet[:10])
                source, target, data = packet[12:16], packet[16:20], packet[20:length]
                at, more = (bits & 0x1fff) * 8, bits & 0x2000
            else:
                length, protocol = struct.unpack("!HB", packet[4:7])
                source, target, data = packet[8:24], packet[24:40], packet[40:40 + length]
                at = more = 0
                if protocol == 0:  # options for each hop, of 8 bytes
                    protocol, data = data[0], data[8:]
                if protocol == FRAGMENT:
                    protocol, bits, mark = struct.unpack("!BxHI", data[:8])
                    at, more, data = bits & 0xfff8, bits & 1, data[8:]
            if at or more:
                parts = self.parts.setdefault((source, mark), {})
                parts[at] = data
                data = b"".join(parts[k] for k in sorted(parts))
                if more or len(data) != at + len(parts[at]):
                    continue
            if self.tap:
                self.seen[target] = mac
            whole = data if protocol == ICMP else pseudo(source, target, protocol, len(data)) + data
            assert checksum(whole) == 0, packet.hex()
            return source, target, protocol, data

    def expect(self, source, target, protocol, test=lambda data: True):
        until = time.monotonic() + LIMIT
        while True:
            got = self.packet(until)
            if got[:3] == (source, target, protocol) and test(got[3]):
                return got[3]

    def echoed(self, source, target, number, data=b"x" * 56):
        """The next answer to a ping is to that one."""
        kind, protocol = (0, ICMP) if len(source) == 4 else (129, ICMPV6)
        got = self.expect(target, source, protocol, lambda got: got[0] == kind)
        assert got[4:] == struct.pack("!HH", 1, number) + data, got.hex()

    def returned(self, source, target, text, port=999):
        """The next datagram is that one."""
        got = self.expect(target, source, UDP)
        assert got[:4] == struct.pack("!HH", ECHO, port) and got[8:] == text, got.hex()


class Connection:
    """TCP, as little as a test needs: the tunnel loses nothing that it doesn't lose on purpose."""

    def __init__(self, peer, port, source=PEER4, target=HOST4):
        self.peer, self.port, self.source, self.target = peer, port, source, target
        self.sequence, self.acknowledged, self.window = 1000, 0, 0
        self.heard, self.received = 0, b""

    def segment(self, flags, data=b"", window=65535):
        head = struct.pack("!HHIIBBHHH", self.port, ECHO, self.sequence & 0xffffffff,
                           self.acknowledged & 0xffffffff, 5 << 4, flags, window, 0, 0)
        self.peer.send(self.source, self.target, TCP, self.peer.checked(
            self.source, self.target, TCP, head + data, 16))
        self.sequence += len(data) + bool(flags & (SYN | FIN))

    def next(self, ack=True):
        """The next segment's flags; its bytes are taken."""
        data = self.peer.expect(self.target, self.source, TCP, lambda data:
                                data[:4] == struct.pack("!HH", ECHO, self.port))
        sequence, heard, offset, flags, window = struct.unpack("!IIBBH", data[4:16])
        data = data[(offset >> 4) * 4:]
        self.window, self.heard = window, heard
        if flags & SYN:
            self.acknowledged = sequence + 1
        elif sequence == self.acknowledged:
            self.acknowledged += len(data) + (flags & FIN)
            self.received += data
        if ack and (data or flags & FIN):
            self.segment(ACK)
        return flags

    def open(self):
        self.segment(SYN)
        flags = self.next()
        assert flags == SYN | ACK, flags
        self.segment(ACK)
        return self

    def exchange(self, data):
        """Sends it, and waits until it is back."""
        start = len(self.received)
        for at in range(0, len(data), 1000):
            self.segment(ACK | PSH, data[at:at + 1000])
            while len(self.received) - start < at:
                assert not self.next() & RST, "reset"
        while len(self.received) - start < len(data):
            assert not self.next() & RST, "reset"
        assert self.received[start:] == data

    def close(self):
        self.segment(FIN | ACK)
        while not self.next() & FIN:
            pass


def check_arp(peer, host=HOST4):
    mac = b"\2\0" + host
    ask = struct.pack("!HHHBBH", ARP, 1, IPV4, 6, 4, 1) + PEER_MAC + PEER4 + bytes(6)
    os.write(peer.fd, EVERYBODY + PEER_MAC + ask + GATEWAY4)  # another's address
    os.write(peer.fd, EVERYBODY + PEER_MAC + ask + host)
    until = time.monotonic() + LIMIT
    frame = b""
    while frame[20:22] != b"\0\2":
        frame = peer.frame(until)
    assert frame[:12] == PEER_MAC + mac and frame[22:32] == mac + host, frame.hex()


def check_neighbour(peer):
    for target in (HOST6, HOST_LINK_LOCAL):
        group = bytes.fromhex("ff0200000000000000000001ff") + target[13:]
        data = struct.pack("!BBHI", 135, 0, 0, 0) + target + b"\1\1" + PEER_MAC
        peer.send(PEER6, group, ICMPV6, peer.checked(PEER6, group, ICMPV6, data, 2),
                  to_mac=b"\x33\x33" + group[12:])
        got = peer.expect(target, PEER6, ICMPV6, lambda data: data[0] == 136)
        assert got[8:24] == target and got[24:] == b"\2\1" + HOST_MAC, got.hex()


def check_ping(peer):
    for source, target in ((PEER4, HOST4), (PEER6, HOST6)):
        for number, size in enumerate((0, 56, 1400, 4000)):
            data = random.randbytes(size)
            peer.ping(source, target, number, data)
            peer.echoed(source, target, number, data)


def check_ping4(peer):
    """Through a VPN, which may lose packets until it has found its other end."""
    until = time.monotonic() + LIMIT
    heard = False
    while not heard:
        assert time.monotonic() < until, "no answer in that time"
        peer.ping(PEER4, HOST4, 0)
        while not heard and select.select([peer.fd], [], [], 0.1)[0]:
            source, _, protocol, data = peer.packet(until)
            heard = source == HOST4 and protocol == ICMP and data[0] == 0
    for number, size in enumerate((0, 56, 500, 1000), 1):
        data = random.randbytes(size)
        peer.ping(PEER4, HOST4, number, data)
        peer.expect(HOST4, PEER4, ICMP,
                    lambda got: got == got[:4] + struct.pack("!HH", 1, number) + data)


def check_udp(peer):
    for source, target in ((PEER4, HOST4), (PEER6, HOST6)) + ((PEER6, HOST_LINK_LOCAL),) * peer.tap:
        for size in (0, 1, 1400, 4000):
            text = random.randbytes(size)
            peer.datagram(source, target, text)
            peer.returned(source, target, text)


def check_udp_unanswered(peer):
    """No echo for another echo service, nor of what was for all."""
    peer.datagram(PEER4, HOST4, b"no", port=ECHO)
    peer.datagram(PEER4, b"\xff" * 4, b"no", to_mac=EVERYBODY)
    peer.datagram(PEER4, HOST4[:3] + b"\xff", b"no", to_mac=EVERYBODY)
    peer.datagram(PEER6, bytes.fromhex("ff02" + "0" * 27 + "1"), b"no", to_mac=b"\x33\x33\0\0\0\1")
    peer.datagram(PEER4, HOST4, b"yes")
    until = time.monotonic() + LIMIT
    got = peer.packet(until)
    while got[2] != UDP:
        got = peer.packet(until)
    assert got[3][8:] == b"yes", got


def check_udp_lengths(peer):
    """RFC 768 and RFC 8200, 8.1: the UDP length counts, and over IPv6 there is a checksum."""
    for source, target in ((PEER4, HOST4), (PEER6, HOST6)):
        text = random.randbytes(40)

        def send(length, behind=b""):
            data = struct.pack("!HHHH", 999, ECHO, length, 0) + text
            part = data[:length] if 8 <= length <= len(data) else data
            whole = pseudo(source, target, UDP, length) + part
            data = data[:6] + struct.pack("!H", checksum(whole) or 0xffff) + data[8:]
            peer.send(source, target, UDP, data + behind)

        for length in (0, 7, 49, 65535):  # unlike the 48 bytes that there are
            send(length)
        if len(source) == 16:
            for mtu in (1500, 1280):
                data = struct.pack("!HHHH", 999, ECHO, 2008 if mtu == 1280 else 48, 0)
                peer.send(source, target, UDP, data + (bytes(2000) if mtu == 1280 else text),
                          mtu=mtu)
        for length in (8, 20, 47):
            send(length, behind=b"behind")
            peer.returned(source, target, text[:length - 8])
        send(48)
        peer.returned(source, target, text)


def check_priority_tag(peer):
    """A tag with VLAN 0 has only a priority: IEEE 802.1Q, 9.6. VLAN 7 is another network."""
    for control in (7, 0xa000):
        tag = struct.pack("!HH", 0x8100, control)
        ask = struct.pack("!HHHBBH", ARP, 1, IPV4, 6, 4, 1) + PEER_MAC + PEER4 + bytes(6) + HOST4
        os.write(peer.fd, EVERYBODY + PEER_MAC + tag + ask)
    until = time.monotonic() + LIMIT
    frame = b""
    while frame[20:22] != b"\0\2":
        frame = peer.frame(until)
    assert frame[:14] == PEER_MAC + HOST_MAC + struct.pack("!H", ARP), frame.hex()
    data = struct.pack("!BBHHH", 8, 0, 0, 1, 3) + b"tagged"
    data = peer.checked(PEER4, HOST4, ICMP, data, 2)
    for packet in peer.packets(PEER4, HOST4, ICMP, data, 1500):
        os.write(peer.fd, HOST_MAC + PEER_MAC + struct.pack("!HHH", 0x8100, 0xa000, IPV4) + packet)
    peer.echoed(PEER4, HOST4, 3, b"tagged")


def check_card(peer):
    """As a network card: another's frames are not for us."""
    peer.ping(PEER4, HOST4, 1, to_mac=GATEWAY_MAC)
    peer.ping(PEER4, HOST4, 2)
    peer.echoed(PEER4, HOST4, 2)


def reached(peer, near, far, host, host_mac):
    """What is far goes to the gateway's MAC, what is near doesn't."""
    peer.ping(far, host, 1, to_mac=host_mac)
    peer.echoed(far, host, 1)
    assert peer.seen[far] == GATEWAY_MAC, peer.seen[far].hex()
    peer.ping(near, host, 2, to_mac=host_mac)
    peer.echoed(near, host, 2)
    assert peer.seen[near] == PEER_MAC, peer.seen[near].hex()


def check_gateway(peer):
    reached(peer, PEER4, FAR4, HOST4, HOST_MAC)
    reached(peer, PEER6, FAR6, HOST6, HOST_MAC)


def check_gateway6(peer):
    """Without IPv4, and with a prefix of 112 bits: its MAC is from its address of IPv6."""
    mac = b"\2\6" + HOST6[12:]
    reached(peer, PEER6, FAR6, HOST6, mac)
    reached(peer, PEER6, SUBNET6, HOST6, mac)


def check_point_to_point(peer):
    """A network of two, neither of which is the address for all; frames of 9000 bytes."""
    check_arp(peer, PAIR4)
    peer.ping(OTHER4, PAIR4, 1, bytes(8900), to_mac=b"\2\0" + PAIR4, mtu=9000)
    peer.echoed(OTHER4, PAIR4, 1, bytes(8900))


def check_tcp(peer):
    for port, source, target in ((2001, PEER4, HOST4), (2002, PEER6, HOST6)):
        connection = Connection(peer, port, source, target).open()
        connection.exchange(random.randbytes(200000))
        connection.close()


def check_tcp_slow(peer):
    """Who doesn't read is not read from: the window closes, and nothing of it is lost."""
    connection = Connection(peer, 2003).open()
    sent, edge = b"", 4000  # as far as its window surely goes
    while True:
        if len(sent) < edge:
            # One byte a segment for a while, the dearest to keep; then long ones.
            data = random.randbytes(min(1 if len(sent) < 500 else 1000, edge - len(sent)))
            connection.segment(ACK | PSH, data, window=0)
            sent += data
            continue
        connection.next(ack=False)
        heard = connection.heard - 1001
        edge = heard + connection.window
        if heard == len(sent) and not connection.window:
            break
        assert len(sent) < 300000, "it takes whatever comes"
    other = Connection(peer, 2004).open()
    other.exchange(b"meanwhile")
    other.close()
    connection.segment(ACK)
    while len(connection.received) < len(sent):
        connection.next()
    assert connection.received == sent
    connection.close()


def check_connections(peer):
    """Their number has a bound, and who leaves makes room."""
    connections = [Connection(peer, 3000 + i).open() for i in range(128)]
    more = Connection(peer, 4000).open()
    assert more.next() & RST
    connections[5].exchange(b"still here")
    connections[0].close()
    connections[0] = Connection(peer, 4001).open()
    connections[0].exchange(b"room again")
    for connection in connections:
        connection.close()


def check_syn_flood(peer):
    """Of those that only begin the oldest give way, so that who goes on gets in."""
    first = Connection(peer, 5000)
    first.segment(SYN)
    assert first.next() == SYN | ACK
    for port in range(10000, 12000):
        Connection(peer, port).segment(SYN)
        if port % 50 == 0:
            peer.ping(PEER4, HOST4, port)
            peer.echoed(PEER4, HOST4, port)
    first.segment(ACK)
    flags = first.next()
    while flags == SYN | ACK:
        flags = first.next()
    assert flags & RST, "the first of 2000 is still there"
    last = Connection(peer, 5001).open()
    last.exchange(b"in spite of it")
    last.close()


def check_unresolved(peer):
    """Few packets wait for a neighbour that doesn't say where it is."""
    for number in range(1000):
        peer.datagram(NOBODY6, HOST6, struct.pack("!H", number))
    peer.ping(PEER6, HOST6, 1)
    peer.echoed(PEER6, HOST6, 1)
    peer.advertise(NOBODY6, HOST6, PEER_MAC)
    peer.ping(PEER6, HOST6, 2)
    until = time.monotonic() + LIMIT
    came = 0
    while True:
        _, target, protocol, data = peer.packet(until)
        came += target == NOBODY6 and protocol == UDP
        if protocol == ICMPV6 and data[:1] == b"\x81":
            break
    assert 0 < came <= 10, came


def check_garbage(peer):
    """Noise, and frames that were right but for some bytes or their length."""
    generator = random.Random(1)
    good = []
    write, peer.write = peer.write, lambda packet, **_: good.append(packet)
    for source, target in ((PEER4, HOST4), (PEER6, HOST6)):
        for size in (0, 100, 3000):
            peer.ping(source, target, 1, bytes(size))
            peer.datagram(source, target, bytes(size))
        for flags in (SYN, ACK, FIN, RST, SYN | FIN, PSH | ACK, 0):
            Connection(peer, 6000, source, target).segment(flags, bytes(10))
        for kind in (130, 131, 133, 134, 135, 136, 137):
            data = struct.pack("!BBHI", kind, 0, 0, 0) + target[:16] + bytes(30)
            peer.send(source, target, ICMPV6, peer.checked(source, target, ICMPV6, data, 2))
    peer.write = write
    for number in range(30000):
        frame = bytearray(generator.choice(good) if number % 4 else
                          generator.randbytes(generator.randrange(1, 200)))
        for _ in range(generator.randrange(6)):
            frame[generator.randrange(min(len(frame), 80))] = generator.randrange(256)
        kind = generator.choice((IPV4, IPV6, ARP)) if number % 8 == 0 else \
            IPV6 if frame[0] >> 4 == 6 else IPV4
        if peer.tap:
            frame = bytearray(generator.choice((HOST_MAC, EVERYBODY)) + PEER_MAC +
                              struct.pack("!H", kind)) + frame
        if number % 5 == 0:
            frame = frame[:generator.randrange(1, len(frame) + 1)]
        os.write(peer.fd, frame)
        while select.select([peer.fd], [], [], 0)[0]:
            if not os.read(peer.fd, 70000):
                raise AssertionError("the host is gone")
    # Some of it was right, and has told the host other things of us: ask as somebody new.
    peer.ping(NEW4, HOST4, 60000)
    peer.echoed(NEW4, HOST4, 60000)
    peer.datagram(NEW6, HOST6, b"after garbage")
    peer.returned(NEW6, HOST6, b"after garbage")


def check_unread(peer):
    """Its answers have nowhere to go: it drops them, and reads on."""
    for number in range(3000):
        peer.datagram(PEER4, HOST4, bytes(1000))
        _, ready, _ = select.select([], [peer.fd], [], LIMIT)
        assert ready, f"the host reads no more after {number}"
    came = 0
    while select.select([peer.fd], [], [], 0)[0]:
        os.read(peer.fd, 70000)
        came += 1
    assert 0 < came < 3000, came
    peer.ping(PEER4, HOST4, 1)
    peer.echoed(PEER4, HOST4, 1)


def main():
    peer = Peer(int(sys.argv[1]), sys.argv[2] == "tap")
    for name in sys.argv[3:]:
        try:
            globals()["check_" + name](peer)
        except AssertionError as error:
            sys.exit(f"{sys.argv[2]}, {name}: {error}")


main()

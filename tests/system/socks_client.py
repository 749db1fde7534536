# SPDX-License-Identifier: MIT
# Clients of a SOCKS5 server whose hosts 10.0.0.2 and fd00::2 echo at port 7: socks_client.py PORT
# CHECK... makes those checks in that order.
import os
import select
import socket
import struct
import sys

PORT = int(sys.argv[1])
LIMIT = 30  # seconds, for one answer
GREETING = b"\5\1\0"


def request(address, port, command=1):
    if isinstance(address, bytes):
        return b"\5" + bytes([command, 0]) + address + struct.pack("!H", port)
    if ":" in address:
        body = b"\4" + socket.inet_pton(socket.AF_INET6, address)
    else:
        body = b"\1" + socket.inet_aton(address)
    return b"\5" + bytes([command, 0]) + body + struct.pack("!H", port)


def exactly(s, count):
    got = b""
    while len(got) < count:
        part = s.recv(count - len(got))
        assert part, f"the end after {got!r}"
        got += part
    return got


def connect():
    s = socket.create_connection(("127.0.0.1", PORT))
    s.settimeout(LIMIT)
    return s


def opened(address="10.0.0.2", port=7):
    s = connect()
    s.sendall(GREETING)
    assert exactly(s, 2) == b"\5\0"
    s.sendall(request(address, port))
    reply = exactly(s, 10)
    assert reply[:4] == b"\5\0\0\1", reply
    return s


def ended(s):
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


def echo():
    for address in "10.0.0.2", "fd00::2":
        with opened(address) as s:
            s.sendall(b"hello")
            assert exactly(s, 5) == b"hello"
    with connect() as s:  # all in one piece, with data behind it
        s.sendall(GREETING + request("10.0.0.2", 7) + b"early")
        assert exactly(s, 12)[:4] == b"\5\0\5\0"
        assert exactly(s, 5) == b"early"
    with connect() as s:  # byte by byte
        for byte in GREETING + request("fd00::2", 7) + b"x":
            s.sendall(bytes([byte]))
        assert exactly(s, 13)[-1:] == b"x"


def refusals():
    cases = [
        (request(b"\3\4host", 80), 8),  # a domain name
        (request(b"\2abcd", 80), 8),  # no such type
        (request("10.0.0.2", 7, command=2), 7),  # BIND
        (request("10.0.0.2", 7, command=3), 7),  # UDP ASSOCIATE
        (request("10.0.0.2", 9), 5),  # a port where nobody listens
        (request("192.0.2.1", 9), 3),  # no gateway
    ]
    for message, code in cases:
        with connect() as s:
            s.sendall(GREETING)
            assert exactly(s, 2) == b"\5\0"
            s.sendall(message)
            reply = exactly(s, 10)
            assert reply[1] == code, (message, reply)
            assert ended(s)
    with connect() as s:  # only methods that it does not have
        s.sendall(b"\5\2\1\2")
        assert exactly(s, 2) == b"\5\xff"
        assert ended(s)


def garbage():
    for text in b"GET / HTTP/1.0\r\n\r\n", b"\4\1\0\7\n\0\0\2\0", b"\0" * 300, b"\5\1\0" + b"\xff" * 300:
        with connect() as s:
            s.sendall(text)
            while not ended(s):
                pass
    for cut in range(len(GREETING + request("10.0.0.2", 7))):
        with connect() as s:
            s.sendall((GREETING + request("10.0.0.2", 7))[:cut])


def many():
    sockets = [opened() for _ in range(64)]
    with connect() as further:
        further.sendall(GREETING)
        for i, s in enumerate(sockets):
            s.sendall(bytes([i]) * 20000)
        assert not select.select([further], [], [], 0)[0], "a 65th one is served"
        for i, s in enumerate(sockets):
            assert exactly(s, 20000) == bytes([i]) * 20000
        sockets.pop().close()
        assert exactly(further, 2) == b"\5\0"
    for s in sockets:
        s.close()


def slow():
    """Send until all buffers on the way are full, and only then read."""
    data = os.urandom(1 << 20) * 8
    with opened() as s:
        s.setblocking(False)
        sent, got = 0, b""
        while select.select([], [s], [], 0.3)[1] and sent < len(data):
            sent += s.send(data[sent:sent + 65536])
        assert sent < len(data), "nothing stopped the sender"
        while len(got) < len(data):
            readable, writable, _ = select.select([s], [s] if sent < len(data) else [], [], LIMIT)
            assert readable or writable, f"it stands still after {len(got)} bytes"
            if writable:
                sent += s.send(data[sent:sent + 65536])
            if readable:
                got += s.recv(65536)
        assert got == data


def half_close():
    data = os.urandom(300000)
    with opened() as s:
        s.sendall(data[:50000])
        s.shutdown(socket.SHUT_WR)
        got = b""
        while part := s.recv(65536):
            got += part
        assert got == data[:50000], len(got)


def killed():
    for _ in range(100):
        s = opened()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.sendall(b"x" * 30000)
        s.close()


def idle():
    """Take all places with programs that send no request, or only a part of it."""
    starts = [b"", GREETING[:2], GREETING, GREETING + request("10.0.0.2", 7)[:-1]]
    sockets = [connect() for _ in range(64)]
    for i, s in enumerate(sockets):
        s.sendall(starts[i % len(starts)])
    with opened() as s:
        s.sendall(b"hello")
        assert exactly(s, 5) == b"hello"
    for i, s in enumerate(sockets):
        exactly(s, 2 if len(starts[i % len(starts)]) >= len(GREETING) else 0)
        assert ended(s)
        s.close()


def descriptors():
    """Use up the descriptors of the server, and see that it sleeps until one is free."""
    served, waiting = [], connect()
    waiting.sendall(GREETING)
    while select.select([waiting], [], [], 1)[0]:
        assert exactly(waiting, 2) == b"\5\0"
        waiting.sendall(request("10.0.0.2", 7))
        assert exactly(waiting, 10)[:2] == b"\5\0"
        served.append(waiting)
        assert len(served) < 64, "there are descriptors for all"
        waiting = connect()
        waiting.sendall(GREETING)
    before = processor_ticks()
    assert not select.select([waiting], [], [], 2)[0]
    spent = processor_ticks() - before
    # A server that spins takes more, even if it has to share the processor with 20 programs.
    assert spent < os.sysconf("SC_CLK_TCK") / 10, f"{spent} ticks of two seconds"
    served.pop().close()
    assert exactly(waiting, 2) == b"\5\0"
    for s in served + [waiting]:
        s.close()


def processor_ticks():
    """Return the processor time of the server, whose process ID is in the environment."""
    with open(f"/proc/{os.environ['SERVER_PID']}/stat", encoding="utf-8") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


for check in sys.argv[2:]:
    globals()[check]()

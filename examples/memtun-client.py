#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A client of memtund in nothing but Python, written from memtun-protocol(7).

    memtun-client.py show        list the tunnels: name, mode, state, bridge, peer
    memtun-client.py open NAME   open one: lines of input, in hexadecimal, are sent as frames, and
                                 the frames that come are printed so, until the input or it ends
"""
import os, select, socket, struct, sys

ERROR, DONE, HELLO, SHOW, OPEN = 2, 3, 0x10, 0x14, 0x15  # types of messages
REQUEST, MULTI, DUMP = 0x5, 0x2, 0x300  # their flags
VERSION, NAME, MODE, BRIDGE, PEER, STATE = 1, 4, 5, 7, 8, 24  # attributes

def connect():
    uid, named = os.geteuid(), os.environ.get("MEMTUN_SOCKET")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "/nowhere") + "/memtun"
    places = [place + "/control" for place in (runtime, f"/tmp/memtun-{uid}", "/run/memtun")]
    for address in [named] if named else places:
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            control.connect("\0" + address[1:] if address[0] == "@" else address)
        except (FileNotFoundError, ConnectionRefusedError):
            continue
        credentials = control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        owner = struct.unpack("3I", credentials)[1]  # pid, uid, gid
        if owner not in (0, uid):
            sys.exit(f"the broker at {address} is user {owner}'s")
        list(request(control, HELLO, attribute(VERSION, struct.pack("=I", 0x10000))))
        return control
    sys.exit("no broker is running; memtund starts one")

def attribute(number, value):
    return struct.pack("=HH", 4 + len(value), number) + value + bytes(-len(value) % 4)

def attributes(data):
    found = {}
    while data:
        length, number = struct.unpack_from("=HH", data)
        found[number] = data[4:length]
        data = data[length + 3 & ~3:]
    return found

def request(control, kind, body=b"", flags=0, sequence=1):
    """Sends a request and yields each record of its answer: attributes, descriptors."""
    control.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST | flags, sequence, 0) + body)
    while True:
        record, fds, _, _ = socket.recv_fds(control, 32768, 1, socket.MSG_CMSG_CLOEXEC)
        if not record:
            sys.exit("the broker has gone")
        _, kind, flags = struct.unpack_from("=IHH", record)
        if kind == ERROR and (error := -struct.unpack_from("=i", record, 16)[0]):
            sys.exit(text(attributes(record[36:]), 1) or os.strerror(error))
        if kind not in (ERROR, DONE):
            yield attributes(record[16:]), fds
        if kind in (ERROR, DONE) or not flags & MULTI:
            return

def text(found, number):
    return found.get(number, b"").rstrip(b"\0").decode()

def show():
    for found, _ in request(connect(), SHOW, flags=DUMP):
        mode, = struct.unpack("=I", found[MODE])
        state, = struct.unpack("=I", found[STATE])
        print(text(found, NAME), ("tun", "tap")[mode - 1], ("closed", "open")[state - 1],
              text(found, BRIDGE) or "-", text(found, PEER) or "-")

def open_tunnel(name):
    (found, fds), = request(connect(), OPEN, attribute(NAME, name.encode() + b"\0"))
    if not fds:
        sys.exit("the descriptor was lost: too many open files")
    tunnel, lines, poll = socket.socket(fileno=fds[0]), open(0, "rb", buffering=0), select.poll()
    print("opened", text(found, NAME), flush=True)
    poll.register(tunnel, select.POLLIN)
    poll.register(lines, select.POLLIN)
    while True:
        ready = dict(poll.poll())
        if ready.get(tunnel.fileno()):
            frame = tunnel.recv(69632)
            if not frame and ready[tunnel.fileno()] & select.POLLHUP:
                return  # the end; an empty read alone is none
            print(frame.hex(), flush=True)
        if ready.get(lines.fileno()):
            line = lines.readline()
            if not line:
                return
            tunnel.send(bytes.fromhex(line.decode()))

if sys.argv[1:] == ["show"]:
    show()
elif len(sys.argv) == 3 and sys.argv[1] == "open":
    open_tunnel(sys.argv[2])
else:
    sys.exit(__doc__)

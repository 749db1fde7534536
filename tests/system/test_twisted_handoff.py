#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A Twisted protocol takes two tunnels from memtund's plain handoff (connect, get one byte with one
descriptor) and exchanges frames over them, through the bridge that both are on."""
import find_twisted  # noqa: F401

import os
import shutil
import sys
import tempfile

from twisted.internet import abstract, defer, endpoints, interfaces, protocol, reactor
from zope.interface import implementer


def find_memtund():
    top = os.environ.get("top_builddir", ".")
    for name in ("memtund", "broker/memtund"):
        path = os.path.join(top, name)
        if os.access(path, os.X_OK):
            return path
    print("skipped: memtund is not built")
    sys.exit(77)


MEMTUND = find_memtund()
FRAME_MIN = 60


def frame(destination, source, payload):
    """An Ethernet frame of a type for experiments (IEEE 802's local experimental 0x88b5)."""
    return (destination + source + b"\x88\xb5" + payload).ljust(FRAME_MIN, b"\0")


class Broker(protocol.ProcessProtocol):
    def __init__(self):
        self.ready = defer.Deferred()
        self.ended = defer.Deferred()

    def childDataReceived(self, child_fd, data):
        if child_fd == 3:
            self.say_ready()
        else:
            sys.stdout.write(data.decode())

    def childConnectionLost(self, child_fd):
        if child_fd == 3:
            self.say_ready()

    def say_ready(self):
        if not self.ready.called:
            self.ready.callback(None)

    def processEnded(self, reason):
        self.ended.callback(reason.value.exitCode)


@implementer(interfaces.IFileDescriptorReceiver)
class Handoff(protocol.Protocol):
    """Gets one descriptor and one byte; fires `done` with the descriptor."""

    def __init__(self):
        self.fd = None
        self.done = defer.Deferred()

    def fileDescriptorReceived(self, fd):
        assert self.fd is None, "a second descriptor"
        os.set_inheritable(fd, False)
        os.set_blocking(fd, False)
        self.fd = fd

    def dataReceived(self, data):
        assert len(data) == 1, "%d bytes" % len(data)
        assert self.fd is not None, "the byte came without its descriptor"
        self.done.callback(self.fd)


class Tunnel(abstract.FileDescriptor):
    """A tunnel in Twisted's loop: one frame a read, one a write."""

    def __init__(self, fd):
        super().__init__(reactor)
        self.fd = fd
        self.frames = defer.DeferredQueue()
        self.startReading()

    def fileno(self):
        return self.fd

    def doRead(self):
        data = os.read(self.fd, 65536)
        if data:
            self.frames.put(data)

    def send(self, data):
        assert os.write(self.fd, data) == len(data)

    def close(self):
        self.stopReading()
        os.close(self.fd)


@defer.inlineCallbacks
def next_frame(tunnel, wanted):
    """The broker may say things of its own: only experimental frames count."""
    while True:
        got = yield tunnel.frames.get()
        if got[12:14] == b"\x88\xb5":
            break
    assert got == wanted, "%r came instead of %r" % (got, wanted)


@defer.inlineCallbacks
def exchange(directory):
    path = os.path.join(directory, "handoff")
    broker = Broker()
    reactor.spawnProcess(
        broker, MEMTUND,
        [MEMTUND, "--socket", os.path.join(directory, "control"),
         "--handoff", path + "=tap%d:bridge=lab", "--ready-fd", "3"],
        env=os.environ, childFDs={1: "r", 2: "r", 3: "r"})
    yield broker.ready
    tunnels = []
    for _ in range(2):
        handoff = Handoff()
        yield endpoints.connectProtocol(endpoints.UNIXClientEndpoint(reactor, path), handoff)
        fd = yield handoff.done
        handoff.transport.loseConnection()
        tunnels.append(Tunnel(fd))
    one, other = tunnels
    first, second = b"\x02\0\0\0\0\1", b"\x02\0\0\0\0\2"
    for number in range(100):
        ask = frame(second, first, b"ask %d" % number)
        one.send(ask)
        yield next_frame(other, ask)
        answer = frame(first, second, b"answer %d" % number)
        other.send(answer)
        yield next_frame(one, answer)
    for tunnel in tunnels:
        tunnel.close()
    broker.transport.signalProcess("TERM")
    status = yield broker.ended
    assert status == 0, "memtund ended with %s" % status


def main():
    directory = tempfile.mkdtemp(prefix="memtun-")
    result = [1]

    def succeed(_):
        print("OK 100 frames each way through tunnels from the plain handoff")
        result[0] = 0

    def fail(failure):
        print("FAILED: %s" % failure.getErrorMessage())

    def too_late():
        print("FAILED: not done after 60 seconds")
        os._exit(1)

    def start():
        done = exchange(directory)
        done.addCallbacks(succeed, fail)
        done.addBoth(lambda _: reactor.stop())

    reactor.callLater(60, too_late)
    reactor.callWhenRunning(start)
    try:
        reactor.run()
    finally:
        shutil.rmtree(directory)
    sys.exit(result[0])


main()

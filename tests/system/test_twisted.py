#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real Twisted at the other end of our transport, in both directions: 200 descriptors each way,
with each side made to pause the other."""
import find_twisted  # noqa: F401

import os
import shutil
import socket
import sys
import tempfile

from twisted.internet import defer, interfaces, protocol, reactor
from zope.interface import implementer

COUNT = 200
LINE = 8
PEER = os.path.join(os.environ.get("top_builddir", "."), "tests/system/transport-peer")


def line(number):
    return b"%07d\n" % number


class Failed(Exception):
    pass


def check(condition, message):
    if not condition:
        raise Failed(message)


class Peer(protocol.ProcessProtocol):
    """The program transport-peer: what it said, and how it ended."""

    def __init__(self):
        self.said = []
        self.rest = b""
        self.on_line = lambda text: None
        self.ended = defer.Deferred()

    def outReceived(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        for text in lines:
            self.said.append(text.decode())
            self.on_line(text.decode())

    def errReceived(self, data):
        sys.stdout.write(data.decode())

    def processEnded(self, reason):
        self.ended.callback(reason.value.exitCode)


@implementer(interfaces.IFileDescriptorReceiver)
class Receiver(protocol.Protocol):
    """Takes descriptors from our transport, but reads nothing until that has paused."""

    def connectionMade(self):
        self.numbers = []
        self.data = b""
        self.early = True
        self.transport.pauseProducing()
        self.factory.peer.on_line = self.peer_said
        for text in self.factory.peer.said:
            self.peer_said(text)

    def peer_said(self, text):
        if text == "paused" and self.early:
            self.early = False
            self.transport.resumeProducing()

    def fileDescriptorReceived(self, fd):
        with os.fdopen(fd, "rb") as file:
            self.numbers.append(os.pread(file.fileno(), LINE, 0))

    def dataReceived(self, data):
        check(not self.early, "data came while Twisted did not read")
        self.data += data
        begun = (len(self.data) + LINE - 1) // LINE
        check(len(self.numbers) == begun,
              "%d descriptors came with %d messages" % (len(self.numbers), begun))
        if len(self.data) == COUNT * LINE:
            self.transport.loseConnection()

    def connectionLost(self, reason):
        self.factory.lost.callback(self)


@implementer(interfaces.IPushProducer)
class Sender(protocol.Protocol):
    """A producer of descriptors, for a peer that reads nothing until it has been paused."""

    def connectionMade(self):
        self.sent = 0
        self.pauses = 0
        self.paused = False
        self.files = []
        self.factory.peer.on_line = self.peer_said
        self.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def peer_said(self, text):
        if text == "received %d" % COUNT:
            self.transport.loseConnection()

    def pauseProducing(self):
        self.paused = True
        self.pauses += 1
        if self.pauses == 1:
            # Not in this turn: Twisted is still to find the socket full.
            reactor.callLater(0, self.factory.peer.transport.write, b"\n")

    def resumeProducing(self):
        self.paused = False
        while self.sent < COUNT and not self.paused:
            fd = os.memfd_create("numbered")
            os.write(fd, line(self.sent))
            # Twisted sends the number it is given when it can: it must stay open until then.
            self.files.append(fd)
            self.sent += 1
            self.transport.write(b"d")
            self.transport.sendFileDescriptor(fd)
        if self.sent == COUNT:
            self.transport.unregisterProducer()

    def stopProducing(self):
        self.sent = COUNT

    def connectionLost(self, reason):
        for fd in self.files:
            os.close(fd)
        self.factory.lost.callback(self)


@defer.inlineCallbacks
def run_peer(directory, what, protocol_class):
    """Runs transport-peer against a server of that protocol. Returns the two when both ended."""
    path = os.path.join(directory, what)
    factory = protocol.Factory.forProtocol(protocol_class)
    factory.lost = defer.Deferred()
    factory.peer = Peer()
    port = reactor.listenUNIX(path, factory)
    reactor.spawnProcess(factory.peer, PEER, [PEER, path, what, str(COUNT)], env=os.environ)
    status = yield factory.peer.ended
    check(status == 0, "transport-peer %s ended with %s" % (what, status))
    server = yield factory.lost
    yield port.stopListening()
    return server, factory.peer


@defer.inlineCallbacks
def twisted_receives_what_our_transport_sends(directory):
    receiver, peer = yield run_peer(directory, "send", Receiver)
    check(receiver.numbers == [line(i) for i in range(COUNT)], "descriptors out of order")
    check(receiver.data == b"".join(line(i) for i in range(COUNT)), "data out of order")
    check("paused" in peer.said, "our transport never paused")
    check("resumed" in peer.said, "our transport never resumed")


@defer.inlineCallbacks
def our_transport_receives_what_twisted_sends(directory):
    sender, peer = yield run_peer(directory, "receive", Sender)
    check(sender.sent == COUNT, "Twisted sent %d descriptors" % sender.sent)
    check(sender.pauses > 0, "Twisted never paused its producer")
    check("received %d" % COUNT in peer.said, "our transport received too few: %s" % peer.said)


@defer.inlineCallbacks
def run_all(directory):
    for test in (twisted_receives_what_our_transport_sends,
                 our_transport_receives_what_twisted_sends):
        try:
            yield test(directory)
        except Exception as problem:
            print("FAILED %s: %s" % (test.__name__, problem))
            return 1
        print("OK %s" % test.__name__)
    return 0


def main():
    directory = tempfile.mkdtemp(prefix="memtun-")
    result = [1]

    def done(status):
        result[0] = status
        reactor.stop()

    def too_late():
        print("FAILED: not done after 60 seconds")
        os._exit(1)

    reactor.callLater(60, too_late)
    reactor.callWhenRunning(lambda: run_all(directory).addCallback(done))
    try:
        reactor.run()
    finally:
        shutil.rmtree(directory)
    sys.exit(result[0])


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""memtun wait, and what each command does with a broker that does not answer.

The test plays the broker, so that it decides what happens between the command's requests.
"""
import errno
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TOP = os.environ.get("top_builddir", ".")
MEMTUN = os.path.join(TOP, "memtun")
SECONDS = 20  # for what takes much less

ERROR, TUNNEL_SHOW, EVENT, UPLINK_SHOW, QUIET = 2, 0x14, 0x1c, 0x21, 0x33
NAME, STATE, EVENT_KIND, TO_CLIENT_QUEUED = 4, 24, 25, 77
CLOSED, OPEN, UP, DOWN = 1, 2, 3, 4
DELETED, OPENED, CLOSED_EVENT, UPLINK_DELETED, UPLINK_UP, UPLINK_DOWN = 3, 4, 5, 10, 11, 12


def attribute(number, value):
    value = struct.pack("=I", value) if isinstance(value, int) else value.encode() + b"\0"
    return struct.pack("=HH", 4 + len(value), number) + value + bytes(-len(value) % 4)


def record(kind, sequence, *attributes):
    body = b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, sequence, 0) + body


def result(request, error):
    return struct.pack("=IHHIIi", 36, ERROR, 0, struct.unpack_from("=I", request, 8)[0], 0,
                       -error) + request[:16]


class Broker(threading.Thread):
    """A broker with one port, which has a state at each look and some events after the first."""

    def __init__(self, address, looks=(), events=(), kind=TUNNEL_SHOW, answers=1000, quiet=0):
        super().__init__(daemon=True)
        self.looks, self.events, self.kind, self.answers = list(looks), events, kind, answers
        self.quiet = quiet  # the error with which it answers whether the port is quiet
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(address)
        self.listener.listen(0)

    def look(self, client, request):
        """Answer what the port is: its next state, or that there is none."""
        state = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        sequence, = struct.unpack_from("=I", request, 8)
        if state is None:
            client.send(result(request, errno.ENOENT))
        else:
            client.send(record(self.kind, sequence, attribute(NAME, "port"),
                               attribute(STATE, state),
                               struct.pack("=HHQ", 12, TO_CLIENT_QUEUED, 1)))
        for event, state in self.events:
            client.send(record(EVENT, 0, attribute(NAME, "port"), attribute(STATE, state),
                               attribute(EVENT_KIND, event)))
        self.events = ()

    def run(self):
        client, _ = self.listener.accept()
        with client:
            while request := client.recv(32768):
                command, = struct.unpack_from("=H", request, 4)
                self.answers -= 1
                if self.answers < 0:
                    continue
                if command == self.kind:
                    self.look(client, request)
                else:
                    absent = command in (TUNNEL_SHOW, UPLINK_SHOW)
                    client.send(result(request, errno.ENOENT if absent else
                                       self.quiet if command == QUIET else 0))


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="memtun-test-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.address = os.path.join(self.directory, "control")

    def play(self, **how):
        broker = Broker(self.address, **how)
        self.addCleanup(broker.listener.close)
        return broker

    def memtun(self, *words):
        start = time.monotonic()
        done = subprocess.run([MEMTUN, *words, "--socket", self.address], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
        return done.returncode, done.stderr, time.monotonic() - start


class Wait(Case):
    def wait_for(self, state, **how):
        if os.path.exists(self.address):
            os.unlink(self.address)
        self.play(**how).start()
        return self.memtun("wait", "port", state, "--timeout", "1")[:2]

    def test_a_tunnel_that_is_open_for_a_moment_was_open(self):
        for looks in ([CLOSED], [None]):
            self.assertEqual(self.wait_for("open", looks=looks, events=[
                (OPENED, OPEN), (CLOSED_EVENT, CLOSED)]), (0, ""))

    def test_a_tunnel_that_is_closed_for_a_moment_was_closed(self):
        self.assertEqual(self.wait_for("closed", looks=[OPEN], events=[
            (CLOSED_EVENT, CLOSED), (OPENED, OPEN)]), (0, ""))

    def test_one_of_several_queues_that_is_closed_does_not_close_a_tunnel(self):
        self.assertEqual(self.wait_for("closed", looks=[OPEN], events=[(CLOSED_EVENT, OPEN)])[0],
                         124)

    def test_a_tunnel_that_is_made_anew_was_closed(self):
        self.assertEqual(self.wait_for("closed", looks=[OPEN], events=[(DELETED, CLOSED)]), (0, ""))

    def test_a_tunnel_that_is_made_anew_is_not_the_one_to_be_drained(self):
        self.assertEqual(self.wait_for("drained", looks=[OPEN], events=[(DELETED, CLOSED)]),
                         (4, "memtun: there is no tunnel 'port'\n"))

    def test_a_name_that_does_not_exist_is_refused_and_one_that_is_deleted_ends(self):
        for state, looks, error, status in (
                ("drained", [None], 0, 1), ("drained", [OPEN], errno.ENOENT, 4),
                ("drained", [OPEN], errno.ENODEV, 4), ("drained", [OPEN], 0, 0),
                ("quiet", [OPEN], errno.ENOENT, 1), ("quiet", [OPEN], errno.ENODEV, 4),
                ("quiet", [OPEN], 0, 0)):
            self.assertEqual(self.wait_for(state, looks=looks, quiet=error)[0], status,
                             (state, looks, error))

    def test_an_uplink_that_is_up_or_down_for_a_moment_was_so(self):
        for state, looks, events in (
                ("up", [DOWN], [(UPLINK_UP, UP), (UPLINK_DOWN, DOWN)]),
                ("down", [UP], [(UPLINK_DOWN, DOWN), (UPLINK_UP, UP)]),
                ("down", [UP], [(UPLINK_DELETED, UP)])):
            self.assertEqual(self.wait_for(state, looks=looks, events=events, kind=UPLINK_SHOW),
                             (0, ""))


class Silent(Case):
    """A broker that is stopped: it accepts no connection, or stops after some answers."""

    def stop_at(self, answers):
        """Return words that lead to a broker that leaves the request after that unanswered."""
        if os.path.exists(self.address):
            os.unlink(self.address)
        broker = self.play(looks=[CLOSED], answers=answers)
        if answers is None:
            # The backlog of 0 has room for one connection.
            first = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            first.connect(self.address)
            self.addCleanup(first.close)
        else:
            broker.start()

    def test_wait_ends_in_time_at_connect_and_at_each_question(self):
        for answers in (None, 0, 1, 2):
            self.stop_at(answers)
            # After the default --reply-timeout the status would be 1.
            status, errors, _ = self.memtun("wait", "port", "open", "--timeout", "1")
            self.assertEqual(status, 124, answers)
            self.assertEqual(errors.count("\n"), 1)

    def test_each_command_fails_after_the_reply_timeout(self):
        commands = (("add", "port"), ("show", "-j"), ("bridge", "show", "-j"), ("uplink", "show", "-j"),
                    ("monitor",), ("capture", "port"), ("wait", "port", "open"), ("top", "-b", "-j"),
                    ("inject", "port", "--hex", "00" * 20), ("expect", "port", "arp"),
                    ("host", "port", "address", "10.0.0.1/24"))
        for words in commands:
            for answers in (None, 0, 1):
                self.stop_at(answers)
                status, errors, seconds = self.memtun(*words, "--reply-timeout", ".1")
                self.assertEqual(status, 1, words)
                self.assertRegex(errors, "^memtun: the broker (has not answered within 0.1 seconds"
                                 "|on .* accepts no connection)\n$", words)
                self.assertLess(seconds, 10, words)  # the default

    def test_exec_fails_after_the_reply_timeout(self):
        self.stop_at(1)
        done = subprocess.run([MEMTUN, "exec", "--socket", self.address, "--reply-timeout", ".1",
                               "true"], stderr=subprocess.PIPE, text=True, timeout=SECONDS,
                              check=False)
        self.assertEqual(done.returncode, 125)
        self.assertIn("has not answered within 0.1 seconds", done.stderr)

    def test_the_default_reply_timeout_is_ten_seconds(self):
        self.stop_at(0)
        status, errors, _ = self.memtun("show", "-j")
        self.assertEqual((status, errors), (
            1, "memtun: the broker has not answered within 10 seconds\n"))


if __name__ == "__main__":
    # However it goes wrong, it ends.
    signal.alarm(6 * SECONDS)
    sys.exit(not unittest.main(exit=False).result.wasSuccessful())

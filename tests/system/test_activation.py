#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""memtund takes the listening socket that systemd passes to it (sd_listen_fds(3))."""
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest

TOP = os.environ.get("top_builddir", ".")
SECONDS = 20  # for what takes milliseconds
HELLO = struct.pack("=IHHII", 24, 0x10, 5, 1, 0) + struct.pack("=HHI", 8, 1, 1 << 16)


class Activation(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(dir="/tmp", prefix="memtun-test-")
        self.addCleanup(self.directory.cleanup)
        self.address = os.path.join(self.directory.name, "control")

    def listener(self, kind=socket.SOCK_SEQPACKET, address=None):
        """Make a listening socket, as systemd does."""
        listener = socket.socket(socket.AF_UNIX, kind)
        self.addCleanup(listener.close)
        listener.bind(address or self.address)
        listener.listen()
        return listener

    def start(self, passed, *options, pid=None, count=None):
        """Start memtund with these sockets as its descriptors from 3 on."""
        def prepare():
            high = [fcntl.fcntl(sock, fcntl.F_DUPFD, 100) for sock in passed]
            for number, copy in enumerate(high, 3):
                os.dup2(copy, number)
                os.close(copy)
            os.environ["LISTEN_PID"] = str(pid or os.getpid())
            os.environ["LISTEN_FDS"] = str(len(passed) if count is None else count)

        broker = subprocess.Popen([os.path.join(TOP, "memtund"), *options], close_fds=False,
                                  preexec_fn=prepare, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, broker)
        return broker

    def end(self, broker):
        broker.terminate()
        broker.wait(SECONDS)
        broker.stderr.close()

    def memtun(self, *words, address=None):
        """Run a command, and return its output."""
        return subprocess.run(
            [os.path.join(TOP, "memtun"), "--socket", address or self.address, *words],
            capture_output=True, check=True, text=True, timeout=SECONDS).stdout

    def refusal(self, passed, *options, status=2, **start):
        """Return what memtund says when it refuses to start."""
        broker = self.start(passed, *options, **start)
        text = broker.communicate(timeout=SECONDS)[1]
        self.assertEqual(broker.returncode, status, text)
        return text

    def test_a_client_that_connected_before_memtund_started_is_served(self):
        listener = self.listener()
        early = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(early.close)
        early.settimeout(SECONDS)
        early.connect(self.address)
        early.send(HELLO)
        self.start([listener])
        self.assertGreater(len(early.recv(4096)), 16)
        self.memtun("add", "web")
        self.assertIn("web", self.memtun("-j", "show"))

    def test_the_socket_is_left_for_the_next_memtund(self):
        listener = self.listener()
        for _ in range(2):
            broker = self.start([listener])
            self.memtun("-j", "show")
            broker.terminate()
            self.assertEqual(broker.wait(SECONDS), 0)
            self.assertEqual(os.listdir(self.directory.name), ["control"])

    def test_a_socket_in_the_abstract_namespace_is_served(self):
        name = "memtun-test-%d" % os.getpid()
        broker = self.start([self.listener(address="\0" + name)], "--log-level", "info")
        self.assertEqual(broker.stderr.readline(), f"memtund: info: listening on @{name}\n")
        self.memtun("-j", "show", address="@" + name)

    def test_the_descriptors_of_another_process_are_left_alone(self):
        listener = self.listener()
        other = os.path.join(self.directory.name, "other")
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        self.start([listener], "--socket", other, "--ready-fd", str(writer), pid=1)
        os.close(writer)
        with open(reader, "rb") as ready:
            self.assertEqual(ready.read(1), b"\n")
        self.memtun("-j", "show", address=other)

    def test_a_command_gets_the_descriptors_that_are_meant_for_it(self):
        broker = self.start([self.listener()], "--", "sh", "-c",
                            'echo "$LISTEN_FDS $MEMTUN_SOCKET" >&2; exit 7')
        text = broker.communicate(timeout=SECONDS)[1]
        self.assertEqual(broker.returncode, 7, text)
        self.assertTrue(text.startswith("1 /tmp/memtun-"), text)

    def test_the_program_of_an_uplink_does_not_see_the_variables(self):
        if not os.path.exists(os.path.join(TOP, "memtun-user")):
            self.skipTest("memtun-user is not built")
        broker = self.start([self.listener()])
        self.memtun("uplink", "add", "out", "bridge", "lab", "type", "user")
        with open(f"/proc/{broker.pid}/task/{broker.pid}/children", encoding="ascii") as children:
            program = children.read().strip()
        with open(f"/proc/{program}/environ", "rb") as environment:
            self.assertNotIn(b"LISTEN_", environment.read())

    def test_another_descriptor_than_such_a_socket_is_refused(self):
        stream = self.listener(socket.SOCK_STREAM)
        self.assertIn("is not a listening UNIX socket", self.refusal([stream]))
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as bound:
            bound.bind(self.address + ".bound")
            self.assertIn("is not a listening UNIX socket", self.refusal([bound]))
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with one, other:
            self.assertIn("is not a listening UNIX socket", self.refusal([one]))
        with open("/dev/null", "rb") as file:
            self.assertIn("is not a listening UNIX socket", self.refusal([file]))

    def test_other_numbers_than_one_are_refused(self):
        listener = self.listener()
        self.assertIn("one descriptor, not 2", self.refusal([listener, listener]))
        self.assertIn("not a number", self.refusal([listener], count="many"))

    def test_socket_and_a_passed_socket_contradict_each_other(self):
        text = self.refusal([self.listener()], "--socket", self.address + "2")
        self.assertIn("LISTEN_FDS has passed the socket " + self.address, text)

    def test_systemd_socket_activate_starts_memtund_at_the_first_connection(self):
        program = shutil.which("systemd-socket-activate")
        if not program:
            self.skipTest("systemd-socket-activate is missing")
        broker = subprocess.Popen([program, "--seqpacket", "--listen", self.address,
                                   os.path.join(TOP, "memtund")],
                                  stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, broker)
        self.assertIn("Listening on " + self.address, broker.stderr.readline())
        self.assertEqual(self.memtun("-j", "show").split(), ["[]"])


if __name__ == "__main__":
    unittest.main()

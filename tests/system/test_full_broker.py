#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A broker whose descriptors are taken still serves the commands that list, add and delete."""
import json
import os
import resource
import socket
import struct
import subprocess
import tempfile
import time
import unittest

TOP = os.environ.get("top_builddir", ".")
SECONDS = 20  # for what takes a second
DESCRIPTORS = 64
HELLO = struct.pack("=IHHII", 24, 0x10, 5, 1, 0) + struct.pack("=HHI", 8, 1, 1 << 16)
SHOW_ALL = struct.pack("=IHHII", 16, 0x14, 0x301, 2, 0)


def limit_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


class FullBroker(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(dir="/tmp", prefix="memtun-test-")
        self.address = os.path.join(self.directory.name, "control")
        reader, writer = os.pipe()
        self.broker = subprocess.Popen(
            [os.path.join(TOP, "memtund"), "--socket", self.address, "--ready-fd", str(writer)],
            pass_fds=[writer], preexec_fn=limit_descriptors, stderr=subprocess.DEVNULL)
        os.close(writer)
        self.assertEqual(os.read(reader, 1), b"\n")
        os.close(reader)
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.close()
        self.broker.terminate()
        self.broker.wait()
        self.directory.cleanup()

    def memtun(self, *words):
        """Run a command; return its status, its output and its errors."""
        done = subprocess.run(
            [os.path.join(TOP, "memtun"), "--socket", self.address, *words],
            capture_output=True, text=True, timeout=SECONDS)
        return done.returncode, done.stdout, done.stderr

    def connect(self):
        """Connect, say hello, and ask for lists that nothing reads."""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(self.address)
        client.setblocking(False)
        for record in [HELLO] + [SHOW_ALL] * 5:
            try:
                client.send(record)
            except (BrokenPipeError, ConnectionResetError):
                break
        self.clients.append(client)

    def fill(self):
        for _ in range(DESCRIPTORS):
            self.connect()

    def test_a_user_can_list_add_and_delete(self):
        self.fill()
        for words in ["add t", "show -j t", "session show -j", "bridge add b", "del t"]:
            with self.subTest(words=words):
                status, _, errors = self.memtun(*words.split())
                self.assertEqual((status, errors), (0, ""))

    def test_a_tunnel_that_cannot_be_opened_gives_an_answer(self):
        self.fill()
        status, _, errors = self.memtun("exec", "-t", "t", "--", "true")
        self.assertEqual(status, 125)
        self.assertIn("Too many open files", errors)

    def test_clients_that_are_deleted_make_room(self):
        self.fill()
        status, output, _ = self.memtun("session", "show", "-j")
        self.assertEqual(status, 0)
        sessions = json.loads(output)
        mine = [session for session in sessions if session["pid"] == os.getpid()]
        self.assertGreater(len(mine), DESCRIPTORS // 2)
        for session in mine[:10]:
            status, _, errors = self.memtun("session", "del", str(session["id"]))
            self.assertEqual((status, errors), (0, ""))
        self.assertEqual(self.memtun("exec", "-t", "t", "--", "true")[0], 0)

    def test_tunnels_do_not_take_the_descriptors_of_clients(self):
        opened = subprocess.run(
            [os.path.join(TOP, "memtun"), "--socket", self.address, "exec",
             *[word for i in range(DESCRIPTORS) for word in ("-t", f"t{i}")], "--", "true"],
            capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual(opened.returncode, 125)
        self.assertIn("Too many open files", opened.stderr)
        # A program holds as many tunnels as the broker gives it.
        holder = subprocess.Popen(
            [os.path.join(TOP, "memtun"), "--socket", self.address, "exec",
             *[word for i in range(30) for word in ("-t", f"t{i}")], "--", "sleep", "100"])
        try:
            end = time.monotonic() + SECONDS
            while self.memtun("-j", "show", "t29")[0] and time.monotonic() < end:
                pass
            for _ in range(8):
                self.connect()
            self.assertEqual(self.memtun("-j", "show", "t29")[0], 0)
            self.assertEqual(self.memtun("del", "t29")[0], 0)
        finally:
            holder.kill()
            holder.wait()


if __name__ == "__main__":
    unittest.main(verbosity=2)

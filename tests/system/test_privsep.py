#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The privilege separation example: its worker has no rights, and answers ping all the same."""
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

TOP = os.environ.get("top_builddir", ".")
PRIVSEP = os.path.join(TOP, "examples/privsep")
SECONDS = 20  # for what takes milliseconds

HERE, THERE = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
ECHO_REPLY, ECHO = 0, 8
ICMP, UDP = 1, 17


def checksum(data):
    """RFC 1071; 0 of what has its right sum in it."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packet(protocol, payload, source=HERE, destination=THERE):
    def header(total):
        return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, total,
                           source, destination)
    return header(checksum(header(0))) + payload


def echo(kind, number, data):
    def message(total):
        return struct.pack("!BBHHH", kind, 0, total, 0x1234, number) + data
    return message(checksum(message(0)))


def rights(pid):
    """What the kernel says of a process."""
    with open("/proc/%d/status" % pid) as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


class PrivilegeSeparation(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="memtun-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.environment = dict(os.environ, MEMTUN_SOCKET=os.path.join(self.directory, "control"))
        self.plain = os.path.join(self.directory, "plain")
        ready, write = os.pipe()
        self.start([os.path.join(TOP, "memtund"), "--ready-fd", str(write),
                    "--handoff", self.plain + "=left:mode=tun"], pass_fds=[write])
        os.close(write)
        with os.fdopen(ready) as reader:
            self.assertEqual(reader.read(), "\n", "memtund is not ready")
        self.memtun("add", "left", "peer", "right", "mode", "tun")

    def start(self, command, **how):
        process = subprocess.Popen(command, env=self.environment, **how)
        self.addCleanup(process.wait, SECONDS)
        self.addCleanup(process.terminate)
        return process

    def memtun(self, *words):
        subprocess.run([os.path.join(TOP, "memtun"), *words], env=self.environment, check=True)

    def start_privsep(self):
        process = self.start([PRIVSEP, "right"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        said = process.stdout.readline()
        if os.getuid() != 0:
            self.assertIn("user %d too" % os.getuid(), said)
            said = process.stdout.readline()
        self.assertRegex(said, r"^worker \d+, user \d+; open: .* not permitted; "
                               r"socket: .* not permitted\n$")
        return process, int(said.split()[1].rstrip(","))

    def take_left(self):
        """The other end of the pair, from memtund's plain handoff."""
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(SECONDS)
            plain.connect(self.plain)
            _, fds, _, _ = socket.recv_fds(plain, 1, 1)
        tunnel = socket.socket(fileno=fds[0])
        tunnel.settimeout(SECONDS)
        self.addCleanup(tunnel.close)
        return tunnel

    def assert_ping_answered(self, tunnel, number, data):
        tunnel.send(packet(ICMP, echo(ECHO, number, data)))
        self.assertEqual(tunnel.recv(2048),
                         packet(ICMP, echo(ECHO_REPLY, number, data), THERE, HERE))

    def test_the_worker_has_no_rights(self):
        _, worker = self.start_privsep()
        status = rights(worker)
        for kind in "CapInh", "CapPrm", "CapEff", "CapAmb":
            self.assertEqual(int(status[kind], 16), 0, kind)
        self.assertEqual(status["Seccomp"], "2")
        self.assertEqual(status["NoNewPrivs"], "1")
        users = set(status["Uid"].split())
        self.assertEqual(len(users), 1)
        if os.getuid() == 0:
            self.assertNotIn("0", users)
            self.assertNotIn("0", status["Gid"].split())
            self.assertEqual(status["Groups"].split(), [])
            self.assertEqual(int(status["CapBnd"], 16), 0)

    def test_the_worker_answers_ping_until_the_tunnel_ends(self):
        privsep, _ = self.start_privsep()
        tunnel = self.take_left()
        # The last one's checksum is 0, of which ones' complement has two.
        for number, data in enumerate([b"", b"ping", b"odd", bytes(1400), b"\xed\xc7"]):
            self.assert_ping_answered(tunnel, number, data)
        tunnel.close()
        self.assertEqual(privsep.wait(SECONDS), 0)

    def test_the_worker_answers_nothing_else(self):
        self.start_privsep()
        tunnel = self.take_left()
        request = packet(ICMP, echo(ECHO, 7, b""))
        fragment = bytearray(request)
        fragment[6] = 0x20  # more fragments
        version_6 = bytearray(request)
        version_6[0] = 0x65
        for other in (b"", b"\x45", request[:27], bytes(60), packet(UDP, bytes(16)), bytes(fragment),
                      bytes(version_6), packet(ICMP, echo(ECHO_REPLY, 7, b""))):
            tunnel.send(other)
        self.assert_ping_answered(tunnel, 8, b"after all")


if not os.access(PRIVSEP, os.X_OK):
    print("skipped: the example is not built (Debian: libseccomp-dev)")
    sys.exit(77)
if os.getuid() == 0 and subprocess.run(["setpriv", "--reuid", "65534", "true"]).returncode:
    print("skipped: root can't become another user here")
    sys.exit(77)
unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every command survives a broker whose records have attributes missing or changed.

A proxy between memtun and a real memtund changes one attribute in all records of the broker, for
each attribute that the command gets. A command may fail then, but with one of its own statuses: not
by a signal, not by a report of a sanitizer, and not never."""
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

import needs

TOP = os.environ.get("top_builddir", ".")
MEMTUN = os.path.abspath(os.path.join(TOP, "memtun"))
MEMTUND = os.path.abspath(os.path.join(TOP, "memtund"))
SECONDS = 30  # for one command, which takes milliseconds
RECORD_MAX = 65536  # bytes; the protocol has 32 KiB
HEADER = struct.calcsize("=IHHII")
ERROR, DONE = 2, 3
FRAME = "ffffffffffff02000000000188b5" + "00" * 46

# Without tables, show prints JSON only.
TABLES = [[], ["-s"]] if needs.part("tables", "commands that print tables") else []
JSON = [] if TABLES else ["-j"]

# The numbers of counters. All are treated alike, so each command gets only one of SHARE changed.
COUNTERS = set(range(64, 86)) | set(range(180, 206))
SHARE = 8

# What becomes of an attribute's value; None: the attribute is missing.
MUTATIONS = {
    "missing": lambda value: None,
    "all ones": lambda value: b"\xff" * (len(value) - 1) + (b"\xff" if len(value) in (4, 8)
                                                             else b"\0"),
}


def attributes(data):
    while data:
        length, number = struct.unpack_from("=HH", data)
        yield number, data[4:length]
        data = data[(length + 3) & ~3:]


def mutated(record, number, mutation):
    """Return the record with that attribute changed, and the numbers that it had before."""
    length, kind, flags, sequence, port = struct.unpack_from("=IHHII", record)
    if kind in (ERROR, DONE):
        return record, set()
    body, seen = b"", set()
    for found, value in attributes(record[HEADER:]):
        seen.add(found)
        if found == number:
            value = mutation(value)
        if value is not None:
            body += struct.pack("=HH", 4 + len(value), found) + value + bytes(-len(value) % 4)
    header = struct.pack("=IHHII", HEADER + len(body), kind, flags, sequence, port)
    return header + body, seen


class Proxy:
    """A control socket that changes what the broker says."""

    def __init__(self, path, broker):
        self.broker = broker
        self.number = self.mutation = None
        self.seen = set()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(16)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            broker = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            broker.connect(self.broker)
            threading.Thread(target=self.requests, args=(client, broker), daemon=True).start()
            threading.Thread(target=self.answers, args=(client, broker), daemon=True).start()

    def requests(self, client, broker):
        try:
            while record := client.recv(RECORD_MAX):
                broker.send(record)
        except OSError:
            pass
        try:
            broker.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def answers(self, client, broker):
        number, mutation = self.number, self.mutation
        try:
            while True:
                record, fds, _, _ = socket.recv_fds(broker, RECORD_MAX, 253)
                if not record:
                    break
                record, seen = mutated(record, number, mutation)
                self.seen |= seen
                socket.send_fds(client, [record], fds)
                for fd in fds:
                    os.close(fd)
        except OSError:
            pass
        client.close()
        broker.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


class Commands(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="memtun-")
        self.real = os.path.join(self.directory, "real")
        self.proxied = os.path.join(self.directory, "proxy")
        self.proxy = Proxy(self.proxied, self.real)
        self.broker = subprocess.Popen([MEMTUND, "--socket", self.real],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.clean_up)
        while subprocess.run(self.command(self.real, ["show", "-j"]), capture_output=True).returncode == 3:
            self.assertIsNone(self.broker.poll())
        self.prepare("bridge", "add", "lab")
        self.prepare("bridge", "add", "hub", "hub")
        self.prepare("add", "a", "bridge", "lab")
        self.prepare("add", "b", "bridge", "lab", "mode", "tun", "address", "10.0.0.2")
        self.prepare("add", "left", "peer", "right")
        # Nothing listens there, so that the uplink is down and has a reason.
        self.prepare("uplink", "add", "up", "bridge", "lab", "type", "vde", "path",
                     os.path.join(self.directory, "nothing"), status=None)
        self.prepare("uplink", "add", "near", "bridge", "lab", "type", "dgram", "path",
                     os.path.join(self.directory, "far"), "local",
                     os.path.join(self.directory, "near"), status=None)
        # An address that the bridge has learned, and a frame that was dropped.
        self.inject()
        self.prepare("inject", "a", "--hex", FRAME, status=None)

    def clean_up(self):
        self.proxy.close()
        self.broker.terminate()
        self.broker.wait()
        shutil.rmtree(self.directory)

    def command(self, address, words):
        count = 2 if words[0] in ("bridge", "uplink") else 1
        return [MEMTUN, *words[:count], "--socket", address, *words[count:]]

    def prepare(self, *words, status=0):
        """Run the command at the real broker. status: what it has to be; None: any."""
        result = subprocess.run(self.command(self.real, words), stdin=subprocess.DEVNULL,
                                capture_output=True, timeout=SECONDS)
        if status is not None:
            self.assertEqual(result.returncode, status, (words, result.stderr))

    def run_until(self, words, trigger):
        """Run a command that does not end by itself: once it is ready, call trigger; then end it."""
        ready, told = os.pipe()
        try:
            command = self.command(self.proxied, words) + ["--ready-fd", str(told)]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[told],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            os.close(told)
            os.read(ready, 1)
        finally:
            os.close(ready)
        trigger()
        try:
            output, errors = process.communicate(timeout=0.02)
        except subprocess.TimeoutExpired:
            process.terminate()
            output, errors = process.communicate(timeout=SECONDS)
        status = 0 if process.returncode == -signal.SIGTERM else process.returncode
        return subprocess.CompletedProcess(command, status, output, errors)

    def run_mutated(self, words, number, name, trigger):
        self.proxy.number, self.proxy.mutation = number, MUTATIONS.get(name)
        if trigger:
            result = self.run_until(words, trigger)
        else:
            result = subprocess.run(self.command(self.proxied, words), stdin=subprocess.DEVNULL,
                                    capture_output=True, timeout=SECONDS)
        message = f"memtun {' '.join(words)}: attribute {number} {name}: {result.stderr}"
        self.assertIn(result.returncode, (0, 1, 2, 3, 4, 5, 124, 125, 126, 127), message)
        for text in (b"Sanitizer", b"runtime error", b"(null)"):
            self.assertNotIn(text, result.stdout + result.stderr, message)

    turn = 0  # how many commands were tried in all tests

    def survives(self, *words, before=None, after=None, trigger=None):
        """Run the command as it is, and then with each attribute changed that it got."""
        type(self).turn += 1
        self.proxy.seen = set()
        for number, name in self.cases():
            if before:
                self.prepare(*before, status=None)
            self.run_mutated(words, number, name, trigger)
            if after:
                self.prepare(*after, status=None)

    def cases(self):
        yield None, "as it is"
        seen = sorted(self.proxy.seen)
        self.assertTrue(seen)
        for number in seen:
            if number in COUNTERS and number % SHARE != self.turn % SHARE:
                continue
            for name in MUTATIONS:
                yield number, name

    def test_show(self):
        for options in (["-j"], ["-s", "-j"], *TABLES):
            self.survives("show", *options)
        self.survives("show", "a", *JSON)

    def test_bridge_show(self):
        for options in (["-j"], ["--dot"], *TABLES):
            self.survives("bridge", "show", *options)
        self.survives("bridge", "show", "hub", *JSON)

    def test_uplink_show(self):
        for options in (["-j"], *TABLES):
            self.survives("uplink", "show", *options)

    def test_add_set_and_delete(self):
        self.survives("add", "new", after=("del", "new"))
        self.survives("set", "a", "mtu", "1400")
        self.survives("del", "new", before=("add", "new"))
        self.survives("bridge", "add", "new", after=("bridge", "del", "new"))
        self.survives("bridge", "del", "new", before=("bridge", "add", "new"))
        uplink = ("uplink", "add", "new", "bridge", "lab", "type", "mcast", "group", "230.0.0.9",
                  "port", "19009")
        self.survives(*uplink, after=("uplink", "del", "new"))
        self.survives("uplink", "del", "new", before=uplink)

    def inject(self):
        self.prepare("inject", "a", "--as-client", "--hex", FRAME)

    def test_frames(self):
        self.survives("inject", "a", "--as-client", "--hex", FRAME)
        self.survives("inject", "b", "--udp", "10.0.0.2:7", "hello")
        if needs.part("filters", "memtun expect"):
            self.survives("expect", "a", "--timeout", "0.01", "udp")
        self.survives("capture", "a", trigger=self.inject)
        self.survives("capture", "lab", "-w", "/dev/null", trigger=self.inject)

    def change(self):
        self.prepare("add", "event", "bridge", "lab", status=None)
        self.prepare("set", "event", "mtu", "1400", status=None)
        self.prepare("del", "event", status=None)

    def test_monitor(self):
        self.survives("monitor", trigger=self.change)
        self.survives("monitor", "-j", trigger=self.change)

    def test_exec(self):
        self.survives("exec", "-t", "new", "--", "true")

    def test_wait(self):
        self.survives("wait", "a", "closed", "--timeout", "0.01")
        self.survives("wait", "a", "open", "--timeout", "0.01")
        self.survives("wait", "a", "drained", "--timeout", "0.01")
        self.survives("wait", "up", "up", "--timeout", "0.01")

    def test_top(self):
        self.survives("top", "-b", "-n", "2", "-d", "0.1", *JSON)

    def test_host(self):
        self.survives("host", "new", "address", "10.0.0.1/24", trigger=lambda: None)


if __name__ == "__main__":
    unittest.main()

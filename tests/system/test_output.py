#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What memtun prints: to a pipe in non-blocking mode, to a reader that ends, and to a terminal."""
import fcntl
import json
import os
import pty
import pwd
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

import needs

TOP = os.environ.get("top_builddir", ".")
MEMTUN = os.path.join(TOP, "memtun")
SECONDS = 30  # for what takes much less
FRAME = "ffffffffffff02000000000188b5" + "00" * 1400


def read_all(fd):
    """Return what is read from the descriptor until its end, and close it."""
    with os.fdopen(fd, "rb") as reader:
        return reader.read()


def packet_blocks(data):
    """Return the number of packets in a pcapng file that consists of whole blocks."""
    at = packets = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if length < 12 or struct.unpack_from("<I", data, at + length - 4)[0] != length:
            raise AssertionError("a block at byte %d is cut" % at)
        packets += kind == 6
        at += length
    return packets


class OutputTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="memtun-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.environment = dict(os.environ, MEMTUN_SOCKET=os.path.join(self.directory, "control"),
                                LC_ALL="C.UTF-8")
        ready, write = os.pipe()
        self.broker = subprocess.Popen([os.path.join(TOP, "memtund"), "--ready-fd", str(write)],
                                       env=self.environment, pass_fds=[write])
        self.addCleanup(self.end, self.broker)
        os.close(write)
        read_all(ready)

    def end(self, process):
        process.kill()
        process.wait()

    def memtun(self, *words, **more):
        return subprocess.run([MEMTUN, *words], env=self.environment, timeout=SECONDS,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, **more)

    def done(self, *words):
        process = self.memtun(*words)
        self.assertEqual(process.returncode, 0, process.stderr)
        return process.stdout

    def start(self, *words, ready=True, **more):
        """Start memtun, and return the process once it is ready."""
        reader, writer = os.pipe()
        options = ["--ready-fd", str(writer)] if ready else []
        process = subprocess.Popen([MEMTUN, *words, *options], env=self.environment,
                                   pass_fds=[writer], stderr=subprocess.PIPE, text=True, **more)
        self.addCleanup(process.stderr.close)
        self.addCleanup(self.end, process)
        os.close(writer)
        if ready:
            read_all(reader)
        else:
            os.close(reader)
        return process

    def start_nonblocking(self, *words, **more):
        """Start memtun with such a pipe as its standard output, and return it and the pipe's end."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        process = self.start(*words, stdout=writer, **more)
        os.close(writer)
        return process, reader

    def inject(self, frames):
        path = os.path.join(self.directory, "frames.pcap")
        frame = bytes.fromhex(FRAME)
        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            for _ in range(frames):
                out.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
        self.done("inject", "vm", "--as-client", "--pcap", path)

    def wait_full(self, reader):
        """Wait until the pipe takes no more."""
        deadline = time.monotonic() + SECONDS
        probe = os.open("/proc/self/fd/%d" % reader, os.O_WRONLY | os.O_NONBLOCK)
        try:
            while select.select([], [probe], [], 0)[1]:
                self.assertLess(time.monotonic(), deadline, "the pipe never became full")
                time.sleep(0.01)
        finally:
            os.close(probe)


class NonBlocking(OutputTest):
    """The pipe is full before anything is read."""

    def drained(self, process, reader):
        self.wait_full(reader)
        data = read_all(reader)
        self.assertEqual(process.wait(SECONDS), 0, process.stderr.read())
        return data

    @needs.filters
    def test_a_capture_file_is_whole(self):
        self.done("add", "vm", "bridge", "lab")
        process, reader = self.start_nonblocking("capture", "vm", "-w", "-", "-c", "200")
        self.inject(200)
        self.assertEqual(packet_blocks(self.drained(process, reader)), 200)

    @needs.filters
    def test_no_line_of_a_capture_is_lost(self):
        self.done("add", "vm", "bridge", "lab")
        process, reader = self.start_nonblocking("capture", "vm", "-c", "2000")
        self.inject(2000)
        self.assertEqual(len(self.drained(process, reader).splitlines()), 2000)

    def test_no_event_is_lost(self):
        process, reader = self.start_nonblocking("monitor", "-j")
        for _ in range(3):
            self.done("add", "m" * 8 + "%d", "count", "200")
        self.wait_full(reader)
        events = []
        with os.fdopen(reader) as lines:
            while len(events) < 600:
                events.append(json.loads(lines.readline()))
            process.terminate()
        self.assertEqual({event["event"] for event in events}, {"added"})

    def test_a_table_is_whole(self):
        self.done("add", "vm%d", "count", "2000")
        tables = [["show"], ["show", "-s"]] if needs.part("tables", "a table is whole") else []
        for words in (["show", "-j"], *tables):
            process, reader = self.start_nonblocking(*words, ready=False)
            with self.subTest(words=words):
                self.wait_full(reader)
                data = read_all(reader)
                self.assertEqual(process.wait(SECONDS), 0, process.stderr.read())
                if "-j" in words:
                    self.assertEqual(len(json.loads(data)), 2000)
                else:
                    self.assertEqual(len(data.splitlines()), 2001)


class ReaderEnds(OutputTest):
    """The command ends without any traffic."""

    def end_reader(self, *words, **more):
        reader, writer = os.pipe()
        process = self.start(*words, stdout=writer, **more)
        os.close(writer)
        os.close(reader)
        return process.wait(SECONDS), process.stderr.read()

    def test_commands_end_as_by_a_write(self):
        self.done("add", "vm", "bridge", "lab")
        for words in (["capture", "vm", "-w", "-"], ["capture", "lab"], ["monitor"],
                      ["monitor", "-j"]):
            with self.subTest(words=words):
                self.assertEqual(self.end_reader(*words), (-13, ""))

    def test_top_ends(self):
        self.assertEqual(self.end_reader("-j", "top", "-b", "-d", "1000", ready=False), (-13, ""))

    def test_without_sigpipe_there_is_one_message(self):
        for words in (["capture", "lab", "-w", "-"], ["capture", "lab"], ["monitor"]):
            self.done("add", "vm", "bridge", "lab")
            with self.subTest(words=words):
                status, errors = self.end_reader(*words, restore_signals=False)
                self.assertEqual((status, errors),
                                 (1, "memtun: cannot write standard output: Broken pipe\n"))
            self.done("del", "vm")

    @needs.filters
    def test_the_reader_of_a_file_is_not_watched(self):
        self.done("add", "vm", "bridge", "lab")
        path = os.path.join(self.directory, "file")
        reader, writer = os.pipe()
        process = self.start("capture", "vm", "-c", "1", "-w", path, stdout=writer)
        os.close(writer)
        os.close(reader)
        self.inject(1)
        self.assertEqual(process.wait(SECONDS), 0)
        with open(path, "rb") as file:
            self.assertEqual(packet_blocks(file.read()), 1)


class OnTerminal(OutputTest):
    def printed(self, columns, *words):
        """Return the lines that a command prints on a terminal of this width."""
        main, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = self.start(*words, ready=False, stdout=terminal)
        os.close(terminal)
        data = b""
        try:
            while True:
                data += os.read(main, 65536)
        except OSError:
            os.close(main)
        self.assertEqual(process.wait(SECONDS), 0, process.stderr.read())
        return data.decode().splitlines()

    @needs.tables
    def test_no_line_is_wider_than_the_terminal(self):
        self.done("add", "a-name-of-15-by", "bridge", "b-name-of-15-by")
        self.done("add", "b\u00fccher", "bridge", "b-name-of-15-by", "mode", "tun")
        self.done("uplink", "add", "lan", "bridge", "b-name-of-15-by", "type", "stream", "path",
                  os.path.join(self.directory, "a-long-path" * 3))
        self.done("inject", "a-name-of-15-by", "--allow-drop", "--hex", FRAME)
        for words in (["show"], ["show", "-s"], ["bridge", "show"], ["bridge", "show", "-s"],
                      ["uplink", "show"], ["uplink", "show", "-s"],
                      ["top", "-b", "-n", "1", "-d", "0.1"]):
            for columns in (79, 60, 50):
                with self.subTest(words=words, columns=columns):
                    lines = self.printed(columns, *words)
                    self.assertLessEqual(max(map(len, lines)), columns, lines)
                    if words[0] == "top":
                        self.assertIn("DROPS-TO/S", lines[0])
                    if words[0] == "show" and "-s" in words:
                        self.assertIn("to-client-dropped-no-client 1", lines[-1])
                    if words[0] == "show":
                        self.assertIn("b\u00fccher", "".join(lines))

    def test_an_owner_is_a_name_in_a_table_and_a_number_in_json(self):
        self.done("add", "vm")
        try:
            owner = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # a user without a name
            owner = str(os.getuid())
        if needs.part("tables", "an owner is a name in a table"):
            self.assertEqual(self.done("show").split()[-1], owner)
        self.assertEqual(json.loads(self.done("show", "-j"))[0]["owner"], os.getuid())

    @needs.tables
    def test_columns_are_as_wide_as_their_characters(self):
        self.done("add", "b\u00fccher")
        heading, line = self.done("show").splitlines()
        self.assertEqual(line.index("tap"), heading.index("MODE"))

    def run_on_terminal(self, *words):
        """Return the exit status and the errors of a command whose output is a terminal."""
        main, terminal = pty.openpty()
        process = self.start(*words, ready=False, stdout=terminal)
        os.close(terminal)
        status = process.wait(SECONDS)
        os.close(main)
        return status, process.stderr.read()

    def test_a_capture_file_is_not_written_to_a_terminal(self):
        self.done("add", "vm")
        self.assertEqual(self.run_on_terminal("capture", "vm", "-w", "-"),
                         (2, "memtun: -w - writes a binary file, and standard output is a "
                             "terminal\n"))


if __name__ == "__main__":
    if not os.path.exists(MEMTUN):
        sys.exit(77)
    unittest.main()

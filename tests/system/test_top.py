#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""memtun top: its tables, and its screen on a terminal that this test emulates."""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
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
FRAME = "ffffffffffff02000000000188b500000000000000000000"


class Terminal:
    """A screen of the terminal type `linux`, as far as curses needs it."""

    def __init__(self, lines, columns):
        self.resize(lines, columns)
        self.rest = ""

    def resize(self, lines, columns):
        self.lines, self.columns = lines, columns
        self.screen = [[" "] * columns for _ in range(lines)]
        self.top, self.bottom = 0, lines - 1
        self.y = self.x = 0
        self.last = " "

    def text(self):
        return ["".join(line).rstrip() for line in self.screen]

    def put(self, character):
        if self.x >= self.columns:
            self.x, self.y = 0, min(self.y + 1, self.lines - 1)
        self.screen[self.y][self.x] = self.last = character
        self.x += 1

    def scroll(self, at, count):
        for _ in range(abs(count)):
            if count > 0:
                del self.screen[self.bottom]
                self.screen.insert(at, [" "] * self.columns)
            else:
                del self.screen[at]
                self.screen.insert(self.bottom, [" "] * self.columns)

    def erase(self, how, positions):
        here = self.y * self.columns + self.x
        for position in positions:
            if how == 2 or (position >= here if how == 0 else position <= here):
                self.screen[position // self.columns][position % self.columns] = " "

    def control(self, numbers, letter):
        n = [int(number) if number else 0 for number in numbers.split(";")]
        first = max(n[0], 1)
        line = self.screen[self.y]
        if letter in "Hf":
            self.y = min(first, self.lines) - 1
            self.x = min(max(n[1] if len(n) > 1 else 1, 1), self.columns) - 1
        elif letter in "ABd":
            y = first - 1 if letter == "d" else self.y + (first if letter == "B" else -first)
            self.y = min(max(y, 0), self.lines - 1)
        elif letter in "CDG`":
            x = first - 1 if letter in "G`" else self.x + (first if letter == "C" else -first)
            self.x = min(max(x, 0), self.columns - 1)
        elif letter == "J":
            self.erase(n[0], range(self.lines * self.columns))
        elif letter == "K":
            self.erase(n[0], range(self.y * self.columns, (self.y + 1) * self.columns))
        elif letter == "X":
            line[self.x:self.x + first] = [" "] * len(line[self.x:self.x + first])
        elif letter == "P":
            line[self.x:] = (line[self.x + first:] + [" "] * first)[:self.columns - self.x]
        elif letter == "@":
            line[self.x:] = ([" "] * first + line[self.x:])[:self.columns - self.x]
        elif letter in "LM":
            self.scroll(self.y, first if letter == "L" else -first)
        elif letter == "b":
            for _ in range(first):
                self.put(self.last)
        elif letter == "r":
            self.top, self.bottom = first - 1, (n[1] if len(n) > 1 and n[1] else self.lines) - 1
            self.y = self.x = 0
        elif letter not in "mhlnct":
            raise AssertionError("unknown control %r %r" % (numbers, letter))

    def feed(self, text):
        text = self.rest + text
        self.rest = ""
        while text:
            if text[0] != "\x1b":
                character, text = text[0], text[1:]
                if character == "\r":
                    self.x = 0
                elif character == "\n" and self.y == self.bottom:
                    self.scroll(self.top, -1)
                elif character == "\n":
                    self.y = min(self.y + 1, self.lines - 1)
                elif character == "\b":
                    self.x = max(self.x - 1, 0)
                elif character >= " ":
                    self.put(character)
                continue
            found = re.match(r"\x1b\[[?!]?([0-9;]*)([A-Za-z`@])|\x1b([()][0-9A-Z]|[]=>78MDEc])",
                             text)
            if not found:
                self.rest = text
                return
            if found[2]:
                self.control(found[1], found[2])
            elif found[3] == "M" and self.y == self.top:
                self.scroll(self.top, 1)
            elif found[3] == "M":
                self.y -= 1
            text = text[found.end():]


class OnScreen:
    """A running memtun top and its terminal."""

    def __init__(self, environment, *options, lines=24, columns=100, kind="linux"):
        self.master, self.slave = pty.openpty()
        self.terminal = Terminal(lines, columns)
        self.set_size(lines, columns)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [MEMTUN, "top", "-d", "0.1", *options], stdin=self.slave, stdout=self.slave,
            stderr=subprocess.PIPE, env=dict(environment, TERM=kind), start_new_session=True)
        self.raw = ""

    def set_size(self, lines, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, lines, columns):
        self.set_size(lines, columns)
        self.terminal.resize(lines, columns)
        self.process.send_signal(signal.SIGWINCH)

    def press(self, keys):
        os.write(self.master, keys.encode())

    def read(self, wait):
        if not select.select([self.master], [], [], wait)[0]:
            return
        text = os.read(self.master, 65536).decode()
        self.raw += text
        self.terminal.feed(text)

    def until(self, condition):
        """Read until the lines on the screen fulfil the condition; return them."""
        end = time.monotonic() + SECONDS
        while not condition(self.terminal.text()):
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError("\n".join(self.terminal.text()))
            self.read(0.1)
        return self.terminal.text()

    def ends(self):
        """Read until the end of the process; return its status and its errors."""
        end = time.monotonic() + SECONDS
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.1)
        self.read(0)
        status = self.process.wait(timeout=1)
        said = self.process.stderr.read().decode()
        self.process.stderr.close()
        return status, said

    def is_sane(self):
        """Is the terminal restored, with its cursor?"""
        shown = self.raw.rfind("\x1b[?25h"), self.raw.rfind("\x1b[?25l")
        return termios.tcgetattr(self.slave) == self.before and shown[0] > shown[1]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if not self.process.stderr.closed:
            self.process.stderr.close()
        os.close(self.master)
        os.close(self.slave)


class TopCase(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="memtun-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.environment = dict(os.environ, MEMTUN_SOCKET=os.path.join(self.directory, "control"))
        ready, write = os.pipe()
        self.broker = subprocess.Popen([os.path.join(TOP, "memtund"), "--ready-fd", str(write)],
                                       env=self.environment, pass_fds=[write])
        self.addCleanup(self.end_broker)
        os.close(write)
        with os.fdopen(ready) as reader:
            reader.readline()

    def end_broker(self):
        self.broker.kill()
        self.broker.wait()

    def memtun(self, *words, **more):
        return subprocess.run([MEMTUN, *words], env=self.environment, timeout=SECONDS,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, **more)

    def done(self, *words):
        result = self.memtun(*words)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def send(self):
        """Send a frame from `from` to all ports on its bridge."""
        self.done("inject", "from", "--as-client", "--hex", FRAME)

    def look(self, *options, **more):
        on = OnScreen(self.environment, *options, **more)
        self.addCleanup(on.close)
        return on


class Tables(TopCase):
    def test_rates_and_the_main_reason_of_drops_are_shown(self):
        self.done("add", "from", "bridge", "lab")
        self.done("add", "to", "bridge", "lab")
        self.done("add", "left", "peer", "right")
        self.done("uplink", "add", "lan", "bridge", "other", "type", "mcast", "group",
                  "230.0.0.1", "port", str(20000 + os.getpid() % 20000))
        top = subprocess.Popen([MEMTUN, "-j", "top", "-b", "-n", "3", "-d", "0.3"],
                               env=self.environment, stdout=subprocess.PIPE, text=True)
        while top.poll() is None:
            self.send()
        lines = top.stdout.read().splitlines()
        top.stdout.close()
        self.assertEqual(top.wait(), 0)
        self.assertEqual(len(lines), 3)
        for line in lines:
            ports = {port["name"]: port for port in json.loads(line)}
            # Frames between peers don't pass through the broker, so it has no counters.
            self.assertEqual(set(ports), {"from", "to", "lan"})
            rate = ports["from"]["from-client-frames-rate"]
            self.assertGreater(rate, 0)
            self.assertAlmostEqual(ports["from"]["from-client-bytes-rate"], 24 * rate, delta=25)
            self.assertEqual(ports["from"]["bridge"], "lab")
            self.assertEqual(ports["from"]["from-client-dropped-rate"], 0)
            self.assertGreater(ports["to"]["to-client-dropped-rate"], 0)
            self.assertEqual(ports["to"]["to-client-dropped-reason"], "no-client")
            self.assertEqual(ports["to"]["to-client-frames-rate"], 0)
            self.assertEqual(ports["to"]["to-client-queued"], 0)
            self.assertEqual(ports["lan"]["from-client-frames-rate"], 0)
            # Sorted by rate, the sender comes first.
            self.assertEqual(json.loads(line)[0]["name"], "from")

    @needs.tables
    def test_a_table_is_of_one_interval(self):
        self.done("add", "from", "bridge", "lab")
        self.send()
        begun = time.monotonic()
        lines = self.done("top", "-b", "-n", "1", "-d", "0.5").splitlines()
        self.assertGreaterEqual(time.monotonic() - begun, 0.5)
        self.assertEqual(lines[0].split()[:3], ["NAME", "BRIDGE", "FROM/S"])
        # Frames before the first sample are in no rate.
        self.assertEqual(lines[1].split(), ["from", "lab"] + ["0"] * 9)
        self.assertEqual(lines[2:], [""])

    def test_without_ports_there_is_an_empty_array(self):
        self.assertEqual(self.done("-j", "top", "-b", "-n", "2", "-d", "0.1"), "[]\n[]\n")

    def test_what_it_cannot_be_told_is_said(self):
        for words in (["-n"], ["-n", "0"], ["-d", "x"], ["-d", "0"], ["-d", "-1"], ["-x"], ["now"],
                      ["-b", "-n", "1", "more"]):
            result = self.memtun("top", *words)
            self.assertEqual((result.returncode, result.stdout), (2, ""), words)
            self.assertRegex(result.stderr, "^memtun: .*\n$")
        result = self.memtun("-j", "top")
        self.assertEqual((result.returncode, result.stderr), (2, "memtun: -j goes with top -b\n"))
        result = self.memtun("top")
        self.assertEqual(result.returncode, 1)
        self.assertIn("; use memtun top -b, or memtun -j top -b\n", result.stderr)
        result = self.memtun("--socket", os.path.join(self.directory, "none"), "-j", "top", "-b")
        self.assertEqual(result.returncode, 3)

    def ends(self, end):
        """End the process while it runs; return its status and its errors."""
        top = subprocess.Popen([MEMTUN, "-j", "top", "-b", "-d", "0.1"], env=self.environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(top.stdout.readline(), "[]\n")
        end(top)
        said = top.communicate(timeout=SECONDS)[1]
        return top.returncode, said

    def test_it_ends_when_it_is_told_to(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self.assertEqual(self.ends(lambda top, number=number: top.send_signal(number)), (0, ""))

    def test_it_ends_with_the_broker(self):
        self.assertEqual(self.ends(lambda top: self.broker.terminate()),
                         (1, "memtun: the broker has closed the connection\n"))

    def test_output_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([MEMTUN, "-j", "top", "-b", "-n", "2", "-d", "0.1"], stdout=full,
                                    env=self.environment, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("No space left", result.stderr)


class Screen(TopCase):
    def setUp(self):
        super().setUp()
        if not needs.built_with("screens"):
            self.skipTest(needs.why_not("screens"))
        # There may be no terminals.
        on = OnScreen(self.environment, "-n", "1")
        status, said = on.ends()
        on.close()
        if status != 0:
            self.skipTest(said)

    def test_ports_are_on_the_screen_and_q_ends_it(self):
        self.done("add", "from", "bridge", "lab")
        self.done("add", "to", "bridge", "lab")
        on = self.look()
        lines = on.until(lambda lines: lines[2].startswith("from ") and lines[3].startswith("to "))
        self.assertEqual(lines[0], "memtun top: 2 ports by rate, each 0.1 s")
        self.assertEqual(lines[1].split()[:3], ["NAME", "BRIDGE", "FROM/S"])
        self.assertTrue(lines[-1].startswith("n name  r rate  d drops"))
        self.send()
        on.until(lambda lines: lines[2].split()[2] != "0" and "no-client" in lines[3])
        on.until(lambda lines: lines[2].split()[2] == "0")
        self.assertFalse(on.is_sane())
        on.press("q")
        self.assertEqual(on.ends(), (0, ""))
        self.assertTrue(on.is_sane())

    def test_keys_sort(self):
        self.done("add", "a", "bridge", "lab")
        self.done("add", "from", "bridge", "lab")
        self.done("add", "m")
        on = self.look()

        def first(name):
            # A rate lasts for one interval only.
            for _ in range(1000):
                self.send()
                on.read(0)
                if on.terminal.text()[2].startswith(name + " "):
                    return
            self.fail("%s was never first: %s" % (name, on.terminal.text()))
        first("from")
        on.press("n")
        on.until(lambda lines: " by name," in lines[0] and lines[2].startswith("a "))
        on.press("d")
        # Frames to it are dropped, because it isn't open.
        on.until(lambda lines: " by drops," in lines[0])
        first("a")
        on.press("r")
        on.until(lambda lines: " by rate," in lines[0])
        first("from")

    def test_a_thousand_ports_scroll_and_the_size_may_change(self):
        self.done("add", "p%d", "count", "1000", "bridge", "lab")
        names = sorted("p%d" % i for i in range(1000))
        on = self.look(lines=13)

        def shows(first, count):
            return on.until(lambda lines: [line.split(" ")[0] for line in lines[2:-1]] ==
                            names[first:first + count])
        shows(0, 10)
        on.press("\x1b[B")
        shows(1, 10)
        on.press("\x1b[6~")
        shows(11, 10)
        on.press("\x1b[A")
        shows(10, 10)
        on.press("\x1b[4~")
        shows(990, 10)
        on.press("\x1b[B\x1b[6~")
        shows(990, 10)
        on.resize(23, 80)
        shows(980, 20)
        on.press("\x1b[5~")
        shows(960, 20)
        on.resize(8, 20)
        # The bridge and the rates of bytes have no room, and the drops have.
        on.until(lambda lines: lines[2] == names[960] + " 0            0")
        shows(960, 5)
        on.press("\x1b[1~")
        shows(0, 5)
        # A screen without room for a row is no error.
        on.resize(2, 1)
        on.until(lambda lines: lines[0] == "m")
        on.resize(13, 100)
        shows(0, 10)
        on.press("q")
        self.assertEqual(on.ends(), (0, ""))

    def test_a_new_size_is_seen_without_a_signal(self):
        on = self.look()
        on.until(lambda lines: lines[23].startswith("n name"))
        for lines, columns in ((10, 70), (30, 120)):
            on.set_size(lines, columns)
            on.terminal.resize(lines, columns)
            on.until(lambda text, last=lines - 1: text[last].startswith("n name"))
        on.press("q")
        self.assertEqual(on.ends(), (0, ""))

    def test_signals_leave_the_terminal_as_it_was(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            on = self.look()
            on.until(lambda lines: "0 ports by rate" in lines[0])
            on.process.send_signal(number)
            self.assertEqual(on.ends(), (0, ""))
            self.assertTrue(on.is_sane())

    def test_a_broker_that_ends_is_told_after_the_screen_is_gone(self):
        on = self.look()
        on.until(lambda lines: "0 ports by rate" in lines[0])
        self.broker.terminate()
        self.assertEqual(on.ends(), (1, "memtun: the broker has closed the connection\n"))
        self.assertTrue(on.is_sane())

    def test_a_broker_that_stands_still_does_not_keep_q_from_ending_it(self):
        on = self.look()
        on.until(lambda lines: "0 ports by rate" in lines[0])
        self.broker.send_signal(signal.SIGSTOP)
        on.press("q")
        self.assertEqual(on.ends(), (0, ""))
        self.assertTrue(on.is_sane())

    def test_an_unknown_terminal_is_told(self):
        on = self.look(kind="no-such-terminal")
        self.assertEqual(on.ends(), (1, "memtun: the terminal's type, $TERM, is not known; "
                                        "use memtun top -b, or memtun -j top -b\n"))

    def test_a_terminal_that_cannot_move_the_cursor_is_told(self):
        on = self.look(kind="dumb")
        self.assertEqual(on.ends(), (1, "memtun: the terminal's type, $TERM, cannot move the "
                                        "cursor; use memtun top -b, or memtun -j top -b\n"))


if __name__ == "__main__":
    # End the process after a failure, too.
    signal.alarm(4 * SECONDS)
    sys.exit(not unittest.main(exit=False).result.wasSuccessful())

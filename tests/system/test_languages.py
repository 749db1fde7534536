#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each example of memtun-languages(7) as it is on the page, and what that says of descriptors."""
from python_case import SECONDS, TOP, Case

import array
import errno
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import unittest

import memtun

#: The interpreter of a program by the end of its name, and the Debian package that has it.
INTERPRETERS = {"sh": ("sh", "dash"), "pl": ("perl", "perl"), "rb": ("ruby", "ruby"),
                "js": ("node", "nodejs"), "java": ("java", "default-jdk-headless"),
                "tcl": ("tclsh", "tcl"), "py": (sys.executable, "python3")}
#: How to find out that a module which a program needs is missing, and its Debian package.
MODULES = {"handoff.pl": (["perl", "-MIO::FDPass", "-e1"], "libio-fdpass-perl")}

#: How long a program may take to start, in seconds: Java compiles its program first.
START_SECONDS = 3 * SECONDS
#: Ethernet frames of an EtherType for experiments (RFC 5342) from one unicast address to another:
#: an empty one, the smallest and the largest of a mtu of 1500, and one with bytes that are text.
HEADER = bytes.fromhex("020000000002 020000000001 88b5")
FRAMES = [HEADER, HEADER + bytes(46), HEADER + b"\xff" * 1500, HEADER + b"\r\n\0\x1a \xc3\x28"]


def reflected(frame):
    return frame[6:12] + frame[:6] + frame[12:]


def examples():
    """Return the programs of the page by their names, each with its text and its command."""
    with open(os.path.join(TOP, "man/memtun-languages.7"), encoding="utf-8") as file:
        text = file.read().split("\n.Sh EXAMPLES\n")[1]
    found = {}
    for part in re.split(r"^\.Ss ", text, flags=re.M)[1:]:
        name = re.search(r"^\.Pa (\S+)", part, re.M).group(1)
        blocks = [block.replace("\\&", "").replace("\\e", "\\")
                  for block in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", part, re.M | re.S)]
        if len(blocks) == 2 and blocks[1].startswith("$ "):
            found[name] = (blocks[0], blocks[1][2:])
    return found


def missing(name, command):
    """Return why the example cannot run here, or None."""
    program, package = INTERPRETERS[name.rsplit(".", 1)[1]]
    if not shutil.which(program):
        return f"no {program} here (Debian: {package})"
    probe, package = MODULES.get(name, (None, None))
    if probe and subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode:
        return f"a module is missing (Debian: {package})"
    return None


class Examples(Case):
    def reflects(self, name, text, command):
        """Run an example until its tunnel is deleted, and check that each frame comes back."""
        directory = self.directory()
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text)
        b = self.use(memtun.broker(handoff=[f"{directory}/a.sock=a:bridge=lab"]))
        command = re.sub(r"^python3 ", f"'{sys.executable}' ", command)
        tester = self.use(b.open("tester", bridge="lab"))
        tester.settimeout(START_SECONDS)
        with subprocess.Popen(["sh", "-c", f"exec {command}"], cwd=directory, env=b.environment,
                              start_new_session=True) as program:
            try:
                b.wait("a", "open", timeout=START_SECONDS)
                for frame in FRAMES:
                    tester.send(frame)
                self.assertEqual([tester.recv() for _ in FRAMES], list(map(reflected, FRAMES)))
                b.delete("a")
                self.assertEqual(program.wait(START_SECONDS), 0)
            except BaseException:
                os.killpg(program.pid, signal.SIGKILL)
                raise

    def test_each_program_sends_each_frame_back_and_ends_with_its_tunnel(self):
        found = examples()
        self.assertEqual(len(found), 9, list(found))
        for name, (text, command) in found.items():
            why = missing(name, command)
            if why:
                print(f"skipped a part: {name}: {why}")
                continue
            with self.subTest(name):
                self.reflects(name, text, command)
                print(f"ok: {name}")


class Descriptors(Case):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.directory(), "a.sock")
        self.broker = self.use(memtun.broker(handoff=[f"{self.path}=a"]))

    def test_a_tunnel_cannot_be_opened_by_its_path(self):
        with self.broker.open("b") as b:
            for folder in ("/dev/fd", "/proc/self/fd"):
                with self.assertRaises(OSError) as caught:
                    os.open(f"{folder}/{b.fileno()}", os.O_RDWR)
                self.assertEqual(caught.exception.errno, errno.ENXIO)

    def test_memtun_exec_tells_the_descriptors_in_three_ways(self):
        text = ("import os; print(*[os.environ[name] for name in ('LISTEN_FDS', 'LISTEN_FDNAMES', "
                "'MEMTUN_FD_vm_0', 'MEMTUN_FD_b')], int(os.environ['LISTEN_PID']) == os.getpid(), "
                "'{b}', os.get_inheritable(4), os.get_blocking(4))")
        done = subprocess.run(["memtun", "exec", "-t", "vm-0", "-t", "b", "--", sys.executable,
                               "-c", text], env=self.broker.environment, stdout=subprocess.PIPE,
                              text=True, check=True)
        self.assertEqual(done.stdout, "2 vm-0:b 3 4 True 4 True True\n")

    def test_the_plain_handoff_has_the_bytes_that_the_page_says(self):
        with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
            first.settimeout(SECONDS)
            second.settimeout(SECONDS)
            first.connect(self.path)
            size = struct.calcsize("@i")
            data, control, flags, _ = first.recvmsg(2, socket.CMSG_SPACE(size))
            (level, kind, passed), = control
            fds = array.array("i", passed)
            self.addCleanup(os.close, fds[0])
            self.assertEqual((data, level, kind, len(passed), flags & socket.MSG_CTRUNC),
                             (b"\0", 1, 1, size, 0))
            self.assertIn((struct.calcsize("P"), socket.CMSG_LEN(size)), ((8, 20), (4, 16)))
            self.assertEqual(first.recv(1), b"")
            # It is open already, so the next client gets nothing.
            second.connect(self.path)
            self.assertEqual(second.recvmsg(2, socket.CMSG_SPACE(size))[:2], (b"", []))


if __name__ == "__main__":
    unittest.main()

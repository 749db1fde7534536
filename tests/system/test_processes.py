#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What memtund, memtun and memtun-host make of the descriptors, signals and limits of their start."""
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

TOP = os.environ.get("top_builddir", ".")
MEMTUN = os.path.join(TOP, "memtun")
MEMTUND = os.path.join(TOP, "memtund")
SECONDS = 20  # for what takes much less
FRAME = "ffffffffffff02000000000188b500000000000000000000"


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="memtun-test-")
        self.address = os.path.join(self.directory, "control")
        self.environment = {"PATH": os.environ["PATH"], "MEMTUN_SOCKET": self.address}
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def start(self, *words, **how):
        """Start a program, which is killed at the test's end unless it has ended."""
        how.setdefault("env", self.environment)
        process = subprocess.Popen(words, **how)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()

    def start_ready(self, *words, **how):
        """Start a program with --ready-fd, and return it once it is ready."""
        read, write = os.pipe()
        process = self.start(*words, "--ready-fd", str(write), pass_fds=[write], **how)
        os.close(write)
        self.assertTrue(select.select([read], [], [], SECONDS)[0], "it does not get ready")
        self.assertEqual(os.read(read, 1), b"\n")
        os.close(read)
        return process

    def broker(self, *options, **how):
        return self.start_ready(MEMTUND, "--socket", self.address, *options, **how)

    def run_memtun(self, *words, **how):
        how.setdefault("env", self.environment)
        return subprocess.run([MEMTUN, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=SECONDS, check=False, **how)

    def succeed(self, *words, **how):
        done = self.run_memtun(*words, **how)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout


class Log(Case):
    def test_a_full_pipe_as_standard_error_does_not_stop_the_broker(self):
        read, write = os.pipe()
        os.set_blocking(write, False)
        try:
            while True:
                os.write(write, b"x" * 4096)
        except BlockingIOError:
            pass
        os.set_blocking(write, True)
        broker = self.broker("--log-level", "debug", stderr=write)
        for _ in range(20):
            self.assertEqual(self.run_memtun("show", "none").returncode, 1)
        broker.terminate()
        self.assertEqual(broker.wait(SECONDS), 0)
        os.close(read)
        os.close(write)

    def test_the_rate_limit_is_the_broker_s_not_the_connection_s(self):
        handoff = os.path.join(self.directory, "handoff")
        with open(os.path.join(self.directory, "log"), "w+b") as log:
            broker = self.broker("--handoff", handoff + "=taken", stderr=log)
            with socket.socket(socket.AF_UNIX) as first:
                first.connect(handoff)
                _, taken, _, _ = socket.recv_fds(first, 1, 1)
                for _ in range(200):  # each is warned of: the tunnel is taken
                    with socket.socket(socket.AF_UNIX) as client:
                        client.connect(handoff)
                        self.assertEqual(client.recv(1), b"")
                os.close(taken[0])
            broker.terminate()
            self.assertEqual(broker.wait(SECONDS), 0)
            log.seek(0)
            lines = log.read().decode().splitlines()
        self.assertGreaterEqual(len(lines), 10)
        self.assertLess(len(lines), 150)
        self.assertRegex(lines[-1], r"^memtund: warning: \d+ lines of this level were suppressed$")


if __name__ == "__main__":
    # However it goes wrong, it ends.
    signal.alarm(8 * SECONDS)
    sys.exit(not unittest.main(exit=False).result.wasSuccessful())

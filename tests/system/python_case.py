# SPDX-License-Identifier: MIT
"""The base of the tests of the Python package in client/python: the built programs, the package's
source, and a test case that counts descriptors."""
import contextlib
import gc
import os
import sys
import tempfile
import unittest

TOP = os.path.abspath(os.environ.get("top_srcdir", "."))
BUILD = os.path.abspath(os.environ.get("top_builddir", "build"))
PACKAGE = os.path.join(TOP, "client/python")
SECONDS = 20  # for what takes milliseconds


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def prepare():
    """Find the built programs and the package, also from programs that the test starts."""
    if sys.version_info < (3, 9):
        skip("the package needs Python 3.9")
    os.environ["PATH"] = BUILD + os.pathsep + os.environ.get("PATH", "")
    os.environ["PYTHONPATH"] = PACKAGE
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    sys.path.insert(0, PACKAGE)


def descriptors():
    """Return what each open descriptor of this process is."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found[int(number)] = os.readlink(f"/proc/self/fd/{number}")
    return {number: what for number, what in found.items()
            if not what.startswith(f"/proc/{os.getpid()}/fd")}


class Case(unittest.TestCase):
    """A test that leaves no descriptor open."""

    def setUp(self):
        before = descriptors()
        self.addCleanup(self.compare, before)
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)

    def compare(self, before):
        gc.collect()
        self.assertEqual(descriptors(), before, "descriptors after the test and before it")

    def use(self, manager):
        """Enter a context manager until the end of the test."""
        return self.stack.enter_context(manager)

    def directory(self):
        """Return a new directory with a blank in its name, and short enough for sockets."""
        return self.use(tempfile.TemporaryDirectory(prefix="memtun test-", dir="/tmp"))


prepare()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The fixtures of the Python package under a real pytest, and the report of a test that fails."""
from python_case import PACKAGE, Case, skip

import os
import re
import subprocess
import sys
import textwrap
import unittest

try:
    import pytest
except ImportError:
    skip("no pytest here (Debian: python3-pytest)")
if int(pytest.__version__.split(".", maxsplit=1)[0]) < 7:
    skip(f"pytest {pytest.__version__} is older than 7")

FRAME = 'b"\\xff" * 6 + b"\\x02\\0\\0\\0\\0\\1" + b"\\x88\\xb5"'
PASSES = f"""
import os, subprocess, sys

def test_frames_pass(memtun_bridge, memtun_tunnel):
    a, b = memtun_tunnel("a"), memtun_bridge.open("b", mtu=9000)
    with b:
        b.settimeout(a.gettimeout())
        a.send({FRAME})
        assert b.recv() == {FRAME}
    assert memtun_bridge.show().name == str(memtun_bridge)

def test_programs_find_the_broker(memtun_broker, memtun_seed):
    assert os.environ["MEMTUN_SEED"] == str(memtun_seed)
    subprocess.run(["memtun", "add", "a"], check=True)
    assert memtun_broker.show("a").state == "closed"

def test_each_test_has_a_broker_of_its_own(memtun_broker):
    assert memtun_broker.list() == []

kept = []

def test_a_tunnel_is_kept(memtun_tunnel):
    kept.append(memtun_tunnel())

def test_it_was_closed():
    assert kept[0].closed

def test_the_environment_is_restored():
    assert "MEMTUN_SOCKET" not in os.environ
"""


class Plugin(Case):
    def setUp(self):
        super().setUp()
        self.scratch = self.directory()

    def pytest(self, text, *arguments, status=0, environment=()):
        """Run pytest on a file with this text, and return its output."""
        path = os.path.join(self.scratch, "test_it.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "memtun.pytest_plugin", "-p", "no:cacheprovider",
             "--basetemp", os.path.join(self.scratch, "temporary"), "-q", *arguments, path],
            cwd=self.scratch, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **dict(environment)})
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def files(self):
        return [name for _, _, names in os.walk(os.path.join(self.scratch, "temporary"))
                for name in names]

    def test_tests_that_pass_leave_nothing(self):
        self.assertIn("6 passed", self.pytest(PASSES, "-W", "error"))
        self.assertEqual(self.files(), [])

    def test_the_examples_of_the_documentation_run(self):
        from memtun import pytest_plugin
        example = textwrap.dedent(pytest_plugin.__doc__.split("::\n\n")[1].split("\n\n")[0])
        self.assertIn("1 passed", self.pytest(example))
        with open(os.path.join(PACKAGE, "README.md"), encoding="utf-8") as file:
            example, = [block for block in re.findall(r"```python\n(.*?)```", file.read(), re.S)
                        if "def test_" in block]
        self.assertIn("1 passed", self.pytest(example))

    def test_the_report_of_a_test_that_fails_has_the_capture_and_the_seed(self):
        output = self.pytest(f"""
def test_it(memtun_tunnel, memtun_seed):
    a, b = memtun_tunnel("a"), memtun_tunnel("b")
    a.send(b"short")
    for _ in range(20000):
        a.send({FRAME})
        assert b.recv() == {FRAME}
    assert not memtun_seed
""", "--memtun-seed=77", status=1)
        self.assertIn("-- memtun --", output)
        self.assertIn("seed: 77 (run it again: pytest --memtun-seed=77)", output)
        # On a busy machine the capture misses frames, and counts those before the last one that it has.
        (path, frames, missed), = re.findall(
            r"capture: (.*) \((\d+) frames(?:; (\d+) more were missed)?\)", output)
        self.assertLessEqual(int(frames) + int(missed or 0), 40001)
        self.assertGreater(int(frames), 2000, "the thread does not read beside the test")
        with open(path, "rb") as file:
            data = file.read()
        self.assertEqual(data.count(bytes.fromhex("ffffffffffff 020000000001 88b5")),
                         int(frames) - 1)
        self.assertIn(b"dropped: runt", data)
        for name in (b"a", b"b"):
            self.assertIn(b"\2\0\1\0" + name + b"\0\0\0", data)

    def test_a_seed_that_is_not_given_differs_from_test_to_test(self):
        output = self.pytest("def test_one(memtun_seed): assert 0\n"
                             "def test_two(memtun_broker): assert 0\n", status=1)
        seeds = re.findall(r"seed: (\d+)", output)
        self.assertEqual((len(seeds), len(set(seeds))), (2, 2))
        self.assertNotIn("capture:", output)

    def test_an_error_of_a_later_fixture_is_a_failure_too(self):
        for text in ("raise OSError\n    yield", "yield\n    raise OSError"):
            output = self.pytest("import pytest\n@pytest.fixture\ndef bad(memtun_bridge):\n"
                                 f"    {text}\ndef test_it(bad): pass", status=1)
            self.assertEqual(output.count("capture: "), 1)
            self.assertEqual(self.files(), ["bridge.pcapng"])

    def test_a_broker_that_cannot_be_started_is_an_error_of_the_test(self):
        output = self.pytest("def test_it(memtun_broker): pass", "--memtund=/nowhere/memtund",
                             status=1)
        self.assertIn("cannot start /nowhere/memtund", output)

    def test_a_tunnel_does_not_wait_for_ever(self):
        output = self.pytest("def test_it(memtun_tunnel):\n    a = memtun_tunnel('a')\n"
                             "    assert a.gettimeout() == 10\n    a.settimeout(0.01)\n"
                             "    a.recv()", status=1)
        self.assertIn("TimeoutError", output)

    def test_the_plugin_imports_and_starts_nothing_before_a_fixture_is_used(self):
        self.pytest("import os, sys\ndef test_it():\n"
                    "    loaded = {name for name in sys.modules if name.startswith('memtun')}\n"
                    "    assert loaded == {'memtun', 'memtun.pytest_plugin'}\n"
                    "    children = f'/proc/self/task/{os.getpid()}/children'\n"
                    "    assert open(children).read() == ''\n")


if __name__ == "__main__":
    unittest.main()

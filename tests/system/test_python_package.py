#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Python package as pip builds and installs it, without a network, and its types."""
from python_case import PACKAGE, TOP, Case, skip

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import unittest
import zipfile

TOOLS = ("pip", "wheel", "setuptools")
for tool in TOOLS:
    if not importlib.util.find_spec(tool):
        skip(f"no {tool} here (Debian: python3-{tool})")
if int(importlib.metadata.version("setuptools").split(".", maxsplit=1)[0]) < 61:
    skip("setuptools is older than 61 and does not read pyproject.toml")


def sources(directory):
    """Return what the package is to have: its modules and the mark of its types."""
    return sorted(name for name in os.listdir(directory) if name.endswith((".py", "py.typed")))


class Package(Case):
    def setUp(self):
        super().setUp()
        self.scratch = self.directory()

    def run_python(self, *words, **environment):
        done = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, cwd=self.scratch,
                              stderr=subprocess.STDOUT, text=True,
                              env={**os.environ, "HOME": self.scratch, **environment})
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_pip_installs_the_package_with_its_plugin(self):
        # pip builds in the source directory, which may be read-only.
        copy = os.path.join(self.scratch, "source")
        shutil.copytree(PACKAGE, copy)
        subprocess.run(["chmod", "-R", "u+w", copy], check=True)
        target = os.path.join(self.scratch, "target")
        self.run_python("-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-index",
                        "--no-deps", "--wheel-dir", self.scratch, copy)
        with open(os.path.join(TOP, "configure.ac"), encoding="utf-8") as file:
            version = re.search(r"AC_INIT\(\[memtun\], \[([0-9.]+)\]", file.read()).group(1)
        wheel = os.path.join(self.scratch, f"memtun-{version}-py3-none-any.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            licence = archive.read(f"memtun-{version}.dist-info/LICENSE")
            metadata = archive.read(f"memtun-{version}.dist-info/METADATA").decode()
            archive.extractall(target)
        self.assertEqual(sorted(name[len("memtun/"):] for name in names
                                if name.startswith("memtun/")),
                         sources(os.path.join(PACKAGE, "memtun")))
        with open(os.path.join(TOP, "LICENSE"), "rb") as file:
            self.assertEqual(licence, file.read())
        self.assertIn("\nRequires-Python: >=3.9\n", metadata)
        self.assertNotRegex(metadata, r"\nRequires-Dist: (?!.*extra ==)")
        self.run_python("-c", "import importlib.metadata as m, memtun\n"
                        f"assert memtun.__file__.startswith({target!r}), memtun.__file__\n"
                        "found = m.distribution('memtun').entry_points\n"
                        "assert [(e.group, e.name, e.value) for e in found] == "
                        "[('pytest11', 'memtun', 'memtun.pytest_plugin')], found",
                        PYTHONPATH=target)
        if not importlib.util.find_spec("pytest"):
            print("the plugin was not loaded: no pytest here")
            return
        # PYTEST_PLUGINS names no plugin: pytest finds it by the entry point.
        self.assertIn("memtun_tunnel -- ", self.run_python(
            "-m", "pytest", "-p", "no:cacheprovider", "--fixtures", PYTHONPATH=target))


class Types(Case):
    def test_mypy_finds_no_error(self):
        if not importlib.util.find_spec("mypy"):
            self.skipTest("no mypy here (Debian: mypy)")
        # Without the plugin: reading the types of pytest takes three times as long as all others.
        modules = [os.path.join("memtun", name) for name in sources(
            os.path.join(PACKAGE, "memtun")) if name not in ("pytest_plugin.py", "py.typed")]
        done = subprocess.run(
            [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--cache-dir",
             self.directory(), *modules], cwd=PACKAGE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()

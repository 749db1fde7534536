# SPDX-License-Identifier: MIT
"""Imported first by tests that need Twisted: the interpreter that configure found may not have it,
and the system's own (Debian's python3-twisted) may. Skips the test where none has."""
import importlib.util
import os
import sys


def find_twisted():
    if importlib.util.find_spec("twisted"):
        return
    system = "/usr/bin/python3"
    if os.access(system, os.X_OK) and "FOUND_TWISTED" not in os.environ:
        os.environ["FOUND_TWISTED"] = system
        os.execv(system, [system] + sys.argv)
    print("skipped: no Twisted here (Debian: python3-twisted)")
    sys.exit(77)


find_twisted()

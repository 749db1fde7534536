# SPDX-License-Identifier: MIT
"""Skip a test that uses a part of memtun that was left out of this build."""
import os
import subprocess
import unittest

MEMTUN = os.path.join(os.environ.get("top_builddir", "."), "memtun")


def _lacks(library):
    result = subprocess.run([MEMTUN, "help"], stdout=subprocess.PIPE, check=True)
    return b"(" + library + b")" in result.stdout


tables = unittest.skipIf(_lacks(b"libsmartcols"), "memtun was built without tables (libsmartcols)")
filters = unittest.skipIf(_lacks(b"libpcap"), "memtun was built without filters (libpcap)")

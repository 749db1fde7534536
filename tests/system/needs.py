# SPDX-License-Identifier: MIT
"""What this build has and what configure left out of it, as its config.h says: tests with @needs.tables or
@needs.filters, and parts of tests. check.sh is the same for tests in shell."""
import os
import sys
import unittest

# The macro in config.h, and the Debian package without which configure leaves the part out.
PARTS = {
    "filters": ("HAVE_PCAP", "libpcap-dev"),
    "tables": ("HAVE_SMARTCOLS", "libsmartcols-dev"),
    "screens": ("HAVE_NCURSES", "libncurses-dev"),
}


def built_with(what):
    """Return whether the build has this part."""
    macro = PARTS[what][0]
    path = os.path.join(os.environ.get("top_builddir", "."), "config.h")
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    if f"#define {macro} 1" in lines:
        return True
    if f"/* #undef {macro} */" in lines:
        return False
    sys.exit(f"FAILED: {path} does not say whether this build has {what} ({macro})")


def why_not(what):
    return f"built without {what} (Debian: {PARTS[what][1]})"


def part(what, name):
    """Return whether the build has this part; if not, print that the test of this name was skipped."""
    if built_with(what):
        return True
    print(f"skipped a part: {name}: {why_not(what)}", flush=True)
    return False


def _decorator(what):
    def decorate(test):
        return test if part(what, test.__qualname__) else unittest.skip(why_not(what))(test)
    return decorate


tables = _decorator("tables")
filters = _decorator("filters")

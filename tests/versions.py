#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check that each file that has memtun's version has that of configure.ac.

Some build systems take no number from another file, so these files repeat it. A part that is not
in this source tree, as a release archive may leave one out, is not checked.
"""
import os
import re
import sys

TOP = os.environ.get("top_srcdir") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
NUMBER = r"(\d+\.\d+\.\d+)"

#: A part of the product, the file in it that has its version, and where in the file.
TABLE = (
    (".", "NEWS", rf"\Amemtun {NUMBER}\n"),
    ("client/python", "memtun/__init__.py", rf'^__version__ = "{NUMBER}"$'),
    ("client/rust", "Cargo.toml", rf'\A[^[]*\[package\][^[]*^version = "{NUMBER}"$'),
    ("debian", "changelog", rf"\Amemtun \({NUMBER}(?:-[0-9.]+)?\) "),
)
#: In pages, the version follows the name, as in memtun-0.1.0.tar.xz and memtun@v0.1.0.
PAGES = (".md", ".1", ".3", ".7", ".yml")
IN_PAGES = rf"\bmemtun(?:[-_ ]|@v){NUMBER}\b"


def read(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return file.read()


def pages():
    """Return the paths of all pages, except those of a build and of what is not memtun's."""
    found = []
    for folder, folders, names in os.walk(TOP):
        folders[:] = [name for name in folders
                      if not name.startswith((".", "_", "build")) and name != "autom4te.cache"]
        found += [os.path.relpath(os.path.join(folder, name), TOP) for name in names
                  if name.endswith(PAGES)]
    return found


def main():
    version = re.search(rf"^AC_INIT\(\[memtun\], \[{NUMBER}\]", read("configure.ac"), re.M).group(1)
    wrong, count = [], 0
    for part, name, pattern in TABLE:
        if not os.path.isdir(os.path.join(TOP, part)):
            continue
        path = os.path.normpath(os.path.join(part, name))
        found = re.search(pattern, read(path), re.M | re.S)
        count += 1
        if not found:
            wrong.append(f"{path} has no version where it was")
        elif found.group(1) != version:
            wrong.append(f"{path} has {found.group(1)}")
    for path in pages():
        for found in re.findall(IN_PAGES, read(path)):
            count += 1
            if found != version:
                wrong.append(f"{path} has {found}")
    for line in wrong:
        print(f"FAILED: {line}, and configure.ac {version}")
    print(f"versions: {count} places compared with {version} of configure.ac")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check that each folder of the source (a room) uses only the rooms that the table below allows.

One file uses another if it includes it, or if its object file needs a symbol that the other's
object file defines: an included header can hide that. The script reads both, from $top_srcdir and
from $top_builddir, where the product is built. It also checks how the paths of includes are
written, and that neither rooms nor files form a circle.

It prints each violation and one line that sums up. The exit status is 0, 1 with violations, and 77
(skipped) where there is no nm(1) to read object files with.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys

# Headers of common/ without a .c file, for the parts that do not link libcommon.
HEADER_ONLY = [
    "common/clock.h",
    "common/container_of.h",
    "common/descriptor.h",
    "common/failed.h",
]

# What each room may use: rooms, or single files of a room. A use of a function is allowed if the .c
# file that defines it is. Besides these, each room may include config.h and the public headers of
# include/.
TABLE = {
    "include": [],
    "common/frame": HEADER_ONLY,
    "common": ["common/frame"],
    "broker/system": ["common", "common/frame/frame_format.h"],
    "broker/engine": ["broker/system", "common", "common/frame"],
    "broker/adapter": ["broker/engine", "common", "common/frame"],
    "broker/impair": ["broker/engine", "common", "common/frame"],
    "broker/switch": [
        "broker/adapter", "broker/impair", "broker/engine", "broker/system", "common", "common/frame",
    ],
    "broker/tunnel": [
        "broker/switch", "broker/impair", "broker/adapter", "broker/engine", "broker/system", "common",
        "common/frame",
    ],
    "broker/uplink": [
        "broker/switch", "broker/impair", "broker/adapter", "broker/engine", "broker/system", "common",
        "common/frame",
    ],
    "broker/user": ["broker/system", "common"],
    "broker/control": [
        "broker/tunnel", "broker/uplink", "broker/switch", "broker/impair", "broker/engine", "common",
        "common/frame",
    ],
    "broker": [
        "broker/control", "broker/tunnel", "broker/uplink", "broker/switch", "broker/impair", "broker/adapter",
        "broker/engine", "broker/system", "common", "common/frame",
    ],
    "client/io": ["common/frame", *HEADER_ONLY],
    "client/connector": [
        "common/frame", "common/address.h", "common/address.c", "common/multicast.h",
        "common/multicast.c", *HEADER_ONLY,
    ],
    "client/lib": ["client/io", "common"],
    "client/netns": ["common"],
    "client/wrap": ["client/lib", "client/io", "common"],
    "client/command": [
        "client/lib", "client/connector", "client/netns", "client/wrap", "common",
        "common/frame",
    ],
    "client/host": ["client/lib", "client/connector", "common", "common/frame"],
}

# This file replaces functions of the C library in other programs. Nothing here is linked with it.
REPLACES_FUNCTIONS = "client/wrap/preload.c"

TOP_FOLDERS = ("include", "common", "broker", "client")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def room_of(path):
    """Return the room of a file: its folder, or include for all public headers."""
    folder = os.path.dirname(path)
    return "include" if folder.split("/")[0] == "include" else folder


def source_files(top, folders):
    """Return the paths, from the top, of all .c and .h files in these folders."""
    paths = []
    for folder in folders:
        for directory, _, names in os.walk(os.path.join(top, folder)):
            relative = os.path.relpath(directory, top)
            paths += [f"{relative}/{name}" for name in names if name.endswith((".c", ".h"))]
    return sorted(paths)


def find_circles(edges):
    """Return the sets of nodes, as sorted lists, whose edges lead around in a circle."""
    successors = {}
    for source, target in edges:
        successors.setdefault(source, set()).add(target)

    def reach(start):
        reached, pending = set(), [start]
        while pending:
            for node in successors.get(pending.pop(), ()):
                if node not in reached:
                    reached.add(node)
                    pending.append(node)
        return reached

    reachable = {node: reach(node) for node in successors}
    circles = set()
    for node, reached in reachable.items():
        if node in reached:
            circles.add(tuple(sorted(
                other for other in reached if node in reachable.get(other, ()))))
    return [list(circle) for circle in sorted(circles)]


class House:
    """All rooms of one source tree, and the violations that were found in them."""

    def __init__(self, top, table):
        self.top = top
        self.table = table
        self.files = source_files(top, TOP_FOLDERS)
        self.includes = []  # (file, included file)
        self.uses = {}  # (file, .c file): symbols
        self.violations = []

    def fail(self, message):
        self.violations.append(message)

    # --- the table ---

    def check_rooms(self):
        """Check that the table has each room, and has no circle itself."""
        for room in sorted({room_of(path) for path in self.files} - set(self.table)):
            self.fail(f"{room}/ is not in the table of rooms in tests/rooms.py: "
                      "add what it may use")
        edges = [(room, entry) for room, entries in self.table.items() for entry in entries]
        for circle in find_circles(edges):
            self.fail(f"the table of rooms allows a circle: {', '.join(circle)}")

    def forbids(self, path, target):
        """Return whether the table forbids a file to use another."""
        room = room_of(path)
        return room in self.table and not self.allows(room, target)

    def allows(self, room, path):
        """Return whether the table allows a room to use a file."""
        target = room_of(path)
        entries = self.table.get(room, ())
        return target in (room, "include") or target in entries or path in entries

    def reaches(self, room, target):
        """Return whether the table allows a way from a room to another."""
        reached, pending = set(), [room]
        while pending:
            for entry in self.table.get(pending.pop(), ()):
                if entry in self.table and entry not in reached:
                    reached.add(entry)
                    pending.append(entry)
        return target in reached

    # --- includes ---

    def resolve(self, path, bracket, name):
        """Return the included file's path from the top; None if it is not one of the project's."""
        public = os.path.isfile(os.path.join(self.top, "include", name))
        found = os.path.isfile(os.path.join(self.top, name))
        if room_of(path) == "include":
            if bracket == "<" and public:
                return f"include/{name}"
            if bracket == '"' or found:
                self.fail(f"{path}: a public header includes only <memtun/...> and the system's "
                          f"headers, not {name}")
            return None
        if name == "config.h" and bracket == '"':
            return None
        if bracket == "<":
            if public or found:
                self.fail(f"{path}: <{name}> is the project's own: write it in quotes")
            return None
        if os.path.normpath(name) == name:
            if public:
                return f"include/{name}"
            if found and room_of(name) != "include":
                return name
        self.fail(f'{path}: "{name}" is not written from the top of the source '
                  "(a public header: from include/)")
        return None

    def included_by(self, path):
        """Return what a file includes of the project's files, as paths from the top."""
        with open(os.path.join(self.top, path), encoding="utf-8") as file:
            text = file.read()
        targets = [self.resolve(path, *match) for match in INCLUDE.findall(text)]
        return [target for target in targets if target]

    def read_includes(self):
        self.includes = [(path, target) for path in self.files
                         for target in self.included_by(path)]
        # The tests may include everything, and write it the same way.
        for path in source_files(self.top, ["tests"]):
            self.included_by(path)

    def check_includes(self):
        for path, target in self.includes:
            if self.forbids(path, target):
                self.fail(f"{path}: {room_of(path)} may not include {target}")
        for circle in find_circles(self.includes):
            self.fail(f"files that include each other in a circle: {', '.join(circle)}")
        # A header that is allowed alone must not bring along others of its room.
        for room, entries in self.table.items():
            for path, target in self.includes:
                if path in entries and not self.allows(room, target):
                    self.fail(f"{path}, which {room} may include, includes {target}, "
                              f"which {room} may not")

    # --- object files ---

    def object_files(self, build):
        """Return the newest object file of each source file that has one."""
        newest = {}
        for folder in sorted({os.path.dirname(path) for path in self.files}):
            for directory in (os.path.join(build, folder), os.path.join(build, folder, ".libs")):
                if not os.path.isdir(directory):
                    continue
                for name in os.listdir(directory):
                    # automake puts the name of a target with its own flags before the source's.
                    source = f"{folder}/{name[:-2].rsplit('-', 1)[-1]}.c"
                    path = os.path.join(directory, name)
                    if not name.endswith(".o") or source not in self.files:
                        continue
                    time = os.stat(path).st_mtime
                    if source not in newest or time > newest[source][0]:
                        newest[source] = (time, path)
        return {path: source for source, (_, path) in newest.items()}

    def read_symbols(self, build, nm):
        """Find which source file uses a symbol of which other. Return how many have objects."""
        objects = self.object_files(build)
        if not objects:
            self.fail(f"{build} has no object files: build the product first")
            return 0
        output = subprocess.run([*nm, "-P", "-g", *sorted(objects)], check=True, text=True,
                                stdout=subprocess.PIPE).stdout
        defined, needed = {}, []
        source = objects[sorted(objects)[0]]
        for line in output.splitlines():
            if line.endswith(":"):
                source = objects[line[:-1]]
                continue
            symbol, kind = line.split()[:2]
            if kind in "Uwv":
                needed.append((source, symbol))
            elif source != REPLACES_FUNCTIONS:
                defined.setdefault(symbol, []).append(source)
        for source, symbol in needed:
            targets = defined.get(symbol, [])
            # Programs that are never linked together may use the same name.
            target = next((target for target in targets if self.allows(room_of(source), target)),
                          targets[0] if targets else source)
            if target != source:
                self.uses.setdefault((source, target), []).append(symbol)
        return len(objects)

    def check_symbols(self):
        for (source, target), symbols in sorted(self.uses.items()):
            if self.forbids(source, target):
                self.fail(f"{source}: {room_of(source)} may not use {', '.join(sorted(symbols))} "
                          f"of {target}")

    # --- the whole ---

    def edges(self, wanted=lambda source, target: True):
        """Return the edges between rooms that come of the wanted uses of files."""
        return {(room_of(source), room_of(target)) for source, target in
                [*self.includes, *self.uses]
                if room_of(target) not in (room_of(source), "include") and wanted(source, target)}

    def check_circles(self):
        # A file that is allowed alone uses nothing that its user may not, so no circle passes it.
        edges = self.edges(lambda source, target: target not in
                           self.table.get(room_of(source), ()))
        for circle in find_circles(edges):
            self.fail(f"rooms that use each other in a circle: {', '.join(circle)}")

    def summary(self):
        """Return one line with the numbers. A call is upward if only the way back is allowed."""
        upward = [(source, target) for source, target in self.uses if self.forbids(source, target)
                  and self.reaches(room_of(target), room_of(source))]
        return (f"{len(self.edges())} edges between {len(self.table)} rooms, "
                f"{len(self.edges(self.forbids))} of them forbidden; "
                f"{len(self.uses)} calls between files, {len(upward)} of them upward")


def check(top, build, nm, table):
    """Check a source tree. Return the lines to print, and the exit status."""
    house = House(top, table)
    house.check_rooms()
    house.read_includes()
    house.check_includes()
    counted = None
    if nm:
        counted = house.read_symbols(build, nm)
        house.check_symbols()
    house.check_circles()
    lines = [f"FAILED: {violation}" for violation in dict.fromkeys(house.violations)]
    lines.append(f"rooms: {house.summary()}")
    if nm:
        sources = sum(path.endswith(".c") for path in house.files)
        lines.append(f"rooms: read the object files of {counted} of {sources} source files")
    else:
        lines.append("skipped: no nm here to read object files with (Debian: binutils)")
    return lines, 1 if house.violations else 0 if nm else 77


def main():
    nm = shlex.split(os.environ.get("NM", "nm"))
    lines, status = check(os.environ.get("top_srcdir", "."), os.environ.get("top_builddir", "."),
                          nm if nm and shutil.which(nm[0]) else None, TABLE)
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())

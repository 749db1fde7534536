# SPDX-License-Identifier: MIT
"""rooms.py on small source trees, each of which breaks one rule, compiled by $CC."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rooms  # noqa: E402

CC = shlex.split(os.environ.get("CC", "cc"))
NM = shlex.split(os.environ.get("NM", "nm"))

TABLE = {
    "include": [],
    "common": [],
    "broker/low": ["common"],
    "broker/high": ["broker/low", "common"],
    "client": ["common/one.h", "common/one.c"],
}

# A tree that keeps all rules. broker/high calls broker/low, and both call common.
TREE = {
    "include/memtun.h": "#include <errno.h>\n#include <memtun/io.h>\n",
    "include/memtun/io.h": "int memtun_io(void);\n",
    "common/one.h": "int one(void);\n",
    "common/one.c": '#include "common/one.h"\n\nint one(void) { return 1; }\n',
    "common/two.h": "int two(void);\n",
    "common/two.c": '#include "common/two.h"\n\nint two(void) { return 2; }\n',
    "broker/low/low.h": '#include "memtun/io.h"\n\nint low(void);\n',
    "broker/low/low.c":
        '#include "broker/low/low.h"\n#include "common/one.h"\n\n'
        "int low(void) { return one() + 1; }\n",
    "broker/high/high.h": "int high(void);\n",
    "broker/high/high.c":
        '#include "broker/high/high.h"\n#include "broker/low/low.h"\n#include "common/two.h"\n\n'
        "int high(void) { return low() + two(); }\n",
    "client/client.c":
        '#include "common/one.h"\n#include "memtun.h"\n\nint memtun_io(void) { return one(); }\n',
    "tests/test.c": '#include "broker/high/high.h"\n',
}


class Rooms(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="memtun-rooms-")
        self.addCleanup(shutil.rmtree, self.top)
        self.build = os.path.join(self.top, "build")

    def write(self, files):
        for path, text in files.items():
            path = os.path.join(self.top, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def compile(self, source, output):
        output = os.path.join(self.build, output)
        os.makedirs(os.path.dirname(output), exist_ok=True)
        subprocess.run([*CC, "-I", self.top, "-I", os.path.join(self.top, "include"), "-c",
                        os.path.join(self.top, source), "-o", output], check=True)

    def check(self, changes=None, table=None, nm=True):
        """Return the violations and the other lines for TREE with these files changed."""
        files = {**TREE, **(changes or {})}
        self.write(files)
        for source in files:
            if source.endswith(".c") and not source.startswith("tests/"):
                self.compile(source, f"{source[:-2]}.o")
        return self.check_built(table, nm)

    def check_built(self, table=None, nm=True):
        lines, status = rooms.check(self.top, self.build, NM if nm else None, table or TABLE)
        violations = [line[8:] for line in lines if line.startswith("FAILED: ")]
        self.assertEqual(status, 1 if violations else 0 if nm else 77)
        return violations, [line for line in lines if not line.startswith("FAILED: ")]

    def assert_fails(self, changes, *violations, table=None):
        self.assertEqual(self.check(changes, table)[0], list(violations))

    # --- what passes ---

    def test_a_tree_that_keeps_to_the_table_passes(self):
        self.assertEqual(self.check(), ([], [
            "rooms: 4 edges between 5 rooms, 0 of them forbidden; "
            "4 calls between files, 0 of them upward",
            "rooms: read the object files of 5 of 5 source files",
        ]))

    def test_programs_that_are_never_linked_together_may_use_one_name(self):
        self.assert_fails({"client/other.c": "int low(void);\nint low(void) { return 0; }\n",
                           "client/user.c": "int low(void);\n"
                                            "int used(void) { return low(); }\n"})

    def test_config_h_may_be_included_everywhere(self):
        self.write({"config.h": ""})
        self.assert_fails({"common/one.c": '#include "config.h"\nint one(void) { return 1; }\n'})

    # --- edges ---

    def test_an_include_that_the_table_does_not_allow_fails(self):
        self.assert_fails({"broker/low/low.h": '#include "broker/high/high.h"\nint low(void);\n'},
                          "broker/low/low.h: broker/low may not include broker/high/high.h",
                          "rooms that use each other in a circle: broker/high, broker/low")

    def test_a_call_that_no_include_shows_fails_and_is_counted_as_upward(self):
        violations, lines = self.check({
            "broker/low/low.c": "int high(void);\nint low(void) { return high(); }\n"})
        self.assertEqual(violations, [
            "broker/low/low.c: broker/low may not use high of broker/high/high.c",
            "rooms that use each other in a circle: broker/high, broker/low"])
        self.assertEqual(lines[0], "rooms: 4 edges between 5 rooms, 1 of them forbidden; "
                                   "4 calls between files, 1 of them upward")

    def test_a_variable_of_a_forbidden_room_fails(self):
        self.assert_fails({"client/other.c": "extern int number;\nint *n(void) "
                                             "{ return &number; }\n",
                           "broker/low/data.c": "int number = 1;\n"},
                          "client/other.c: client may not use number of broker/low/data.c")

    def test_an_object_with_a_target_s_name_before_its_own_is_read(self):
        self.write(TREE)
        self.write({"client/client.c": "int low(void);\nint c(void) { return low(); }\n"})
        self.compile("broker/low/low.c", "broker/low/.libs/low.o")
        self.compile("client/client.c", "client/program-client.o")
        self.assertEqual(self.check_built()[0],
                         ["client/client.c: client may not use low of broker/low/low.c"])

    def test_only_the_newest_object_of_a_source_that_is_still_there_counts(self):
        self.check()
        self.write({"client/gone.c": "int low(void);\nint c(void) { return low(); }\n"})
        for name in ("client/gone.o", "client/program-client.o"):
            self.compile("client/gone.c", name)
            os.utime(os.path.join(self.build, name), (1, 1))
        os.remove(os.path.join(self.top, "client/gone.c"))
        self.assertEqual(self.check_built()[0], [])

    # --- single files of a room ---

    def test_of_a_room_only_the_files_that_are_named_may_be_used(self):
        self.assert_fails({"client/client.c": '#include "common/two.h"\n\n'
                                              "int c(void) { return two(); }\n"},
                          "client/client.c: client may not include common/two.h",
                          "client/client.c: client may not use two of common/two.c")

    def test_a_header_that_is_allowed_without_its_source_gives_no_functions(self):
        self.assert_fails({}, "client/client.c: client may not use one of common/one.c",
                          table={**TABLE, "client": ["common/one.h"]})

    def test_a_header_that_is_allowed_alone_may_not_bring_along_others(self):
        self.assert_fails({"common/one.h": '#include "common/two.h"\n\nint one(void);\n'},
                          "common/one.h, which client may include, includes common/two.h, "
                          "which client may not")

    # --- circles ---

    def test_rooms_in_a_circle_fail_even_if_the_table_allows_it(self):
        self.assert_fails({"broker/low/low.c": "int high(void);\n"
                                               "int low(void) { return high(); }\n"},
                          "the table of rooms allows a circle: broker/high, broker/low",
                          "rooms that use each other in a circle: broker/high, broker/low",
                          table={**TABLE, "broker/low": ["broker/high", "common"]})

    def test_files_that_include_each_other_fail_inside_one_room_too(self):
        self.assert_fails({"common/one.h": '#pragma once\n#include "common/three.h"\n'
                                           "int one(void);\n",
                           "common/two.h": '#pragma once\n#include "common/one.h"\nint two(void);\n',
                           "common/three.h": '#pragma once\n#include "common/two.h"\n'},
                          "files that include each other in a circle: "
                          "common/one.h, common/three.h, common/two.h",
                          "common/one.h, which client may include, includes common/three.h, "
                          "which client may not")

    # --- how includes are written ---

    def test_an_include_is_written_from_the_top(self):
        for name in ("one.h", "./common/one.h", "common/../common/one.h", "include/memtun.h",
                     "missing.h"):
            with self.subTest(name):
                self.write(TREE)
                self.write({"common/other.h": f'# include "{name}"\n'})
                self.compile("common/one.c", "common/one.o")
                self.assertEqual(self.check_built()[0], [
                    f'common/other.h: "{name}" is not written from the top of the source '
                    "(a public header: from include/)"])

    def test_the_tests_write_includes_the_same_way(self):
        self.assert_fails({"tests/unit/test.c": '#include "fixture.h"\n',
                           "tests/unit/fixture.h": ""},
                          'tests/unit/test.c: "fixture.h" is not written from the top of the '
                          "source (a public header: from include/)")

    def test_the_project_s_headers_are_in_quotes(self):
        for name in ("memtun.h", "common/one.h"):
            with self.subTest(name):
                self.assert_fails({"common/two.h": f"#include <{name}>\nint two(void);\n"},
                                  f"common/two.h: <{name}> is the project's own: "
                                  "write it in quotes")

    def test_a_public_header_includes_nothing_internal(self):
        for name in ('"common/one.h"', "<common/one.h>", '"memtun/io.h"'):
            with self.subTest(name):
                self.assert_fails({"include/memtun.h": f"#include {name}\n"},
                                  "include/memtun.h: a public header includes only <memtun/...> "
                                  f"and the system's headers, not {name[1:-1]}")

    # --- what is not there ---

    def test_a_folder_that_is_not_in_the_table_fails(self):
        self.assert_fails({"broker/ring/ring.c": '#include "common/one.h"\n'
                                                 "int ring(void) { return one(); }\n"},
                          "broker/ring/ is not in the table of rooms in tests/rooms.py: "
                          "add what it may use")

    def test_without_nm_the_includes_are_checked_and_a_skip_says_so(self):
        self.assertEqual(self.check(nm=False), ([], [
            "rooms: 4 edges between 5 rooms, 0 of them forbidden; "
            "0 calls between files, 0 of them upward",
            "skipped: no nm here to read object files with (Debian: binutils)"]))
        self.write({"client/client.c": '#include "common/two.h"\n'})
        self.assertEqual(self.check_built(nm=False)[0],
                         ["client/client.c: client may not include common/two.h"])

    def test_a_build_directory_without_object_files_fails(self):
        self.write(TREE)
        self.assertEqual(self.check_built()[0],
                         [f"{self.build} has no object files: build the product first"])

    # --- the project's own table ---

    def test_the_project_s_table_names_only_rooms_that_it_has_and_allows_no_circle(self):
        for room, entries in rooms.TABLE.items():
            for entry in entries:
                owner = rooms.room_of(entry) if entry.endswith((".c", ".h")) else entry
                self.assertIn(owner, rooms.TABLE, room)
        self.assertEqual(rooms.find_circles(
            [(room, entry) for room, entries in rooms.TABLE.items() for entry in entries]), [])


if __name__ == "__main__":
    for tool in (CC, NM):
        if not tool or not shutil.which(tool[0]):
            print(f"skipped: no {tool[0] if tool else 'compiler'} here")
            sys.exit(77)
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare what wrap-calls printed with the kernel's device, and under memtun wrap.

usage: compare_calls.py KERNEL WRAPPED MANUAL

Each line that differs must be in the table of differences below, and each row of the table must have
a line that differs, and must be in the table of memtun-wrap(1). So neither can the product begin to differ
unnoticed, nor can the manual list a difference that no longer exists.
"""

import re
import sys

# The call, and the row of the manual.
DIFFERENCES = [
    (r"names: TUNSETIFF 'w\\x80' ", "names that are no UTF-8"),
]


def lines(path):
    with open(path, encoding="ascii", errors="backslashreplace") as file:
        return file.read().splitlines()


def main():
    kernel, wrapped = lines(sys.argv[1]), lines(sys.argv[2])
    with open(sys.argv[3], encoding="utf-8") as file:
        manual = file.read()
    failures, seen = [], set()
    if len(kernel) != len(wrapped) or len(kernel) < 500:
        failures.append(f"{len(kernel)} lines of the kernel, {len(wrapped)} wrapped")
    for theirs, ours in zip(kernel, wrapped):
        if theirs == ours:
            continue
        row = next((row for call, row in DIFFERENCES if re.match(call, ours)), None)
        seen.add(row)
        if not row:
            failures.append(f"the kernel: {theirs}\n   wrapped: {ours}")
    for _, row in DIFFERENCES:
        if row not in seen:
            failures.append(f"{row}: there is no such difference any more")
        if row not in manual:
            failures.append(f"{row}: memtun-wrap(1) does not list the difference")
    for failure in failures:
        print("FAILED:", failure)
    print(f"{len(kernel)} calls compared, {len(DIFFERENCES)} kinds of differences")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""Send frames from one tunnel to another, and compare what comes with impair_reference.py.

Run by memtun exec with two tunnels on a bridge: a, whose rule is from-client, and b, which has none.
The arguments are the words of the rule: loss in billionths, the mean burst in thousandths, and the
seed.
"""

import os
import select
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import impair_reference as reference  # noqa: E402

FRAMES = 500


def main():
    loss, burst, seed = (int(word) for word in sys.argv[1:4])
    header = b"\xff" * 6 + bytes([2, 0, 0, 0, 0, 1]) + b"\x88\xb5"
    for number in range(1, FRAMES + 1):
        os.write(3, header + number.to_bytes(4, "big") + bytes(46))
    lost = set(reference.lost(seed, "a", reference.FROM_CLIENT, 1, FRAMES, loss, burst))
    expected = [number for number in range(1, FRAMES + 1) if number not in lost]
    came = []
    while len(came) < len(expected) and select.select([4], [], [], 20)[0]:
        came.append(int.from_bytes(os.read(4, 2000)[14:18], "big"))
    if came != expected:
        sys.exit(f"{len(came)} frames came, {len(expected)} were expected: {came} {expected}")
    print(len(lost), "of", FRAMES, "frames were lost")


if __name__ == "__main__":
    main()

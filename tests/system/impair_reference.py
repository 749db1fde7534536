# SPDX-License-Identifier: MIT
"""The draws and fates of memtun impair, written from memtun-impair(7) alone.

impair_frames.py compares them with what memtund does. Run as a program, it prints what the page
lists.
"""

import struct

MASK = (1 << 64) - 1
BILLION = 10**9
FROM_CLIENT, TO_CLIENT = 1, 2


def siphash(seed, message):
    """Return SipHash-2-4 of the message. The second half of the key is zero."""
    v = [seed ^ 0x736F6D6570736575, 0x646F72616E646F6D,
         seed ^ 0x6C7967656E657261, 0x7465646279746573]

    def rotate(word, bits):
        return (word << bits | word >> (64 - bits)) & MASK

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    padded = message + bytes(-(len(message) + 1) % 8) + bytes([len(message) & 255])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def draw(seed, port, direction, rule, word, number):
    """Return the draw of a key for a frame."""
    return siphash(seed, struct.pack("<16sII16sQ", port.encode(), direction, rule,
                                     word.encode(), number))


def happens(value, probability):
    """Return whether an event of that probability, in billionths, happens."""
    return (value * BILLION >> 64) < probability


def uniform(value, spread):
    return (value * 2 * spread >> 64) - spread


def cube_root(number):
    root = round(number ** (1 / 3))
    while root**3 > number:
        root -= 1
    while (root + 1) ** 3 <= number:
        root += 1
    return root


def pareto(value, spread):
    part = max(value >> 32, 65537)
    offset = cube_root((1 << 80) // part) - 98304
    magnitude = abs(offset) * spread // 56756
    return magnitude if offset >= 0 else -magnitude


def normal_table():
    from statistics import NormalDist

    quantile = NormalDist().inv_cdf
    return [round(65536 * quantile(0.5 + i / 1024)) for i in range(512)] + [4 * 65536]


def normal(value, spread, table):
    part, fraction = value >> 54 & 511, value >> 38 & 65535
    factor = table[part] + (table[part + 1] - table[part]) * fraction // 65536
    magnitude = spread * factor // 65536
    return -magnitude if value >> 63 else magnitude


def burst(loss, mean):
    """Return the probabilities that a burst begins and that it ends. mean is in thousandths."""
    leave = 1000 * BILLION // mean
    return loss * leave // (BILLION - loss), leave


def lost(seed, port, direction, rule, count, loss, mean=0):
    """Return which of the frames 1 to count are lost."""
    numbers, losing = [], False
    for number in range(1, count + 1):
        probability = loss
        if mean and number > 1:
            enter, leave = burst(loss, mean)
            probability = BILLION - leave if losing else enter
        losing = happens(draw(seed, port, direction, rule, "loss", number), probability)
        if losing:
            numbers.append(number)
    return numbers


if __name__ == "__main__":
    for arguments in [(7, "a", FROM_CLIENT, 1, "loss", 1), (7, "a", FROM_CLIENT, 1, "loss", 2),
                      (7, "a", TO_CLIENT, 1, "loss", 1), (7, "a", FROM_CLIENT, 1, "jitter", 1),
                      (MASK, "fifteen-letters", TO_CLIENT, 4294967295, "truncate-length", MASK)]:
        print(f"{draw(*arguments):#018x}", *arguments)
    table = normal_table()
    for value in (0, 1 << 62, 0x123456789ABCDEF0, MASK):
        print(f"{value:#018x}", uniform(value, 10**7), normal(value, 10**7, table),
              pareto(value, 10**7))
    print(lost(7, "a", FROM_CLIENT, 1, 30, 3 * 10**8))
    print(lost(7, "a", FROM_CLIENT, 1, 50, 2 * 10**8, 3000))

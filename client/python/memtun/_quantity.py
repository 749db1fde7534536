# SPDX-License-Identifier: MIT
"""Times, rates and percentages as the command line writes them, or as numbers of Python."""
import re
from datetime import timedelta
from decimal import Decimal
from typing import Dict, Union

#: Seconds as a number or a timedelta, or text with a unit such as "20ms".
Time = Union[int, float, timedelta, str]

_TIME_UNITS: Dict[str, int] = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9,
                               "h": 3600 * 10**9}


def nanoseconds(time: Time) -> int:
    """Return a time in nanoseconds. Raise ValueError if it is negative or has no unit.

    >>> nanoseconds(1.5), nanoseconds("20ms"), nanoseconds(timedelta(hours=1))
    (1500000000, 20000000, 3600000000000)
    """
    if isinstance(time, timedelta):
        number = Decimal(time // timedelta(microseconds=1)) * 1000
    elif isinstance(time, str):
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s|min|h)", time)
        if not found:
            raise ValueError(f"a time is a number with ns, us, ms, s, min or h, not {time!r}")
        number = Decimal(found[1]) * _TIME_UNITS[found[2]]
    else:
        number = Decimal(repr(time)) * 10**9
    if number < 0:
        raise ValueError(f"a time is not negative: {time!r}")
    return int(number)

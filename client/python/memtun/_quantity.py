# SPDX-License-Identifier: MIT
"""Times, rates and percentages as the command line writes them, or as numbers of Python.

Text has a number and a unit, such as "20ms", "10mbit" or "5%". A number without a unit is one of
seconds, of bits per second, or of percent.
"""
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Dict, Tuple, Union

#: A number, text with a unit or, of times, a timedelta.
Quantity = Union[int, float, str, timedelta]
Time = Quantity

#: The size of each unit in what the protocol counts in. As many of the first units as the number
#: says are those in which a value is shown, the largest first.
_UNITS: Dict[str, Tuple[int, Dict[str, int]]] = {
    "time": (4, {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1, "min": 60 * 10**9,
                 "h": 3600 * 10**9}),
    "rate": (5, {"tbit": 10**12, "gbit": 10**9, "mbit": 10**6, "kbit": 10**3, "bit": 1,
                 "tbps": 8 * 10**12, "gbps": 8 * 10**9, "mbps": 8 * 10**6, "kbps": 8 * 10**3,
                 "bps": 8}),
    "percent": (1, {"%": 10**7}),
    "thousandths": (1, {"": 10**3}),
}
#: The size of a number without a unit.
_NUMBERS = {"time": 10**9, "rate": 1, "percent": 10**7, "thousandths": 10**3}


def parse_quantity(kind: str, value: Quantity) -> int:
    """Return the number in the protocol. Raise ValueError if the value is none, or not exact.

    >>> parse_quantity("time", "1.5ms"), parse_quantity("percent", 5)
    (1500000, 50000000)
    """
    size = _NUMBERS[kind]
    digits: object = value
    if isinstance(value, timedelta):
        digits, size = value // timedelta(microseconds=1), 1000
    elif isinstance(value, str):
        unit = value.lstrip("0123456789.")
        digits = value[:len(value) - len(unit)]
        size = _UNITS[kind][1].get(unit, 0)
        if kind in ("percent", "rate") and not unit:
            size = _NUMBERS[kind]
    try:
        number = Decimal(str(digits)) * size
    except InvalidOperation:
        number = Decimal(-1)
    if not size or number < 0 or number != int(number):
        units = ", ".join(_UNITS[kind][1])
        raise ValueError(f"{value!r} is not a {kind}, which is a number with one of {units}")
    return int(number)


def format_quantity(kind: str, number: int) -> str:
    """Return the text of a number of the protocol.

    >>> format_quantity("time", 1500000), format_quantity("percent", 25000000)
    ('1500us', '2.5%')
    """
    count, units = _UNITS[kind]
    if count == 1:
        unit, size = next(iter(units.items()))
        return f"{(Decimal(number) / size).normalize():f}{unit}"
    for unit, size in list(units.items())[:count]:
        if number % size == 0:
            break
    return f"{number // size}{unit}"


def nanoseconds(time: Time) -> int:
    """Return a time in nanoseconds.

    >>> nanoseconds(1.5), nanoseconds("20ms"), nanoseconds(timedelta(hours=1))
    (1500000000, 20000000, 3600000000000)
    """
    return parse_quantity("time", time)

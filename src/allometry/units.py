"""Read "1.4T", show 1.4e12: prefixes exist at the edges only, base units inside."""

from __future__ import annotations

import math
import re

from allometry.errors import InputError

# Counts of parameters, tokens, FLOP: thousand, million, billion, trillion. "G" and "P", "E" are the SI
# spellings that hardware sheets use. Case matters nowhere but in m (no milli anywhere in this field).
MULTIPLIERS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18, "z": 1e21}
_SHOWN = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0}
_QUANTITY = re.compile(
    r"\s*([-+]?(?:(?:\d{1,3}(?:,\d{3})+|\d[\d_]*)(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)\s*([a-z]?)\s*",
    re.IGNORECASE,
)


def read_quantity(text: str | float) -> float:
    """Read a number with an optional prefix as a float in base units.

    Args:
        text: "7B", "1.4T", "7e9", "7_000_000", "1,000", or a number, which passes through.

    Raises:
        InputError: If it is not a number with at most one known prefix.

    >>> read_quantity("1.4T"), read_quantity("7e9"), read_quantity("125M")
    (1400000000000.0, 7000000000.0, 125000000.0)
    """
    if not isinstance(text, str):
        return float(text)
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2].lower() not in MULTIPLIERS:
        raise InputError(f"'{text}' is not a quantity; write it like 7e9, 7B, 1.4T or 250k.")
    # Via a decimal exponent, so that "1.4T" is the float nearest to 1.4e12 and not 1.4 * 1e12 rounded twice.
    exponent = round(math.log10(MULTIPLIERS[match[2].lower()]))
    mantissa, _, power = match[1].replace("_", "").replace(",", "").lower().partition("e")
    return float(f"{mantissa}e{int(power or 0) + exponent}")


def read_days(text: str | float) -> float:
    """Read a duration in days; a number alone counts days.

    Raises:
        InputError: If it is not a number with at most one of the units h, d, w.

    >>> read_days("30d"), read_days("36h"), read_days("2w"), read_days("45")
    (30.0, 1.5, 14.0, 45.0)
    """
    if not isinstance(text, str):
        return float(text)
    words = text.strip().lower()
    unit = words[-1:] if words[-1:] in _DAYS else "d"
    try:
        return float(words.removesuffix(unit)) * _DAYS[unit]
    except ValueError:
        raise InputError(f"'{text}' is not a duration; write it like 30d, 36h or 2w.") from None


def read_money(text: str | float) -> float:
    """Read an amount of US dollars.

    Raises:
        InputError: If it is not a number with at most a dollar sign and one prefix.

    >>> read_money("$2.50"), read_money("1.5M"), read_money("250 USD")
    (2.5, 1500000.0, 250.0)
    """
    if not isinstance(text, str):
        return float(text)
    try:
        return read_quantity(text.strip().removeprefix("$").removesuffix("USD"))
    except InputError:
        raise InputError(f"'{text}' is no amount of US dollars; write it like 2.50, $2.50 or 1.5M.") from None


def show_count(value: float, digits: int = 3) -> str:
    """Show a count with a prefix up to T, in scientific notation beyond 10,000 T.

    >>> show_count(1.4e12), show_count(124_439_808), show_count(950), show_count(5.88e23)
    ('1.4T', '124M', '950', '5.88e23')
    """
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 1e16:
        return show_power(value, digits)
    for size, prefix in _SHOWN:
        # Round first: 999,999 is shown as 1M, never as 1e+03k.
        if abs(float(f"{value:.{digits}g}")) >= size:
            return _plain(value / size, digits) + prefix
    return _plain(value, digits)


def show_power(value: float, digits: int = 3) -> str:
    """Show a number as a power of ten.

    >>> show_power(5.88e23), show_power(0.00012), show_power(math.inf)
    ('5.88e23', '1.2e-4', 'inf')
    """
    if not math.isfinite(value):
        return str(value)
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}"


def show_seconds(seconds: float) -> str:
    """Show a duration in the two largest units that matter.

    >>> show_seconds(7.25), show_seconds(95), show_seconds(7260)
    ('7.2 s', '1 min 35 s', '2 h 01 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _plain(value: float, digits: int) -> str:
    shown = f"{float(f'{value:.{digits}g}'):f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown

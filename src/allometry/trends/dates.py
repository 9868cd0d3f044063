"""Calendar dates as decimal years, which trends are lines in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError

Array = NDArray[np.float64]

DAYS_A_YEAR = 365.25
# Days are counted from here: 1 January 2020 is 2020 to the digit, as in the laws of the calendar.
_ORIGIN = pd.Timestamp("2020-01-01")
_FIRST, _LAST = 1900.0, 2200.0


def decimal_years(given: Iterable[object], *, name: str = "date") -> Array:
    """Dates as decimal years of 365.25 days, of shape (dates,); a missing date is NaN.

    Args:
        given: ISO 8601 dates such as 2024-03-14 or 2024-03, datetimes, or years such as 2024.2.
        name: Of the column, for messages.

    Raises:
        InputError: If one is neither; day and month of 03/04/2024 cannot be told apart, so that is refused.

    >>> decimal_years(["2020-01-01", "2024-07-01", 2024.5]).round(3).tolist()
    [2020.0, 2024.498, 2024.5]
    """
    return np.array([_year(one, row, name) for row, one in enumerate(given, start=1)], dtype=np.float64)


def decimal_year(given: object, name: str = "date") -> float:
    """One date as a decimal year.

    Raises:
        InputError: If it is missing or no date.
    """
    year = _year(given, 1, name)
    if np.isnan(year):
        raise InputError(f"A {name} is needed; write it like 2024-03-14.")
    return year


def show_date(year: float) -> str:
    """A decimal year as the day it falls on; "never" where it lies beyond all calendars.

    >>> show_date(2024.5), show_date(float("inf"))
    ('2024-07-02', 'never')
    """
    if not _FIRST <= year <= 9000:
        return "never" if year > _FIRST else "before 1900"
    return (date(2020, 1, 1) + timedelta(days=round((year - 2020) * DAYS_A_YEAR))).isoformat()


def _year(given: object, row: int, name: str) -> float:
    if given is None or given is pd.NaT or given != given or given == "":
        return float("nan")
    number = _number(given)
    if number is None:
        return 2020 + (_moment(given, row, name) - _ORIGIN) / pd.Timedelta(days=DAYS_A_YEAR)
    if not _FIRST <= number <= _LAST:
        raise InputError(
            f"Row {row}: {name} {given!r} is no year from {_FIRST:.0f} to {_LAST:.0f}; write it like "
            "2024-03-14 or 2024.2."
        )
    return number


def _number(given: object) -> float | None:
    if isinstance(given, bool):
        return None
    if isinstance(given, int | float | np.number):
        return float(given)
    try:
        return float(str(given))
    except ValueError:
        return None


def _moment(given: object, row: int, name: str) -> pd.Timestamp:
    try:
        moment = pd.to_datetime(given, format="ISO8601")  # type: ignore[call-overload]
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(
            f"Row {row}: {name} {given!r} is no date; write it like 2024-03-14 (year, month, day)."
        ) from error
    return moment.tz_localize(None) if moment.tzinfo else moment  # type: ignore[no-any-return]

"""Arguments that many verbs take, refused before anything is calculated."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np

from allometry.errors import InputError
from allometry.runs.run import Runs


def refuse_other_than_runs(runs: object) -> None:
    """Refuse a table whose columns nobody has said the meaning and unit of.

    >>> refuse_other_than_runs("runs.csv")
    Traceback (most recent call last):
    allometry.errors.InputError: Give runs as read_runs(...) reads them from a file or a DataFrame, with \
columns and units that are known; not a str.
    """
    if not isinstance(runs, Runs):
        raise InputError(
            "Give runs as read_runs(...) reads them from a file or a DataFrame, with columns and units that "
            f"are known; not a {type(runs).__name__}."
        )


def refuse_uncountable(name: str, value: object, least: int) -> None:
    """Refuse what is not a whole number of at least so much.

    >>> refuse_uncountable("seed", -1, 0)
    Traceback (most recent call last):
    allometry.errors.InputError: 'seed' is a whole number from 0, not -1.
    """
    if not isinstance(value, Integral) or int(value) < least:
        raise InputError(f"'{name}' is a whole number from {least}, not {value!r}.")


def is_number(value: object) -> bool:
    """Whether a value is a finite real number; "7B" is none, as prefixes are read from tables only.

    >>> is_number(7e9), is_number(np.int64(7)), is_number("7B"), is_number(float("nan"))
    (True, True, False, False)
    """
    return isinstance(value, Real) and bool(np.isfinite(float(value)))

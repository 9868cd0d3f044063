"""What the numbers of a plan must be, each rule refused in one sentence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from allometry.errors import InputError
from allometry.units import read_money


def require_number(**values: Any) -> None:
    """Refuse what is no number; None stands for what was not given.

    >>> require_number(usd=2.5, days=None)
    >>> require_number(usd="$2.50")
    Traceback (most recent call last):
        ...
    allometry.errors.InputError: usd is a number, not the text '$2.50': write 2.5.
    """
    for name, value in values.items():
        if value is None or (isinstance(value, int | float | np.number) and not isinstance(value, bool)):
            continue
        kind = "the text " if isinstance(value, str) else ""
        raise InputError(f"{_plain(name)} is a number, not {kind}{value!r}{_way_out(value)}.")


def require_above_zero(**values: Any) -> None:
    """Refuse what is no finite number above zero.

    >>> require_above_zero(loss=float("inf"))
    Traceback (most recent call last):
        ...
    allometry.errors.InputError: loss is a number above zero, not inf.
    """
    require_number(**values)
    for name, value in values.items():
        if value is not None and not (value > 0 and math.isfinite(value)):
            raise InputError(f"{_plain(name)} is a number above zero, not {value:g}.")


def require_share(**values: Any) -> None:
    """Refuse what is no share between 0 and 1.

    >>> require_share(level=90)
    Traceback (most recent call last):
        ...
    allometry.errors.InputError: A level is a share between 0 and 1, for example 0.9; not 90.
    """
    require_number(**values)
    for name, value in values.items():
        if value is not None and not 0 < value < 1:
            raise InputError(f"A {_plain(name)} is a share between 0 and 1, for example 0.9; not {value:g}.")


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _way_out(value: object) -> str:
    """The number that a text stands for, if it does."""
    try:
        return f": write {read_money(value):g}" if isinstance(value, str) else ""
    except InputError:
        return ""

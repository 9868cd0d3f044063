"""From cells as found to the values of one column: numbers in base units, flags, text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, get_args

import numpy as np
import pandas as pd

from allometry.errors import TableError
from allometry.runs.columns import Column
from allometry.runs.importers.headers import takes_prefix
from allometry.runs.run import Status
from allometry.units import read_quantity

_MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "none"}
_FLAGS = {
    "true": True,
    "yes": True,
    "1": True,
    "1.0": True,
    "false": False,
    "no": False,
    "0": False,
    "0.0": False,
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
# Not 007, which is a name, and not 1_000, which Python would read.
_NUMBER = re.compile(
    r"[-+]?(?:(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:e[-+]?[0-9]+)?|inf(?:inity)?)", re.IGNORECASE
)
_PREFIXED = re.compile(r"[0-9.]\s*[a-zA-Z]\s*$")
_NEVER_FEW = {"params", "params_total", "params_active", "tokens", "unique_tokens", "flops"}
_FEW = 1000.0  # no model or training has so few
_THOUSANDS = re.compile(r"[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?[a-z]?", re.IGNORECASE)


def read_column(values: Sequence[Any], column: Column, scale: float, header: str, name: str) -> pd.Series:
    """Read one column as its canonical kind, in base units.

    Args:
        values: One cell a row; None or text like "NA" is missing.
        scale: What one unit of the source is worth in the column's base unit.
        header, name: Column and file as the user knows them, for messages.

    Raises:
        TableError: Naming file, column, first offending row (the header not counted) and value.
    """
    read = _READERS[column.kind]
    cells = []
    for row, value in enumerate(values, start=1):
        try:
            cells.append(None if is_missing(value) else read(value, column, scale))
        except _BadCell as bad:
            shown = " ".join(str(value).split())[:60]
            raise TableError(
                f"{name}: column '{header}', row {row}: '{shown}' {bad}. Correct it, leave "
                f'the cell empty, or do not read the column as {column.name}: columns={{"{header}": None}}.'
            ) from bad
    _refuse_lost_prefix(values, cells, column, header, name)
    if column.kind == "number":
        return pd.Series([math.nan if cell is None else cell for cell in cells], dtype=np.float64)
    return pd.Series(cells, dtype=object)


def _refuse_lost_prefix(
    values: Sequence[Any], cells: Sequence[Any], column: Column, header: str, name: str
) -> None:
    """Refuse a bare 7 beside a 70B: the prefix was forgotten, or the other one was meant for all."""
    if column.name not in _NEVER_FEW:
        return
    prefixed = [isinstance(v, str) and bool(_PREFIXED.search(v)) for v in values]
    if not any(prefixed):
        return
    for row, (cell, own) in enumerate(zip(cells, prefixed, strict=True), start=1):
        if cell is not None and not own and cell < _FEW:
            other = str(values[prefixed.index(True)]).strip()
            raise TableError(
                f"{name}: column '{header}', row {row}: {cell:g} has no prefix and '{other}' in row "
                f"{prefixed.index(True) + 1} has one. Write each number with its own prefix, or in full."
            )


def infer_column(values: Sequence[Any]) -> pd.Series:
    """A column of a text file that is not known: integers, numbers, flags or text, as all its cells are."""
    present = [value.strip() for value in values if not is_missing(value)]
    if all(_INTEGER.fullmatch(value) for value in present) and len(present) == len(values):
        return pd.Series([int(value) for value in values], dtype=np.int64)
    if all(_NUMBER.fullmatch(value) for value in present):
        return pd.Series(
            [math.nan if is_missing(value) else float(value) for value in values], dtype=np.float64
        )
    if len(present) == len(values) and all(value.lower() in ("true", "false") for value in present):
        return pd.Series([value.strip().lower() == "true" for value in values], dtype=bool)
    return pd.Series([None if is_missing(value) else value for value in values], dtype=object)


def is_missing(value: Any) -> bool:
    """Whether a cell says that there is no value."""
    return value is None or (isinstance(value, str) and value.strip().lower() in _MISSING)


class _BadCell(ValueError):
    """What is wrong with one cell, as the end of a sentence."""


def _number(value: Any, column: Column, scale: float) -> float:
    number = _from_text(value.strip(), column, scale) if isinstance(value, str) else _from_number(value)
    if column.positive and number <= 0:
        raise _BadCell(f"is not positive, and {column.name} must be")
    # Decimal, so that 0.41 billion is the float nearest to 4.1e8.
    return number if scale == 1 else float(Decimal(repr(number)) * Decimal(repr(scale)))


def _from_number(value: Any) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real | Decimal):
        raise _BadCell("is not a number")
    try:
        return float(value)
    except OverflowError as error:
        raise _BadCell("is too large for a 64-bit float") from error


def _from_text(text: str, column: Column, scale: float) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    if not takes_prefix(column.name):
        raise _BadCell("is not a number")
    if "," in text and not _THOUSANDS.fullmatch(text):
        raise _BadCell("has a comma that does not separate thousands; write decimals with a point")
    try:
        number = read_quantity(text)
    except ValueError as error:
        raise _BadCell("is not a quantity such as 7e9, 7B or 1.4T") from error
    if scale != 1 and text[-1].isalpha():
        raise _BadCell("has a prefix of its own, and the header has a unit too")
    return number


def _flag(value: Any, column: Column, scale: float) -> bool:
    flag = _FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise _BadCell("is neither true nor false")
    return flag


def _label(value: Any, column: Column, scale: float) -> str:
    text = str(value).strip()
    if column.name == "status" and text not in get_args(Status):
        raise _BadCell(f"is not one of {', '.join(get_args(Status))}")
    return text


_READERS: dict[str, Callable[[Any, Column, float], float | bool | str]] = {
    "number": _number,
    "flag": _flag,
    "text": _label,
}

"""Axes: logarithmic, with ticks where a reader expects them and the unit in the title."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import altair as alt
import numpy as np

from allometry.runs.columns import COLUMNS

_WORDS = {"params": "parameters N", "tokens": "training tokens D", "flops": "training compute C",
          "loss": "loss", "bits_per_byte": "loss", "learning_rate": "peak learning rate",
          "unique_tokens": "distinct tokens U"}  # fmt: skip
# Counts carry k, M, B, T; compute goes far beyond and is read as a power of ten.
_COUNT = "replace(format(datum.value, '~s'), 'G', 'B')"
_POWER = "replace(format(datum.value, '~e'), 'e+', 'e')"
_NUMBER = "format(datum.value, '~g')"
_LABELS = {
    "params": _COUNT,
    "tokens": _COUNT,
    "unique_tokens": _COUNT,
    "batch_tokens": _COUNT,
    "flops": _POWER,
}


def words(column: str) -> str:
    """What a column is called in a sentence: "parameters" for params."""
    return (
        _WORDS.get(column, column.replace("_", " ")).removesuffix(" N").removesuffix(" D").removesuffix(" C")
    )


def title(column: str, unit: str = "", conventions: Mapping[str, str] | None = None) -> str:
    """Axis title of a column: its name, symbol, unit and, where it matters, what was counted.

    >>> title("flops", conventions={"flops_convention": "6ND"})
    'training compute C (FLOP, 6ND)'
    >>> title("bits_per_byte")
    'loss (bit/byte)'
    """
    unit = unit or (COLUMNS[column].unit if column in COLUMNS else "")
    counted = (conventions or {}).get(f"{column}_convention", "")
    notes = [note for note in ("" if unit == "1" else unit, counted) if note]
    shown = _WORDS.get(column, column.replace("_", " "))
    return f"{shown} ({', '.join(notes)})" if notes else shown


@dataclass(frozen=True)
class Axis:
    """One axis that several layers share; `x` and `y` bind it to a field of their data."""

    scale: alt.Scale
    axis: alt.Axis

    def x(self, field: str = "x") -> alt.X:
        """As the horizontal position of a field."""
        return alt.X(f"{field}:Q", scale=self.scale, axis=self.axis)

    def y(self, field: str = "value") -> alt.Y:
        """As the vertical position of a field."""
        return alt.Y(f"{field}:Q", scale=self.scale, axis=self.axis)


def log_axis(column: str, values: Iterable[float], text: str, *, most: int = 7, pad: float = 0.05) -> Axis:
    """A logarithmic axis around some values.

    Args:
        column: Decides how ticks are written: 1M for counts, 1e18 for compute.
        text: Its title.
        most: Ticks, at most about so many.
        pad: Margin, as a share of the range.
    """
    low, high = span(values)
    margin = (high / low) ** pad
    low, high = low / margin, high * margin
    return Axis(
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(title=text, values=ticks(low, high, most), labelExpr=_LABELS.get(column, _NUMBER)),
    )


def loss_axis(
    output: str, unit: str, values: Iterable[float], *, said: str = "held-out", pad: float = 0.05
) -> Axis:
    """The axis of a loss."""
    return log_axis(output, values, f"{said} {title(output, unit)}".strip(), most=6, pad=pad)


def plain_axis(values: Iterable[float], text: str, *, ticks: int = 6) -> Axis:
    """A linear axis around some values, which need not hold zero."""
    given = np.asarray(list(values), dtype=np.float64)
    low, high = float(given.min()), float(given.max())
    scale = alt.Scale(domain=[low, high if high > low else low + 1], nice=True, zero=False)
    return Axis(scale=scale, axis=alt.Axis(title=text, tickCount=ticks))


def span(values: Iterable[float]) -> tuple[float, float]:
    """Smallest and largest finite value above zero; a single value gets a little room around it."""
    given = np.asarray(list(values), dtype=np.float64)
    usable = given[np.isfinite(given) & (given > 0)]
    if not usable.size:
        return 0.5, 2.0
    low, high = float(usable.min()), float(usable.max())
    return (low, high) if high > low * 1.001 else (low * 0.9, high * 1.1)


def ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Ticks for a logarithmic axis: powers of ten, then 1-2-5, then even steps, whichever are enough.

    >>> ticks(2e16, 2e20), ticks(1.5e4, 2.5e5), ticks(3.4, 4.6, most=4)
    ([1e+17, 1e+18, 1e+19, 1e+20], [20000.0, 50000.0, 100000.0, 200000.0], [3.5, 4.0, 4.5])
    """
    decades = math.log10(high / low)
    if decades < 0.7:
        return _even(low, high, most)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = [value for e in exponents for d in digits if low <= (value := float(f"{d}e{e}")) <= high]
        if len(found) <= most:
            return found
    every = math.ceil(decades / most)
    return [float(f"1e{e}") for e in exponents if e % every == 0 and low <= float(f"1e{e}") <= high]


def _even(low: float, high: float, most: int) -> list[float]:
    """Round steps of 1, 2, 2.5 or 5 times a power of ten."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= rough)
    places = max(0, 2 - math.floor(math.log10(step)))
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(count * step, places) for count in range(first, last + 1)]

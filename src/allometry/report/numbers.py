"""How numbers are written in a report: in digits that mean something, with an interval or why none."""

from __future__ import annotations

import math
from collections.abc import Callable

from allometry.fitting import Estimate, Forecast
from allometry.fitting.wording import show
from allometry.units import show_count, show_power

MISSING = "–"
_NOUNS = {"params": "parameters", "tokens": "tokens", "flops": "compute"}


def count(value: object) -> str:
    """A count such as parameters or tokens.

    >>> count(430080.0), count(float("nan"))
    ('430k', '–')
    """
    return show_count(float(value)) if _usable(value) else MISSING  # type: ignore[arg-type]


def power(value: object) -> str:
    """Compute, as a power of ten."""
    return show_power(float(value)) if _usable(value) else MISSING  # type: ignore[arg-type]


def places(value: object, digits: int = 4) -> str:
    """A loss or an error, to so many decimals."""
    return f"{float(value):.{digits}f}" if _usable(value) else MISSING  # type: ignore[arg-type]


def coefficient(value: float) -> str:
    """A coefficient, in four digits.

    >>> coefficient(0.0), coefficient(0.34731)
    ('0', '0.3473')
    """
    return "0" if value == 0 else show(value)


def short(value: object, digits: int = 3) -> str:
    """Any number, in a few significant digits."""
    return f"{float(value):.{digits}g}" if _usable(value) else MISSING  # type: ignore[arg-type]


def percent(share: object, digits: int = 3) -> str:
    """A share or a relative error in percent.

    >>> percent(0.01214), percent(0.5, 2), percent(0.9995, 2), percent(float("nan"))
    ('1.21%', '50%', '100%', '–')
    """
    if not _usable(share):
        return MISSING
    points = 100 * float(share)  # type: ignore[arg-type]
    # Two digits would write 99.95 as 1e+02.
    return f"{points:.0f}%" if abs(points) >= 10**digits - 0.5 else f"{points:.{digits}g}%"


def change(share: float) -> str:
    """A relative change in percent, with its sign and without the unit.

    >>> change(1.134), change(-0.0158)
    ('+113', '-1.6')
    """
    return f"{100 * share:+.0f}" if abs(share) >= 0.1 else f"{100 * share:+.2g}"


def interval(low: float, high: float, show: Callable[[float], str] = places) -> str:
    """Two ends, or a dash."""
    return f"{show(low)} to {show(high)}" if math.isfinite(low) else MISSING


def estimate(value: Estimate, show: Callable[[float], str] = count) -> str:
    """A number with its range.

    >>> estimate(Estimate(value=3e5, low=1e5, high=1e6, unit="1"))
    '300k (100k to 1M)'
    """
    ends = f" ({interval(value.low, value.high, show)})" if math.isfinite(value.low) else ""
    return f"{show(value.value)}{ends}"


def forecast_words(forecast: Forecast) -> str:
    """A forecast with its unit and interval.

    >>> forecast = Forecast(
    ...     inputs={}, output="loss", unit="nat/token", median=3.5, low=3.4, high=3.6, level=0.9,
    ...     quantiles={}, beyond={}, width={}, law="kaplan", fit_hash="", data_hash="")
    >>> forecast_words(forecast)
    '3.500 nat/token (90%: 3.400 to 3.600)'
    """
    ends = f"{100 * forecast.level:g}%: {interval(forecast.low, forecast.high, lambda v: places(v, 3))}"
    within = ends if math.isfinite(forecast.low) else f"no interval because {forecast.no_interval_because}"
    return f"{places(forecast.median, 3)} {forecast.unit} ({within})".replace("  ", " ")


def inputs_words(forecast: Forecast) -> str:
    """What a forecast is for: "430k parameters and 1.05M tokens"."""
    return " and ".join(_amount(column, value) for column, value in forecast.inputs.items())


def _amount(column: str, value: float) -> str:
    return f"{power(value)} FLOP" if column == "flops" else f"{count(value)} {_NOUNS.get(column, column)}"


def beyond_words(beyond: dict[str, float]) -> str:
    """How far beyond the largest fitted run."""
    return ", ".join(f"{short(factor)}× {_NOUNS.get(column, column)}" for column, factor in beyond.items())


def _usable(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

"""Laws that read the calendar: trends, and the time horizon they are drawn through."""

from __future__ import annotations

from typing import Any

from allometry.laws.coefficients import exponent, floor, scale
from allometry.laws.definition import Coefficient, Input, law
from allometry.laws.mathematics import exp, log, logistic

# Years are counted from here inside the formulas: counted from year 0, the value and the rate of a trend
# could hardly be told apart.
REFERENCE_YEAR = 2020

_RECENT = Input(name="year", low=2019.0, high=2026.0, positive=False)
_DEEP_LEARNING = Input(name="year", low=2012.0, high=2024.0, positive=False)


def _rate(name: str, meaning: str, unit: str, *, low: float, high: float, typical: float) -> Coefficient:
    """A speed, which may be zero or negative; a doubling time passes through infinity there."""
    return Coefficient(
        name=name,
        meaning=meaning,
        unit=unit,
        low=low,
        high=high,
        positive=False,
        bounds=(-100.0, 100.0),
        typical=typical,
    )


@law(
    reads=(Input(name="minutes", low=0.1, high=1000.0),),
    predicts="success",
    on="logit",
    source="Kwa et al. 2025 (METR), arXiv:2503.14499",
    coefficients=(
        # Claude 3.7 Sonnet in the table of fits that METR published with the paper.
        Coefficient(
            name="h",
            meaning="time horizon: task length, as people take it, at which half succeed",
            unit="min",
            low=0.01,
            high=100.0,
            of="minutes",
            bounds=(1e-12, 1e12),
            typical=54.226342,
        ),
        Coefficient(
            name="s",
            meaning="log-odds of success lost with each doubling of the task length",
            unit="1",
            low=0.1,
            high=3.0,
            positive=False,
            bounds=(-100.0, 100.0),
            typical=0.753789,
        ),
    ),
)
def horizon_logistic(t: Any, *, h: Any, s: Any) -> Any:
    """The share of tasks an agent completes falls as a logistic curve of the log of their length.

    Read shares strictly between 0 and 1: group tasks of like length. METR itself regresses single outcomes,
    with a penalty that pulls the slope towards zero. The length of 80% success is h / 2^(ln 4 / s).

    Claude 3.7 Sonnet on tasks of a quarter of an hour and of an hour:

    >>> horizon_logistic.evaluate({"minutes": [15.0, 60.0]}, horizon_logistic.typical).round(2).tolist()
    [0.8, 0.47]
    """
    return logistic(s * (log(h) - log(t)) / log(2))


@law(
    reads=(_RECENT,),
    predicts="value",
    source="Kwa et al. 2025 (METR), arXiv:2503.14499",
    coefficients=(
        # Published: the horizon doubles every 212 days. Its value at 2020 is from a refit of the same agents.
        scale("v", "value at the start of 2020", "output", typical=0.0878),
        _rate("g", "doublings a year", "1/year", low=-6.0, high=6.0, typical=365.25 / 212),
    ),
)
def exponential_trend(Y: Any, *, v: Any, g: Any) -> Any:
    """A value doubles, or halves, at a steady pace over the calendar.

    Years are decimal: 1 July 2024 is 2024.5. The doubling time is 1/g years; g is fitted because a
    flat trend has g = 0, but no doubling time. On logarithms, by least squares, this is the ordinary
    regression line. Its interval says nothing of whether the trend goes on: see `logistic_trend`.

    Name what it runs through: `fit("exponential_trend", runs, output="price_usd")`.

    >>> exponential_trend.evaluate({"year": [2020.0, 2020.5, 2022.0]}, {"v": 3.0, "g": 2.0}).round(9).tolist()
    [3.0, 6.0, 48.0]
    """
    return v * 2 ** (g * (Y - REFERENCE_YEAR))


@law(
    reads=(_RECENT,),
    predicts="value",
    source="Ge et al. 2026, arXiv:2602.04836",
    coefficients=(
        # Ordinary: the early pace of the published exponential, an upper end of ten hours.
        scale("K", "value it ends at", "output", typical=600.0),
        _rate("g", "doublings a year long before the middle", "1/year", low=-6.0, high=6.0, typical=1.7),
        _rate("m", "years from 2020 to half of K", "year", low=-8.0, high=20.0, typical=5.4),
    ),
)
def logistic_trend(Y: Any, *, K: Any, g: Any, m: Any) -> Any:
    """A value grows exponentially at first and levels off at K.

    The alternative to `exponential_trend`. As long as the values lie well below K/2 the two cannot be
    told apart: K and m run off together, and the fit says that it did not converge.

    >>> levels = {"K": 8.0, "g": 2.0, "m": 5.0}
    >>> logistic_trend.evaluate({"year": [2010.0, 2025.0, 2040.0]}, levels).round(6).tolist()
    [0.0, 4.0, 8.0]
    """
    return K * logistic(g * log(2) * (Y - REFERENCE_YEAR - m))


@law(
    reads=("params", "tokens", _DEEP_LEARNING),
    source="Ho et al. 2024, eq. 8, arXiv:2403.05812",
    coefficients=(
        # E, A, B and the exponents are those of the published refit of `chinchilla`: the paper's own, 0.068
        # and 0.040, come without a floor. The two rates are its table 2, model 7: 0.004/0.068, 0.036/0.040.
        floor("irreducible loss: what no size, data or idea removes", typical=1.8172),
        scale("A", "loss owed to one effective parameter", "nat/token · parameter^alpha", typical=477.84),
        scale("B", "loss owed to one effective token", "nat/token · token^beta", typical=2143.9),
        exponent("alpha", "doubling effective N divides its term by 2^alpha", typical=0.3473),
        exponent("beta", "doubling effective D divides its term by 2^beta", typical=0.3672),
        _rate(
            "a", "growth of ln(effective N / N)", "1/year", low=-0.5, high=2.0, typical=0.003938 / 0.067982
        ),
        _rate(
            "b", "growth of ln(effective D / D)", "1/year", low=-0.5, high=2.0, typical=0.035620 / 0.039587
        ),
    ),
)
def algorithmic_progress(
    N: Any, D: Any, Y: Any, *, E: Any, A: Any, B: Any, alpha: Any, beta: Any, a: Any, b: Any
) -> Any:
    """Better algorithms act as if size and data grew by a steady factor a year.

    Effective N is N exp(a (Y - 2020)), effective D is D exp(b (Y - 2020)); years are decimal. The compute for
    a given loss halves every ln 2 / (a + b) years: 8.7 months by the published coefficients, whose interval
    is wide (90%: 2 to 22 months in the paper's final version).

    >>> rates = algorithmic_progress.typical
    >>> round(12 * 0.6931 / (rates["a"] + rates["b"]), 1)
    8.7
    """
    years = Y - REFERENCE_YEAR
    return E + A / (N * exp(a * years)) ** alpha + B / (D * exp(b * years)) ** beta


__test__ = {
    entry.name: entry.description
    for entry in (horizon_logistic, exponential_trend, logistic_trend, algorithmic_progress)
}

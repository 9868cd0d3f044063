"""Tokens that a loss or a score takes, by recipe, and how fast they fall over the years."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.result import Finding, Fit, middle
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.runs.run import Runs
from allometry.trends.dates import decimal_years
from allometry.trends.sample_efficiency_words import efficiency_findings, summarise
from allometry.trends.series import Series
from allometry.trends.trend import FEWEST, Trend, exponential_trend

Array = NDArray[np.float64]

CURVE = "power_law_with_floor"
_SHORTFALL = "shortfall"
_LEAST, _MOST = 0.0, 100.0  # log2 of the tokens that are looked through
_HALVINGS = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleEfficiency:
    """Tokens that each recipe takes to a target.

    Attributes:
        table: One row a recipe: recipe, tokens with low and high (infinite for never), multiplier with low
            and high (tokens of the reference for one of its own), never (share of draws whose floor lies
            above the target), beyond (tokens in parts of the most that were measured), runs.
        draws: Recipe to the tokens of each draw.
        declined: Recipe to why there is no curve.
        trend: Of the tokens over the dates of the recipes; None without dates, or with fewer than four.
        fits: Recipe to its curve.
        at: Other inputs of the law, by column.
        score: Whether the curves are of what is missing to a score of 1.
    """

    output: str
    target: float
    reference: str
    table: pd.DataFrame
    level: float
    declined: Mapping[str, str]
    trend: Trend | None
    draws: Mapping[str, Array] = field(repr=False)
    fits: Mapping[str, Fit] = field(repr=False)
    at: Mapping[str, float] = field(default_factory=dict)
    score: bool = False

    @property
    def aim(self) -> float:
        """The target as a value of the curves."""
        return 1 - self.target if self.score else self.target

    def curve(self, recipe: str, tokens_m: Array) -> Array:
        """What the curve of a recipe says at some tokens, of shape (m,)."""
        made = self.fits[recipe]
        best = {name: np.array([value]) for name, value in made.coefficients.items()}
        return _value(made, best, np.log2(tokens_m), self.at)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is doubtful about it."""
        return tuple(efficiency_findings(self))

    def summary(self) -> str:
        """One line a recipe, the trend, what was declined."""
        return summarise(self)

    def facts(self) -> dict[str, Any]:
        """The same as values, for programs."""
        return {
            "output": self.output, "target": self.target, "reference": self.reference,
            "recipes": self.table, "level": self.level, "declined": self.declined, "findings": self.findings,
            "doublings_a_year": None if self.trend is None else self.trend.doublings,
        }  # fmt: skip


def tokens_to_reach(
    runs: Runs,
    target: float,
    *,
    by: str = "recipe",
    output: str = "loss",
    score: bool = False,
    law: str = CURVE,
    at: Mapping[str, float] | None = None,
    date: str | None = None,
    reference: str | None = None,
    level: float = 0.9,
    draws: int = 300,
    seed: int = 0,
) -> SampleEfficiency:
    """Fit each recipe's curve of loss against tokens, and read off the tokens at which it meets the target.

    Every draw of the curve is inverted, so that the interval holds the uncertainty of floor and exponent;
    a draw whose floor lies above the target never gets there.

    Args:
        target: Of the output: a loss, or a score.
        by: The column of recipes.
        score: Whether the output is a score from 0 to 1 that rises; then 1 − score takes the place of a loss.
        law: By one input, or any that reads tokens, with the others given in `at`.
        at: Other inputs of the law, such as {"params": 1e9}.
        date: A column of dates: the first of a recipe is when it was known.
        reference: Recipe that multipliers compare with; the first one if not given.

    Raises:
        InputError: For a score outside [0, 1], a target that no curve can have, or an unknown reference.
        FitError: If no recipe has runs enough for a curve.

    Source:
        Hestness et al. 2017, arXiv:1712.00409, for the curve.

    >>> tokens = np.geomspace(1e8, 1e10, 6)
    >>> table = pd.DataFrame({"recipe": "base", "tokens": tokens, "loss": 2 + 400 * tokens**-0.3})
    >>> made = tokens_to_reach(Runs(table), 2.5, draws=20)
    >>> print(f"{made.table['tokens'].iloc[0]:.3g}")
    4.75e+09
    """
    _refuse_target(runs, target, output, score)
    runs.require(by, "tokens")
    measured, aim = (_SHORTFALL, 1 - target) if score else (output, target)
    whole = runs.table.assign(**{_SHORTFALL: 1 - runs.column(output)}) if score else runs.table
    fits, declined, parts = {}, {}, dict(list(whole.groupby(by, sort=False)))
    for place, (name, part) in enumerate(parts.items()):
        try:
            # A seed each: with one for all, draws of two recipes would share their luck, and ratios lose it.
            fits[str(name)] = _curve(Runs(part, source=runs.source), law, measured, draws, seed + place)
        except FitError as error:
            declined[str(name)] = str(error)
    if not fits:
        raise FitError(next(iter(declined.values()), f"{runs.source} holds no rows."))
    base = _reference(reference, fits)
    found = {name: _inverted(made, aim, dict(at or {})) for name, made in fits.items()}
    rows = [_row(name, fits[name], *found[name], found[base], level) for name in fits]
    drawn = {name: tokens for name, (_, tokens) in found.items()}
    return SampleEfficiency(
        output=output, target=target, reference=base, table=pd.DataFrame(rows), level=level,
        declined=declined, draws=drawn, fits=fits, at=dict(at or {}), score=score,
        trend=None if date is None else _trend(runs, by, date, found, level),
    )  # fmt: skip


def _refuse_target(runs: Runs, target: float, output: str, score: bool) -> None:
    values = runs.column(output)
    if not score:
        if not target > 0:
            raise InputError(f"A loss to be reached lies above zero, not at {target:g}.")
        return
    if not 0 < target < 1:
        raise InputError(f"A score to be reached lies between 0 and 1, not at {target:g}.")
    bad = np.flatnonzero((values < 0) | (values >= 1))
    if bad.size:
        raise InputError(
            f"Row {bad[0] + 1}: {output} is {values[bad[0]]:g}; a score lies in [0, 1), for what is missing "
            "to 1 is fitted in logarithms. Divide percentages by 100, and leave out rows at 1."
        )


def _curve(runs: Runs, law: str, output: str, draws: int, seed: int) -> Fit:
    inputs = {"x": "tokens"} if law == CURVE else None
    return bootstrap(fit(law, runs, inputs=inputs, output=output, seed=seed), draws=draws, seed=seed)


def _reference(given: str | None, fits: Mapping[str, Fit]) -> str:
    if given is not None and given not in fits:
        raise InputError(f"There is no curve of '{given}' to compare with. There are: {', '.join(fits)}.")
    return given or next(iter(fits))


def _inverted(made: Fit, aim: float, at: Mapping[str, float]) -> tuple[float, Array]:
    """Tokens at the target: by the fit, and by each draw; infinite for never."""
    assert made.draws is not None
    drawn = {
        name: made.draws[name].to_numpy(float)
        if name in made.draws
        else np.full(len(made.draws), made.coefficients[name])
        for name in made.law.names
    }
    best = {name: np.array([value]) for name, value in made.coefficients.items()}
    return float(_tokens_at(made, best, aim, at)[0]), _tokens_at(made, drawn, aim, at)


def _tokens_at(made: Fit, coefficients: Mapping[str, Array], aim: float, at: Mapping[str, float]) -> Array:
    """By bisection in log2 tokens: the law falls in tokens."""
    size = len(next(iter(coefficients.values())))
    low, high = np.full(size, _LEAST), np.full(size, _MOST)
    ever = _value(made, coefficients, high, at) <= aim
    for _ in range(_HALVINGS):
        centre = (low + high) / 2
        above = _value(made, coefficients, centre, at) > aim
        low, high = np.where(above, centre, low), np.where(above, high, centre)
    return np.where(ever, np.exp2(high), np.inf)


def _value(
    made: Fit, coefficients: Mapping[str, Array], log2_tokens: Array, at: Mapping[str, float]
) -> Array:
    known = {
        name: np.exp2(log2_tokens) if column == "tokens" else _given(name, column, at)
        for name, column in made.inputs.items()
    }
    return made.law.evaluate(known, coefficients)


def _given(name: str, column: str, at: Mapping[str, float]) -> float:
    if column not in at:
        raise InputError(
            f"The law reads {column} beside tokens: say at which, at={{'{column}': 1e9}} ({name})."
        )
    return float(at[column])


def _row(
    name: str, made: Fit, tokens: float, drawn: Array, reference: tuple[float, Array], level: float
) -> dict[str, Any]:
    low, high = _ends(drawn, level)
    size = min(len(drawn), len(reference[1]))
    with np.errstate(invalid="ignore"):  # never over never has no ratio
        ratio = np.array([reference[0] / tokens]), reference[1][:size] / drawn[:size]
    gain_low, gain_high = _ends(ratio[1][~np.isnan(ratio[1])], level)
    place = next(key for key, column in made.inputs.items() if column == "tokens")
    return {
        "recipe": name, "tokens": tokens, "low": low, "high": high, "multiplier": float(ratio[0][0]),
        "multiplier_low": gain_low, "multiplier_high": gain_high,
        "never": float(np.isinf(drawn).mean()), "beyond": tokens / float(made.data.inputs[place].max()),
        "runs": len(made.data),
    }  # fmt: skip


def _ends(drawn: Array, level: float) -> tuple[float, float]:
    """Ends of an interval where never is more than any number; NaN of nothing."""
    if not drawn.size:
        return np.nan, np.nan
    low, high = middle(np.where(np.isfinite(drawn), drawn, 1e300), level)
    return (float(low) if low < 1e200 else np.inf), (float(high) if high < 1e200 else np.inf)


def _trend(
    runs: Runs, by: str, date: str, found: Mapping[str, tuple[float, Array]], level: float
) -> Trend | None:
    """Of the tokens over the first dates of the recipes that get there."""
    runs.require(date)
    years = decimal_years(runs.table[date], name=date)
    first = pd.Series(years).groupby(runs.table[by].astype(str).to_numpy()).min()
    names = [name for name, (tokens, _) in found.items() if np.isfinite(tokens) and np.isfinite(first[name])]
    if len(names) < FEWEST:
        return None
    names.sort(key=lambda name: float(first[name]))
    size = min(len(found[name][1]) for name in names)
    drawn = np.stack([found[name][1][:size] for name in names], axis=1)
    series = Series(
        name="tokens_needed", labels=tuple(names), years=np.array([float(first[name]) for name in names]),
        values=np.array([found[name][0] for name in names]), unit="token",
        draws=np.where(np.isfinite(drawn), drawn, np.nan),
    )  # fmt: skip
    return exponential_trend(series, level=level)

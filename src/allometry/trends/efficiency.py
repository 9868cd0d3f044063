"""Algorithmic progress: how fast the compute for a given loss falls, over several forms of the law."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from allometry.errors import FitError, InputError
from allometry.fitting.comparison.recipes import Multiplier
from allometry.fitting.comparison.stacking import stacking_weights
from allometry.fitting.result import Estimate, Finding, Fit, Severity, middle
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.runs.run import Runs
from allometry.trends.dates import decimal_year, decimal_years
from allometry.trends.held_out import held_out_forecasts
from allometry.trends.series import Series

Array = NDArray[np.float64]

LAW = "algorithmic_progress"
# What each form leaves out of the law; "no progress" is what they must beat.
FORMS: dict[str, dict[str, float]] = {
    "parameters and data": {},
    "parameters alone": {"b": 0.0},
    "data alone": {"a": 0.0},
    "without a floor": {"E": 0.0},
}
NO_PROGRESS = {"a": 0.0, "b": 0.0}
FOLDS = 3
FEWEST = 16  # runs: twice the coefficients and two more
_STARTS = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Progress:
    """How fast the compute that a loss takes has been falling.

    Attributes:
        halving_months: Over all forms, each with its weight; an end is infinite where there may be none.
        table: One row a form: form, a and b (growth a year of the log of effective parameters and data),
            halving_months with low and high, error (root mean square of the log loss of runs held out),
            weight.
        no_progress_error: The same error of a law in which the year does nothing.
        draws: Growth a year of the log of effective compute, over the mixture.
        fits: Form to fit.
    """

    halving_months: Estimate
    table: pd.DataFrame
    no_progress_error: float
    draws: Array = field(repr=False)
    fits: Mapping[str, Fit] = field(repr=False)
    level: float
    findings: tuple[Finding, ...] = ()

    def facts(self) -> dict[str, Any]:
        """The same as values, for programs."""
        return {
            "halving_months": self.halving_months,
            "forms": self.table,
            "no_progress_error": self.no_progress_error,
            "level": self.level,
            "findings": self.findings,
        }

    def summary(self) -> str:
        """The halving time, one line a form, findings."""
        months = self.halving_months
        ends = f"{100 * self.level:g}%: {_months(months.low)} to {_months(months.high)}"
        lines = [f"The compute for a given loss halves every {_months(months.value)} months ({ends})."]
        for row in self.table.to_dict("records"):
            each = (
                f"{_months(row['halving_months'])} ({_months(row['low'])} to {_months(row['high'])}) months"
            )
            lines.append(
                f"  {row['weight']:4.0%}  {row['form']:20s} {each}, {row['error']:.2%} off held-out runs"
            )
        lines.append(f"        {'no progress':20s} {self.no_progress_error:.2%} off held-out runs")
        return "\n".join(
            [*lines, *(f"  {one.severity}: {one.sentence} {one.remedy}" for one in self.findings)]
        )


def algorithmic_progress(
    runs: Runs, *, date: str = "year", level: float = 0.9, draws: int = 100, seed: int = 0
) -> Progress:
    """Fit effective parameters and data that grow by the year, by several forms, and mix them.

    Each form is fitted to two thirds of the runs and forecasts the rest, three times. The weights are those
    whose mixture would have forecast best. It is the time for the same loss at less compute: not the growth
    of what the largest models can do.

    Args:
        runs: Columns params, tokens, loss and a date.
        date: The column of dates.

    Raises:
        MissingColumn: If one is not there.
        FitError: With fewer than 16 runs, or all of one date.

    Source:
        Ho et al. 2024, arXiv:2403.05812: with the form chosen 8 months, 95% 5 to 14; with uncertainty over
        forms 90% 2 to 22 (NeurIPS 2024).
    """
    dated = _dated(runs, date)
    fitted = {name: _fitted(dated, hold, seed) for name, hold in FORMS.items()}
    fits = {name: bootstrap(one, draws=draws, seed=seed) for name, one in fitted.items()}
    fold = np.random.default_rng(seed).permutation(len(dated)) % FOLDS
    forecasts = [held_out_forecasts(one, fold) for one in fitted.values()]
    baseline = held_out_forecasts(_fitted(dated, NO_PROGRESS, seed), fold)
    measured = np.log(dated.column("loss"))
    weights = stacking_weights(forecasts, measured, np.full(len(measured), 1 / len(measured)))
    rates = {name: _rates(made) for name, made in fits.items()}
    pooled = _pooled(list(rates.values()), weights, np.random.default_rng(seed))
    errors = [_error(one, measured) for one in forecasts]
    rows = [
        _row(name, made, rates[name], level) | {"error": error, "weight": weight}
        for (name, made), error, weight in zip(fits.items(), errors, weights, strict=True)
    ]
    centre = float(np.median(pooled))
    low, high = middle(pooled, level)
    made = Progress(
        halving_months=Estimate(
            value=_halving(centre), low=_halving(float(high)), high=_halving(float(low)), unit="month"
        ),
        table=pd.DataFrame(rows),
        no_progress_error=_error(baseline, measured),
        draws=pooled,
        fits=fits,
        level=level,
    )
    return replace(made, findings=_findings(made))


def multiplier_series(
    made: Multiplier, dates: Mapping[str, object], *, draws: int = 1000, seed: int = 0
) -> Series:
    """Compute multipliers of recipes by the dates of the recipes, so that a trend turns them into doublings.

    The reference has 1. Draws come from the intervals, each recipe's by itself: what all share with the
    reference is left out.

    Args:
        dates: Recipe to the date from which it was known.

    Raises:
        InputError: If a recipe has no date.
    """
    table = made.table[["recipe", "multiplier", "low", "high"]]
    names = [made.reference, *table["recipe"].astype(str)]
    missing = [name for name in names if name not in dates]
    if missing:
        raise InputError(
            f"There is no date for {', '.join(missing)}; give one for each recipe of the comparison."
        )
    years = np.array([decimal_year(dates[name]) for name in names])
    values = np.array([1.0, *table["multiplier"].astype(float)])
    width = np.log(table["high"].to_numpy(float) / table["low"].to_numpy(float))
    spread = np.array([0.0, *width / (2 * ndtri(0.5 + made.level / 2))])
    order = np.argsort(years, kind="stable")
    noise = np.random.default_rng(seed).standard_normal((draws, len(names)))
    return Series(
        name=f"{made.what} multiplier",
        labels=tuple(names[place] for place in order.tolist()),
        years=years[order],
        values=values[order],
        draws=(values * np.exp(spread * noise))[:, order],
    )


def _dated(runs: Runs, date: str) -> Runs:
    runs.require("params", "tokens", "loss", date)
    years = decimal_years(runs.table[date], name=date)
    dated = Runs(runs.table.assign(year=years)[np.isfinite(years)].reset_index(drop=True), source=runs.source)
    if len(dated) < FEWEST:
        raise FitError(
            f"Algorithmic progress is fitted to {FEWEST} dated runs or more; there are {len(dated)}. With "
            "fewer, compare recipes (`multiplier`) and give the recipes dates."
        )
    if np.ptp(dated.column("year")) == 0:
        raise FitError("All runs have one date; progress needs runs of several years.")
    return dated


def _fitted(runs: Runs, hold: Mapping[str, float], seed: int) -> Fit:
    return fit(LAW, runs, hold=hold, starts=_STARTS, seed=seed)


def _error(forecast: Array, measured: Array) -> float:
    """Root mean square of the middle of each run's forecast less what was measured."""
    return float(np.sqrt(np.mean((np.median(forecast, axis=1) - measured) ** 2)))


def _rates(made: Fit) -> Array:
    """Growth a year of the log of effective compute, by draw."""
    assert made.draws is not None
    held = {
        name: made.draws[name].to_numpy() if name in made.draws else made.coefficients[name] for name in "ab"
    }
    return np.asarray(held["a"] + held["b"], dtype=np.float64)


def _pooled(rates: list[Array], weights: Array, rng: np.random.Generator) -> Array:
    size = len(rates[0])
    counts = rng.multinomial(4 * size, weights)
    return np.concatenate([rng.choice(one, count) for one, count in zip(rates, counts, strict=True)])


def _row(name: str, made: Fit, rates: Array, level: float) -> dict[str, Any]:
    a, b = made.coefficients["a"], made.coefficients["b"]
    low, high = middle(rates, level)
    return {
        "form": name, "a": a, "b": b, "halving_months": _halving(a + b), "low": _halving(float(high)),
        "high": _halving(float(low)),
    }  # fmt: skip


def _halving(rate: float) -> float:
    """Months in which the compute for a loss halves; infinite where it does not fall."""
    return 12 * float(np.log(2)) / rate if rate > 0 else float("inf")


def _months(months: float) -> str:
    return f"{months:.1f}" if np.isfinite(months) else "no end"


def _findings(made: Progress) -> tuple[Finding, ...]:
    return (*_no_progress(made), *_forms_disagree(made))


def _no_progress(made: Progress) -> Iterator[Finding]:
    best, baseline = float(made.table["error"].min()), made.no_progress_error
    if baseline < 1.05 * best:
        yield Finding(
            code="no_progress_seen",
            severity=Severity.WARNING,
            sentence=f"A law without progress forecasts held-out runs as well ({baseline:.2%} off) as the "
            f"best with it ({best:.2%}).",
            evidence={"error": best, "no_progress_error": baseline},
            remedy="Do not quote a halving time from these runs.",
        )


def _forms_disagree(made: Progress) -> Iterator[Finding]:
    months = made.table.loc[made.table["weight"] > 0.05, "halving_months"]
    if len(months) > 1 and months.max() > 1.5 * months.min():
        ends = f"{_months(months.min())} to {_months(months.max())}"
        yield Finding(
            code="forms_disagree",
            severity=Severity.NOTE,
            sentence=f"By the form the halving time is {ends} months.",
            evidence={"least": float(months.min()), "most": float(months.max())},
            remedy="Quote the interval over all forms, not one form's.",
        )

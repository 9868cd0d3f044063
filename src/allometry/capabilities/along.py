"""`scores_along`: a score along any axis, such as reinforcement-learning compute, and where it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.capabilities.chain_steps import rising_within
from allometry.capabilities.shares import refuse_below_chance, refuse_no_shares
from allometry.errors import FitError
from allometry.fitting.checks.definition import note, warning
from allometry.fitting.result import Finding, Fit, middle
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.runs.run import Runs

Array = NDArray[np.float64]

WIDE = 0.1  # an interval of the upper end beyond which it is not said to be known
_FEW_RUNS = 4  # trainings below which only the points about the curve can be redrawn
_STARTS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoresAlong:
    """How a score rises along one axis, recipe by recipe.

    Attributes:
        x, score: Their columns.
        at: Where the score was asked for; NaN if nowhere.
        table: One row a recipe: points, reached (its largest x), end (the upper end of its curve) with
            end_low and end_high, middle (x at which half of the rise is done) with middle_low and
            middle_high, steepness; with `at` also forecast, low, high of a new measurement there.
        fits: Recipe to its curve, with draws.
        declined: Recipe to why it has no curve.
    """

    x: str
    score: str
    at: float
    table: pd.DataFrame
    fits: Mapping[str, Fit] = field(repr=False)
    declined: Mapping[str, str] = field(default_factory=dict)
    level: float
    findings: tuple[Finding, ...] = ()

    def curve(self, recipe: str, x: Array) -> tuple[Array, Array, Array]:
        """A recipe's curve at some places, and the ends of its interval; each of shape (places,)."""
        found = self.fits[recipe]
        columns = {name: values[:, None] for name, values in drawn(found).items()}
        low, high = middle(np.asarray(found.law.evaluate({"x": x}, columns)), self.level, axis=0)
        return np.asarray(found.law.evaluate({"x": x}, found.coefficients)), low, high

    def facts(self) -> dict[str, Any]:
        """The same as values, for programs."""
        return {
            "x": self.x, "score": self.score, "at": self.at, "recipes": self.table,
            "declined": self.declined, "level": self.level, "findings": self.findings,
        }  # fmt: skip

    def summary(self) -> str:
        """One line a recipe, what was declined, what was found."""
        lines = [self.words(row) for row in self.table.to_dict("records")]
        lines += [f"  declined {name}: {why}" for name, why in self.declined.items()]
        return "\n".join(lines + [f"  {one.severity}: {one.sentence} {one.remedy}" for one in self.findings])

    def words(self, row: Mapping[Any, Any]) -> str:
        """A row of the table in one sentence."""
        ends = f"{100 * self.level:g}%: {row['end_low']:.3f} to {row['end_high']:.3f}"
        half = f"half of the rise by {self.x} {row['middle']:.3g}"
        said = f"{row['recipe']}: {self.score} ends at {row['end']:.3f} ({ends}), {half}"
        if np.isnan(self.at):
            return f"{said}; {row['points']} points up to {row['reached']:.3g}."
        new = f"{row['forecast']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
        return f"{said}; at {self.at:.3g} a new one is {new}."


def scores_along(
    runs: Runs,
    score: str,
    x: str,
    *,
    by: str | None = None,
    chance: float | None = None,
    at: float | None = None,
    level: float = 0.9,
    draws: int = 300,
    seed: int = 0,
) -> ScoresAlong:
    """Fit an S-shaped curve of the score in log x, its upper end free and at most 1, to each recipe.

    Args:
        score: Column of scores in [0, 1] that rise.
        x: Column of any amount above zero: compute, images, examples, episodes.
        by: Column of recipes; all rows are of one if not given.
        chance: Score of guessing, or before any training; fitted if not given.
        at: Place on the axis to forecast a new measurement at.

    Raises:
        MissingColumn: If a column is not there.
        TableError: If a score lies outside [0, 1], or below chance by more than 0.05.
        FitError: If no recipe can carry a curve.

    Source:
        For reinforcement learning: Khatri et al. 2025, arXiv:2510.13786.

    >>> flops = np.geomspace(1e19, 1e23, 9)
    >>> rise = 0.4 / (1 + 1e21 / flops)
    >>> made = scores_along(Runs(pd.DataFrame({"rl_flops": flops, "pass": 0.2 + rise})), "pass", "rl_flops",
    ...                     chance=0.2, draws=10)
    >>> print(made.summary())
    pass: pass ends at 0.600 (90%: 0.600 to 0.600), half of the rise by rl_flops 1e+21; 9 points up to 1e+23.
    """
    runs.require(score, x, *([by] if by else []))
    _refuse_scores(runs, score, chance)
    parts = dict(list(runs.table.groupby(by, sort=False))) if by else {score: runs.table}
    fits: dict[str, Fit] = {}
    declined: dict[str, str] = {}
    for place, (name, part) in enumerate(parts.items()):
        try:
            # A seed each: with one for all, draws of two recipes would share their luck.
            fits[str(name)] = _curve(replace(runs, table=part), score, x, chance, draws, seed + place)
        except FitError as error:
            declined[str(name)] = str(error)
    if not fits:
        raise FitError(f"No curve could be fitted along '{x}'. {next(iter(declined.values()))}")
    rows = [_row(name, made, x, at, level) for name, made in fits.items()]
    return ScoresAlong(
        x=x, score=score, at=float("nan") if at is None else at, table=pd.DataFrame(rows), fits=fits,
        declined=declined, level=level, findings=tuple(_findings(rows, fits, level)),
    )  # fmt: skip


def drawn(made: Fit) -> dict[str, Array]:
    """Each coefficient by draw, a held one as often as there are draws."""
    assert made.draws is not None
    count = len(made.draws)
    return {
        name: made.draws[name].to_numpy(dtype=np.float64) if name in made.draws else np.full(count, value)
        for name, value in made.coefficients.items()
    }


def _refuse_scores(runs: Runs, score: str, chance: float | None) -> None:
    refuse_no_shares(
        runs,
        score,
        "Divide percentages by 100; a loss along any column goes to fit(law, runs, inputs=…).",
    )
    if chance is not None:
        refuse_below_chance(runs, score, chance)


def _curve(runs: Runs, score: str, x: str, chance: float | None, draws: int, seed: int) -> Fit:
    measured, place = runs.column(score), runs.column(x)
    usable = np.isfinite(measured) & (place > 0)
    if usable.sum() > 2 and np.corrcoef(np.log(place[usable]), measured[usable])[0, 1] < 0:
        raise FitError(
            f"'{score}' falls as '{x}' grows; for a share that falls, such as errors, give 1 less it."
        )
    hold = {} if chance is None else {"b": chance}
    found = fit(
        rising_within(1.0, chance or 0.0), runs, objective="least_squares", on="raw", hold=hold,
        inputs={"x": x}, output=score, starts=_STARTS, seed=seed,
    )  # fmt: skip
    unit = "run" if len(set(found.data.run_ids)) >= _FEW_RUNS else "row"
    return bootstrap(found, draws=draws, unit=unit, seed=seed)


def _ends(made: Fit) -> Array:
    """The upper end of each draw: at most a perfect score."""
    columns = drawn(made)
    return np.asarray(np.minimum(columns["a"] + columns["b"], 1.0))


def _row(name: str, made: Fit, x: str, at: float | None, level: float) -> dict[str, Any]:
    low, high = middle(_ends(made), level)
    first, last = middle(drawn(made)["x_0"], level)
    found = made.coefficients
    row = {
        "recipe": name, "points": len(made.data), "reached": float(made.data.inputs["x"].max()),
        "end": min(found["a"] + found["b"], 1.0), "end_low": float(low), "end_high": float(high),
        "middle": found["x_0"], "middle_low": float(first), "middle_high": float(last),
        "steepness": found["k"],
    }  # fmt: skip
    if at is None:
        return row
    new = made.predict(level, **{x: at})
    low, high = (float(np.clip(end, 0.0, 1.0)) for end in (new.low, new.high))
    return row | {"forecast": new.median, "low": low, "high": high}


def _findings(rows: list[dict[str, Any]], fits: Mapping[str, Fit], level: float) -> Iterator[Finding]:
    for row in rows:
        if row["end_high"] - row["end_low"] > WIDE:
            yield warning(
                f"end_open_{row['recipe']}",
                f"Where {row['recipe']} ends is open: {row['end_low']:.2f} to {row['end_high']:.2f}, from "
                f"points up to {row['reached']:.3g}.",
                "Forecast near the points; measure further along before recipes are ranked by their ends.",
                {"low": row["end_low"], "high": row["end_high"]},
            )
    yield from _rivals(rows, fits, level)
    for name, made in fits.items():
        if len(set(made.data.run_ids)) < min(_FEW_RUNS, len(made.data)):
            yield note(
                f"few_trainings_{name}",
                f"The points of {name} are checkpoints of {len(set(made.data.run_ids))} training(s): "
                "intervals hold their scatter about the curve, not the luck of a training.",
                "Repeat with another seed.",
            )


def _rivals(rows: list[dict[str, Any]], fits: Mapping[str, Fit], level: float) -> Iterator[Finding]:
    """Neighbours in the order of the ends that cannot be told apart."""
    ordered = sorted(rows, key=lambda row: -row["end"])
    for better, worse in pairwise(ordered):
        one, other = _ends(fits[better["recipe"]]), _ends(fits[worse["recipe"]])
        count = min(len(one), len(other))
        low, high = middle(one[:count] - other[:count], level)
        if low <= 0:
            yield note(
                f"ends_not_apart_{better['recipe']}",
                f"The ends of {better['recipe']} and {worse['recipe']} are not told apart: they differ by "
                f"{better['end'] - worse['end']:+.3f} ({100 * level:g}%: {low:+.3f} to {high:+.3f}).",
                "Compare them at an x that both have reached.",
            )

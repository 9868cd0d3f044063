"""`compare`: laws judged by what they forecast of larger runs that they have not seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import FitError, InputError, Refusal, TableError, did_you_mean
from allometry.fitting.allocation import FLOPS_PER_PARAMETER_TOKEN
from allometry.fitting.arguments import refuse_other_than_runs
from allometry.fitting.comparison.entrants import BASELINES, NO_CHANGE, Entrant, Given, line, read_entrants
from allometry.fitting.comparison.holdout import Split, split_runs, with_flops
from allometry.fitting.comparison.judgement import forecast_findings, judge, ranked, summarise
from allometry.fitting.comparison.mixture import mixed_forecast
from allometry.fitting.comparison.stacking import FEWEST, stacking_weights
from allometry.fitting.comparison.trials import (
    Settings,
    Trial,
    fit_entrant,
    run_rows,
    table_row,
    the_output,
    try_entrant,
    try_no_change,
)
from allometry.fitting.objectives import ObjectiveName
from allometry.fitting.observations import finished
from allometry.fitting.result import Finding, Fit, Forecast
from allometry.runs.run import Runs

Array = NDArray[np.float64]

_SPARE = 2  # runs beyond a law's coefficients: one to fit at all, one to see noise by
_SAME_COUNT = 0.01  # flops this close to 6ND are 6ND


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Laws and what came of their forecasts of held-out runs.

    Errors are of the log of the output, so that 0.01 is about 1%. Every score is out of sample, but the runs
    above one cut are forecast by one fit and err together, and the same run may be forecast from several
    cuts: a few dozen rows hold less evidence than as many independent forecasts would.

    Attributes:
        table: One row a law and split: runs learnt from and held out, median distance in decades, median
            relative `error`, `rms` and signed `bias` of the log (above 0: forecast too high), `coverage` of
            the interval, mean `interval_score` and `crps`, and why the law `refused`, if it did.
        ranking: One row a law, best first, over the splits on which all of them made a forecast: error (rms),
            coverage, score (crps), weight; laws that refused have no rank.
        held_out: One row a law, split and held-out run, in the unit of the output.
        weights: Stacking weight of each law; 0 for "no change", which is no law.
        fits: Each law fitted to all runs, with draws.
        groups: Name to law: names that differ by objective only share one.
        axis: Column along which distance was measured.
        unit: Of the output.
        level: Of the intervals.
        compute_per_nd: flops / (params · tokens) where that is the same in all runs, else NaN.
        findings: What the reader should know before using any of it.
    """

    table: pd.DataFrame = field(repr=False)
    ranking: pd.DataFrame
    held_out: pd.DataFrame = field(repr=False)
    weights: Mapping[str, float]
    fits: Mapping[str, Fit] = field(repr=False)
    groups: Mapping[str, str] = field(repr=False)
    hold_out: str
    axis: str
    output: str
    unit: str
    level: float
    compute_per_nd: float
    findings: tuple[Finding, ...] = ()

    @property
    def best(self) -> str:
        """Name of the law, or the baseline, with the least score."""
        return str(self.ranking["law"].iloc[0])

    def predict(self, level: float = 0.9, **inputs: float) -> Forecast:
        """Forecast one new run by all laws together, each with its weight.

        Args:
            inputs: Column to value, in base units. Compute may be left out where flops is 6 · params · tokens
                in the runs.

        Returns:
            The mixture; `width` has the shares of coefficients, noise, law and, where several were asked for,
            objective.
        """
        at = {name: float(value) for name, value in inputs.items()}
        read = {c for name, w in self.weights.items() if w > 0 for c in self.fits[name].inputs.values()}
        if "flops" in read - at.keys() and {"params", "tokens"} <= at.keys():
            if np.isnan(self.compute_per_nd):
                raise InputError("In these runs flops is not 6 · params · tokens, so give flops too.")
            at["flops"] = self.compute_per_nd * at["params"] * at["tokens"]
        unread = {"params", "tokens"} - read if "flops" in read else set()
        at = {name: value for name, value in at.items() if name not in unread}
        return mixed_forecast(self.fits, self.weights, self.groups, level, at)

    def check_forecast(self, forecast: Forecast) -> list[Finding]:
        """Whether a forecast goes further than the held-out runs could test."""
        return forecast_findings(self.table, self.axis, forecast)

    def summary(self) -> str:
        """The ranking and what was found, in plain text."""
        return summarise(self.ranking, self.table, self.findings, self.level, self.hold_out)


def compare(
    laws: Given | Iterable[Given] | Mapping[str, Given],
    runs: Runs,
    *,
    hold_out: str = "largest_flops",
    steps: int | None = None,
    level: float = 0.9,
    draws: int = 200,
    seed: int = 0,
    inputs: Mapping[str, Mapping[str, str]] | None = None,
    objectives: Sequence[ObjectiveName] = ("huber",),
    output: str | None = None,
    **options: Any,
) -> Comparison:
    """Let laws forecast larger runs from smaller ones, and rank them by what came of it.

    Residuals inside the data rank laws by how well they bend; what is asked of a law is the run beyond. So
    each law is fitted to the runs below a cut and forecasts those above. Two forecasts that any law should
    beat always take part: a plain line of the log of the output against the log of compute, and "no change"
    from the last level. What the winner does still farther out than the held-out runs is not tested.

    Args:
        laws: Laws or their names; (law, {"x": "flops"}) to say which columns one reads; or name to either.
            A law of one input x reads flops unless told otherwise.
        hold_out: "largest_flops", "largest_params", "largest_tokens" or a column: several cuts along it. Or
            an SQL condition for the runs to hold out once, such as "params > 1e9".
        steps: Cuts at most, 4 if not given (see `allometry.fitting.comparison.holdout.split_runs`).
        level: Of the intervals that are scored.
        draws: Resamples of each fit.
        inputs: Law to its mapping of inputs to columns, instead of pairs.
        objectives: Fit every law by each of these: "huber", "lad", "least_squares", "lower_envelope".
        output: Column to predict, where it is not the laws' own.
        options: Passed on to `fit`: delta, on, weights (a column), starts; hold, for the laws that have the
            coefficient.

    Raises:
        FitError: If no cut leaves enough runs, or all laws refuse; one that refuses is a row of the table.

    >>> flops = np.geomspace(1e17, 1e21, 12)
    >>> runs = Runs(pd.DataFrame({"flops": flops, "loss": 1.7 + 60 * flops**-0.1}))
    >>> compare(["power_law_with_floor", "power_law"], runs, steps=2, draws=20).best
    'power_law_with_floor'
    """
    refuse_other_than_runs(runs)
    table, counted = with_flops(finished(runs))
    entrants = read_entrants(laws, inputs, objectives)
    given = _settings(entrants, the_output(entrants, output), level, draws, seed, options)
    if "flops" in table.table.columns:
        entrants = (*entrants, line())
    splits = split_runs(table, hold_out, least=_least(entrants), steps=steps)
    trials = _trials(entrants, splits, given)
    _refuse_all_refused(trials)
    fits, refused = _fits(entrants, table, given)
    weights = _weights(trials, fits)
    rows = pd.DataFrame([table_row(trial, level) for trial in trials])
    held_out = pd.concat([run_rows(trial) for trial in trials], ignore_index=True)
    ranking = ranked(rows, weights)
    findings = judge(ranking, rows, held_out, weights, fits, refused, counted, level)
    return Comparison(
        table=rows,
        ranking=ranking,
        held_out=held_out,
        weights=weights,
        fits=fits,
        groups={entrant.name: entrant.group for entrant in entrants},
        hold_out=hold_out,
        axis=splits[0].axis,
        output=given.output,
        unit=next(iter(fits.values())).unit,
        level=level,
        compute_per_nd=_compute_per_nd(table),
        findings=findings,
    )


def _settings(
    entrants: tuple[Entrant, ...],
    output: str,
    level: float,
    draws: int,
    seed: int,
    options: Mapping[str, Any],
) -> Settings:
    if not isinstance(options.get("weights"), str | None):
        raise InputError(
            "The runs of a comparison are cut in two, so weights must be a column of the table, not an "
            'array: runs with a column w and weights="w".'
        )
    known = {name for entrant in entrants for name in entrant.law.names}
    for name in options.get("hold") or {}:
        if name not in known:
            raise InputError(f"None of these laws has a coefficient '{name}'.{did_you_mean(name, known)}")
    return Settings(output=output, level=level, draws=draws, seed=seed, options=options)


def _least(entrants: tuple[Entrant, ...]) -> int:
    """Runs to learn from, by the most demanding law that can be compared."""
    return max(len(entrant.law.names) for entrant in entrants) + _SPARE


def _trials(entrants: tuple[Entrant, ...], splits: tuple[Split, ...], given: Settings) -> list[Trial]:
    tried = [try_entrant(entrant, split, given) for split in splits for entrant in entrants]
    return [*tried, *(try_no_change(split, given) for split in splits)]


def _refuse_all_refused(trials: list[Trial]) -> None:
    laws = [trial for trial in trials if trial.name not in BASELINES]
    if all(trial.refused for trial in laws):
        raise FitError(f"No law could forecast any held-out run. {laws[0].name}: {laws[0].refused}")


def _fits(
    entrants: tuple[Entrant, ...], runs: Runs, given: Settings
) -> tuple[dict[str, Fit], dict[str, str]]:
    """Each law fitted to all runs, and why those that are missing refused."""
    fits, refused = {}, {}
    for entrant in entrants:
        try:
            fits[entrant.name] = fit_entrant(entrant, runs, given)
        except (Refusal, TableError) as error:
            refused[entrant.name] = str(error)
    return fits, refused


def _weights(trials: list[Trial], fits: Mapping[str, Fit]) -> dict[str, float]:
    """Stacking weights over the splits on which all laws that can be used made a forecast."""
    usable = [name for name in fits if any(t.name == name and t.expected for t in trials)]
    if not usable:
        raise FitError(
            "No law could both forecast held-out runs and be fitted to all of them; see what check(fit) says "
            "of a fit to all runs, or compare laws with fewer coefficients."
        )
    forecasts = {(t.name, t.split.name): t for t in trials if t.expected is not None}
    common = [
        split
        for split in dict.fromkeys(t.split.name for t in trials)
        if all((name, split) in forecasts for name in usable)
    ]
    chosen = [[forecasts[name, split] for split in common] for name in usable]
    measured = [trial.measured for trial in chosen[0]]
    every = {trial.name: 0.0 for trial in trials}
    if sum(map(len, measured)) < FEWEST:
        laws = [name for name in usable if name not in BASELINES] or usable
        return {**every, **{name: 1 / len(laws) for name in laws}}
    shares = np.concatenate([np.full(len(part), 1 / len(part) / len(measured)) for part in measured])
    points = [np.concatenate([t.expected.points for t in row if t.expected is not None]) for row in chosen]
    found = stacking_weights(points, np.concatenate(measured), shares)
    return {**every, **dict(zip(usable, map(float, found), strict=True)), NO_CHANGE: 0.0}


def _compute_per_nd(runs: Runs) -> float:
    if not {"flops", "params", "tokens"} <= set(runs.table.columns):
        return np.nan
    ratio = runs.column("flops") / (runs.column("params") * runs.column("tokens"))
    off = np.abs(ratio / FLOPS_PER_PARAMETER_TOKEN - 1)
    return FLOPS_PER_PARAMETER_TOKEN if bool(np.nanmax(off) < _SAME_COUNT) else np.nan

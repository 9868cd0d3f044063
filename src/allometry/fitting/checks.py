"""What can be wrong with a fit: each check is a small function that finds nothing or says it in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.engine import minimise
from allometry.fitting.problems import one_sample, pose, working_point
from allometry.fitting.result import Finding, Fit, FitStatus, Forecast, Severity
from allometry.units import show_count

Array = NDArray[np.float64]

RUNS_PER_COEFFICIENT = 3  # below this an interval is mostly a statement about the few runs
COLLINEAR = 0.95  # correlation of log params and log tokens
LEAST_FLOOR = 0.02  # a floor below this share of the smallest output is no floor
FEW_DECADES = 1.0  # of compute, or of the one input
FAR = 10.0  # factor beyond the largest run from which a forecast is a leap
MOVED = 0.25  # relative change of an exponent when one run is left out
PATTERN = 0.6  # rank correlation of residuals with an input


def check(fit: Fit) -> list[Finding]:
    """Run all checks on a fit, worst first; an empty list means that none found anything.

    >>> import pandas as pd
    >>> from allometry.fitting.solve import fit
    >>> from allometry.runs.run import Runs
    >>> flops = np.array([1e15, 1e16, 1e17, 1e18])
    >>> runs = Runs(pd.DataFrame({"flops": flops, "loss": 2 + 400 * flops**-0.15}))
    >>> [found.code for found in check(fit("power_law_with_floor", runs, inputs={"x": "flops"}))]
    ['few_runs', 'single_seed']
    """
    return _found(fit, (*_QUICK, _residual_pattern, _influence, _seeds, _conventions))


def quick_findings(fit: Fit) -> list[Finding]:
    """The checks that need no refit; a fit carries these."""
    return _found(fit, _QUICK)


def check_forecast(forecast: Forecast) -> list[Finding]:
    """How far a forecast goes beyond the runs it is made from."""
    outside = {column: factor for column, factor in forecast.beyond.items() if factor > FAR}
    findings = []
    if outside:
        column, factor = max(outside.items(), key=lambda pair: pair[1])
        findings.append(
            Finding(
                code="far_forecast",
                severity=Severity.WARNING,
                sentence=f"This forecast is at {factor:.3g} times the largest {column} that was fitted "
                f"({np.log10(factor):.1f} decades beyond). Its interval assumes that the law holds there.",
                evidence=dict(outside),
                remedy=f"Train a rung in between, so that {column} is within {FAR:g} times of the data.",
            )
        )
    if not np.isfinite(forecast.low):
        findings.append(
            Finding(
                code="no_interval",
                severity=Severity.WARNING,
                sentence=f"This forecast has no interval: {forecast.no_interval_because}.",
                remedy="Make draws with bootstrap(fit) and predict again.",
            )
        )
    return findings


def _found(fit: Fit, checks: tuple[Callable[[Fit], Finding | None], ...]) -> list[Finding]:
    order = [Severity.SERIOUS, Severity.WARNING, Severity.NOTE]
    findings = [finding for one in checks if (finding := one(fit)) is not None]
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def _few_runs(fit: Fit) -> Finding | None:
    runs, opened = len(fit.data), len(fit.open)
    if runs >= RUNS_PER_COEFFICIENT * opened:
        return None
    return Finding(
        code="few_runs",
        severity=Severity.WARNING,
        sentence=f"{runs} runs carry {opened} open coefficients ({runs / opened:.1f} runs each).",
        evidence={"runs": runs, "open_coefficients": opened},
        remedy=f"Add runs, to {RUNS_PER_COEFFICIENT * opened} or more, or hold coefficients that are known.",
    )


def _search(fit: Fit) -> Finding | None:
    if fit.status is FitStatus.NOT_CONVERGED:
        return Finding(
            code="not_converged",
            severity=Severity.SERIOUS,
            sentence="The best search did not come to rest: a better description of these runs may exist.",
            evidence={"converged": fit.starts.converged, "tried": fit.starts.tried},
            remedy="Fit with more starts (starts=64), or check the units of the inputs.",
        )
    if fit.starts.agreeing >= min(3, fit.starts.tried):
        return None
    return Finding(
        code="starts_disagree",
        severity=Severity.WARNING,
        sentence=f"Only {fit.starts.agreeing} of {fit.starts.tried} starts reached the best objective.",
        evidence={"agreeing": fit.starts.agreeing, "tried": fit.starts.tried},
        remedy="Fit with more starts (starts=64); if they still disagree, the runs allow several answers.",
    )


def _at_bound(fit: Fit) -> Finding | None:
    ends = {}
    for coefficient in fit.law.coefficients:
        value, (low, high) = fit.coefficients[coefficient.name], coefficient.bounds
        if coefficient.name in fit.open and (value <= low * (1 + 1e-9) or value >= high * (1 - 1e-9)):
            ends[coefficient.name] = value
    if not ends:
        return None
    return Finding(
        code="at_bound",
        severity=Severity.SERIOUS,
        sentence=f"{_listed(ends)} ended at the limit that the law allows: these runs do not determine it.",
        evidence=ends,
        remedy="Widen the range of the input it belongs to, hold it fixed, or use a law without it.",
    )


def _floor(fit: Fit) -> Finding | None:
    if "E" not in fit.open or fit.coefficients["E"] > LEAST_FLOOR * fit.data.output.min():
        return None
    return Finding(
        code="no_floor",
        severity=Severity.WARNING,
        sentence=f"The floor E is {fit.coefficients['E']:.2g}, next to nothing beside the smallest "
        f"{fit.output} of {fit.data.output.min():.4g}: these runs do not reach far enough to see one.",
        evidence={"E": fit.coefficients["E"], "smallest": float(fit.data.output.min())},
        remedy="Do not read E as the irreducible loss; hold it at a known value or add larger runs.",
    )


def _wide_floor(fit: Fit) -> Finding | None:
    if fit.draws is None or "E" not in fit.open:
        return None
    low, high = fit.interval("E")
    if low > LEAST_FLOOR * fit.data.output.min():
        return None
    return Finding(
        code="floor_not_determined",
        severity=Severity.WARNING,
        sentence=f"The floor E lies anywhere from about 0 to {high:.3g}: some resamples have none.",
        evidence={"low": low, "high": high},
        remedy="Do not read E as the irreducible loss; add larger runs, or hold it at a known value.",
    )


def _collinear(fit: Fit) -> Finding | None:
    columns = {fit.inputs[name]: values for name, values in fit.data.inputs.items()}
    if not {"params", "tokens"} <= columns.keys():
        return None
    logs = np.log(columns["params"]), np.log(columns["tokens"])
    if min(np.ptp(logs[0]), np.ptp(logs[1])) == 0:
        return None
    together = float(np.corrcoef(*logs)[0, 1])
    if abs(together) < COLLINEAR:
        return None
    return Finding(
        code="collinear",
        severity=Severity.WARNING,
        sentence=f"Parameters and tokens move together (correlation {together:.3f} of the logs), "
        "so what each of them does is hard to tell apart.",
        evidence={"correlation": together},
        remedy="Add runs with few and with many tokens at the same size.",
    )


def _short_range(fit: Fit) -> Finding | None:
    columns = {fit.inputs[name]: values for name, values in fit.data.inputs.items()}
    if {"params", "tokens"} <= columns.keys():
        columns = {"flops": 6 * columns["params"] * columns["tokens"]}
    decades = {column: float(np.log10(values.max() / values.min())) for column, values in columns.items()}
    column, least = min(decades.items(), key=lambda pair: pair[1])
    if least >= FEW_DECADES:
        return None
    ends = show_count(columns[column].min()), show_count(columns[column].max())
    return Finding(
        code="short_range",
        severity=Severity.WARNING,
        sentence=f"The runs span {least:.2f} decades of {column} ({ends[0]} to {ends[1]}).",
        evidence=decades,
        remedy="A slope needs a decade or more: add smaller runs, which cost little, or a larger one.",
    )


def _unconverged_draws(fit: Fit) -> Finding | None:
    if fit.drawn is None or fit.drawn.unconverged == 0:
        return None
    share = fit.drawn.unconverged / fit.drawn.count
    return Finding(
        code="unconverged_draws",
        severity=Severity.WARNING if share > 0.02 else Severity.NOTE,
        sentence=f"{fit.drawn.unconverged} of {fit.drawn.count} refits did not converge and are left out, "
        "which makes the intervals a little too narrow.",
        evidence={"unconverged": fit.drawn.unconverged, "draws": fit.drawn.count},
        remedy="Add runs, or hold the coefficient with the widest interval.",
    )


def _residual_pattern(fit: Fit) -> Finding | None:
    """Residuals that rise or fall along an input say that the law bends where the runs do not."""
    from scipy.stats import spearmanr

    residuals = fit.residuals()
    if np.ptp(residuals) < 1e-12 or len(residuals) < 8:
        return None
    found = {
        what: float(spearmanr(residuals, along).statistic)
        for what, along in _directions(fit).items()
        if np.ptp(along) > 0
    }
    what, worst = max(found.items(), key=lambda pair: abs(pair[1]))
    if abs(worst) < PATTERN:
        return None
    return Finding(
        code="residual_pattern",
        severity=Severity.WARNING,
        sentence=f"What the law leaves over is not noise: it follows {what} (rank correlation {worst:.2f}).",
        evidence=found,
        remedy="The form may be wrong for these runs: compare laws by how they forecast the largest runs.",
    )


def _directions(fit: Fit) -> dict[str, Array]:
    """What residuals may follow: each input, its distance from the middle, and two inputs together."""
    logs = {fit.inputs[name]: np.log(values) for name, values in fit.data.inputs.items()}
    found = dict(logs)
    for column, values in logs.items():
        found[f"distance from the middle {column}"] = np.abs(values - np.median(values))
    for (one, x), (other, y) in combinations(logs.items(), 2):
        # Large in both and small in both against large in one: what a sum of separate terms cannot bend to.
        found[f"{one} and {other} together"] = (x - x.mean()) * (y - y.mean())
    return found


def _influence(fit: Fit) -> Finding | None:
    """Leave each run out once, all refits in one batch, and see which exponent moves most."""
    exponents = [c.name for c in fit.law.coefficients if c.unit == "1" and c.name in fit.open]
    runs = len(fit.data)
    if not exponents or runs < len(fit.open) + 2:
        return None
    problem = pose(fit.law, fit.data, fit.goal, fit.held)
    without = np.broadcast_to(fit.data.weights, (runs, runs)) * (1 - np.eye(runs))
    here = np.broadcast_to(working_point(problem, fit.coefficients), (runs, len(fit.law.names)))
    samples = replace(one_sample(fit.data, fit.goal).of_one(runs), weights=without)
    moved = _relative_moves(fit, problem.outward(minimise(problem, here, samples).working), exponents)
    run, place = np.unravel_index(np.argmax(moved), moved.shape)
    if moved[run, place] < MOVED:
        return None
    return Finding(
        code="one_run_decides",
        severity=Severity.WARNING,
        sentence=f"Without '{fit.data.run_ids[run]}' alone, {exponents[place]} changes by "
        f"{moved[run, place]:.0%}.",
        evidence={"run": fit.data.run_ids[run], exponents[place]: fit.coefficients[exponents[place]]},
        remedy="Look at that run; repeat it with another seed, or add runs near it.",
    )


def _relative_moves(fit: Fit, refitted: Array, exponents: list[str]) -> Array:
    places = [fit.law.names.index(name) for name in exponents]
    values = np.array([fit.coefficients[name] for name in exponents])
    return np.asarray(np.abs(refitted[:, places] / values - 1))


def _seeds(fit: Fit) -> Finding | None:
    settings = np.column_stack(list(fit.data.inputs.values()))
    if len(np.unique(settings, axis=0)) < len(settings):
        return None
    return Finding(
        code="single_seed",
        severity=Severity.NOTE,
        sentence="Every setting was trained once, so run-to-run noise is known only from the residuals.",
        evidence={"settings": len(settings)},
        remedy="Repeat one or two settings with other seeds to measure the noise itself.",
    )


def _conventions(fit: Fit) -> Finding | None:
    mixed = [name for name, value in fit.conventions.items() if value == "mixed"]
    if not mixed:
        return None
    return Finding(
        code="mixed_conventions",
        severity=Severity.SERIOUS,
        sentence=f"The runs do not count alike: {_listed(mixed)} differs between rows.",
        evidence=dict.fromkeys(mixed, "mixed"),
        remedy="Bring all runs to one convention; exponents depend on it more than on the noise.",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


_QUICK = (
    _few_runs,
    _search,
    _at_bound,
    _floor,
    _wide_floor,
    _collinear,
    _short_range,
    _unconverged_draws,
)

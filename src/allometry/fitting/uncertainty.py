"""How sure a fit is: `bootstrap` and `profile`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain, islice

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.arguments import refuse_uncountable
from allometry.fitting.engine import Minima, Problem, Samples, improved, joined, minimise
from allometry.fitting.problems import one_sample, pose, working_point
from allometry.fitting.resampling import refuse_unknown, resamples, suited
from allometry.fitting.result import Draws, Fit, Resampling
from allometry.fitting.scales import transform
from allometry.fitting.search import AGREEMENT
from allometry.fitting.starting import candidates

Array = NDArray[np.float64]

_PROBED = 500  # resamples that show whether a second search ever ends lower
_BRIEF = 0  # retries of a search that is made from one start
_OTHERS = 32  # candidates a resample's second start is chosen from
_ELEMENTS_AT_ONCE = 250_000  # draws x runs held in memory together, for each worker


def bootstrap(
    fit: Fit,
    *,
    draws: int = 1000,
    unit: str = "run",
    strata: str | None = None,
    seed: int = 0,
    resampling: Resampling | None = None,
    starts: int = 2,
    workers: int = 1,
) -> Fit:
    """Refit many resamples of the runs by the same objective, so that every number gets an interval.

    Resamples are solved from two starts, the fit itself and the best of several hundred candidates under the
    resample's own weights, and the lower end is kept. Where five hundred of them show that the second start
    never ends lower, the rest is solved from one.

    Args:
        unit: What shares its luck: "run" keeps all rows of one training together; "row" takes each row
            alone; "trunk" keeps all branches of one training together; "setting" draws settings and, within
            those drawn, their seeds; or the name of a column.
        strata: A column within whose values units are drawn, for a design with fixed groups: the budgets of
            an IsoFLOP study. For "pairs" and "bayesian".
        resampling: "residuals" keeps the design and redraws the noise; "wild" keeps it and turns the signs of
            the residuals, for noise that differs between runs; "pairs" draws units with replacement;
            "bayesian" weights them at random. By default "residuals", which is the one that covers, unless
            there are forty units a coefficient and they speak against normal noise alike at all inputs, or
            the fit is a lower envelope: then "pairs" (docs/decisions/0003-bootstrap-for-small-ladders.md).
        starts: 2 as said above; 1 searches each resample from the fit alone, and a second time only where
            that comes to no rest: for many fits at once.
        workers: Threads; the draws are the same for any number.

    Returns:
        The same fit with `draws` and `drawn`. Refits without rest are left out and counted.

    Raises:
        FitError: If no refit converged.
        InputError: If there is no such unit, column or resampling.
    """
    refuse_uncountable("seed", seed, 0)
    refuse_uncountable("workers", workers, 1)
    if draws < 2:
        raise InputError(f"Ask for at least 2 draws, not {draws}; 1000 is usual.")
    if starts not in (1, 2):
        raise InputError(f"A resample is searched from 1 or 2 starts, not {starts}.")
    how = resampling or suited(fit, unit)
    refuse_unknown(how)
    if strata is not None and how not in ("pairs", "bayesian"):
        raise InputError(
            f"'{how}' keeps every run, so there is nothing to draw within '{strata}'; use 'pairs'."
        )
    problem = pose(fit.law, fit.data, fit.goal, fit.held)
    rng = np.random.default_rng(seed)
    blocks = (resamples(fit, count, unit, strata, how, rng) for count in _counts(draws, len(fit.data)))
    minima = _refit(problem, fit, blocks, workers) if starts > 1 else _refit_briefly(problem, fit, blocks)
    table = pd.DataFrame(problem.outward(minima.working[minima.converged]), columns=list(fit.law.names))
    table = table.assign(**fit.held)
    if table.empty:
        raise FitError(
            f"None of {draws} resamples of '{fit.law.name}' could be refitted; hold the coefficient that "
            "these runs say least about (check(fit) names it), or use a law with fewer."
        )
    failed = draws - len(table)
    made = Draws(
        resampling=how, unit=unit, strata=strata, count=draws, unconverged=failed, seed=seed, starts=starts
    )
    return replace(fit, draws=table, drawn=made)


def profile(fit: Fit, name: str, *, points: int = 41, width: float = 0.5) -> pd.DataFrame:
    """The best objective for each value of one coefficient, all others refitted.

    A sharp valley says that the runs determine the coefficient; a flat one that they do not.

    Args:
        points: Values to try, in equal ratios around the fitted one, which is among them if odd.
        width: How far to go each way, as a share of the fitted value.

    Returns:
        One row a value: the coefficients, "objective_value", and "rise", the objective above the fit's own
        as a share of it.

    Raises:
        InputError: If the coefficient is held, unknown, or zero.
    """
    refuse_uncountable("points", points, 1)
    if name not in fit.open or fit.coefficients[name] <= 0 or not 0 < width < 1:
        raise InputError(
            f"Profile one of {', '.join(fit.open)}, fitted above zero, with a width between 0 and 1; "
            f"not '{name}' with {width}."
        )
    reach = np.log1p(width)
    values = fit.coefficients[name] * np.exp(np.linspace(-reach, reach, points))
    problem = pose(fit.law, fit.data, fit.goal, {**fit.held, name: fit.coefficients[name]})
    starts = np.tile(working_point(problem, fit.coefficients), (points, 1))
    place = fit.law.names.index(name)
    starts[:, place] = np.log(values) if problem.logged[place] else values
    # The engine keeps a held coefficient where its start has it, so that each row holds its own value.
    ends = minimise(problem, starts, one_sample(fit.data, fit.goal).of_one(points)).working
    table = pd.DataFrame(problem.outward(ends), columns=list(fit.law.names))
    residuals = problem.residuals(ends, transform(fit.on, fit.data.output))
    table["objective_value"] = problem.objective.total(residuals, fit.data.weights)
    table["rise"] = table["objective_value"] / fit.objective_value - 1
    return table


def _counts(draws: int, runs: int) -> Iterator[int]:
    """Draws in blocks that fit into memory."""
    size = max(1, _ELEMENTS_AT_ONCE // runs)
    for at in range(0, draws, size):
        yield min(size, draws - at)


def _refit_briefly(problem: Problem, fit: Fit, blocks: Iterator[Samples]) -> Minima:
    """One search for each resample, from the fit; a second where that one comes to no rest."""
    here = working_point(problem, fit.coefficients)

    def refit(samples: Samples) -> Minima:
        starts = np.broadcast_to(here, (len(samples.target), len(here)))
        return minimise(problem, starts, samples, retries=_BRIEF)

    def again(samples: Samples, found: Minima) -> Minima:
        lost = np.flatnonzero(~found.converged)
        if not lost.size:
            return found
        tried = candidates(problem, one_sample(fit.data, fit.goal), fit.seed, keep=_OTHERS)
        few = samples.take(lost)
        starts = tried[_best_of(problem, transform(fit.on, problem.predicted(tried)), few)]
        return improved(found, lost, minimise(problem, starts, few, retries=1))

    return joined([again(samples, refit(samples)) for samples in blocks])


def _refit(problem: Problem, fit: Fit, blocks: Iterator[Samples], workers: int) -> Minima:
    """The lower of two searches for each resample, as long as a second one is worth its time.

    The first resamples are all searched twice. Where the second search never ended lower, the rest is
    searched once, from the fit.
    """
    here = working_point(problem, fit.coefficients)
    tried = candidates(problem, one_sample(fit.data, fit.goal), fit.seed, keep=_OTHERS)
    on_scale = transform(fit.on, problem.predicted(tried))

    def twice(samples: Samples) -> tuple[Minima, bool]:
        others = tried[_best_of(problem, on_scale, samples)]
        starts = np.stack([np.broadcast_to(here, others.shape), others], axis=1).reshape(-1, len(here))
        return _lower_of_two(minimise(problem, starts, samples.repeated(2), rivals=2))

    def refit(samples: Samples) -> Minima:
        if won:
            return twice(samples)[0]
        return minimise(problem, np.broadcast_to(here, (len(samples.target), len(here))), samples)

    first = next(blocks)
    probed, won = twice(first.take(slice(_PROBED)))

    rest = chain([first.take(slice(_PROBED, None))] if len(first.target) > _PROBED else [], blocks)
    if workers == 1:
        return joined([probed, *map(refit, rest)])
    # NumPy lets other threads run while it computes; resamples are still drawn one after the other, and no
    # more of them than there are threads.
    found = [probed]
    with ThreadPoolExecutor(workers) as pool:
        while batch := list(islice(rest, workers)):
            found += pool.map(refit, batch)
    return joined(found)


def _best_of(problem: Problem, on_scale: Array, samples: Samples) -> NDArray[np.intp]:
    """Which candidate has the least objective for each resample."""
    total = np.empty((len(on_scale), len(samples.target)))
    with np.errstate(all="ignore"):
        for row, values in enumerate(on_scale):
            each = problem.objective.penalty(values - samples.target)
            total[row] = np.einsum("bn,bn->b", each, samples.weights)
    return np.asarray(np.argmin(np.where(np.isnan(total), np.inf, total), axis=0), dtype=np.intp)


def _lower_of_two(both: Minima) -> tuple[Minima, bool]:
    """Of searches that come in pairs, the better one; and whether a second was ever better."""
    first, second = both.value[::2], both.value[1::2]
    won = bool((second < first * (1 - AGREEMENT)).any())
    return both.take(np.arange(0, len(both.value), 2) + (second < first)), won

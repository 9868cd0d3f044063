"""Minimise many small robust problems at once: arrays in, arrays out.

One problem is one start on one resample of the runs. Legend of shapes: b problems, p coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.definition import Problem, Samples
from allometry.fitting.descent import Descent, Minima, Tactic
from allometry.fitting.objectives import Objective

__all__ = ["Minima", "Problem", "Samples", "improved", "joined", "minimise"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_STEPS_ON_THE_WAY = 25
_RETRIES = 6  # of searches without rest
_SAME = 1e-10  # relative difference of two ends that no use can tell apart
_TACTICS = (
    Tactic(convex=True, diagonal=False, steps=100),
    Tactic(convex=True, diagonal=True, steps=600),
    Tactic(convex=False, diagonal=False, steps=300),
)


def minimise(
    problem: Problem, starts_bp: Array, samples: Samples, *, rivals: int = 1, retries: int = _RETRIES
) -> Minima:
    """Search from each start, in working coefficients, for the least objective of its own sample.

    Args:
        rivals: So many consecutive starts share a sample, and only the lowest end counts: one that is lost is
            given up where another came to rest no higher.
        retries: Times that searches without rest begin again by other means.
    """
    samples = samples.condensed()
    stages, smoothed = problem.objective.stages(), problem.objective.smoothed()
    end = _minimise_in_stages(problem, starts_bp, samples, stages, _TACTICS[0])
    # One that got stuck between kinks goes on over smoother objectives; one that is lost begins again by
    # other means.
    for attempt in range(retries):
        rows = _lost(end, rivals)
        if not rows.size:
            break
        tactic = _TACTICS[attempt] if attempt < len(_TACTICS) else _TACTICS[0]
        fresh = tactic is not _TACTICS[0]
        begun = starts_bp[rows] if fresh else end.working[rows]
        found = _minimise_in_stages(problem, begun, samples.take(rows), stages if fresh else smoothed, tactic)
        end = improved(end, rows, found)
    return end


def joined(parts: Sequence[Minima]) -> Minima:
    """Searches that were made one after the other, as one."""
    return Minima(
        working=np.concatenate([part.working for part in parts]),
        value=np.concatenate([part.value for part in parts]),
        converged=np.concatenate([part.converged for part in parts]),
    )


def _lost(end: Minima, rivals: int) -> Index:
    """Searches without rest that no rival of theirs has made needless."""
    at_rest = np.where(end.converged, end.value, np.inf).reshape(-1, rivals).min(axis=1)
    lower = end.value < np.repeat(at_rest, rivals) * (1 - _SAME)
    return np.flatnonzero(~end.converged & (lower if rivals > 1 else True))


def improved(end: Minima, rows: Index, found: Minima) -> Minima:
    """Put what was found in place where it is lower, or where it came to rest no higher."""
    better = (found.value < end.value[rows]) | (found.converged & (found.value <= end.value[rows]))
    working, value, converged = end.working.copy(), end.value.copy(), end.converged.copy()
    working[rows[better]], value[rows[better]] = found.working[better], found.value[better]
    converged[rows[better]] = found.converged[better]
    return Minima(working=working, value=value, converged=converged)


def _minimise_in_stages(
    problem: Problem, starts: Array, samples: Samples, stages: tuple[Objective, ...], tactic: Tactic
) -> Minima:
    end = Minima(working=starts, value=np.zeros(len(starts)), converged=np.zeros(len(starts), dtype=np.bool_))
    for objective in stages:
        # All but the last stage only show the way to the next: they need no rest.
        brief = tactic if objective is stages[-1] else replace(tactic, steps=_STEPS_ON_THE_WAY)
        with np.errstate(all="ignore"):  # a trial may overflow; it is then not accepted
            end = Descent(replace(problem, objective=objective), end.working, samples, brief).run()
    return end

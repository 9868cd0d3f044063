"""Whether runs can tell the coefficients of a law apart at all, before anything is fitted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError
from allometry.fitting.engine import Problem
from allometry.fitting.starting import spread

Array = NDArray[np.float64]

_PROPORTIONAL = 0.01  # spread of log(D/N) below which tokens are the same multiple of params
_RANK = 1e-11  # smallest singular value, relative to the largest, of a Jacobian that tells all apart
_PLACES = 24  # of the start ranges that rank is judged at
_ROWS = 2000  # runs that it is judged from; of more, as many spread evenly


def refuse_unidentifiable(problem: Problem, columns: Mapping[str, str], *, compute: str = "flops") -> None:
    """Refuse runs that cannot carry the law, with the reason and the way out.

    Args:
        compute: A column that stands for compute where tokens are a fixed multiple of params.

    Raises:
        FitError: Too few runs, too few different values of an input, tokens proportional to params.
    """
    _refuse_few_runs(problem)
    _refuse_proportional(problem, columns, compute)
    _refuse_few_levels(problem, columns)


def _refuse_few_runs(problem: Problem) -> None:
    count, law = int((~problem.fixed).sum()), problem.law
    if len(problem.inputs[0]) > count:
        return
    first = next(name for name, fixed in zip(law.names, problem.fixed, strict=True) if not fixed)
    were = "run was" if len(problem.inputs[0]) == 1 else "runs were"
    raise FitError(
        f"Law '{law.name}' leaves {count} coefficients open and {len(problem.inputs[0])} {were} given; "
        f'give at least {count + 1}, or hold some fixed: fit(law, runs, hold={{"{first}": ...}}) (command '
        f"line: --hold {first}=...)."
    )


def _refuse_proportional(problem: Problem, columns: Mapping[str, str], compute: str) -> None:
    if "params" not in columns or "tokens" not in columns or problem.held:
        return
    params, tokens = (problem.inputs[problem.law.reads.index(name)] for name in ("params", "tokens"))
    if np.ptp(np.log(params)) > 0 and np.std(np.log(tokens) - np.log(params)) < _PROPORTIONAL:
        raise FitError(
            f"All {len(tokens)} runs have {np.median(tokens / params):.3g} tokens per parameter, so what "
            "size does and what data does cannot be told apart. Add runs at other ratios, or fit compute: "
            f'fit("power_law_with_floor", runs, inputs={{"x": "{compute}"}}) (command line: --law '
            f"power_law_with_floor --inputs x={compute})."
        )


def _refuse_few_levels(problem: Problem, columns: Mapping[str, str]) -> None:
    """At almost any place the Jacobian has full rank exactly if the inputs take enough different values."""
    direction = _lost_direction(problem)
    if direction is None:
        return
    law = problem.law
    opened = [name for name, fixed in zip(law.names, problem.fixed, strict=True) if not fixed]
    tangled = [name for name, share in zip(opened, np.abs(direction), strict=True) if share > 1e-3]
    levels = ", ".join(
        f"'{columns[name]}' takes {len(np.unique(x))}"
        for name, x in zip(law.reads, problem.inputs, strict=True)
    )
    raise FitError(
        f"These runs cannot tell {', '.join(tangled)} of law '{law.name}' apart: {levels} different "
        f'value(s). Vary it more, or hold a coefficient fixed: fit(law, runs, hold={{"{tangled[-1]}": ...}}) '
        f"(command line: --hold {tangled[-1]}=...)."
    )


def _lost_direction(problem: Problem) -> Array | None:
    """The combination of open coefficients that no run depends on, of shape (open,); None if there is none.

    The best conditioned of many places decides: one where a term has died out says nothing about the runs.
    """
    jacobian = _jacobians(problem)[:, :, ~problem.fixed]
    largest = np.abs(jacobian).max(axis=1)
    finite = np.isfinite(jacobian).all(axis=(1, 2))
    unused = (largest[finite] == 0).all(axis=0)
    if finite.any() and unused.any():
        return np.asarray(unused, dtype=np.float64)
    usable = finite & ((largest > 1e-100) & (largest < 1e100)).all(axis=1)
    if not usable.any():
        return None  # no place to judge from: the search will say what it finds
    sound = jacobian[usable]
    scaled = sound / np.linalg.norm(sound, axis=1, keepdims=True)
    _, size, direction = np.linalg.svd(scaled, full_matrices=False)
    best = int(np.argmax(size[:, -1] / size[:, 0]))
    return None if size[best, -1] > _RANK * size[best, 0] else np.asarray(direction[best, -1])


def _jacobians(problem: Problem) -> Array:
    """The law's Jacobian at typical places and places all over the start ranges; (places, runs, p)."""
    law = problem.law
    p = len(law.names)
    some = slice(None, None, max(1, len(problem.inputs[0]) // _ROWS))
    actual = {name: x[some] for name, x in zip(law.reads, problem.inputs, strict=True)}
    # Centred inputs with exponents near 1 are far from any optimum but well conditioned, and rank is generic.
    centred = {name: x / np.exp(np.log(x).mean()) if x.min() > 0 else x for name, x in actual.items()}
    middle = {n: 0.8 if c.unit == "1" else 1.0 for n, c in zip(law.names, law.coefficients, strict=True)}
    all_over = spread(problem, seed=0)
    all_over = all_over[:: max(1, len(all_over) // _PLACES)]
    ordinary = {**middle, **law.typical}
    found = []
    for inputs, first in ((centred, middle), (actual, ordinary)):
        places = np.vstack([[first[name] for name in law.names], all_over])
        columns = dict(zip(law.names, places.T[:, :, None], strict=True))
        with np.errstate(all="ignore"):
            each = law.gradient(inputs, columns)
        found.append(np.broadcast_to(each, (len(places), len(problem.inputs[0][some]), p)))
    return np.concatenate(found)  # broadcast, as a law may use none of its inputs

"""Whether runs can tell the coefficients of a law apart at all, before anything is fitted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from allometry.errors import FitError
from allometry.fitting.engine import Problem

_PROPORTIONAL = 0.01  # spread of log(D/N) below which tokens are the same multiple of params
_RANK = 1e-11  # smallest singular value, relative to the largest, of a Jacobian that tells all apart


def refuse_unidentifiable(problem: Problem, columns: Mapping[str, str]) -> None:
    """Refuse runs that cannot carry the law, with the reason and the way out.

    Raises:
        FitError: Too few runs, too few different values of an input, tokens proportional to params.
    """
    _refuse_few_runs(problem)
    _refuse_proportional(problem, columns)
    _refuse_few_levels(problem, columns)


def _refuse_few_runs(problem: Problem) -> None:
    count, law = int((~problem.fixed).sum()), problem.law
    if len(problem.inputs[0]) > count:
        return
    first = next(name for name, fixed in zip(law.names, problem.fixed, strict=True) if not fixed)
    were = "run was" if len(problem.inputs[0]) == 1 else "runs were"
    raise FitError(
        f"Law '{law.name}' leaves {count} coefficients open and {len(problem.inputs[0])} {were} given; "
        f'give at least {count + 1}, or hold some fixed: fit(law, runs, hold={{"{first}": ...}}).'
    )


def _refuse_proportional(problem: Problem, columns: Mapping[str, str]) -> None:
    if "params" not in columns or "tokens" not in columns or problem.held:
        return
    params, tokens = (problem.inputs[problem.law.reads.index(name)] for name in ("params", "tokens"))
    if np.ptp(np.log(params)) > 0 and np.std(np.log(tokens / params)) < _PROPORTIONAL:
        raise FitError(
            f"All {len(tokens)} runs have {np.median(tokens / params):.3g} tokens per parameter, so what "
            "size does and what data does cannot be told apart. Add runs at other ratios, or fit compute: "
            f'fit("power_law_with_floor", runs, inputs={{"x": "flops"}}).'
        )


def _refuse_few_levels(problem: Problem, columns: Mapping[str, str]) -> None:
    """The Jacobian at a generic point has full rank exactly if the inputs take enough different values."""
    law = problem.law
    inputs = {name: x / np.exp(np.log(x).mean()) for name, x in zip(law.reads, problem.inputs, strict=True)}
    # Exponents near 1 and centred inputs: far from the optimum, but well conditioned, and rank is generic.
    generic = {n: 0.8 if c.unit == "1" else 1.0 for n, c in zip(law.names, law.coefficients, strict=True)}
    jacobian = law.gradient(inputs, generic)[:, ~problem.fixed]
    jacobian = jacobian / np.maximum(np.linalg.norm(jacobian, axis=0), 1e-300)
    _, size, direction = np.linalg.svd(jacobian, full_matrices=False)
    if size[-1] > _RANK * size[0]:
        return
    opened = [name for name, fixed in zip(law.names, problem.fixed, strict=True) if not fixed]
    tangled = [name for name, share in zip(opened, np.abs(direction[-1]), strict=True) if share > 1e-3]
    levels = ", ".join(
        f"'{columns[name]}' takes {len(np.unique(x))}"
        for name, x in zip(law.reads, problem.inputs, strict=True)
    )
    raise FitError(
        f"These runs cannot tell {', '.join(tangled)} of law '{law.name}' apart: {levels} different "
        f'value(s). Vary it more, or hold a coefficient fixed: fit(law, runs, hold={{"{tangled[-1]}": ...}}).'
    )

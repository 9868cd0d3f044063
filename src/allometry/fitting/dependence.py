"""Inputs of a law that are a function of its other inputs: compute that is 6 · params · tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.engine import Problem

Array = NDArray[np.float64]

EXACT = 0.01  # spread of the logarithm around a product of powers below which an input is one


@dataclass(frozen=True, kw_only=True)
class Dependence:
    """An input that is a product of powers of others: x = scale · Π others^power.

    Attributes:
        name: The input.
        spread: Standard deviation of its logarithm around that product.
    """

    name: str
    scale: float
    powers: Mapping[str, float]
    spread: float

    @property
    def formula(self) -> str:
        """The product in words.

        >>> Dependence(name="flops", scale=6.0, powers={"params": 1.0, "tokens": 1.0}, spread=0.0).formula
        'flops = 6 · params · tokens'
        """
        factors = [
            name if round(power, 3) == 1 else f"{name}^{power:.3g}"
            for name, power in self.powers.items()
            if abs(power) > 1e-3
        ]
        return f"{self.name} = {' · '.join([f'{self.scale:.4g}', *factors])}"


def dependence(inputs: Mapping[str, Array]) -> Dependence | None:
    """The last input that is a product of powers of the others, to 1%; None if there is none.

    >>> params, tokens = np.array([1e6, 2e6, 1e6, 4e6]), np.array([1e8, 1e8, 3e8, 3e8])
    >>> found = dependence({"params": params, "tokens": tokens, "flops": 6 * params * tokens})
    >>> found.formula if found else None
    'flops = 6 · params · tokens'
    """
    varied = {name: np.log(x) for name, x in inputs.items() if x.min() > 0 and np.ptp(np.log(x)) > EXACT}
    for name in reversed(varied):
        others = [other for other in varied if other != name]
        if not others or len(varied[name]) < len(others) + 2:
            continue
        found = _regressed(name, varied[name], {other: varied[other] for other in others})
        if found.spread < EXACT:
            return found
    return None


def without_dependent(problem: Problem) -> tuple[Problem, str]:
    """Hold at zero the exponent of an input that says nothing of its own.

    The last exponent that may be zero, of the coefficients that read the dependent input alone, is held. In
    k · M^alpha · D^beta · C^gamma with C = 6 · M · D only alpha + gamma and beta + gamma show in the runs.

    Returns:
        The problem to solve and the name of the exponent held, or the same problem and "".
    """
    found = dependence(dict(zip(problem.law.reads, problem.inputs, strict=True)))
    name = "" if found is None else _power_of(problem, found.name)
    return (replace(problem, held={**problem.held, name: 0.0}), name) if name else (problem, "")


def _power_of(problem: Problem, reads: str) -> str:
    """The open exponent p of a law in which an input x enters as x^p alone; "" if there is none."""
    law = problem.law
    symbol = law.symbols[law.reads.index(reads)]
    for coefficient, fixed in zip(law.coefficients, problem.fixed, strict=True):
        low, high = coefficient.bounds
        may_be_zero = not coefficient.positive and low < 0 < high and not fixed
        if may_be_zero and law.derivation.powers.get(coefficient.name) == symbol:
            return coefficient.name
    return ""


def _regressed(name: str, logs: Array, others: Mapping[str, Array]) -> Dependence:
    design = np.column_stack([np.ones(len(logs)), *others.values()])
    found = np.linalg.lstsq(design, logs, rcond=None)[0]
    with np.errstate(over="ignore"):  # columns a hundred decades apart
        scale = float(np.exp(found[0]))
    return Dependence(
        name=name,
        scale=scale,
        powers={other: float(power) for other, power in zip(others, found[1:], strict=True)},
        spread=float(np.std(logs - design @ found)),
    )

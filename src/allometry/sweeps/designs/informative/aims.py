"""What the next runs are to make known: a forecast, the exponents, the best size of a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError, InputError, did_you_mean
from allometry.fitting.allocation import FLOPS_PER_PARAMETER_TOKEN, optimal_params
from allometry.fitting.scales import transform
from allometry.sweeps.designs.informative.beliefs import Belief

Array = NDArray[np.float64]

_STEP = 1e-3  # in the log of the size: differences of exact slopes, so that only rounding limits it


class Aim(Protocol):
    """Numbers to be known, as functions of a law's coefficients."""

    def slopes(self, belief: Belief) -> Array:
        """Derivatives of each number with respect to the open working coefficients; shape (s, t, q)."""
        ...

    def floor(self, belief: Belief) -> float:
        """Variance that stays however well the law is known."""
        ...


@dataclass(frozen=True, kw_only=True)
class ForecastOf:
    """The loss of one run, noise included: what `fit.predict` gives an interval for.

    Attributes:
        inputs: Column to value of the run, in base units.
    """

    inputs: Mapping[str, float]

    def slopes(self, belief: Belief) -> Array:
        """Of the law at the run, on the scale of the fit."""
        return belief.slopes({name: np.array([value]) for name, value in self.inputs.items()})

    def floor(self, belief: Belief) -> float:
        """The noise of the run itself."""
        return belief.noise**2


@dataclass(frozen=True, kw_only=True)
class Exponents:
    """Coefficients, by default all of unit 1, each narrowed by the same share of its own width.

    Attributes:
        names: Which; the law's exponents if empty.
    """

    names: tuple[str, ...] = ()

    def slopes(self, belief: Belief) -> Array:
        """One where the number is the coefficient itself."""
        opened = [name for name, is_open in zip(belief.law.names, belief.open, strict=True) if is_open]
        units = {one.name: one.unit for one in belief.law.coefficients}
        wanted = self.names or tuple(name for name in opened if units[name] == "1")
        for name in wanted:
            if name not in opened:
                raise InputError(
                    f"Law '{belief.law.name}' leaves no '{name}' open.{did_you_mean(name, opened)} "
                    f"It leaves open: {', '.join(opened)}."
                )
        chosen = np.array([[float(name == one) for one in opened] for name in wanted])
        return np.broadcast_to(chosen, (len(belief.natural), *chosen.shape))

    def floor(self, belief: Belief) -> float:
        """None."""
        return 0.0


@dataclass(frozen=True, kw_only=True)
class OptimalSize:
    """The size of least loss at a budget, N*, as a relative width.

    Attributes:
        flops: The budget; flops = 6 · params · tokens.
    """

    flops: float

    def slopes(self, belief: Belief) -> Array:
        """Of log N*, by the implicit function theorem: -(d²L / dn dc) / (d²L / dn²) with n = log N.

        Both are differences, along the budget, of the law's exact derivatives.

        Raises:
            FitError: If the law has no optimum inside the budget at some place that is believed possible.
        """
        names = {column: name for name, column in belief.columns.items()}
        if names.keys() != {"params", "tokens"}:
            raise FitError(
                f"Law '{belief.law.name}' reads {', '.join(names)}; a best size needs a law of params and "
                "tokens alone, for example 'chinchilla'."
            )
        places = {name: belief.natural[:, i] for i, name in enumerate(belief.law.names)}
        best = optimal_params(belief.law, names, places, self.flops)
        if not np.isfinite(best).all():
            raise FitError(
                f"Law '{belief.law.name}' has no optimum at {self.flops:g} FLOP for some draws; aim at a "
                "forecast until more is known."
            )
        left, middle, right = (self._along(belief, best * np.exp(step)) for step in (-_STEP, 0.0, _STEP))
        mixed = (right[1] - left[1]) / (2 * _STEP)
        bend = (right[0] - 2 * middle[0] + left[0]) / _STEP**2
        return np.asarray((-mixed / bend[:, None])[:, None, :])

    def floor(self, belief: Belief) -> float:
        """None."""
        return 0.0

    def _along(self, belief: Belief, params: Array) -> tuple[Array, Array]:
        """The law and its slopes at one size a place, on the budget's line; shapes (s,) and (s, q)."""
        tokens = self.flops / FLOPS_PER_PARAMETER_TOKEN / params
        inputs = {"params": params, "tokens": tokens}
        here = np.arange(len(params))
        read = {name: inputs[belief.columns[name]] for name in belief.law.reads}
        places = {name: belief.natural[:, i] for i, name in enumerate(belief.law.names)}
        return transform(belief.on, belief.law.evaluate(read, places)), belief.slopes(inputs)[here, here]

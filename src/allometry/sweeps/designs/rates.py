"""Learning rates of a design: the rule from one width and horizon to another, and what checks say of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from allometry.architectures import AnyArchitecture
from allometry.recipe import MuP, Recipe, at_rate

_HORIZON_EXPONENT = -0.5  # of the best learning rate in the tokens of the run
_NO_BASIN = 1e-9  # nats per squared log: a curvature of rounding size is none


def rule_rate(base: Recipe, architecture: AnyArchitecture, tokens: float) -> float:
    """The learning rate for a width and a horizon, from the base recipe's own.

    base rate * (base width / width) * (tokens / base tokens)^-1/2. Under muP, which scales the rates itself,
    the width's part is left out.

    Source:
        Width: Yang et al. 2022, table 3, arXiv:2203.03466, matrices under Adam. Horizon: Schaipp et al. 2025,
        arXiv:2501.18965.
    """
    wider, longer = architecture.width / base.architecture.width, tokens / base.tokens
    if isinstance(base.parametrization, MuP):
        wider = 1.0  # the rate is that of the base width at every width
    return base.optimizer.learning_rate / wider * math.pow(longer, _HORIZON_EXPONENT)


def reshaped(
    base: Recipe, architecture: AnyArchitecture, *, tokens: int, learning_rate: float | None = None
) -> Recipe:
    """The base recipe at another shape, budget and rate; by the rule if no rate is given."""
    rate = rounded(rule_rate(base, architecture, tokens)) if learning_rate is None else learning_rate
    optimizer = at_rate(base.optimizer, rate)
    return replace(base, architecture=architecture, optimizer=optimizer, tokens=tokens)


def rounded(rate: float) -> float:
    """Three digits: a learning rate is not known better, and a short number is a readable recipe."""
    return float(f"{rate:.3g}")


@dataclass(frozen=True, kw_only=True)
class RateTrend:
    """The best learning rate as a multiple of a rule, a power of the width: middle * (width / centre)^tilt.

    Attributes:
        lowest, highest: The multiples that were tried; no other is given, whatever the width.
    """

    middle: float = 1.0
    tilt: float = 0.0
    centre: float = 1.0
    lowest: float = 0.0
    highest: float = math.inf

    def factor(self, width: float) -> float:
        """The multiple for a width."""
        return min(max(self.middle * math.pow(width / self.centre, self.tilt), self.lowest), self.highest)


def rate_trend(factors: Sequence[float], widths: Sequence[float], losses: Sequence[float]) -> RateTrend:
    """Find the best multiple of the rule from the checks of all sizes together.

    Least squares of loss = level of the size + c z^2 + d z + e z x, with z the log of the multiple and x the
    log of the width from its mean: one basin for all sizes, whose minimum -(d + e x) / 2c may drift with the
    width. The basin of one small size alone is flatter than the noise of a run.

    Args:
        factors, widths, losses: One entry a check; NaN for a loss that diverged.

    Returns:
        The trend; without drift for less than three widths; the multiple of least mean loss where the
        losses have no basin; 1 if there are no checks.
    """
    tried = [(z, x, y) for z, x, y in zip(factors, widths, losses, strict=True) if math.isfinite(y)]
    if not tried:
        return RateTrend()
    multiple, width, loss = np.array(tried).T
    edges = {"lowest": float(multiple.min()), "highest": float(multiple.max())}
    z, centre = np.log(multiple), math.exp(np.log(width).mean())
    x = np.log(width / centre)
    levels = (width[:, None] == np.unique(width)).astype(np.float64)
    drift = z * x * (levels.shape[1] >= 3)
    (*_, curvature, slope, turn), *_ = np.linalg.lstsq(np.column_stack([levels, z**2, z, drift]), loss)
    if not curvature > _NO_BASIN:
        excess = loss - levels @ (levels.T @ loss / levels.sum(axis=0))
        best = min(np.unique(multiple), key=lambda one: float(excess[multiple == one].mean()))
        return RateTrend(middle=float(best), **edges)
    middle, tilt = math.exp(-slope / (2 * curvature)), -turn / (2 * curvature)
    return RateTrend(middle=middle, tilt=float(tilt), centre=centre, **edges)

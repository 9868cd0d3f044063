"""The compute-optimal frontier as power laws of compute: what approaches 1 and 2 end in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.arguments import is_number
from allometry.fitting.result import Estimate, Finding, Fit, Optimum, middle
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.runs.run import Filter, Runs

Array = NDArray[np.float64]

_ROUNDING = 1e-9  # of a log: points this near to their line are on it
FALLING = 0.8  # rank correlation of loss with compute, below zero
BUDGETS_FOR_FLOOR = 4  # a floor is a third coefficient of the loss along the frontier


@dataclass(frozen=True, kw_only=True, eq=False)
class FrontierLaw:
    """A compute-optimal quantity as coefficient · C**exponent, C in FLOP.

    Attributes:
        column, unit: What it gives: "params" or "tokens".
        draws: One row a draw, columns "coefficient" and "exponent"; empty where no draws were asked for.
    """

    column: str
    unit: str
    coefficient: float
    exponent: float
    draws: pd.DataFrame = field(repr=False)

    def at(self, flops: float, level: float = 0.9) -> Estimate:
        """The quantity at one budget, with the range of the middle `level` of the draws.

        >>> empty = pd.DataFrame({"coefficient": [], "exponent": []})
        >>> law = FrontierLaw(column="params", unit="1", coefficient=0.1, exponent=0.5, draws=empty)
        >>> f"{law.at(1e20).value:.3g}"
        '1e+09'
        """
        if not (is_number(flops) and flops > 0):
            raise InputError(f"flops must be a number above zero, not {flops!r}.")
        drawn = self.draws["coefficient"].to_numpy() * flops ** self.draws["exponent"].to_numpy()
        return estimate(self.coefficient * flops**self.exponent, drawn, level, self.unit)

    def slope(self, level: float = 0.9) -> Estimate:
        """The exponent with its range."""
        return estimate(self.exponent, self.draws["exponent"].to_numpy(), level, "1")


@dataclass(frozen=True, kw_only=True, eq=False)
class Frontier:
    """N*(C), D*(C) and L(C), and the points they go through.

    Attributes:
        points: One row a point: flops, params, tokens and loss, the last in `unit` of `output`.
        params_law, tokens_law: The power laws through the points.
        findings: What is doubtful about them, worst first.
        sensitivity: One row a change of the data or the method: what changed, points, rows and the two
            exponents then.
        asked: Draws asked for; those without two points are left out of the laws' draws.
        conventions, filters, source: As in `Fit`.
    """

    points: pd.DataFrame = field(repr=False)
    params_law: FrontierLaw
    tokens_law: FrontierLaw
    findings: tuple[Finding, ...]
    sensitivity: pd.DataFrame = field(repr=False)
    output: str
    unit: str
    asked: int
    seed: int
    conventions: Mapping[str, str] = field(default_factory=dict)
    filters: tuple[Filter, ...] = ()
    source: str = "memory"

    def exponents(self, level: float = 0.9) -> dict[str, Estimate]:
        """How the best params and tokens grow with compute: N* as C^a, D* as C^b."""
        return {law.column: law.slope(level) for law in (self.params_law, self.tokens_law)}

    @cached_property
    def loss_law(self) -> Fit:
        """L(C) along the frontier: with a floor, or a plain power law where points are few or do not fall."""
        law = "power_law_with_floor" if self._shows_a_floor() else "power_law"
        runs = Runs(self.points, source=f"the frontier of {self.source}")
        found = fit(law, runs, inputs={"x": "flops"}, output=self.output)
        return bootstrap(found, draws=self.loss_draws, seed=self.seed) if self.loss_draws else found

    def _shows_a_floor(self) -> bool:
        """Whether the losses fall with compute, four points or more: otherwise any floor describes them."""
        if len(self.points) < BUDGETS_FOR_FLOOR:
            return False
        together = self.points["flops"].rank().corr(self.points[self.output].rank())
        return bool(together <= -FALLING)

    @property
    def loss_draws(self) -> int:
        """Draws of the loss along the frontier; 0 where its points are too dependent for any."""
        return self.asked

    def optimum(self, flops: float, level: float = 0.9) -> Optimum:
        """The best size and tokens for a budget by the power laws, and the loss along the frontier.

        Unlike `Fit.optimum`, params and tokens are two laws: their product times 6 may differ a little
        from the budget where flops is not 6 · params · tokens.
        """
        params, tokens = self.params_law.at(flops, level), self.tokens_law.at(flops, level)
        law = self.loss_law
        drawn = law.draws if law.draws is not None else pd.DataFrame(columns=list(law.law.names))
        values = {name: drawn[name].to_numpy(dtype=np.float64)[:, None] for name in law.law.names}
        inputs = {"x": np.array([flops])}
        loss = float(law.law.evaluate(inputs, law.coefficients)[0])
        spread = law.law.evaluate(inputs, values)[:, 0] if len(drawn) else np.empty(0)
        return Optimum(
            flops=flops,
            params=params,
            tokens=tokens,
            loss=estimate(loss, spread, level, self.unit),
            level=level,
        )


def estimate(value: float, drawn: Array, level: float, unit: str) -> Estimate:
    """A value with the range of the middle `level` of its draws; without draws the ends are NaN."""
    low, high = middle(drawn, level) if drawn.size else (np.nan, np.nan)
    return Estimate(value=float(value), low=float(low), high=float(high), unit=unit)


def frontier_law(
    column: str, unit: str, flops: Array, values: Array, drawn: Array, weights: Array
) -> FrontierLaw:
    """The power law through values at some budgets, and one through each draw of them.

    Args:
        values: Of shape (budgets,).
        drawn: Of shape (draws, budgets); NaN where a draw has no value. A draw needs two.
        weights: Inverse variances of the log values, of shape (budgets,).
    """
    x = np.log(flops)
    intercept, slope = lines(x, np.log(values)[None, :], weights)
    level, rise = lines(x, np.log(drawn), weights)
    table = pd.DataFrame({"coefficient": np.exp(level), "exponent": rise}).dropna()
    return FrontierLaw(
        column=column,
        unit=unit,
        coefficient=float(np.exp(intercept[0])),
        exponent=float(slope[0]),
        draws=table.reset_index(drop=True),
    )


def lines(x: Array, y: Array, weights: Array) -> tuple[Array, Array]:
    """Intercepts and slopes of weighted least squares, one line a row of y; NaN for fewer than two points.

    Weights are inverse variances: a point twice as uncertain pulls a quarter as much.

    >>> intercept, slope = lines(np.array([0.0, 1.0, 2.0]), np.array([[1.0, 3.0, 5.0]]), np.ones(3))
    >>> float(intercept[0]), float(slope[0])
    (1.0, 2.0)
    """
    there = np.isfinite(y)
    w = np.where(there, weights, 0.0)
    filled = np.where(there, y, 0.0)
    enough = there.sum(axis=1) >= 2
    total = np.where(enough, w.sum(axis=1), np.nan)
    middle_x, middle_y = (w @ x) / total, (w * filled).sum(axis=1) / total
    away = x - middle_x[:, None]
    slope = (w * away * (filled - middle_y[:, None])).sum(axis=1) / (w * away**2).sum(axis=1)
    return middle_y - slope * middle_x, slope


def scatter(x: Array, y: Array, spread: Array, weights: Array) -> float:
    """Standard deviation of points about their line beyond what their own spread explains; 0 if none.

    Source:
        Mandel and Paule 1970, doi:10.1021/ac60293a019: the variance between that makes the sum of squared
        standardised residuals equal its degrees of freedom.

    >>> x, y = np.arange(4.0), np.array([0.1, 0.9, 2.1, 2.9])
    >>> scatter(x, y, np.full(4, 0.2), np.ones(4)), scatter(x, y, np.zeros(4), np.ones(4)) > 0.05
    (0.0, True)
    """
    from scipy.optimize import brentq

    intercept, slope = lines(x, y[None, :], weights)
    square = (y - intercept[0] - slope[0] * x) ** 2
    freedom = len(x) - 2
    most = float(np.sqrt(square.sum()))

    def excess(between: float) -> float:
        return float(np.sum(square / (spread**2 + between**2 + _ROUNDING**2))) - freedom

    if freedom < 1 or excess(0.0) <= 0:
        return 0.0
    return float(brentq(excess, 0.0, most + _ROUNDING, xtol=1e-12)) if excess(most + _ROUNDING) < 0 else most

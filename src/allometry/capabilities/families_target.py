"""From principal components to a target score: an S-shaped curve, its upper end fixed and free."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError
from allometry.fitting.engine import Problem, Samples, minimise
from allometry.fitting.objectives import Objective
from allometry.laws import Coefficient, Law
from allometry.laws.definition import Input
from allometry.laws.mathematics import logistic

Array = NDArray[np.float64]

_NEAREST = 0.02  # to an end, when a score is turned into a logit for the start
_STEEPEST = 500.0  # slope per component: scores that jump have no largest one


@dataclass(frozen=True, kw_only=True, eq=False)
class TargetFit:
    """One curve: chance + (end - chance) · logistic(slopes · PC + middle).

    Attributes:
        end: The upper end; `free` says whether it was fitted.
        slopes: Of shape (k,).
        error: Standard deviation of a model about the curve.
        draws: Refits to resampled families, columns middle, slopes, end; of shape (draws, k + 2).
    """

    chance: float
    end: float
    free: bool
    middle: float
    slopes: Array
    error: float
    draws: Array

    def predict(self, places_nk: Array) -> Array:
        """The score of models by their place along the components, of shape (n,)."""
        return _curve(np.array([self.middle, *self.slopes, self.end]), places_nk, self.chance)

    def interval(self, places_nk: Array, level: float) -> tuple[Array, Array]:
        """The middle `level` of the refits' curves: of the curve, without the spread of single models."""
        curves = np.array([_curve(draw, places_nk, self.chance) for draw in self.draws])
        low, high = np.quantile(curves, ((1 - level) / 2, (1 + level) / 2), axis=0)
        return low, high


def fit_target(
    places_nk: Array, scores: Array, families: NDArray[np.object_], *, chance: float, free: bool,
    draws: int, seed: int,
) -> TargetFit:  # fmt: skip
    """Fit the curve by least squares, and again to families drawn with replacement.

    Families are drawn, not models: those of one family share data and recipe, and with them their luck.

    Args:
        scores: Of shape (n,), all known.
        free: Whether the upper end is fitted, between chance and 1; else it is 1.

    Raises:
        FitError: If there are too few models.
    """
    unknown = places_nk.shape[1] + 1 + free
    if len(scores) <= unknown:
        raise FitError(
            f"The curve to the target leaves {unknown} numbers open and {len(scores)} models to learn from "
            "have a score; use fewer components, or a wider training split."
        )
    problem = _problem(places_nk, chance, free)
    best = _searched(problem, _start(places_nk, scores, chance)[None, :], np.ones((1, len(scores))), scores)[
        0
    ]
    residuals = scores - _curve(best, places_nk, chance)
    error = float(np.sqrt(np.sum(residuals**2) / (len(scores) - unknown)))
    times_dn = _times_drawn(families, draws, np.random.default_rng(seed))
    made = _searched(problem, np.tile(best, (draws, 1)), times_dn, scores)
    return TargetFit(
        chance=chance, end=float(best[-1]), free=free, middle=float(best[0]), slopes=best[1:-1], error=error,
        draws=made,
    )  # fmt: skip


def _times_drawn(families: NDArray[np.object_], draws: int, rng: np.random.Generator) -> Array:
    """How often each model is in each resample of families, of shape (draws, n)."""
    names, member = np.unique(families, return_inverse=True)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    return times[:, member].astype(np.float64)


def _curve(numbers: Array, places_nk: Array, chance: float) -> Array:
    index = numbers[0] + places_nk @ numbers[1:-1]
    return np.asarray(chance + (numbers[-1] - chance) * (0.5 + 0.5 * np.tanh(index / 2)))


def _searched(problem: Problem, starts_bp: Array, times_bn: Array, scores: Array) -> Array:
    """Least squares from each start: middle, slopes and end, of shape (b, p)."""
    given = np.column_stack([starts_bp, np.full(len(starts_bp), problem.held["chance"])])
    target = np.broadcast_to(scores, times_bn.shape)
    return minimise(problem, given, Samples(weights=times_bn, target=target), retries=1).working[:, :-1]


def _problem(places_nk: Array, chance: float, free: bool) -> Problem:
    held = {"chance": chance} if free else {"chance": chance, "end": 1.0}
    goal = Objective(name="least_squares", on="raw")
    return Problem(law=_law(places_nk.shape[1], chance), inputs=tuple(places_nk.T), objective=goal, held=held)


@lru_cache(maxsize=16)  # a law is derived anew each time that it is made
def _law(components: int, chance: float) -> Law:
    """The curve as a law of so many components."""

    def formula(*places: Any, middle: Any, end: Any, chance: Any, **slopes: Any) -> Any:
        index = middle + sum(slope * place for slope, place in zip(slopes.values(), places, strict=True))
        return chance + (end - chance) * logistic(index)

    numbers = range(1, components + 1)
    return Law(
        name="target_curve", predicts="target", on="raw", function=formula,
        inputs=tuple(Input(name=f"pc{k}", low=-1.0, high=1.0, positive=False) for k in numbers),
        symbols=tuple(f"x_{k}" for k in numbers),
        coefficients=(
            _number("middle", -_STEEPEST, _STEEPEST),
            *(_number(f"slope_{k}", -_STEEPEST, _STEEPEST) for k in numbers),
            _number("end", chance + 1e-3, 1.0),
            _number("chance", 0.0, 1.0),
        ),
        source="Ruan et al. 2024, eq. 7, arXiv:2405.10938", description="A target score by components.",
    )  # fmt: skip


def _number(name: str, low: float, high: float) -> Coefficient:
    return Coefficient(
        name=name, meaning=name, unit="1", low=low, high=high, bounds=(low, high), positive=False
    )


def _start(places: Array, scores: Array, chance: float) -> Array:
    """Linear regression of the logit of the score between chance and 1."""
    share = np.clip((scores - chance) / (1 - chance), _NEAREST, 1 - _NEAREST)
    design = np.column_stack([np.ones(len(places)), places])
    numbers = np.linalg.lstsq(design, np.log(share / (1 - share)), rcond=None)[0]
    return np.append(numbers, 1.0)

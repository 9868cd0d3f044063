"""From principal components to a target score: an S-shaped curve, its upper end fixed and free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError

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
    best = _least_squares(places_nk, scores, chance, free, None)
    residuals = scores - _curve(best, places_nk, chance)
    error = float(np.sqrt(np.sum(residuals**2) / (len(scores) - unknown)))
    rng, names = np.random.default_rng(seed), np.unique(families)
    made = []
    for _ in range(draws):
        rows = np.concatenate([np.flatnonzero(families == name) for name in rng.choice(names, len(names))])
        made.append(_least_squares(places_nk[rows], scores[rows], chance, free, best))
    return TargetFit(
        chance=chance, end=float(best[-1]), free=free, middle=float(best[0]), slopes=best[1:-1], error=error,
        draws=np.array(made),
    )  # fmt: skip


def _curve(numbers: Array, places_nk: Array, chance: float) -> Array:
    index = numbers[0] + places_nk @ numbers[1:-1]
    return np.asarray(chance + (numbers[-1] - chance) * (0.5 + 0.5 * np.tanh(index / 2)))


def _least_squares(places: Array, scores: Array, chance: float, free: bool, start: Array | None) -> Array:
    """Middle, slopes and end; with a fixed end it stays 1."""
    from scipy.optimize import least_squares

    begun = _start(places, scores, chance) if start is None else start
    open_ones = len(begun) if free else len(begun) - 1
    high = np.full(open_ones, _STEEPEST)
    low = -high
    if free:
        low[-1], high[-1] = chance + 1e-3, 1.0

    def residuals(numbers: Array) -> Array:
        return _curve(np.append(numbers, [] if free else [1.0]), places, chance) - scores

    inner = np.clip(begun[:open_ones], low + 1e-6, high - 1e-6)
    found = least_squares(residuals, inner, bounds=(low, high), x_scale="jac", max_nfev=200).x
    return np.append(found, [] if free else [1.0])


def _start(places: Array, scores: Array, chance: float) -> Array:
    """Linear regression of the logit of the score between chance and 1."""
    share = np.clip((scores - chance) / (1 - chance), _NEAREST, 1 - _NEAREST)
    design = np.column_stack([np.ones(len(places)), places])
    numbers = np.linalg.lstsq(design, np.log(share / (1 - share)), rcond=None)[0]
    return np.append(numbers, 1.0)

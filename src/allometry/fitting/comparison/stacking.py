"""How much each law counts in a forecast made from all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.comparison.scores import apart

Array = NDArray[np.float64]

_NEGLIGIBLE = 1e-6  # a weight that the search left at rounding size
FEWEST = 3  # held-out runs; with fewer, weights would follow the luck of one or two


def stacking_weights(points: Sequence[Array], measured: Array, shares: Array) -> Array:
    """Weights, none negative and of sum 1, whose mixture would have forecast best; of shape (laws,).

    The mixture's continuous ranked probability score is A·w − w·D·w / 2, with A the mean distance of each
    law's draws to what was measured and D that between the draws of two laws. It is convex on the simplex, so
    that there is one best value, found by sequential quadratic programming.

    Weights are known no better than the few held-out runs allow, and runs forecast by one fit err together:
    they say which mixture would have done best, not how probable a law is.

    Args:
        points: Of each law, draws of shape (runs, draws).
        measured: Of shape (runs,).
        shares: How much each run counts, of shape (runs,), of sum 1.

    Source:
        Yao, Vehtari, Simpson and Gelman 2018, section 3.1, arXiv:1704.02030, with the score of Gneiting and
        Raftery 2007, eq. 21.

    >>> exact, far = np.zeros((3, 2)), np.ones((3, 2))
    >>> stacking_weights([exact, far], np.zeros(3), np.full(3, 1 / 3)).round(6).tolist()
    [1.0, 0.0]
    """
    from scipy.optimize import LinearConstraint, minimize

    to_measured = np.array([shares @ np.abs(one - measured[:, None]).mean(axis=1) for one in points])
    between = np.array([[shares @ apart(one, other) for other in points] for one in points])
    unit = float(to_measured.min()) or 1.0  # so that the search sees numbers near 1
    to_measured, between = to_measured / unit, between / unit

    def score(w: Array) -> float:
        return float(to_measured @ w - w @ between @ w / 2)

    def slope(w: Array) -> Array:
        return np.asarray(to_measured - between @ w)

    count = len(points)
    found = minimize(
        score,
        np.full(count, 1 / count),
        jac=slope,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * count,
        constraints=LinearConstraint(np.ones((1, count)), 1.0, 1.0),
        options={"ftol": 1e-12, "maxiter": 500},
    )
    weights = np.where(found.x > _NEGLIGIBLE, found.x, 0.0)
    return np.asarray(weights / weights.sum())

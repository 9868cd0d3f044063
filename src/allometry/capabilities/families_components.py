"""Principal components of a table of models by benchmarks, missing scores filled in.

Legend of shapes: n models, m benchmarks, k components.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError, InputError

Array = NDArray[np.float64]

_ROUNDS = 500
_AT_REST = 1e-9  # change of a filled-in score between two rounds


@dataclass(frozen=True, kw_only=True, eq=False)
class Components:
    """Directions along which models differ most.

    Attributes:
        metrics: The benchmarks, in the order of the directions' columns.
        mean: Mean score of each benchmark, of shape (m,).
        directions: Of length one, the first pointing to higher scores; of shape (k, m).
        shares: Share of the variance along each of all m directions, largest first.
        filled: Scores that were missing and were filled in.
    """

    metrics: tuple[str, ...]
    mean: Array
    directions: Array
    shares: Array
    filled: int

    def place(self, scores_nm: Array) -> Array:
        """Where models stand along the components, of shape (n, k), from the scores they have.

        A model with fewer scores than components has no place: NaN.
        """
        return np.array([self._place(row) for row in np.asarray(scores_nm, dtype=np.float64)])

    def _place(self, scores: Array) -> Array:
        known = np.isfinite(scores)
        if known.sum() < len(self.directions):
            return np.full(len(self.directions), np.nan)
        # On all benchmarks this is the projection; on some, what the known scores say of the place.
        found = np.linalg.lstsq(self.directions[:, known].T, (scores - self.mean)[known], rcond=None)
        return np.asarray(found[0])


def components_of(scores_nm: Array, metrics: Sequence[str], count: int = 3) -> Components:
    """Principal components of centred, unscaled scores, a missing one filled in from the others.

    Missing scores start at their benchmark's mean and are replaced by what the components say, until
    nothing changes (iterative singular value decomposition, Troyanskaya et al. 2001).

    Raises:
        InputError: If more components are asked for than there are benchmarks.
        FitError: If there are too few models, or a benchmark has no score at all.

    >>> line = np.outer(np.arange(4.0), [1.0, 2.0, 2.0])
    >>> line[1, 2] = np.nan
    >>> components_of(line, ["a", "b", "c"], 1).directions.round(3).tolist()
    [[0.333, 0.667, 0.667]]
    """
    scores = np.asarray(scores_nm, dtype=np.float64)
    _refuse_few(scores, metrics, count)
    missing = ~np.isfinite(scores)
    filled = np.where(missing, np.nanmean(scores, axis=0), scores)
    for _ in range(_ROUNDS if missing.any() else 1):
        mean = filled.mean(axis=0)
        left, sizes, directions = np.linalg.svd(filled - mean, full_matrices=False)
        said = mean + (left[:, :count] * sizes[:count]) @ directions[:count]
        moved = np.abs(said - filled)[missing].max(initial=0.0)
        filled = np.where(missing, said, filled)
        if moved < _AT_REST:
            break
    signs = np.where(directions[:count].sum(axis=1) < 0, -1.0, 1.0)
    return Components(
        metrics=tuple(metrics), mean=mean, directions=directions[:count] * signs[:, None],
        shares=sizes**2 / np.sum(sizes**2), filled=int(missing.sum()),
    )  # fmt: skip


def _refuse_few(scores: Array, metrics: Sequence[str], count: int) -> None:
    if not 1 <= count <= len(metrics):
        raise InputError(f"{len(metrics)} benchmarks have 1 to {len(metrics)} components, not {count}.")
    if len(scores) <= count + 1:
        raise FitError(
            f"{count} components need more than {count + 1} models to learn from, not {len(scores)}."
        )
    for name, column in zip(metrics, scores.T, strict=True):
        if not np.isfinite(column).any():
            raise FitError(f"No model to learn from has a score on '{name}'; leave that benchmark out.")

"""Zipf's law and entropies."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def zipf(count: int, exponent: float) -> npt.NDArray[np.float64]:
    """Probabilities that fall as rank to a power (Zipf 1949).

    >>> zipf(2, 1.0)
    array([0.66666667, 0.33333333])
    """
    weights = np.arange(1, count + 1) ** -exponent
    probabilities: npt.NDArray[np.float64] = weights / weights.sum()
    return probabilities


def entropies(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Entropy of each distribution along the last axis, in nats.

    >>> float(entropies(np.array([0.5, 0.5, 0.0])))
    0.693147...
    """
    logarithms = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    return np.asarray(-(probabilities * logarithms).sum(axis=-1))

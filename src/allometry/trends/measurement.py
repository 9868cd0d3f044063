"""What noise of measurement does to the points of a trend, and how much scatter it leaves unexplained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from allometry.trends.series import Series

Array = NDArray[np.float64]

_FEWEST = 3  # draws with every point, below which their covariance says nothing


def scatter_of_models(series: Series, scatter: float, x_n: Array) -> float:
    """Scatter about a line that noise of measurement leaves unexplained, in doublings; by moments.

    Noise that all points share moves the line as a whole: only what is left about a line through the draws
    explains scatter.

    Source:
        DerSimonian and Laird 1986, doi:10.1016/0197-2456(86)90046-2, for a regression.
    """
    logs = _complete(series)
    if len(logs) < _FEWEST:
        return scatter
    design = np.stack([np.ones(len(x_n)), x_n], axis=1)
    residual = np.eye(len(x_n)) - design @ np.linalg.pinv(design)
    explained = np.trace(residual @ np.cov(logs, rowvar=False)) / max(len(x_n) - 2, 1)
    return float(np.sqrt(max(scatter**2 - explained, 0.0)))


def deviations(series: Series, draws: int) -> Array:
    """How far the points of each draw lie from their median over draws, in doublings, of shape (draws, n)."""
    logs = _complete(series)
    if len(logs) < _FEWEST:
        return np.zeros((draws, len(series)))
    return np.asarray((logs - np.median(logs, axis=0))[np.arange(draws) % len(logs)])


def _complete(series: Series) -> Array:
    """Log2 of the draws that have every point."""
    if series.draws is None:
        return np.empty((0, len(series)))
    logs = np.log2(np.where(series.draws > 0, series.draws, np.nan))
    return np.asarray(logs[np.isfinite(logs).all(axis=1)])

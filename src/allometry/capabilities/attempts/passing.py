"""Unbiased pass@k: of all ways to choose k of a problem's attempts, the share that holds a right one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammaln

from allometry.capabilities.attempts.counts import Counts, refuse_counts
from allometry.errors import InputError

Array = npt.NDArray[np.float64]
_HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)
_ASYMPTOTIC = 16.0  # from here on four terms of Stirling's series are exact to the last bit


def pass_at(attempts: npt.ArrayLike, successes: npt.ArrayLike, k: npt.ArrayLike) -> Array:
    """The chance that at least one of k attempts at a problem is right, unbiased, for each problem.

    It is 1 - C(n - c, k) / C(n, k). The ratio is taken as the difference of two long products of equal
    length, written so that what cancels is never computed: neither the binomials, which overflow, nor their
    logarithms, whose last digits are lost for large n.

    Args:
        attempts: n, made at each problem; n, c and k broadcast together.
        successes: c of them were right.
        k: From 1 to n.

    Returns:
        Probabilities of the broadcast shape.

    Raises:
        InputError: If a count is negative or no whole number, c exceeds n, or k is not from 1 to n.

    Source:
        Chen et al. 2021, eq. 1, arXiv:2107.03374.

    >>> pass_at(4, [0, 1, 4], 2)
    array([0. , 0.5, 1. ])
    >>> print(f"{float(pass_at(10_000, 1, 100)):.6f}")
    0.010000
    """
    n, c, taken = (np.asarray(value, dtype=np.float64) for value in (attempts, successes, k))
    refuse_counts(n, c)
    _refuse_k(n, taken)
    n, c, taken = np.broadcast_arrays(n, c, taken)
    few, many = np.minimum(c, taken), np.maximum(c, taken)  # the formula is symmetric in c and k
    certain = few + many > n
    log_missed = _log_missed(n, np.where(certain, 0.0, few), np.where(certain, 0.0, many))
    return np.where(certain, 1.0, 0.0 - np.expm1(log_missed))


def pass_curve(counts: Counts, ks: npt.ArrayLike | None = None) -> pd.DataFrame:
    """pass@k averaged over the problems, with its standard error over problems.

    Args:
        ks: Numbers of attempts; 25 spaced evenly in the log up to the smallest n if not given.

    Returns:
        Columns k, pass_at_k, standard_error.

    Raises:
        InputError: If some k exceeds the attempts made at a problem.

    >>> counts = Counts.of([4, 4, 4], [0, 1, 4])
    >>> pass_curve(counts, [1, 2]).round(3).to_dict("list")
    {'k': [1, 2], 'pass_at_k': [0.417, 0.5], 'standard_error': [0.3, 0.289]}
    """
    taken = log_spaced(int(counts.attempts.min())) if ks is None else np.atleast_1d(np.asarray(ks))
    each = pass_at(counts.attempts[:, None], counts.successes[:, None], taken[None, :])
    spread = each.std(axis=0, ddof=1) if len(counts) > 1 else np.full(each.shape[1], np.nan)
    error = spread / np.sqrt(len(counts))
    return pd.DataFrame(
        {"k": taken.astype(np.int64), "pass_at_k": each.mean(axis=0), "standard_error": error}
    )


def log_spaced(last: int, points: int = 25) -> Array:
    """Whole numbers from 1 to the last, evenly in the log as far as whole numbers can be.

    >>> log_spaced(10, 4).tolist()
    [1.0, 2.0, 5.0, 10.0]
    """
    return np.unique(np.geomspace(1, last, points).round())


def _refuse_k(n: Array, k: Array) -> None:
    if np.any((k < 1) | (k != np.floor(k))):
        raise InputError(f"pass@k is for whole k from 1 on, not {float(np.min(k)):g}.")
    if np.any(k > n):
        raise InputError(
            f"pass@{float(np.max(k)):g} cannot be measured with {float(np.min(n)):g} attempts at a problem; "
            "forecast it with forecast_pass, or make more attempts."
        )


def _log_missed(n: Array, c: Array, k: Array) -> Array:
    """ln of C(n - c, k) / C(n, k), for c + k <= n and c <= k.

    With G the log-gamma function it is G(n-c+1) - G(n-c-k+1) - G(n+1) + G(n-k+1). The leading terms of
    Stirling's formula are combined by hand; what is left of each G is small and is added as it is.
    """
    whole, kept = n + 1, n - k + 1
    leading = (
        (whole - 0.5 - c) * np.log1p(-c / whole)
        - (kept - 0.5 - c) * np.log1p(-c / kept)
        + c * np.log1p(-k / whole)
    )
    rest = _rest(whole - c) - _rest(kept - c) - _rest(whole) + _rest(kept)
    return np.asarray(leading + rest)


def _rest(x: Array) -> Array:
    """ln Gamma(x) less the leading terms of Stirling's formula."""
    large = np.maximum(x, _ASYMPTOTIC)
    series = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * large**2)) / large**2) / large**2) / large
    small = np.minimum(x, _ASYMPTOTIC)
    direct = gammaln(small) - (small - 0.5) * np.log(small) + small - _HALF_LOG_2PI
    return np.asarray(np.where(x < _ASYMPTOTIC, direct, series))

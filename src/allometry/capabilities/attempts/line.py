"""The log-log line: -ln pass@k falls as a power of k, by least squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from allometry.capabilities.attempts.counts import Counts
from allometry.capabilities.attempts.passing import Array, log_spaced, pass_at
from allometry.errors import FitError, InputError


@dataclass(frozen=True, kw_only=True)
class PassLine:
    """-ln pass@k = a k^-b.

    Attributes:
        a: -ln pass@1 of the line.
        b: Doubling k divides -ln pass@k by 2^b.
        ks: Numbers of attempts that the line goes through.
    """

    a: float
    b: float
    ks: tuple[float, ...]

    def pass_at(self, k: npt.ArrayLike) -> Array:
        """pass@k of the line, for any k.

        >>> PassLine(a=4.0, b=0.5, ks=()).pass_at([1, 1e4]).round(4)
        array([0.0183, 0.9608])
        """
        return np.exp(-self.a * np.asarray(k, dtype=np.float64) ** -self.b)


def fit_line(counts: Counts, *, points: int = 25) -> PassLine:
    """Fit the line by least squares of ln(-ln pass@k) on ln k, at k evenly spaced in the log.

    The points are far from independent, as all k use the same attempts: take the range of the exponent from
    resampled problems (`forecast_pass`), never from the residuals.

    Raises:
        FitError: If nothing or everything was solved, so that -ln pass@k is infinite or zero.
        InputError: If fewer than two attempts were made at some problem.

    Source:
        Brown et al. 2024, section 3, arXiv:2407.21787.

    >>> line = fit_line(Counts.of([100] * 4, [0, 1, 5, 60]))
    >>> print(f"{line.b:.2f}")
    0.38
    """
    fewest = int(counts.attempts.min())
    if fewest < 2:
        raise InputError("A line in k needs at least two attempts at every problem.")
    ks = log_spaced(fewest, points)
    each = pass_at(counts.attempts[:, None], counts.successes[:, None], ks[None, :])
    mean = each.mean(axis=0)
    refuse_flat(mean, counts)
    intercept, slope = lines(ks, mean[None, :])
    return PassLine(a=float(np.exp(intercept[0])), b=float(-slope[0]), ks=tuple(ks.tolist()))


def lines(ks: Array, passed: Array) -> tuple[Array, Array]:
    """Intercepts and slopes of ln(-ln pass@k) on ln k, one a row of pass@k.

    Args:
        passed: Of shape (draws, k), inside (0, 1); values of 0 or 1 are moved in by 1e-12.
    """
    y = np.log(-np.log(np.clip(passed, 1e-12, 1 - 1e-12)))
    x = np.log(ks)
    slope = ((x - x.mean()) * y).sum(axis=1) / ((x - x.mean()) ** 2).sum()
    return y.mean(axis=1) - slope * x.mean(), slope


def refuse_flat(passed: Array, counts: Counts) -> None:
    """Refuse a curve with nothing to extend.

    Raises:
        FitError: If no attempt at all was right, or pass@1 is 1.
    """
    if passed[-1] <= 0:
        raise FitError(
            f"None of {int(counts.attempts.sum())} attempts in {counts.source} was right: pass@k cannot be "
            "extended from nothing. Make more attempts, or use easier problems."
        )
    if passed[0] >= 1:
        raise FitError("Every attempt at every problem was right: pass@k is 1 for all k.")

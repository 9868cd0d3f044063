"""When a run is off its forecast, rises, or a rung is off its law: three rules of stated false-alarm rate.

Arrays in, arrays out. Legend of shapes: l looks at a run, r reference runs, n runs of a fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit  # scipy.stats would take a status a second to import

Array = NDArray[np.float64]

LOOKS = 8  # at a run: after each eighth of its tokens
LEAST_REFERENCES = 3  # finished runs that a band is made from: fewer say nothing about their spread
_WINDOW = 4  # lines of a curve whose median is compared: an unlucky batch or a spike is no rise
_OF_MEDIAN = 0.546  # standard deviation of the median of four normal numbers, over that of one
_APART = 2 * _WINDOW  # lines between two windows whose difference shows how far windows scatter
_LEAST_LINES = 32  # that the scatter of a curve is known from
_MAD = 1.4826  # from a median absolute deviation to a standard deviation


def parts(tokens: Array, losses: Array, total: float) -> Array:
    """Mean log loss of a curve in each eighth of a run; NaN where it has not come through or has no line.

    Args:
        tokens: At the end of each line of the curve, ascending.
        losses: Of each line.
        total: Tokens of the whole run.

    >>> import numpy as np
    >>> np.exp(parts(np.arange(1.0, 9.0), np.full(8, 3.0), total=16)).round(3)
    array([ 3.,  3.,  3.,  3., nan, nan, nan, nan])
    """
    share = LOOKS * tokens / total
    place = np.ceil(share - 1e-9).astype(np.intp) - 1
    reached = math.floor(float(share.max()) + 1e-9) if len(share) else 0
    means = np.full(LOOKS, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(losses)
    for look in range(min(reached, LOOKS)):
        inside = logs[place == look]
        means[look] = inside.mean() if inside.size else np.nan
    return means


@dataclass(frozen=True, kw_only=True)
class Band:
    """Where the log loss of a run lies if it is on forecast, at each look; NaN where nothing says it.

    Attributes:
        middle, half: Of shape (l,).
    """

    middle: Array
    half: Array

    def off(self, run: Array) -> NDArray[np.bool_]:
        """At which looks a run is outside."""
        return np.abs(run - self.middle) > self.half


def band(expected: Array, law_sd: Array, gaps_rl: Array, alarms: float) -> Band:
    """The band around a law that a run of the same kind stays in at every look, but for a share `alarms`.

    While it trains, a run lies above the law for runs that are finished: its rate has not decayed, and its
    curve is of the text it trains on. The gap is taken from finished runs at the same share of their tokens,
    with its spread: Student's t of their number, and each look with its share of `alarms` (Bonferroni), so
    that all looks of a run together give a false alarm as often as stated, or less.

    Args:
        expected: Log of the law at the run's size and the tokens of each look, of shape (l,).
        law_sd: Standard deviation of that over the fit's draws.
        gaps_rl: Log loss of reference runs less that of the law at the same look, of shape (r, l).
        alarms: Share of runs on forecast that may be called off at some look.
    """
    count = np.isfinite(gaps_rl).sum(axis=0)
    enough = count >= LEAST_REFERENCES
    tail = alarms / 2 / LOOKS
    middle, half = np.full(len(expected), np.nan), np.full(len(expected), np.nan)
    known = gaps_rl[:, enough]
    n = count[enough]
    spread = np.nanstd(known, axis=0, ddof=1) * np.sqrt(1 + 1 / n) * -stdtrit(n - 1, tail)
    middle[enough] = expected[enough] + np.nanmean(known, axis=0)
    half[enough] = np.hypot(spread, -ndtri(tail) * law_sd[enough])
    return Band(middle=middle, half=half)


@dataclass(frozen=True, kw_only=True)
class Rise:
    """How far a curve has risen from its best, nat/token.

    Attributes:
        above: The median of the last lines above the least median of as many before.
        allowed: What the scatter of the lines explains.
    """

    above: float
    allowed: float

    @property
    def warns(self) -> bool:
        """Whether it has risen more than its scatter explains."""
        return self.above > self.allowed


def rise(losses: Array, alarms: float) -> Rise:
    """Whether the end of a curve lies above its best by more than the scatter of its lines explains.

    Medians of four lines are compared, from 32 lines on. The comparisons at a line share what falls to that
    line, which is less the later it comes, so that a level curve gives a false alarm at any of its lines as
    often as stated, or less; a falling one more seldom, and one that was smoothed over many lines more often.
    """
    if not np.isfinite(losses).all():
        return Rise(above=math.inf, allowed=0.0)
    if len(losses) < _LEAST_LINES:
        return Rise(above=0.0, allowed=math.inf)
    middles = np.median(np.lib.stride_tricks.sliding_window_view(losses, _WINDOW), axis=1)
    lines = len(losses)
    tail = alarms * 6 / (math.pi * lines) ** 2 / lines  # 1 + 1/4 + 1/9 + … = pi²/6
    allowed = -ndtri(tail) * math.sqrt(2) * _scatter(losses, middles)
    return Rise(above=float(middles[-1] - middles[:-_WINDOW].min()), allowed=float(allowed))


def _scatter(losses: Array, middles: Array) -> float:
    """Standard deviation of the median of a window.

    The larger of two: what neighbouring lines say of it if all are independent, and what windows apart say,
    which holds where a logger smooths its lines or the curve wanders.
    """
    windows = middles[_APART:] - middles[:-_APART]
    return max(_OF_MEDIAN * _spread(np.diff(losses)), _spread(windows))


def _spread(differences: Array) -> float:
    """Standard deviation of the numbers that these are differences of."""
    around = differences - np.median(differences)  # a curve falls, and its slope is no scatter
    return _MAD / math.sqrt(2) * float(np.median(np.abs(around)))


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How far the runs of one rung lie off the others around the law, on the scale of the fit.

    Attributes:
        size: Mean residual of the rung less that of the others; above zero its loss is too high.
        allowed: What the scatter of the others explains; infinite where there are fewer than four rungs.
    """

    size: float
    allowed: float

    @property
    def warns(self) -> bool:
        """Whether it is more than the scatter of the others explains."""
        return abs(self.size) > self.allowed


def shifts(residuals: Array, rungs: NDArray[np.intp], alarms: float) -> list[Shift]:
    """How far each rung lies off: its mean residual against those of the others, by Student's t.

    A rung counts as one observation, because the branches of a trunk share its luck. All rungs of a study
    together give a false alarm as often as stated, or less (Bonferroni). What a rung has pulled the law
    towards itself is not undone, so a rung at an end must be far off to be seen.

    Args:
        residuals: Measured less fitted, on the scale of the fit, of shape (n,).
        rungs: Which rung each run is of, from 0, of shape (n,).

    Source:
        The externally studentised deviate: Grubbs 1950, doi:10.1214/aoms/1177729885, one rung at a time.
    """
    means = np.bincount(rungs, residuals) / np.bincount(rungs)
    return [_shift(means[one], np.delete(means, one), alarms / len(means)) for one in range(len(means))]


def _shift(mean: float, others: Array, alarms: float) -> Shift:
    count = len(others)
    if count < LEAST_REFERENCES:
        return Shift(size=math.nan, allowed=math.inf)
    allowed = -stdtrit(count - 1, alarms / 2) * np.std(others, ddof=1) * math.sqrt(1 + 1 / count)
    return Shift(size=float(mean - others.mean()), allowed=float(allowed))

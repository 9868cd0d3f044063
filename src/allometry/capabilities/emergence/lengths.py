"""Exact match against p to the power of the answer's length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.capabilities.emergence.bends import Measured
from allometry.capabilities.emergence.curves import deviance

Array = NDArray[np.float64]

_DOUBT = 0.01  # probability of a misfit this large, below which the power does not explain the scores
_CLOSE = 0.05  # mean distance in score that still counts where the number of items is not known


@dataclass(frozen=True, kw_only=True, eq=False)
class LengthTest:
    """Whether the smooth law of one token, to the power of the length, explains the score.

    Attributes:
        length: Tokens of an answer, all of which must be right.
        expected: The smooth per-token law to that power, at the points.
        measured: The measured per-token metric to that power.
        misfit: Deviance of the scores about `expected`; chi-square with a degree a point if it holds.
        probability: Of a misfit as large; NaN where the number of items is not known.
        distance: Mean absolute difference of score and expectation.
        effective: The length that explains the scores best: below `length` where right tokens come together.
        holds: Whether the power explains the scores.
    """

    length: float
    expected: Array
    measured: Array
    misfit: float
    probability: float
    distance: float
    effective: float
    holds: bool


def compare_length(
    score: Measured, token: Array, smooth: Array, length: float, broken: Array | None = None
) -> LengthTest:
    """Compare the score with smooth ** length: all tokens right, each by itself.

    Args:
        token: The measured metric of a single token.
        smooth: The smooth law of it, at the same points.
        broken: The broken law, where it is the better one; the smooth law must explain the score as well.

    Source:
        Schaeffer et al. 2023, section 2, arXiv:2304.15004.
    """
    from scipy.stats import chi2

    known = score.dispersion > 0
    misfit = _misfit(score, smooth, length)
    rival = np.inf if broken is None else _misfit(score, broken, length)
    expected = smooth**length
    distance = float(np.abs(score.share - expected).mean())
    probability = float(chi2.sf(misfit, len(smooth))) if known else float("nan")
    lengths = np.geomspace(max(length / 8, 0.25), 8 * length, 241)
    effective = float(lengths[np.argmin([_misfit(score, smooth, one) for one in lengths])])
    return LengthTest(
        length=length, expected=expected, measured=token**length, misfit=misfit, probability=probability,
        distance=distance, effective=effective,
        holds=misfit <= rival and (probability > _DOUBT if known else distance < _CLOSE),
    )  # fmt: skip


def _misfit(score: Measured, smooth: Array, length: float) -> float:
    return float(deviance(score.share, smooth**length, score.counts).sum())

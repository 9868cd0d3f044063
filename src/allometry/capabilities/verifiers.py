"""Best of n by a verifier that errs: what the answer it scores highest is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammaln, ndtr, ndtri

from allometry.errors import InputError
from allometry.fitting.result import Finding

Array = npt.NDArray[np.float64]
_COLUMNS = """\
  best_of_n: the answer that the verifier scores highest is right. At most: a real one repeats its errors.
  pass_at_n: the same by a verifier that never errs. kl_nats: how far choosing moves the policy, at most."""
_PLACES, _WEIGHTS = np.polynomial.legendre.leggauss(400)


@dataclass(frozen=True, kw_only=True, eq=False)
class VerifierCurve:
    """What the best of n answers is worth by a verifier that errs.

    Attributes:
        chance: Of one answer being right.
        auc: Chance that the verifier scores a right answer above a wrong one.
        table: Columns n, best_of_n, pass_at_n (by a verifier that never errs), kl_nats (at most).
    """

    chance: float
    auc: float
    table: pd.DataFrame
    findings: tuple[Finding, ...] = ()

    def summary(self) -> str:
        """The table as text, and what its columns are."""
        return f"{self.table.to_string(index=False, float_format='%.4f')}\n{_COLUMNS}"


def verifier_curve(chance: float, n: Sequence[int], *, auc: float) -> VerifierCurve:
    """The best of n by an imperfect verifier, beside one that never errs.

    Args:
        chance: Of one answer being right.
        auc: From 0.5, blind, up to below 1.

    Raises:
        InputError: If a value is out of range.

    >>> print(verifier_curve(0.2, [1, 10], auc=0.8).table.round(4).to_string(index=False))
     n  best_of_n  pass_at_n  kl_nats
     1     0.2000     0.2000   0.0000
    10     0.5548     0.8926   1.4026
    """
    count = np.asarray(n, dtype=np.int64)
    columns = {
        "n": count,
        "best_of_n": best_of_imperfect(chance, count, auc=auc),
        "pass_at_n": 1 - (1 - chance) ** count,
        "kl_nats": best_of_kl(count),
    }
    return VerifierCurve(chance=chance, auc=auc, table=pd.DataFrame(columns))


def best_of(right: npt.ArrayLike, scores: npt.ArrayLike, n: int) -> float:
    """Chance that the answer scored highest among n of a problem's answers is right.

    Averages over all ways to choose n of them, exactly: the answer of rank r from below is the best of n in
    C(r - 1, n - 1) of C(N, n) ways. Answers of equal score share their ranks.

    Args:
        right: Whether each answer is right, or what it is worth, of shape (answers,).
        scores: The verifier's, of the same shape.
        n: From 1 to the number of answers.

    Raises:
        InputError: If it is not, or the shapes differ.

    >>> best_of([1, 0, 0, 1], [0.9, 0.8, 0.1, 0.2], 2)
    0.6666666666666666
    """
    worth, score = np.asarray(right, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if worth.shape != score.shape or worth.ndim != 1 or not 1 <= n <= worth.size:
        raise InputError(
            f"Best of {n} needs one score for each answer, and n from 1 to their number, "
            f"not {worth.size} answers and {score.size} scores."
        )
    _, place = np.unique(score, return_inverse=True)
    mean = np.bincount(place, weights=worth) / np.bincount(place)
    ranks = np.arange(1, worth.size + 1, dtype=np.float64)
    return float(_best_chances(ranks, n) @ mean[np.sort(place)])


def best_of_imperfect(chance: npt.ArrayLike, n: npt.ArrayLike, *, auc: float) -> Array:
    """Chance that a verifier picks a right answer out of n, by how well it tells right from wrong.

    Scores of right and wrong answers are normal, of equal spread; their distance d gives the verifier's area
    under the curve, Phi(d / sqrt 2). Then n p times the integral of phi(s - d) F(s)^(n - 1), with F the
    distribution of one score. Errors of a real verifier repeat over answers of a problem, so this is the most
    that a verifier of that area can bring.

    Args:
        chance: p of one answer being right.
        n: Answers to choose from; broadcast with chance.
        auc: Chance that a right answer scores above a wrong one, from 0.5 (blind) up to below 1.

    Raises:
        InputError: If a value is out of range.

    >>> best_of_imperfect(0.2, [1, 10, 100], auc=0.9).round(3)
    array([0.2  , 0.713, 0.964])
    """
    p, count = np.broadcast_arrays(np.asarray(chance, np.float64), np.asarray(n, np.float64))
    if not 0.5 <= auc < 1 or ((p < 0) | (p > 1)).any() or (count < 1).any():
        raise InputError("A verifier has 0.5 <= auc < 1, chances lie in [0, 1], and n is at least 1.")
    distance = float(ndtri(auc) * np.sqrt(2))
    half = (20 + distance) / 2
    score = half * _PLACES + distance / 2
    below = p[..., None] * ndtr(score - distance) + (1 - p[..., None]) * ndtr(score)
    power = np.exp((count[..., None] - 1) * np.log(np.maximum(below, 1e-300)))
    density = np.exp(-0.5 * (score - distance) ** 2) / np.sqrt(2 * np.pi)
    return np.asarray(count * p * ((density * power) @ (half * _WEIGHTS)))


def best_of_kl(n: npt.ArrayLike) -> Array:
    """How far choosing the best of n moves a policy from the one it samples: ln n - (n - 1) / n nats of KL.

    An upper bound, reached where no two answers are alike.

    Source:
        Beirami et al. 2024, arXiv:2401.01879: widely used as an equality, and shown there to be a bound.

    >>> best_of_kl([1, 10, 1000]).round(3)
    array([0.   , 1.403, 5.909])
    """
    count = np.asarray(n, dtype=np.float64)
    if (count < 1).any():
        raise InputError("Best of n needs n of at least 1.")
    return np.asarray(np.log(count) - (count - 1) / count)


def gold_reward(n: npt.ArrayLike, *, alpha: float, beta: float) -> Array:
    """True reward of the best of n by a proxy that is exploited: d (alpha - beta d), with d = sqrt(KL).

    It peaks at d = alpha / (2 beta): beyond, a larger n is worse.

    Source:
        Gao et al. 2022, section 1, arXiv:2210.10760.

    >>> gold_reward([1, 10, 1000, 10**6], alpha=1.0, beta=0.2).round(3)
    array([0.   , 0.904, 1.249, 1.017])
    """
    distance = np.sqrt(best_of_kl(n))
    return np.asarray(distance * (alpha - beta * distance))


def _best_chances(ranks: Array, n: int) -> Array:
    """Chance that the answer of each rank, from 1, is the highest of n drawn."""

    def log_choose(of: Array | float, take: float) -> Array:
        return np.asarray(gammaln(of + 1) - gammaln(take + 1) - gammaln(np.maximum(of - take, 0) + 1))

    total = float(ranks.size)
    chances = np.exp(log_choose(ranks - 1, n - 1.0) - log_choose(total, float(n)))
    return np.where(ranks >= n, chances, 0.0)

"""Training compute against inference compute for the same score.

Costs are 6 N D for training (Kaplan et al. 2020, section 2.1) and 2 N a token of inference. What attempts pay
by loss: see `loss_to_pass`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from allometry.capabilities.loss_to_pass import LossToPass, paired
from allometry.errors import InputError
from allometry.fitting.result import Finding, Fit, middle
from allometry.units import show_power

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What inference is for.

    Attributes:
        queries: Problems that will be put to the model over its life.
        tokens: Generated at each attempt; the prompt is counted once if given.
        prompt_tokens: Read once a problem.
    """

    queries: float
    tokens: float
    prompt_tokens: float = 0.0

    def __post_init__(self) -> None:
        if not (self.queries > 0 and self.tokens > 0 and self.prompt_tokens >= 0):
            raise InputError(
                f"A workload has queries and tokens above zero, not {self.queries:g} and {self.tokens:g}."
            )

    def flops(self, params: Array, k: Array) -> Array:
        """Inference compute of k attempts at every problem: 2 FLOP a parameter and token."""
        return np.asarray(2 * params * self.queries * (self.prompt_tokens + k * self.tokens))


@dataclass(frozen=True, kw_only=True, eq=False)
class ExchangeCurve:
    """Ways to one score: the more attempts, the less training.

    Attributes:
        k: Of shape (ks,).
        train, train_low, train_high: Training compute each needs, in FLOP; infinite where none reaches it.
        inference: Compute of all attempts on the compute-optimal model of that loss.
        rate: Training compute saved for tenfold attempts between neighbours: factors, of shape (ks - 1,).
        rate_low, rate_high: Their ranges.
    """

    score: float
    k: Array
    train: Array
    train_low: Array
    train_high: Array
    inference: Array
    rate: Array
    rate_low: Array
    rate_high: Array
    level: float
    findings: tuple[Finding, ...] = ()

    def summary(self) -> str:
        """The curve in plain words."""
        head = f"pass@k of {self.score:g} is reached by ({self.level:.0%} ranges):"
        return "\n".join([head, *self._ways(), *self._worth()])

    def _ways(self) -> Iterator[str]:
        rows = zip(self.k, self.train, self.train_low, self.train_high, self.inference, strict=True)
        for k, train, low, high, served in rows:
            if np.isfinite(train):
                ends = f"{_said(low, show_power)} to {_said(high, show_power)}"
                spent = f"{show_power(train)} FLOP of training ({ends})"
                yield f"  k = {k:<8.0f} {spent}, {show_power(served)} of inference"
            else:
                yield f"  k = {k:<8.0f} no amount of training"

    def _worth(self) -> Iterator[str]:
        rows = zip(self.k, self.k[1:], self.rate, self.rate_low, self.rate_high, strict=False)
        for first, then, rate, low, high in rows:
            if np.isfinite(rate):
                ends = f"{_said(low, '{:.3g}'.format)} to {_said(high, '{:.3g}'.format)}"
                worth = f"tenfold attempts are worth {rate:.3g} times the training ({ends})"
                yield f"  from k = {first:.0f} to {then:.0f}: {worth}"


def exchange(
    fit: Fit, passes: LossToPass, workload: Workload, *, score: float, ks: Sequence[float], level: float = 0.9
) -> ExchangeCurve:
    """Training compute that reaches a score with each number of attempts, and what attempts are worth.

    Raises:
        InputError: If the score is outside (0, 1) or a k below 1.
        FitError: If the law is no chinchilla law, or the fit has no draws.
    """
    tries = np.asarray(ks, dtype=np.float64)
    if not 0 < score < 1 or (tries < 1).any() or (np.diff(tries) <= 0).any():
        raise InputError(f"A score lies inside (0, 1) and k rises from 1 on, not {score:g} and {list(ks)}.")
    law, used = paired(fit, passes)
    needed = used.loss_needed(score, tries)
    above = np.where(needed > law.E, needed - law.E, np.nan)
    size_part = law.beta / (law.alpha + law.beta)
    params = (law.A / (above * size_part)) ** (1 / law.alpha)
    tokens = (law.B / (above * (1 - size_part))) ** (1 / law.beta)
    train = np.where(np.isnan(above), np.inf, 6 * params * tokens)
    with np.errstate(invalid="ignore"):
        rates = (train[:, :-1] / train[:, 1:]) ** (1 / np.diff(np.log10(tries)))
    low, high = _ends(train, level)
    rate_low, rate_high = _ends(np.where(np.isnan(rates), np.inf, rates), level)
    return ExchangeCurve(
        score=score, k=tries, train=train[0], train_low=low, train_high=high,
        inference=workload.flops(params, tries)[0], rate=rates[0], rate_low=rate_low, rate_high=rate_high,
        level=level,
    )  # fmt: skip


def _said(value: float, shown: Callable[[float], str]) -> str:
    """A number, or that there is no end to it."""
    return shown(value) if np.isfinite(value) else "no end"


def _ends(sets: Array, level: float) -> tuple[Array, Array]:
    huge = np.finfo(np.float64).max / 4
    low, high = middle(np.minimum(sets[1:], huge), level, axis=0)
    return np.where(low >= huge / 1e6, np.inf, low), np.where(high >= huge / 1e6, np.inf, high)

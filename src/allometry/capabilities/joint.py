"""The best use of one budget that pays for training and for repeated attempts, with ranges.

Costs are 6 N D for training (Kaplan et al. 2020, section 2.1) and 2 N a token of inference; the problem is
that of Roberts et al. 2026 (arXiv:2604.01411). What attempts pay by loss: see `loss_to_pass`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from allometry.capabilities.exchange import Workload
from allometry.capabilities.loss_to_pass import LossLaw, LossToPass, paired
from allometry.errors import InputError
from allometry.fitting.checks.definition import warning
from allometry.fitting.result import Estimate, Finding, Fit, middle
from allometry.units import show_count, show_power

Array = npt.NDArray[np.float64]
_SIZES, _TRIES, _ROUNDS, _SHRINK = 41, 25, 3, 5.0
_AROUND = 30.0  # sizes that are shown lie within this factor of the best


@dataclass(frozen=True, kw_only=True, eq=False)
class JointOptimum:
    """The best size, tokens and attempts for one budget that pays for training and inference.

    Attributes:
        params, tokens, k, score: Each with its range; the range of pass@k is that of the best plan.
        inference_share: Of the budget.
        training_only: Size that would be best for training by itself, at the same training compute.
        sizes: One row a number of attempts and a size that the budget allows: k (the best, and powers of
            ten), params, tokens, score; without ranges.
    """

    flops: float
    params: Estimate
    tokens: Estimate
    k: Estimate
    score: Estimate
    inference_share: Estimate
    training_only: Estimate
    level: float
    sizes: pd.DataFrame = field(repr=False)
    findings: tuple[Finding, ...] = ()

    def summary(self) -> str:
        """The optimum in plain words."""

        def said(one: Estimate) -> str:
            return f"{show_count(one.value)} ({show_count(one.low)} to {show_count(one.high)})"

        score, share = self.score, self.inference_share
        rows = [
            f"For {show_power(self.flops)} FLOP of training and inference together, {self.level:.0%} ranges:",
            f"  parameters          {said(self.params)}",
            f"  training tokens     {said(self.tokens)}",
            f"  attempts k          {said(self.k)}",
            f"  pass@k              {score.value:.3f} ({score.low:.3f} to {score.high:.3f})",
            f"  spent on inference  {share.value:.0%} ({share.low:.0%} to {share.high:.0%})",
            f"  best size if only training counted: {said(self.training_only)}",
        ]
        return "\n".join(rows + [f"  {one.severity}: {one.sentence} {one.remedy}" for one in self.findings])


def joint_optimum(
    fit: Fit, passes: LossToPass, workload: Workload, *, flops: float, level: float = 0.9, most_k: float = 1e4
) -> JointOptimum:
    """Split one budget between size, training tokens and attempts so that pass@k is highest, with ranges.

    Every draw pairs one set of the loss law's coefficients with one resample of the problems and is optimised
    by itself; the ranges of N, D and k hold the middle of those optima.

    Args:
        fit: Of 'chinchilla', with draws.
        flops: For 6 N D and all inference.
        most_k: Attempts at most.

    Raises:
        InputError: If the budget is not above zero.
        FitError: If the law is another, or the fit has no draws.
    """
    if not flops > 0 or not most_k >= 1:
        raise InputError(f"A budget is above zero and k at least 1, not {flops:g} and {most_k:g}.")
    law, used = paired(fit, passes)
    best_n, best_k = _climb(law, used, workload, flops, most_k)
    served = workload.flops(best_n, best_k)
    tokens = (flops - served) / (6 * best_n)
    score = used.pass_at(law.loss(best_n, tokens), best_k)

    def ranged(sets: Array, unit: str) -> Estimate:
        low, high = middle(sets[1:], level)
        return Estimate(value=float(sets[0, 0]), low=float(low), high=float(high), unit=unit)

    reached = float(law.loss(best_n, tokens)[0, 0])
    return JointOptimum(
        flops=flops,
        params=ranged(best_n, "1"),
        tokens=ranged(tokens, "token"),
        k=ranged(best_k, "1"),
        score=ranged(score, "1"),
        inference_share=ranged(served / flops, "1"),
        training_only=ranged(law.cheapest_size(flops - served), "1"),
        level=level,
        sizes=_sizes(law, used, workload, flops, best_n, np.unique(np.append(_powers(most_k), best_k[0, 0]))),
        findings=tuple(_findings(passes, reached, float(best_k[0, 0]), most_k)),
    )


def _climb(
    law: LossLaw, used: LossToPass, workload: Workload, flops: float, most_k: float
) -> tuple[Array, Array]:
    """Size and attempts of the highest score in each set: a grid in the logs, made finer around its best."""
    size = np.log(law.cheapest_size(np.full((len(law.E), 1), flops)))
    size, tries = size - np.log(10), np.full_like(size, np.log(most_k) / 2)
    half_size, half_tries = np.log(1000.0), np.log(most_k) / 2 + 1e-9
    for _ in range(_ROUNDS):
        grid_n = size + np.linspace(-half_size, half_size, _SIZES)
        grid_k = np.clip(tries + np.linspace(-half_tries, half_tries, _TRIES), 0, np.log(most_k))
        n, k = np.exp(np.repeat(grid_n, _TRIES, axis=1)), np.exp(np.tile(grid_k, (1, _SIZES)))
        tokens = (flops - workload.flops(n, k)) / (6 * n)
        score = _rank(law, used, n, tokens, k)
        best = score.argmax(axis=1)[:, None]
        size, tries = (np.log(np.take_along_axis(grid, best, axis=1)) for grid in (n, k))
        half_size, half_tries = half_size / _SHRINK, half_tries / _SHRINK
    return np.exp(size), np.exp(tries)


def _rank(law: LossLaw, used: LossToPass, params: Array, tokens: Array, k: Array) -> Array:
    """What is to be highest; least of all where inference alone costs more than there is."""
    value = used.rank(law.loss(params, np.maximum(tokens, 1.0)), k)
    return np.where(tokens > 0, value, -np.inf)


def _powers(most_k: float) -> Array:
    """1, 10, 100 … up to the most attempts."""
    return np.asarray(10.0 ** np.arange(np.floor(np.log10(most_k)) + 1))


def _sizes(
    law: LossLaw, used: LossToPass, workload: Workload, flops: float, best_n: Array, ks: Array
) -> pd.DataFrame:
    """What the estimate says of every size around the best one, at each number of attempts."""
    best = float(best_n[0, 0])
    grids = {k: _affordable(best, flops / float(workload.flops(np.ones(1), np.array(k))[0])) for k in ks}
    n = np.concatenate(list(grids.values()))[None, :]
    k = np.repeat(list(grids), [len(grid) for grid in grids.values()])[None, :]
    tokens = (flops - workload.flops(n, k)) / (6 * n)
    score = used.first.pass_at(law.first.loss(n, tokens), k)[0]
    return pd.DataFrame({"k": k[0], "params": n[0], "tokens": tokens[0], "score": score})


def _affordable(best: float, most: float) -> Array:
    """Sizes around the best one, and close up to the size beyond which nothing is left for training."""
    low, high = best / _AROUND, best * _AROUND
    if most > high:
        return np.geomspace(low, high, 2 * _SIZES)
    if 0.8 * most < low:
        return np.empty(0)
    near = most * (1 - np.geomspace(0.19, 1e-3, _SIZES))
    return np.concatenate([np.geomspace(low, 0.8 * most, 2 * _SIZES), near])


def _findings(passes: LossToPass, loss: float, k: float, most_k: float) -> list[Finding]:
    found = []
    if not min(passes.losses) <= loss <= max(passes.losses):
        found.append(
            warning(
                "loss_outside",
                f"The best plan has a loss of {loss:.3f}; attempts were counted at losses from "
                f"{min(passes.losses):.3f} to {max(passes.losses):.3f}.",
                "Count attempts of a model nearer to it before relying on the plan.",
            )
        )
    if k > 0.99 * most_k:
        found.append(
            warning(
                "k_at_its_limit",
                f"The best plan makes as many attempts as are allowed, {most_k:.0f}.",
                "Allow more, or read it as the best plan within that limit.",
            )
        )
    if k > passes.most:
        found.append(
            warning(
                "k_outside",
                f"The best plan makes {k:.0f} attempts; {passes.most} were measured.",
                "Make more attempts, or limit k.",
            )
        )
    return found

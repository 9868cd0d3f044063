"""Training compute against inference compute for the same score, and the best use of both together.

Two measured things are put together. The loss of a model is E + A N^-alpha + B D^-beta, from a fit with
draws. How repeated attempts at the task pay at that loss is read off several models that made attempts:

    ln(-ln pass@k) = u + v L - (b + w L) ln k

so that a lower loss both starts lower and, where w is below zero, falls faster in k. The first line in k is
Brown et al. 2024 (arXiv:2407.21787, section 3); that its two numbers are linear in the loss is this package's
assumption, good between the models measured and not far beyond. Costs are 6 N D for training (Kaplan et al.
2020, section 2.1) and 2 N a token of inference; the joint problem is that of Roberts et al. 2026
(arXiv:2604.01411).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from allometry.capabilities.attempts.counts import Counts, refuse_stopped
from allometry.capabilities.attempts.line import lines
from allometry.capabilities.attempts.passing import log_spaced, pass_at
from allometry.errors import FitError, InputError
from allometry.fitting.checks.definition import warning
from allometry.fitting.result import Estimate, Finding, Fit, middle
from allometry.units import show_count, show_power

Array = npt.NDArray[np.float64]
_SIZES, _TRIES, _ROUNDS, _SHRINK = 41, 25, 3, 5.0


class _Law(NamedTuple):
    """Coefficients of the loss, the fitted ones first and then the draws; arrays of shape (sets, 1)."""

    E: Array
    A: Array
    B: Array
    alpha: Array
    beta: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class LossToPass:
    """pass@k by loss: u, v, b and w for the counts given and for each resample of the problems.

    Attributes:
        u, v, b, w: Of shape (sets,): the estimate first, then the draws.
        losses: Of the models it was measured on.
        most: Largest k that was measured.
    """

    u: Array
    v: Array
    b: Array
    w: Array
    losses: tuple[float, ...]
    most: int

    def pass_at(self, loss: Array, k: Array) -> Array:
        """pass@k at a loss, one set a row."""
        u, v, b, w = (part[:, None] for part in (self.u, self.v, self.b, self.w))
        # A slope that a draw turns upwards beyond the models measured counts as none: attempts never harm.
        log_missed = u + v * loss - np.maximum(b + w * loss, 0.0) * np.log(k)
        return np.asarray(np.exp(-np.exp(np.minimum(log_missed, 50.0))))


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


@dataclass(frozen=True, kw_only=True)
class JointOptimum:
    """The best size, tokens and attempts for one budget that pays for training and inference.

    Attributes:
        params, tokens, k, score: Each with its range; the range of pass@k is that of the best plan.
        inference_share: Of the budget.
        training_only: Size that would be best for training by itself, at the same training compute.
    """

    flops: float
    params: Estimate
    tokens: Estimate
    k: Estimate
    score: Estimate
    inference_share: Estimate
    training_only: Estimate
    level: float
    findings: tuple[Finding, ...]

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
        rows = [
            f"  k = {k:<8.0f} {_flops(train)} FLOP of training ({_flops(low)} to {_flops(high)}), "
            f"{_flops(served)} of inference"
            for k, train, low, high, served in zip(
                self.k, self.train, self.train_low, self.train_high, self.inference, strict=True
            )
        ]
        worth = [
            f"  from k = {a:.0f} to {b:.0f}: tenfold attempts are worth {rate:.3g} times the training "
            f"({low:.3g} to {high:.3g})"
            for a, b, rate, low, high in zip(
                self.k, self.k[1:], self.rate, self.rate_low, self.rate_high, strict=False
            )
        ]
        return "\n".join([head, *rows, *worth])


def fit_loss_to_pass(
    losses: Sequence[float], counts: Sequence[Counts], *, draws: int = 200, seed: int = 0
) -> LossToPass:
    """Fit how pass@k depends on loss and k, from the counts of several models at the same problems.

    Each model's line in k is fitted first; its two numbers are then fitted against loss. Problems are
    resampled, the same for all models, so that the draws carry what another set of problems would change.

    Args:
        losses: Of each model, on the data that the loss law is about.
        counts: Of each model.

    Raises:
        FitError: If there are fewer than three models, or their losses are all alike.
        InputError: If the models were not tried at the same problems, or attempts ended on success.
    """
    _refuse_models(losses, counts)
    x = np.asarray(losses, dtype=np.float64)
    fewest = min(int(one.attempts.min()) for one in counts)
    ks = log_spaced(fewest)
    rng, size = np.random.default_rng(seed), len(counts[0])
    share = rng.multinomial(size, np.full(size, 1 / size), size=draws) / size
    share = np.vstack([np.full(size, 1 / size), share])
    fitted = [
        lines(ks, share @ pass_at(one.attempts[:, None], one.successes[:, None], ks[None, :]))
        for one in counts
    ]
    u, v = _straight(x, np.stack([intercept for intercept, _ in fitted]))
    b, w = _straight(x, np.stack([-slope for _, slope in fitted]))
    return LossToPass(u=u, v=v, b=b, w=w, losses=tuple(x.tolist()), most=fewest)


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
    law, used = _paired(fit, passes)
    best_n, best_k = _climb(law, used, workload, flops, most_k)
    served = workload.flops(best_n, best_k)
    tokens = (flops - served) / (6 * best_n)
    score = used.pass_at(_loss(law, best_n, tokens), best_k)

    def ranged(sets: Array, unit: str) -> Estimate:
        low, high = middle(sets[1:], level)
        return Estimate(value=float(sets[0, 0]), low=float(low), high=float(high), unit=unit)

    reached = float(_loss(law, best_n, tokens)[0, 0])
    return JointOptimum(
        flops=flops,
        params=ranged(best_n, "1"),
        tokens=ranged(tokens, "token"),
        k=ranged(best_k, "1"),
        score=ranged(score, "1"),
        inference_share=ranged(served / flops, "1"),
        training_only=ranged(_cheapest_size(law, flops - served), "1"),
        level=level,
        findings=tuple(_findings(passes, reached, float(best_k[0, 0]))),
    )


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
    law, used = _paired(fit, passes)
    needed = _loss_needed(used, score, tries)
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


def _flops(value: float) -> str:
    return show_power(value) if np.isfinite(value) else "no amount"


def _straight(x: Array, y: Array) -> tuple[Array, Array]:
    """Start and slope of y, of shape (models, sets), on x."""
    centred = x - x.mean()
    slope = centred @ y / (centred @ centred)
    return y.mean(axis=0) - slope * x.mean(), slope


def _paired(fit: Fit, passes: LossToPass) -> tuple[_Law, LossToPass]:
    """As many sets of either, paired at random as they are independent; the estimates come first."""
    if fit.law.name != "chinchilla" or fit.draws is None:
        raise FitError(
            f"An exchange needs a fit of 'chinchilla' with draws, not of '{fit.law.name}'"
            f"{'' if fit.draws is not None else ' without'}; make them with bootstrap(fit)."
        )
    count = min(len(fit.draws), len(passes.u) - 1)
    columns = [
        np.append(fit.coefficients[name], fit.draws[name].to_numpy(np.float64)[:count])[:, None]
        for name in _Law._fields
    ]
    parts = {name: getattr(passes, name)[: count + 1] for name in ("u", "v", "b", "w")}
    return _Law(*columns), LossToPass(**parts, losses=passes.losses, most=passes.most)


def _loss(law: _Law, params: Array, tokens: Array) -> Array:
    return np.asarray(law.E + law.A * params**-law.alpha + law.B * tokens**-law.beta)


def _cheapest_size(law: _Law, flops: Array) -> Array:
    scale = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
    return np.asarray(scale * (flops / 6) ** (law.beta / (law.alpha + law.beta)))


def _climb(
    law: _Law, used: LossToPass, workload: Workload, flops: float, most_k: float
) -> tuple[Array, Array]:
    """Size and attempts of the highest score in each set: a grid in the logs, made finer around its best."""
    size = np.log(_cheapest_size(law, np.full((len(law.E), 1), flops)))
    size, tries = size - np.log(10), np.full_like(size, np.log(most_k) / 2)
    half_size, half_tries = np.log(1000.0), np.log(most_k) / 2 + 1e-9
    for _ in range(_ROUNDS):
        grid_n = size + np.linspace(-half_size, half_size, _SIZES)
        grid_k = np.clip(tries + np.linspace(-half_tries, half_tries, _TRIES), 0, np.log(most_k))
        n, k = np.exp(np.repeat(grid_n, _TRIES, axis=1)), np.exp(np.tile(grid_k, (1, _SIZES)))
        tokens = (flops - workload.flops(n, k)) / (6 * n)
        score = _log_score(law, used, n, tokens, k)
        best = score.argmax(axis=1)[:, None]
        size, tries = (np.log(np.take_along_axis(grid, best, axis=1)) for grid in (n, k))
        half_size, half_tries = half_size / _SHRINK, half_tries / _SHRINK
    return np.exp(size), np.exp(tries)


def _log_score(law: _Law, used: LossToPass, n: Array, tokens: Array, k: Array) -> Array:
    """What is to be highest: less ln(-ln pass@k), which tells scores apart where pass@k rounds to 0 or 1."""
    loss = _loss(law, n, np.maximum(tokens, 1.0))
    u, v, b, w = (part[:, None] for part in (used.u, used.v, used.b, used.w))
    value = np.maximum(b + w * loss, 0.0) * np.log(k) - u - v * loss
    return np.where(tokens > 0, value, -np.inf)


def _loss_needed(used: LossToPass, score: float, tries: Array) -> Array:
    """The loss at which k attempts reach a score: u + v L - (b + w L) ln k = ln(-ln score), solved for L."""
    u, v, b, w = (part[:, None] for part in (used.u, used.v, used.b, used.w))
    goal = np.log(-np.log(score))
    steep = v - w * np.log(tries)
    return np.asarray(np.where(steep > 0, (goal - u + b * np.log(tries)) / steep, np.nan))


def _ends(sets: Array, level: float) -> tuple[Array, Array]:
    huge = np.finfo(np.float64).max / 4
    low, high = middle(np.minimum(sets[1:], huge), level, axis=0)
    return np.where(low >= huge / 1e6, np.inf, low), np.where(high >= huge / 1e6, np.inf, high)


def _refuse_models(losses: Sequence[float], counts: Sequence[Counts]) -> None:
    if len(losses) != len(counts) or len(losses) < 3 or np.ptp(np.asarray(losses, np.float64)) == 0:
        raise FitError(
            f"pass@k by loss needs at least three models of different loss, each with its counts, not "
            f"{len(losses)} losses and {len(counts)} counts."
        )
    if len({len(one) for one in counts}) > 1:
        raise InputError("All models must be tried at the same problems, in the same order.")
    for one in counts:
        refuse_stopped(one)


def _findings(passes: LossToPass, loss: float, k: float) -> list[Finding]:
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
    if k > passes.most:
        found.append(
            warning(
                "k_outside",
                f"The best plan makes {k:.0f} attempts; {passes.most} were measured.",
                "Make more attempts, or limit k.",
            )
        )
    return found

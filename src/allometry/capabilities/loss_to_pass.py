"""How repeated attempts at a task pay by the loss of the model that makes them.

Two measured things are put together. The loss of a model is E + A N^-alpha + B D^-beta, from a fit with
draws. How repeated attempts at the task pay at that loss is read off several models that made attempts:

    ln(-ln pass@k) = u + v L - (b + w L) ln k

so that a lower loss both starts lower and, where w is below zero, falls faster in k. The first line in k is
Brown et al. 2024 (arXiv:2407.21787, section 3); that its two numbers are linear in the loss is this package's
assumption, good between the models measured and not far beyond.
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
from allometry.fitting.result import Fit

Array = npt.NDArray[np.float64]


class LossLaw(NamedTuple):
    """Coefficients of the loss, the fitted ones first and then the draws; arrays of shape (sets, 1)."""

    E: Array
    A: Array
    B: Array
    alpha: Array
    beta: Array

    @property
    def first(self) -> LossLaw:
        """The estimate alone."""
        return LossLaw(*(part[:1] for part in self))

    def loss(self, params: Array, tokens: Array) -> Array:
        """Loss of each set."""
        return np.asarray(self.E + self.A * params**-self.alpha + self.B * tokens**-self.beta)

    def cheapest_size(self, flops: Array) -> Array:
        """Parameters of least loss at so much training compute, 6 N D (Hoffmann et al. 2022, eq. 4)."""
        scale = (self.alpha * self.A / (self.beta * self.B)) ** (1 / (self.alpha + self.beta))
        return np.asarray(scale * (flops / 6) ** (self.beta / (self.alpha + self.beta)))


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

    @property
    def first(self) -> LossToPass:
        """The estimate alone."""
        parts = {name: getattr(self, name)[:1] for name in ("u", "v", "b", "w")}
        return LossToPass(**parts, losses=self.losses, most=self.most)

    def pass_at(self, loss: Array, k: Array) -> Array:
        """pass@k at a loss, one set a row."""
        return np.asarray(np.exp(-np.exp(np.minimum(-self.rank(loss, k), 50.0))))

    def rank(self, loss: Array, k: Array) -> Array:
        """Less ln(-ln pass@k), which tells scores apart where pass@k rounds to 0 or 1; one set a row.

        No loss above the least one measured scores better than it: lines in k that cross would make the
        worst model the best.
        """
        best = np.full_like(loss, min(self.losses))
        own, of_best = (self._straight(one, k) for one in (loss, best))
        return np.asarray(np.where(loss > best, np.minimum(own, of_best), own))

    def slope(self, loss: Array) -> Array:
        """How fast -ln pass@k falls in k at a loss, one set a row; attempts never harm.

        Where a higher loss seems to gain more by attempts, that ends at the highest that was measured.
        """
        near = np.clip(loss, min(self.losses), max(self.losses))
        w = self.w[:, None]
        return np.asarray(np.maximum(self.b[:, None] + w * np.where(w > 0, near, loss), 0.0))

    def loss_needed(self, score: float, k: Array) -> Array:
        """The highest loss at which k attempts reach a score, one set a row; NaN where none does."""
        u, v, b, w = (part[:, None] for part in (self.u, self.v, self.b, self.w))
        least, most = (np.full_like(k, one)[None, :] for one in (min(self.losses), max(self.losses)))
        goal, log_k = -np.log(-np.log(score)), np.log(k)
        steep = np.where(v - w * log_k > 0, v - w * log_k, np.nan)
        level = np.where(v > 0, v, np.nan)
        above, below = ((self.slope(end) * log_k - u - goal) / level for end in (most, least))
        between, flat = (b * log_k - u - goal) / steep, (-u - goal) / level
        limited = np.where(goal > self._straight(least, k), below, between)
        limited = np.where(goal <= self._straight(most, k), above, limited)
        return np.asarray(np.where(w > 0, limited, np.fmax(between, flat)))

    def _straight(self, loss: Array, k: Array) -> Array:
        return np.asarray(self.slope(loss) * np.log(k) - self.u[:, None] - self.v[:, None] * loss)


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
        FitError: If there are fewer than three models, their losses are all alike, or a lower loss does not
            help.
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
    if not v[0] > 0:
        raise FitError(
            "By their lines in ln k, models of lower loss solve no more with one attempt. Check the losses; "
            "where few attempts solve most problems no line describes them: take harder ones, or fewer."
        )
    return LossToPass(u=u, v=v, b=b, w=w, losses=tuple(x.tolist()), most=fewest)


def paired(fit: Fit, passes: LossToPass) -> tuple[LossLaw, LossToPass]:
    """As many sets of either, paired at random as they are independent; the estimates come first.

    Raises:
        FitError: If the law is no 'chinchilla', or the fit has no draws.
    """
    if fit.law.name != "chinchilla" or fit.draws is None:
        raise FitError(
            f"An exchange needs a fit of 'chinchilla' with draws, not of '{fit.law.name}'"
            f"{'' if fit.draws is not None else ' without'}; make them with bootstrap(fit)."
        )
    count = min(len(fit.draws), len(passes.u) - 1)
    columns = [
        np.append(fit.coefficients[name], fit.draws[name].to_numpy(np.float64)[:count])[:, None]
        for name in LossLaw._fields
    ]
    parts = {name: getattr(passes, name)[: count + 1] for name in ("u", "v", "b", "w")}
    return LossLaw(*columns), LossToPass(**parts, losses=passes.losses, most=passes.most)


def _straight(x: Array, y: Array) -> tuple[Array, Array]:
    """Start and slope of y, of shape (models, sets), on x."""
    centred = x - x.mean()
    slope = centred @ y / (centred @ centred)
    return y.mean(axis=0) - slope * x.mean(), slope


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

"""A forecast through both steps of a chain: what step one does not know goes on into step two.

Legend of shapes: d pairs of draws, n equally likely noises.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting.prediction import NO_DRAWS, PROBABILITIES, noise_points
from allometry.fitting.result import Fit, Forecast, tails
from allometry.fitting.scales import invert, transform

Array = NDArray[np.float64]
SOURCES = ("loss law", "noise of the loss", "task law", "noise of the score")


def chained(
    loss: Fit, score: Fit, inputs: Mapping[str, float], *, level: float = 0.9, seed: int = 0
) -> Forecast:
    """Forecast a task's score of a new run from both steps.

    Each pair of draws gives a loss, with the noise of one run, and from it a score, with the noise of one
    run; the interval is of these scores, kept inside [0, 1]. Step two's residuals alone would leave out what
    step one does not know.

    Args:
        loss: Step one, with draws.
        score: Step two, with draws; it reads the loss that step one predicts.
        inputs: Of the run, by column or by step one's own names.
        seed: Of which noise of the loss meets which noise of the score.

    Returns:
        A forecast whose `width` says which step its width comes from.

    Raises:
        InputError: If an input is missing, unknown or not above zero.
    """
    ends = tails(level)
    first = loss.predict(level, **inputs)
    at = {name: first.inputs[column] for name, column in loss.inputs.items()}
    parts = _Parts.of(loss, score, at, seed)
    point = float(parts.scores(parts.loss_point, parts.fitted)[0])
    outcomes = parts.outcomes()
    whole = np.isfinite(outcomes).all() and outcomes.size > 0
    values = np.quantile(outcomes, (*ends, *PROBABILITIES)).tolist() if whole else []
    return Forecast(
        inputs=first.inputs,
        output=score.output,
        unit=score.unit,
        median=float(np.quantile(outcomes, 0.5)) if whole else point,
        low=values[0] if whole else float("nan"),
        high=values[1] if whole else float("nan"),
        level=level,
        quantiles=dict(zip(PROBABILITIES, values[2:], strict=False)),
        beyond=first.beyond,
        width=parts.shares(ends) if whole else {},
        law=f"{loss.law.name}, then {score.law.name}",
        fit_hash=_joint(loss.fit_hash, score.fit_hash),
        data_hash=_joint(loss.data_hash, score.data_hash),
        no_interval_because="" if whole else _why(outcomes),
        noise_from="residuals of both steps",
    )


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """What the forecast is made of: losses at the place, coefficients of step two, noises of both."""

    score: Fit
    on: str
    loss_draws: Array  # (d,)
    loss_point: Array  # (1,)
    loss_noise_dn: Array
    drawn: dict[str, Array]
    fitted: dict[str, Array]
    score_noise_dn: Array
    loss: Fit

    @classmethod
    def of(cls, loss: Fit, score: Fit, at: Mapping[str, float], seed: int) -> _Parts:
        pairs = min(_count(loss), _count(score))
        rng = np.random.default_rng(seed)
        mixed = [rng.permuted(np.tile(noise_points(fit), (pairs, 1)), axis=1) for fit in (loss, score)]
        drawn = {name: _draws(score, name, pairs) for name in score.law.names}
        coefficients = {name: _draws(loss, name, pairs) for name in loss.law.names}
        losses = np.broadcast_to(loss.law.evaluate(at, coefficients), (pairs,))
        return cls(
            score=score, on=loss.on, loss=loss, loss_draws=losses, drawn=drawn,
            loss_point=np.atleast_1d(loss.law.evaluate(at, loss.coefficients)),
            fitted={name: np.array([value]) for name, value in score.coefficients.items()},
            loss_noise_dn=mixed[0], score_noise_dn=mixed[1],
        )  # fmt: skip

    def scores(self, losses: Array, coefficients: Mapping[str, Array]) -> Array:
        """Step two, with a column of coefficients against a row of losses, or one for one."""
        return np.asarray(self.score.law.evaluate({self.score.law.reads[0]: losses}, coefficients))

    def outcomes(self) -> Array:
        """Scores of equally likely single runs, of shape (d, n)."""
        columns = {name: values[:, None] for name, values in self.drawn.items()}
        return self._measured(self.scores(self._noisy(self.loss_draws), columns), self.score_noise_dn)

    def shares(self, ends: tuple[float, float]) -> dict[str, float]:
        """Each source's share of the squared width, each let loose while the others are as fitted."""
        fitted = self.scores(self.loss_point, self.fitted)
        alone = (
            self.scores(self.loss_draws, self.fitted),
            self.scores(self._noisy(self.loss_point)[:1].ravel(), self.fitted),
            self.scores(self.loss_point, self.drawn),
            self._measured(fitted, self.score_noise_dn[:1]).ravel(),
        )
        squares = [float(np.diff(np.quantile(part, ends))[0]) ** 2 for part in alone]
        total = sum(squares) or 1.0
        return {source: square / total for source, square in zip(SOURCES, squares, strict=True)}

    def _noisy(self, losses: Array) -> Array:
        """Losses of single runs, of shape (d, n)."""
        scale = self.loss.on
        return invert(scale, transform(scale, losses)[:, None] + self.loss_noise_dn)

    def _measured(self, scores: Array, noise: Array) -> Array:
        scale = self.score.on
        return np.clip(invert(scale, transform(scale, scores) + noise), 0.0, 1.0)


def _count(fit: Fit) -> int:
    return 0 if fit.draws is None else len(fit.draws)


def _draws(fit: Fit, name: str, pairs: int) -> Array:
    table = pd.DataFrame(columns=list(fit.law.names)) if fit.draws is None else fit.draws
    return table[name].to_numpy(dtype=np.float64)[:pairs]


def _why(outcomes: Array) -> str:
    return "some draws have no finite value there" if outcomes.size else NO_DRAWS


def _joint(first: str, second: str) -> str:
    return hashlib.sha256(f"{first}\n{second}".encode()).hexdigest()[:16]

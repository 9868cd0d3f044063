"""Accuracy against tokens thought: points a doubling, and where the gain ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from allometry.errors import FitError, InputError
from allometry.fitting.checks.definition import note, warning
from allometry.fitting.result import Estimate, Finding, middle

Array = npt.NDArray[np.float64]
_LEAST = 5
_CLEARLY = 4.0  # AICc by which one form must be better to be called so


@dataclass(frozen=True, kw_only=True, eq=False)
class ThinkingFit:
    """Accuracy rises by the same step with each doubling of tokens, up to a plateau if there is one.

    Attributes:
        points: Columns tokens, accuracy.
        gain: Accuracy gained with each doubling, before any plateau.
        at_one: Accuracy of the line at one token; meaningful as an intercept only.
        plateau: Accuracy where the gain ends; NaN where no plateau is told from a line.
        saturates_at: Tokens from which on it is flat; NaN likewise.
        evidence: AICc of the plain line less that of the line with a plateau: above 4 there is one.
    """

    points: pd.DataFrame
    gain: Estimate
    at_one: float
    plateau: Estimate
    saturates_at: Estimate
    evidence: float
    level: float
    findings: tuple[Finding, ...]

    @property
    def saturated(self) -> bool:
        """Whether the measurements show a plateau."""
        return self.evidence > _CLEARLY

    def predict(self, tokens: npt.ArrayLike) -> Array:
        """Accuracy at so many tokens, held within [0, 1]."""
        rising = self.at_one + self.gain.value * np.log2(np.asarray(tokens, dtype=np.float64))
        top = self.plateau.value if self.saturated else 1.0
        return np.clip(np.minimum(rising, top), 0.0, 1.0)

    def summary(self) -> str:
        """The fit in plain words."""
        g = self.gain
        ends = f"{self.level:.0%}: {100 * g.low:+.1f} to {100 * g.high:+.1f}"
        said = f"{100 * g.value:+.1f} points with each doubling of tokens thought ({ends})"
        lines = [f"{said}, {len(self.points)} measurements"]
        if self.saturated:
            lines.append(
                f"  flat at {self.plateau.value:.2f} from {self.saturates_at.value:,.0f} tokens on "
                f"({self.saturates_at.low:,.0f} to {self.saturates_at.high:,.0f})"
            )
        return "\n".join(lines + [f"  {one.severity}: {one.sentence} {one.remedy}" for one in self.findings])


def fit_thinking(
    tokens: npt.ArrayLike, accuracy: npt.ArrayLike, *, level: float = 0.9, draws: int = 500, seed: int = 0
) -> ThinkingFit:
    """Fit accuracy linear in the log of tokens, with and without a plateau, and say which the data support.

    Args:
        tokens: Thought on average, above zero.
        accuracy: In [0, 1], of the same shape.
        draws: Resamples of the residuals, for the ranges.

    Raises:
        InputError: If a value is out of range.
        FitError: If there are fewer than five measurements, or tokens do not vary.

    >>> tokens = 2.0 ** np.arange(4, 14)
    >>> found = fit_thinking(tokens, np.minimum(0.1 + 0.06 * np.log2(tokens), 0.7))
    >>> print(f"{found.gain.value:.3f} {found.plateau.value:.2f} {found.saturates_at.value:.0f}")
    0.060 0.70 1024
    """
    x, y = (np.asarray(values, dtype=np.float64).ravel() for values in (tokens, accuracy))
    _refuse(x, y)
    order = np.argsort(x, kind="stable")
    x, y = np.log2(x[order]), y[order]
    plain, bent = _line(x, y[None, :]), _bent(x, y[None, :])
    evidence = _aicc(plain.misfit[0], len(x), 3) - _aicc(bent.misfit[0], len(x), 4)
    best = bent if evidence > _CLEARLY else plain
    resampled = _resampled(x, y, best, draws, np.random.default_rng(seed))
    again = _bent(x, resampled) if best is bent else _line(x, resampled)
    return ThinkingFit(
        points=pd.DataFrame({"tokens": 2**x, "accuracy": y}),
        gain=_estimate(best.gain, again.gain, "1", level),
        at_one=float(best.at_one[0]),
        plateau=_estimate(best.top, again.top, "1", level),
        saturates_at=_estimate(2**best.knot, 2**again.knot, "token", level),
        evidence=float(evidence),
        level=level,
        findings=tuple(_findings(x, float(evidence))),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Curves:
    """One curve a row; knot and top are NaN for lines without a plateau. Arrays of shape (draws,)."""

    at_one: Array
    gain: Array
    knot: Array
    top: Array
    misfit: Array

    def at(self, x: Array) -> Array:
        rising = self.at_one[:, None] + self.gain[:, None] * x
        return np.fmin(rising, self.top[:, None])


def _line(x: Array, y: Array) -> _Curves:
    bends = np.minimum(x[None, :], np.inf)
    return _least(bends, y, np.array([np.nan]))


def _bent(x: Array, y: Array) -> _Curves:
    """The best of many places for the knot, from the third to the last but one measurement."""
    knots = np.linspace(x[2], x[-2], 121)
    return _least(np.minimum(x[None, :], knots[:, None]), y, knots)


def _least(bends_kn: Array, y_dn: Array, knots_k: Array) -> _Curves:
    """Least squares of each row of y on each row of bent x; the best knot of each."""
    centred = bends_kn - bends_kn.mean(axis=1, keepdims=True)
    squares = (centred**2).sum(axis=1)
    slope_dk = (y_dn @ centred.T) / squares
    start_dk = y_dn.mean(axis=1)[:, None] - slope_dk * bends_kn.mean(axis=1)
    total = ((y_dn - y_dn.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    misfit_dk = total[:, None] - slope_dk**2 * squares
    best = misfit_dk.argmin(axis=1)
    row = np.arange(len(y_dn))
    start, slope = start_dk[row, best], slope_dk[row, best]
    knot = knots_k[best]
    return _Curves(at_one=start, gain=slope, knot=knot, top=start + slope * knot, misfit=misfit_dk[row, best])


def _resampled(x: Array, y: Array, best: _Curves, draws: int, rng: np.random.Generator) -> Array:
    """Accuracies made anew: the fitted ones plus residuals drawn with replacement, widened for their loss."""
    fitted = best.at(x)[0]
    residuals = (y - fitted) * np.sqrt(len(x) / max(len(x) - 3, 1))
    return np.asarray(fitted + rng.choice(residuals, size=(draws, len(x))))


def _aicc(misfit: float, n: int, p: int) -> float:
    variance = max(misfit / n, 1e-12)
    return float(n * np.log(variance) + 2 * p + 2 * p * (p + 1) / max(n - p - 1, 1e-9))


def _estimate(value: Array, drawn: Array, unit: str, level: float) -> Estimate:
    if np.isnan(value[0]):
        return Estimate(value=np.nan, low=np.nan, high=np.nan, unit=unit)
    low, high = middle(drawn, level)
    return Estimate(value=float(value[0]), low=float(low), high=float(high), unit=unit)


def _refuse(x: Array, y: Array) -> None:
    if x.shape != y.shape or not (np.isfinite(x) & (x > 0)).all():
        raise InputError("Each accuracy needs a number of tokens above zero.")
    if ((y < 0) | (y > 1) | ~np.isfinite(y)).any():
        raise InputError("Accuracies lie in [0, 1]; divide percentages by 100 first.")
    if len(x) < _LEAST or len(np.unique(x)) < 4:
        raise FitError(
            f"A gain a doubling needs at least {_LEAST} measurements at four numbers of tokens, not {len(x)} "
            f"at {len(np.unique(x))}."
        )


def _findings(x: Array, evidence: float) -> list[Finding]:
    found = []
    if abs(evidence) <= _CLEARLY:
        found.append(
            note(
                "plateau_undecided",
                f"Whether accuracy levels off within these tokens cannot be told (AICc differs by "
                f"{abs(evidence):.1f}); the line is shown.",
                "Measure at more, and larger, numbers of tokens.",
            )
        )
    if evidence < -_CLEARLY:
        found.append(
            note(
                "no_plateau",
                f"Nothing in these {len(x)} measurements speaks for a plateau up to {2 ** x[-1]:,.0f} tokens "
                f"(AICc is {-evidence:.1f} better without one); what comes beyond they do not say.",
                "Measure at more, and larger, numbers of tokens before counting on the same gain there.",
            )
        )
    if (octaves := float(x[-1] - x[0])) < 3:
        found.append(
            warning(
                "short_range",
                f"The tokens span {octaves:.1f} doublings only.",
                "Measure over at least three doublings.",
            )
        )
    return found

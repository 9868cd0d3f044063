"""Does a metric follow one smooth law of scale, or does its slope break on the way?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from allometry.capabilities.emergence.curves import FORMS, Curves, Form, deviance, fit_curves, height

Array = NDArray[np.float64]

# Set on seeds 0 to 39 of benchmarks/emergence_verdicts.py, judged there on others.
BREAK = 5.0  # times the slope before: the break that a smooth law must exclude
FOR_A_BREAK = 3.0  # QAICc by which a broken law must beat every smooth one
FOR_SMOOTH = 12.0  # deviance by which the smooth law must beat its own form with such a break
FOR_DOUBT = 9.0  # deviance by which a broken law may fit better, QAICc or not, and all still be called smooth
_KNOTS = 24
_SHARPNESS = (1 / 64, 1 / 16)  # of the range in log scale: from a corner to a bend of a few scales
_APART = 2  # distinct scales that must lie on either side of a break
_SHOWN = 3  # the same, for a break that smooth data must exclude
_MOST_FOLDS = 12
_UPPER = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
_LOWER = (0.2, 0.4, 0.6, 0.8, 0.95)  # of the lowest share seen


class Shape(StrEnum):
    """What a metric does along scale."""

    SMOOTH = "smooth"
    BROKEN = "broken"
    UNCLEAR = "unclear"


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A metric as shares that rise with scale.

    Attributes:
        x: Scale, above zero, ascending; shape (n,).
        share: In [0, 1].
        counts: Items behind each share; ones where they are not known.
        low: The share of guessing.
        dispersion: Least variance, as a multiple of the binomial one; 0 where the counts are not known.
    """

    x: Array
    share: Array
    counts: Array
    low: float = 0.0
    dispersion: float = 1.0

    @property
    def t(self) -> Array:
        """Log scale about its middle."""
        return self.place(self.x)

    def place(self, x: Array) -> Array:
        """Any scales on the same axis."""
        return np.asarray(np.log(x) - np.log(self.x).mean())

    @property
    def scales(self) -> Array:
        """The distinct scales, ascending."""
        return np.unique(self.x)


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """Curves of one form, with ends and, where there is one, the place of the break.

    Attributes:
        free: Numbers that each leaves open.
        knots, sharpness: In log scale about the middle; NaN without a break. Shape (G,).
    """

    form: Form
    curves: Curves
    low: Array
    high: Array
    free: int
    knots: Array
    sharpness: Array

    def at(self, t: Array, which: int, coefficients: Array | None = None) -> Array:
        """The value of one curve."""
        design = _design(t, self.knots[which : which + 1], self.sharpness[which : which + 1])[0]
        chosen = self.curves.coefficients[which] if coefficients is None else coefficients
        return height(self.form, design @ chosen, self.low[which], self.high[which])


@dataclass(frozen=True, kw_only=True, eq=False)
class Bend:
    """What was found about one metric.

    Attributes:
        shape: Smooth, broken or unclear.
        form: Of the best smooth law, in words.
        gain: QAICc of the best smooth law less that of the best broken one.
        drop: Deviance, over the dispersion, by which the best broken law fits better.
        against_break: Deviance, over the dispersion, by which a break of BREAK in the same form fits worse
            than none, at the place where it fits best.
        held_out: Deviance of scales left out one by one, broken law over smooth.
        break_at: Scale of the best broken law's break.
        ratio: Its slope after the break over that before; inf where it was flat.
        dispersion: Variance over the binomial one.
        signal: Slope of the plain sigmoid in log scale, in its standard errors.
        smooth: The best smooth law at the points.
    """

    shape: Shape
    form: str
    gain: float
    drop: float
    against_break: float
    held_out: float
    break_at: float
    ratio: float
    dispersion: float
    signal: float
    smooth: Array
    best_smooth: Candidates = field(repr=False)
    best_broken: Candidates = field(repr=False)
    every: tuple[Candidates, ...] = field(repr=False)

    def curve(self, t: Array) -> Array:
        """The law that was found: the broken one where there is a break, else the smooth one."""
        broken = self.shape is Shape.BROKEN
        return _best_of(self.best_broken, t) if broken else self.smooth_at(t)

    def smooth_at(self, t: Array) -> Array:
        """The best smooth law, whether or not there is a break."""
        return _best_of(self.best_smooth, t)


def _best_of(candidates: Candidates, t: Array) -> Array:
    return candidates.at(t, int(np.argmin(candidates.curves.misfits)))


def find_bend(data: Measured) -> Bend:
    """Compare smooth laws with broken ones on one metric, by QAICc and by scales left out.

    Smooth laws are power laws of -ln p and of -ln(1 - p) and a sigmoid, all in log scale, each with the ends
    given, with a free upper and with a free lower end. Broken ones are the same forms whose index follows the
    broken power law of Caballero et al. 2023 (eq. 1, arXiv:2210.14891) with one break to a steeper slope.

    Source:
        QAICc: Burnham and Anderson 2002, section 2.5.
    """
    smooth = [one for form in FORMS for one in _smooth(form, data)]
    broken = [_broken(form, data) for form in FORMS]
    dispersion = _dispersion(data, [*smooth, *broken])
    best, bent = (min(some, key=lambda one: _qaicc(one, data, dispersion)) for some in (smooth, broken))
    gain = _qaicc(best, data, dispersion) - _qaicc(bent, data, dispersion)
    drop = float(best.curves.misfits.min() - bent.curves.misfits.min()) / dispersion
    against = _against_break(data, best) / dispersion
    held_out = _held_out(data, best, bent)
    knot = int(np.argmin(bent.curves.misfits))
    return Bend(
        shape=_shape(gain, drop, against, held_out), form=best.form.name, gain=gain, drop=drop,
        against_break=against, held_out=held_out, signal=_signal(smooth[0], dispersion),
        break_at=float(np.exp(bent.knots[knot] + np.log(data.x).mean())),
        ratio=_ratio(bent.curves.coefficients[knot]), dispersion=dispersion,
        smooth=_best_of(best, data.t),
        best_smooth=best, best_broken=bent, every=(*smooth, *broken),
    )  # fmt: skip


def _shape(gain: float, drop: float, against: float, held_out: float) -> Shape:
    if gain > FOR_A_BREAK and held_out < 1:
        return Shape.BROKEN
    plain = gain <= 0 and drop < FOR_DOUBT and against > FOR_SMOOTH
    return Shape.SMOOTH if plain else Shape.UNCLEAR


def _smooth(form: Form, data: Measured) -> list[Candidates]:
    """With the ends given, with a free upper end, and with a free lower one."""
    top = float(data.share.max())
    bottom = data.low + (float(data.share.min()) - data.low) * np.array(_LOWER)
    upper = np.array([end for end in _UPPER if end > top])
    made = [_straight(form, data, np.array([data.low]), np.ones(1), 2)]
    if upper.size:
        made.append(_straight(form, data, np.full(len(upper), data.low), upper, 3))
    if bottom[0] > data.low:
        made.append(_straight(form, data, bottom, np.ones(len(bottom)), 3))
    return made


def _straight(form: Form, data: Measured, low: Array, high: Array, free: int) -> Candidates:
    none = np.full(len(low), np.nan)
    return _fitted(form, data, _design(data.t, none, none), low, high, free, none, none)


def _broken(form: Form, data: Measured) -> Candidates:
    """At every place and sharpness; only breaks to a steeper slope count."""
    knots, sharpness = _breaks(data, _APART)
    designs = _design(data.t, knots, sharpness)
    low, high = np.full(len(knots), data.low), np.ones(len(knots))
    found = _fitted(form, data, designs, low, high, 4, knots, sharpness)
    straight = fit_curves(form, designs[:1, :, :2], data.share, data.counts[None], low[:1], high[:1])
    return replace(found, curves=_steeper_only(found.curves, straight))


def _steeper_only(bent: Curves, straight: Curves) -> Curves:
    """Where the best turn is to a gentler slope, the best allowed one is none at all."""
    turns = bent.coefficients[:, 2] > 0
    flat = np.pad(straight.coefficients, ((0, 0), (0, 1)))
    sure = np.pad(straight.covariances, ((0, 0), (0, 1), (0, 1)))
    return Curves(
        coefficients=np.where(turns[:, None], bent.coefficients, flat),
        covariances=np.where(turns[:, None, None], bent.covariances, sure),
        misfits=np.where(turns, bent.misfits, straight.misfits),
    )


def _fitted(
    form: Form, data: Measured, designs: Array, low: Array, high: Array, free: int, knots: Array,
    sharpness: Array,
) -> Candidates:  # fmt: skip
    counts = np.tile(data.counts, (len(designs), 1))
    curves = fit_curves(form, designs, data.share, counts, low, high)
    return Candidates(
        form=form, curves=curves, low=low, high=high, free=free, knots=knots, sharpness=sharpness
    )


def _design(t: Array, knots: Array, sharpness: Array) -> Array:
    """One, log scale and, with a break, what the slope gains after it; shape (G, n, 2 or 3)."""
    plain = np.broadcast_to(np.column_stack([np.ones_like(t), t]), (len(knots), len(t), 2))
    if np.isnan(knots).all():
        return plain
    return np.concatenate([plain, _turns(t, knots, sharpness)[..., None]], axis=2)


def _turns(t: Array, knots: Array, sharpness: Array) -> Array:
    """f · ln(1 + (x/d)^(1/f)), of shape (G, n)."""
    return np.asarray(sharpness[:, None] * np.logaddexp(0, (t - knots[:, None]) / sharpness[:, None]))


def _breaks(data: Measured, apart: int) -> tuple[Array, Array]:
    """Places and sharpness to try, with so many scales on either side."""
    places = data.place(data.scales)
    apart = min(apart, len(places) // 2)
    knots = np.linspace(places[apart - 1], places[-apart], _KNOTS)
    widths = np.array(_SHARPNESS) * (places[-1] - places[0])
    return np.repeat(knots, len(widths)), np.tile(widths, len(knots))


def _dispersion(data: Measured, found: list[Candidates]) -> float:
    least = min(float(one.curves.misfits.min()) for one in found)
    return max(data.dispersion, least / max(len(data.x) - 4, 1), 1e-12)


def _qaicc(one: Candidates, data: Measured, dispersion: float) -> float:
    points, free = len(data.x), one.free + (data.dispersion == 0)
    small = 2 * free * (free + 1) / max(points - free - 1, 0.5)
    return float(one.curves.misfits.min() / dispersion + 2 * free + small)


def _against_break(data: Measured, best: Candidates) -> float:
    """Deviance that the best law gains over the same with a slope BREAK times as steep after some scale."""
    which = int(np.argmin(best.curves.misfits))
    knots, sharpness = _breaks(data, _SHOWN)
    bent = data.t + (BREAK - 1) * _turns(data.t, knots, sharpness)
    designs = np.stack([np.ones_like(bent), bent], axis=2)
    low, high = (np.full(len(knots), ends[which]) for ends in (best.low, best.high))
    counts = np.tile(data.counts, (len(knots), 1))
    broken = fit_curves(best.form, designs, data.share, counts, low, high)
    return float(broken.misfits.min() - best.curves.misfits[which])


def _held_out(data: Measured, smooth: Candidates, broken: Candidates) -> float:
    """Deviance of scales left out in turn, each law fitted to the others: broken over smooth."""
    folds = np.array_split(data.scales, min(_MOST_FOLDS, len(data.scales)))
    outside = np.array([np.isin(data.x, fold) for fold in folds])
    missed = [_missed(data, one, outside) for one in (smooth, broken)]
    return missed[1] / max(missed[0], 1e-12)


def _missed(data: Measured, law: Candidates, outside_Fn: NDArray[np.bool_]) -> float:
    """Deviance at the points left out, with ends and break chosen anew in each fold."""
    folds, choices = len(outside_Fn), len(law.knots)
    designs = np.tile(_design(data.t, law.knots, law.sharpness), (folds, 1, 1))
    counts = np.repeat(np.where(outside_Fn, 0.0, data.counts), choices, axis=0)
    low, high = np.tile(law.low, folds), np.tile(law.high, folds)
    curves = fit_curves(law.form, designs, data.share, counts, low, high)
    if designs.shape[2] > 2:
        each = slice(None, None, choices)
        plain = fit_curves(
            law.form, designs[each, :, :2], data.share, counts[each], low[each], high[each]
        ).repeated(choices)
        curves = _steeper_only(curves, plain)
    chosen = curves.misfits.reshape(folds, choices).argmin(axis=1) + np.arange(folds) * choices
    index = np.einsum("fnk,fk->fn", designs[chosen], curves.coefficients[chosen])
    means = height(law.form, index, low[chosen, None], high[chosen, None])
    return float((deviance(data.share, means, data.counts) * outside_Fn).sum())


def _signal(sigmoid: Candidates, dispersion: float) -> float:
    error = np.sqrt(dispersion * sigmoid.curves.covariances[0, 1, 1])
    return float(sigmoid.curves.coefficients[0, 1] / max(error, 1e-12))


def _ratio(coefficients: Array) -> float:
    before, turn = coefficients[1:]
    return float((before + turn) / before) if before > 0 else float("inf")

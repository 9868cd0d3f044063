"""`informative`: which of many runs narrow a target's interval most for their FLOP.

Legend of shapes: s places of the coefficients, k candidates, t target numbers, q open coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from allometry.errors import InputError, Refusal
from allometry.fitting.result import tails
from allometry.sweeps.designs.informative.aims import Aim
from allometry.sweeps.designs.informative.beliefs import Belief
from allometry.sweeps.designs.informative.candidates import Candidates, Spent
from allometry.units import show_power

Array = NDArray[np.float64]

# How much a run's cost counts against what it tells. By cost alone the choice begins with the cheapest runs,
# which a few dear ones may make needless; the best of several is taken.
_THRIFTS = (1.0, 0.75, 0.5, 0.25, 0.0)
_HOPELESS = 1.5  # times the best design so far: leaving out needless runs will not make up for more
_LESS = 0.5  # of the best design's compute, at which the same is asked for once more
_NOTHING = 1e-6  # of the logarithm of the width: what a run narrows it by is rounding
_MOST = 200  # runs in one choice


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The next runs.

    Attributes:
        picks: Places in the candidates, in the order they were chosen.
        flops: What they cost together.
        width_before, width_after: Expected width of the target's interval at `level`, by the law that is
            least sure; of a loss and of positive coefficients a share of the value.
        steps: One row a pick: the candidate's columns, what it added to the cost, the width once it is made.
        level: Of the interval.
    """

    picks: tuple[int, ...]
    flops: float
    width_before: float
    width_after: float
    steps: pd.DataFrame
    level: float


def informative(
    candidates: Candidates,
    aim: Aim,
    beliefs: Sequence[Belief],
    *,
    width: float | None = None,
    flops: float | None = None,
    least: int = 0,
    level: float = 0.9,
    measured: float | None = None,
) -> Chosen:
    """Choose the runs that narrow a target's interval most per FLOP.

    Each run adds g gᵀ / noise² to the information about a law's coefficients, g being the law's exact
    derivatives at the run; the variance of the target is cᵀ M⁻¹ c, c its own derivatives. Runs are added one
    by one, by the fall of the mean log width over all laws, draws and target numbers, divided by a power of
    what the run would cost beside those already chosen. Of several powers the cheapest design is taken that
    reaches the width, or the narrowest within the budget. Runs that later ones made needless are left out,
    and the width is asked for again at half the compute until that fails.

    Args:
        candidates: What can be run, and what that costs.
        aim: What is to be known.
        beliefs: Laws that may be right, each with what is known of it.
        width: The width to reach; runs are chosen until it is expected.
        flops: The most to spend.
        least: Runs to choose in any case, as a fit needs more runs than coefficients.
        level: Of the interval that the width is of.
        measured: Width that a fit of the first belief's law gives now. Expected widths are scaled to begin
            there: linear theory does not know how far a law bends within its draws.

    Raises:
        InputError: If neither width nor flops nor least says when to stop, or there is no belief.
        Refusal: If the budget is smaller than the cheapest run.

    Source:
        c- and V-optimality: Atkinson, Donev and Tobias 2007, Optimum Experimental Designs, chapter 10. Greedy
        choice by gain over cost: Khuller, Moss and Naor 1999, doi:10.1016/S0020-0190(99)00031-9.

    >>> import numpy as np
    >>> from allometry.laws import chinchilla
    >>> from allometry.sweeps.designs.informative import ForecastOf, belief_from_law
    >>> params, ratio = (grid.ravel() for grid in np.meshgrid([1e7, 3e7, 1e8, 3e8], [5.0, 20.0, 80.0]))
    >>> runs = {"params": params, "tokens": params * ratio}
    >>> found = informative(
    ...     Candidates.independent(runs, 6 * params**2 * ratio),
    ...     ForecastOf(inputs={"params": 1e9, "tokens": 2e10}),
    ...     [belief_from_law(chinchilla, noise=0.003)], flops=1e19)
    >>> found.width_after < 0.3 * found.width_before, found.flops < 1e19
    (True, True)
    """
    _refuse(candidates, beliefs, width, flops, least)
    views = _scaled([_View.of(belief, candidates, aim, level) for belief in beliefs], measured)
    enough = np.inf if flops is None else 0.0  # without a width: the least runs, or all that the budget buys
    stop = _Stop(
        width=enough if width is None else width, flops=np.inf if flops is None else flops, least=least
    )
    return _chosen(candidates, views, _cheapest_fill(candidates, views, stop).picks, level)


@dataclass(frozen=True, kw_only=True, eq=False)
class _View:
    """One belief, with everything the choice reads from it.

    Attributes:
        slopes: Of the candidates, (s, k, q).
        aim: Of the target, (s, t, q).
        covariance: (s, q, q).
        variance: Of one run.
        floor: Variance of the target that stays.
        wide: From a standard deviation to the width of an interval.
    """

    slopes: Array
    aim: Array
    covariance: Array
    variance: float
    floor: float
    wide: float

    @classmethod
    def of(cls, belief: Belief, candidates: Candidates, aim: Aim, level: float) -> _View:
        slopes, wanted = belief.slopes(candidates.inputs), aim.slopes(belief)
        usable = np.isfinite(slopes).all(axis=(1, 2)) & np.isfinite(wanted).all(axis=(1, 2))
        if not usable.any():
            raise Refusal(f"Law '{belief.law.name}' has no finite slopes at these runs and this target.")
        precision: Array = belief.precision[usable]
        return cls(
            slopes=slopes[usable],
            aim=wanted[usable],
            covariance=np.asarray(np.linalg.inv(precision)),
            variance=belief.noise**2,
            floor=aim.floor(belief),
            wide=2 * float(stdtrit(belief.freedom, tails(level)[1])),
        )

    def variances(self) -> Array:
        """Of each target number at each place, (s, t)."""
        return np.asarray(np.einsum("stq,sqr,str->st", self.aim, self.covariance, self.aim))

    def log_width(self) -> float:
        """Mean over places and numbers."""
        return float(self._log_widths(self.variances()).mean())

    def log_widths_with(self) -> Array:
        """The same with each candidate made, of shape (k,)."""
        seen = self.slopes @ self.covariance
        own = np.einsum("skq,skq->sk", seen, self.slopes)
        shared = np.einsum("skq,stq->skt", seen, self.aim)
        left = self.variances()[:, None, :] - shared**2 / (self.variance + own)[:, :, None]
        return np.asarray(self._log_widths(np.maximum(left, 0.0)).mean(axis=(0, 2)))

    def made(self, one: int) -> _View:
        """With a candidate made, by a rank-one update."""
        seen = np.einsum("sqr,sr->sq", self.covariance, self.slopes[:, one])
        own = np.einsum("sq,sq->s", seen, self.slopes[:, one])
        drop = seen[:, :, None] * seen[:, None, :] / (self.variance + own)[:, None, None]
        return replace(self, covariance=self.covariance - drop)

    def _log_widths(self, variances: Array) -> Array:
        return np.asarray(np.log(self.wide) + 0.5 * np.log(variances + self.floor + 1e-300))


@dataclass(frozen=True, kw_only=True)
class _Stop:
    """When a choice ends."""

    width: float
    flops: float
    least: int

    def reached(self, views: Sequence[_View], count: int) -> bool:
        return count >= self.least and _width(views) <= self.width


@dataclass(frozen=True, kw_only=True)
class _Filled:
    """One attempt, and whether it came to what was asked for."""

    picks: tuple[int, ...]
    flops: float
    width: float
    reached: bool

    @property
    def order(self) -> tuple[bool, float]:
        """Reached before not reached; then the cheaper, or the narrower if none reached."""
        return (False, self.flops) if self.reached else (True, self.width)


def _scaled(views: Sequence[_View], measured: float | None) -> list[_View]:
    factor = 1.0 if measured is None else measured / _width(views[:1])
    return [replace(view, wide=factor * view.wide) for view in views]


def _cheapest_fill(candidates: Candidates, views: Sequence[_View], stop: _Stop) -> _Filled:
    """The best of several attempts; one that has become much dearer than another is not finished."""
    best = _filled(candidates, views, stop, _THRIFTS[0])
    for thrift in _THRIFTS[1:]:
        dearest = _HOPELESS * best.flops if best.reached else np.inf
        bounded = replace(stop, flops=min(stop.flops, dearest))
        best = min(best, _filled(candidates, views, bounded, thrift), key=lambda one: one.order)
    # Without a width to reach, the runs that are asked for would only become the cheapest there are.
    return _for_less(candidates, views, best, stop) if np.isfinite(stop.width) else best


def _for_less(candidates: Candidates, views: Sequence[_View], best: _Filled, stop: _Stop) -> _Filled:
    """The same width asked for at half the compute, until that fails.

    Several cheap runs may do what one dear run does and tell little before they are together, so that no step
    towards them looks worth its cost while the dear one is affordable.
    """
    while best.reached:
        bounded = replace(stop, flops=_LESS * best.flops)
        found = min(
            (_filled(candidates, views, bounded, thrift) for thrift in _THRIFTS), key=lambda one: one.order
        )
        if not found.reached:
            break
        best = found
    return best


def _filled(candidates: Candidates, views: Sequence[_View], stop: _Stop, thrift: float) -> _Filled:
    picks: list[int] = []
    spent, now = Spent(candidates), list(views)
    while len(picks) < min(_MOST, len(candidates)) and not stop.reached(now, len(picks)):
        best = _best(now, spent, picks, stop, thrift)
        if best is None:
            break
        picks.append(best)
        spent.add(best)
        now = [view.made(best) for view in now]
    kept = _pruned(candidates, views, picks, stop)
    after = _after(views, kept)
    reached = stop.reached(after, len(kept))
    return _Filled(picks=kept, flops=candidates.cost(kept), width=_width(after), reached=reached)


def _best(
    views: Sequence[_View], spent: Spent, picks: Sequence[int], stop: _Stop, thrift: float
) -> int | None:
    """The candidate that narrows most for its cost; None if none is affordable or tells anything."""
    narrowed = np.mean([view.log_width() - view.log_widths_with() for view in views], axis=0)
    margins = spent.margins()
    usable = spent.total + margins <= stop.flops
    usable[list(picks)] = False
    if len(picks) >= stop.least:
        usable &= narrowed > _NOTHING
    score = np.where(usable, narrowed / np.maximum(margins, 1e-300) ** thrift, -np.inf)
    return int(np.argmax(score)) if usable.any() else None


def _pruned(
    candidates: Candidates, views: Sequence[_View], picks: Sequence[int], stop: _Stop
) -> tuple[int, ...]:
    """Without the runs that the width can do without, the dearest first; all of them if it is not reached."""
    kept = list(picks)
    if not stop.reached(_after(views, kept), len(kept)):
        return tuple(kept)
    for one in sorted(picks, key=lambda pick: -candidates.straight[pick]):
        fewer = [pick for pick in kept if pick != one]
        if stop.reached(_after(views, fewer), len(fewer)):
            kept = fewer
    return tuple(kept)


def _after(views: Sequence[_View], picks: Sequence[int]) -> list[_View]:
    now = list(views)
    for one in picks:
        now = [view.made(one) for view in now]
    return now


def _width(views: Sequence[_View]) -> float:
    """By the law that is least sure."""
    return float(np.exp(max(view.log_width() for view in views)))


def _chosen(candidates: Candidates, views: Sequence[_View], picks: Sequence[int], level: float) -> Chosen:
    rows, spent, now = [], Spent(candidates), list(views)
    for one in picks:
        before = spent.total
        spent.add(one)
        now = [view.made(one) for view in now]
        row = {name: float(values[one]) for name, values in candidates.inputs.items()}
        rows.append({**row, "added_flops": spent.total - before, "width": _width(now)})
    return Chosen(
        picks=tuple(picks),
        flops=spent.total,
        width_before=_width(views),
        width_after=_width(now),
        steps=pd.DataFrame(rows, columns=[*candidates.inputs, "added_flops", "width"]),
        level=level,
    )


def _refuse(
    candidates: Candidates, beliefs: Sequence[Belief], width: float | None, flops: float | None, least: int
) -> None:
    if not beliefs:
        raise InputError("Say what is believed: at least one law, by belief_from_fit or belief_from_law.")
    if width is None and flops is None and not least:
        raise InputError("Say when to stop choosing: a width to reach, or flops to spend.")
    for name, value in (("width", width), ("flops", flops)):
        if value is not None and not value > 0:
            raise InputError(f"{name} must be above zero, not {value}.")
    cheapest = candidates.cheapest
    if flops is not None and flops < cheapest:
        raise Refusal(
            f"A budget of {show_power(flops)} FLOP is smaller than the cheapest run, which takes "
            f"{show_power(cheapest)} FLOP; give more, or add smaller sizes or shorter horizons."
        )

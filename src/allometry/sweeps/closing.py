"""What a sweep that chose its runs can say of its forecast: a narrow interval is honest only by a right law.

Three questions that the runs answer by themselves: how far the target lies beyond them, whether the law
forecasts their largest from the others, and how far the laws that were fitted are apart at the target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError
from allometry.fitting.prediction import noise_points
from allometry.fitting.result import Fit, FitData, tails
from allometry.fitting.scales import invert, transform
from allometry.fitting.search import refit
from allometry.fitting.uncertainty import bootstrap

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_LARGE = 0.25  # of the largest run's compute: at and above it a run is held out
_MOST = 1 / 3  # of the runs are held out
_SPARE = 2  # settings beyond the coefficients that are left to fit
_SURE = 0.95  # of what chance would do to the held-out runs: one false alarm in twenty
_STARTS = 4  # from the fit itself and three others: only runs are left out


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """The largest runs, forecast by the law as fitted to the others.

    Attributes:
        runs: Their ids.
        beyond: Compute of the largest of them over that of the largest of the others.
        miss: By how much they were measured above the forecast, on average, as a share of it.
        low, high: Where that should have been, at `level`.
    """

    runs: tuple[str, ...]
    beyond: float
    miss: float
    low: float
    high: float
    level: float

    @property
    def outside(self) -> bool:
        """Whether the law missed them by more than it should."""
        return not self.low <= self.miss <= self.high

    def describe(self) -> str:
        """What was forecast, and what came, as a clause.

        >>> held = HeldOut(runs=("a", "b"), beyond=2.1, miss=0.024, low=-0.01, high=0.011, level=0.9)
        >>> held.describe()
        'from the smaller runs it forecasts the 2 largest 2.40% too low (chance alone: up to 1.10%)'
        """
        count = "the largest" if len(self.runs) == 1 else f"the {len(self.runs)} largest"
        side = "low" if self.miss > 0 else "high"
        chance = self.high if self.miss > 0 else -self.low
        return (
            f"from the smaller runs it forecasts {count} {abs(self.miss):.2%} too {side} "
            f"(chance alone: up to {chance:.2%})"
        )


@dataclass(frozen=True, kw_only=True)
class Closing:
    """What the runs of a sweep say of the forecast that they were chosen for.

    Attributes:
        law: The one that forecasts.
        width: Of its interval, as a share of the forecast; None if it has none.
        beyond: Compute of the target over that of the largest fitted run.
        held_out: None where the runs do not suffice for it; `unchecked_because` says why.
        laws: Forecast of the target by every law that was fitted.
        larger: The largest run of the design that is not made and is larger than those that are, in words;
            empty if there is none.
    """

    law: str
    width: float | None
    beyond: float
    held_out: HeldOut | None
    unchecked_because: str = ""
    laws: Mapping[str, float]
    larger: str = ""

    @property
    def apart(self) -> float:
        """How far the laws are apart at the target, as a share of the lowest forecast; 0 of one law."""
        values = list(self.laws.values())
        return max(values) / min(values) - 1

    @property
    def warns(self) -> bool:
        """Whether the runs speak against the law, or the laws are further apart than the interval is wide."""
        missed = self.held_out is not None and self.held_out.outside
        return missed or (self.width is not None and self.apart > self.width)

    def describe(self) -> str:
        """How far the forecast reaches and whether the runs bear it out; a warning if they do not."""
        found = f"The target takes {self.beyond:.3g} times the compute of the largest run; {self._checked()}."
        if len(self.laws) > 1:
            found += f" {' and '.join(self.laws)} are {self.apart:.2%} apart there."
        return f"Warning: {found} {self._way_out()}" if self.warns else f"{found}{self._further()}"

    def _checked(self) -> str:
        if self.held_out is None:
            return f"whether '{self.law}' holds beyond the runs is not known: {self.unchecked_because}"
        verdict = "does not hold" if self.held_out.outside else "holds"
        return f"'{self.law}' {verdict} on these runs: {self.held_out.describe()}"

    def _further(self) -> str:
        """What was not checked: a law that bends beyond its largest run looks right on all of them."""
        if self.held_out is None or self.beyond <= self.held_out.beyond:
            return ""
        checked = f" That checks it {self.held_out.beyond:.2g} times beyond runs, not {self.beyond:.3g}"
        return f"{checked}; {self.larger} would check more." if self.larger else f"{checked}."

    def _way_out(self) -> str:
        run = f"train {self.larger}" if self.larger else "give the design larger sizes or longer horizons"
        other = "" if len(self.laws) > 1 else ", or fit a second law under [[fits]]"
        return f"The width is that of a right law, and not to be trusted here: {run}{other}, and sweep again."


def closing(fits: Sequence[Fit], at: Mapping[str, float], *, level: float, larger: str = "") -> Closing:
    """Judge the forecast of the first of several bootstrapped fits by its own runs.

    Args:
        at: Column to value, of the target: what any of the fits read.
        level: Of the forecast's interval.
        larger: A larger run that could be made, in words.
    """
    main, names = fits[0], _names(fits)
    stated = [one.predict(level, **_read(one, at)) for one in fits]
    forecast = stated[0]
    width = (forecast.high - forecast.low) / forecast.median
    held, because = _held_out(main)
    return Closing(
        law=main.law.name,
        width=float(width) if np.isfinite(width) else None,
        beyond=forecast.beyond.get("flops", max(forecast.beyond.values())),
        held_out=held,
        unchecked_because=because,
        laws=dict(zip(names, (one.median for one in stated), strict=True)),
        larger=larger,
    )


def _names(fits: Sequence[Fit]) -> list[str]:
    """Of each fit its law, and its objective where that alone tells them apart."""
    laws = [one.law.name for one in fits]
    return [
        name if laws.count(name) == 1 else f"{name} by {one.objective}"
        for name, one in zip(laws, fits, strict=True)
    ]


def _read(fit: Fit, at: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in at.items() if name in fit.inputs.values()}


def _held_out(fit: Fit) -> tuple[HeldOut | None, str]:
    """The largest runs against the law fitted without them, or why not."""
    compute = compute_of(fit)
    large = largest(fit, compute)
    if not large.any():
        return None, f"{len(fit.data)} runs are too few to leave the largest out"
    try:
        fewer = bootstrap(refit(fit, data=part(fit.data, ~large), starts=_STARTS), draws=_draws(fit))
    except FitError as error:
        return None, f"without the largest runs there is no fit ({error})"
    return _compared(fewer, part(fit.data, large), float(compute.max() / compute[~large].max())), ""


def compute_of(fit: Fit) -> Array:
    """Compute of each fitted run, up to a factor: as read, or params times tokens, or the one input."""
    columns = {fit.inputs[name]: values for name, values in fit.data.inputs.items()}
    if "flops" in columns:
        return columns["flops"]
    return np.asarray(np.prod([columns[name] for name in ("params", "tokens") if name in columns], axis=0))


def largest(fit: Fit, compute: Array) -> Flags:
    """Which runs are held out: the largest, whole settings, as long as the others carry the law."""
    large = compute >= _LARGE * compute.max()
    for bound in np.unique(compute[large]):
        held = np.asarray(compute >= bound)
        left = len(np.unique(fit.data.settings[~held]))
        if held.mean() <= _MOST and left >= len(fit.open) + _SPARE:
            return held
    return np.zeros(len(compute), dtype=np.bool_)


def part(data: FitData, rows: Flags) -> FitData:
    """Some of the runs."""
    return replace(
        data,
        inputs={name: values[rows] for name, values in data.inputs.items()},
        output=data.output[rows],
        weights=data.weights[rows],
        run_ids=tuple(run for run, taken in zip(data.run_ids, rows, strict=True) if taken),
        facts=data.facts[rows].reset_index(drop=True) if len(data.facts) else data.facts,
    )


def _draws(fit: Fit) -> int:
    return fit.drawn.count if fit.drawn else 200


def _compared(fewer: Fit, held: FitData, beyond: float) -> HeldOut:
    """The mean of the held-out runs against what the law says of it; runs of one trunk share their luck."""
    assert fewer.draws is not None
    drawn = {name: fewer.draws[name].to_numpy(dtype=np.float64)[:, None] for name in fewer.law.names}
    lines = transform(fewer.on, fewer.law.evaluate(held.inputs, drawn))
    line = np.broadcast_to(lines, (len(fewer.draws), len(held))).mean(axis=1)
    noise = noise_points(fewer) / np.sqrt(len(set(held.trunks)))
    outcomes = invert(fewer.on, line[:, None] + noise)
    measured = invert(fewer.on, transform(fewer.on, held.output).mean())
    low, median, high = np.quantile(outcomes, (tails(_SURE)[0], 0.5, tails(_SURE)[1]))
    return HeldOut(
        runs=held.run_ids,
        beyond=beyond,
        miss=float(measured / median - 1),
        low=float(low / median - 1),
        high=float(high / median - 1),
        level=_SURE,
    )

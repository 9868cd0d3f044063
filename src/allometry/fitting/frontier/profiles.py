"""IsoFLOP profiles: the runs of each budget, the curve through them, and whether it has a minimum inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.frontier.compute_budgets import Measured
from allometry.fitting.frontier.profile_curves import (
    SAME_SIZE,
    Curve,
    distinct_sizes,
    minima,
    values,
)
from allometry.units import show_count, show_power

Array = NDArray[np.float64]
Along = Literal["params", "tokens"]
BudgetWeights = Literal["equal", "inverse_variance"]

SIZES_FOR_CURVE = 4  # a parabola passes through any three points
_LEAST_SPREAD = 1e-6  # of a log minimum: noiseless budgets would weigh infinitely much


class ProfileStatus(StrEnum):
    """Whether one budget shows where its loss is least."""

    BRACKETED = "bracketed"
    AT_LOWER_EDGE = "minimum at the lower edge"
    AT_UPPER_EDGE = "minimum at the upper edge"
    OPENS_DOWNWARD = "curve opens downward"
    FEW_SIZES = "fewer than 4 sizes"


@dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """The runs of one budget and the least point of the curve through them.

    Attributes:
        flops: Nominal compute of the budget.
        params, tokens, spent, output: One entry a run, in the order of `along`; `spent` is its own compute.
        flagged: Runs that the table marks as doubtful.
        best_params, best_tokens, best_output: The minimum; NaN unless it is bracketed.
        spread: Standard deviation of log `along` at the minimum over the draws; NaN without draws.
        bracketed_share: Share of the draws whose minimum is inside the sampled range; NaN without draws.
    """

    flops: float
    along: Along
    curve: Curve
    params: Array = field(repr=False)
    tokens: Array = field(repr=False)
    spent: Array = field(repr=False)
    output: Array = field(repr=False)
    flagged: NDArray[np.bool_] = field(repr=False)
    status: ProfileStatus = ProfileStatus.FEW_SIZES
    best_params: float = float("nan")
    best_tokens: float = float("nan")
    best_output: float = float("nan")
    spread: float = float("nan")
    bracketed_share: float = float("nan")

    def __len__(self) -> int:
        return len(self.output)

    @property
    def x(self) -> Array:
        """Log of what the curve runs along."""
        return np.asarray(np.log(self.params if self.along == "params" else self.tokens))

    @property
    def sizes(self) -> int:
        """Distinct sizes; those within 1% are one."""
        return int(distinct_sizes(self.x)[-1]) + 1 if len(self) else 0

    @property
    def best(self) -> float:
        """The minimum on the axis the curve runs along."""
        return self.best_params if self.along == "params" else self.best_tokens

    @property
    def bracketed(self) -> bool:
        """Whether the minimum lies inside the sampled range, so that the frontier may use it."""
        return self.status is ProfileStatus.BRACKETED

    def at(self, x: Array) -> tuple[Array, Array]:
        """Params and tokens at log values of `along`, on the nominal budget.

        FLOP per parameter and token may change with size; it is interpolated between the runs.
        """
        per_pair = np.exp(np.interp(x, self.x, np.log(self.spent / self.params / self.tokens)))
        here = np.exp(x)
        other = self.flops / per_pair / here
        return (here, other) if self.along == "params" else (other, here)

    def fitted(self, x: Array) -> Array:
        """The curve at log values of `along`."""
        return np.asarray(values(self.curve, self.x, self.output[None, :], x)[0])

    def reason(self) -> str:
        """Why the budget is not used, and the way out; empty if it is."""
        low, high = float(np.exp(self.x[0])), float(np.exp(self.x[-1]))
        what = "sizes" if self.along == "params" else "token counts"
        return {
            ProfileStatus.BRACKETED: "",
            ProfileStatus.AT_LOWER_EDGE: f"the minimum is at the grid's lower edge: add {what} below "
            f"{show_count(low)}",
            ProfileStatus.AT_UPPER_EDGE: f"the minimum is at the grid's upper edge: add {what} above "
            f"{show_count(high)}",
            ProfileStatus.OPENS_DOWNWARD: "the curve opens downward: repeat its worst runs, or add "
            f"{what} far from {show_count(np.exp(self.x.mean()))} on both sides",
            ProfileStatus.FEW_SIZES: f"it has {self.sizes} of the {SIZES_FOR_CURVE} {what} a curve needs: "
            f"add some around {show_count(np.exp(self.x[np.argmin(self.output)]))}",
        }[self.status]

    def name(self) -> str:
        """The budget in words."""
        return f"{show_power(self.flops)} FLOP"


def find_profiles(
    measured: Measured, budgets: tuple[Array, NDArray[np.intp]], curve: Curve, along: Along
) -> tuple[Profile, ...]:
    """One profile a budget, rising in compute, with its minimum where it has one."""
    nominal, member = budgets
    counts = measured.params if along == "params" else measured.tokens
    found = []
    for place, flops in enumerate(nominal):
        rows = np.flatnonzero(member == place)
        if rows.size:
            rows = rows[np.argsort(counts[rows], kind="stable")]
            found.append(_with_minimum(_profile(measured, rows, float(flops), curve, along)))
    return tuple(found)


def refound(profile: Profile, rows: NDArray[np.intp] | None = None, curve: Curve | None = None) -> Profile:
    """A profile with its minimum found again, from some of its runs or by another curve."""
    kept = np.arange(len(profile)) if rows is None else rows
    fresh = Profile(
        flops=profile.flops,
        along=profile.along,
        curve=curve or profile.curve,
        params=profile.params[kept],
        tokens=profile.tokens[kept],
        spent=profile.spent[kept],
        output=profile.output[kept],
        flagged=profile.flagged[kept],
        spread=profile.spread,
        bracketed_share=profile.bracketed_share,
    )
    return _with_minimum(fresh) if len(kept) else fresh


def _profile(measured: Measured, rows: NDArray[np.intp], flops: float, curve: Curve, along: Along) -> Profile:
    return Profile(
        flops=flops,
        along=along,
        curve=curve,
        params=measured.params[rows],
        tokens=measured.tokens[rows],
        spent=measured.flops[rows],
        output=measured.output[rows],
        flagged=measured.flagged[rows],
    )


def _with_minimum(profile: Profile) -> Profile:
    if profile.sizes < SIZES_FOR_CURVE:
        return profile
    x = profile.x
    found = minima(profile.curve, x, profile.output[None, :])
    place = float(found.place[0])
    if not np.isfinite(place):
        return replace(profile, status=ProfileStatus.OPENS_DOWNWARD)
    if place <= x[0] + np.log1p(SAME_SIZE) / 2:
        return replace(profile, status=ProfileStatus.AT_LOWER_EDGE)
    if place >= x[-1] - np.log1p(SAME_SIZE) / 2:
        return replace(profile, status=ProfileStatus.AT_UPPER_EDGE)
    params, tokens = profile.at(found.place)
    return replace(
        profile,
        status=ProfileStatus.BRACKETED,
        best_params=float(params[0]),
        best_tokens=float(tokens[0]),
        best_output=float(found.value[0]),
    )


def budget_weights(used: Sequence[Profile], weights: BudgetWeights) -> Array:
    """How much each budget's minimum pulls on the power laws."""
    if weights == "equal":
        return np.ones(len(used))
    # A minimum that many draws lose is less certain than the draws that keep it say.
    spread = np.array(
        [each.spread / each.bracketed_share if each.bracketed_share else np.nan for each in used]
    )
    known = spread[np.isfinite(spread)]
    worst = float(known.max()) if known.size else 1.0
    return np.asarray(np.maximum(np.nan_to_num(spread, nan=worst), _LEAST_SPREAD) ** -2.0)

"""IsoFLOP designs: at each of several budgets, sizes that all spend it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from allometry.architectures import AnyArchitecture
from allometry.architectures.dials import resized
from allometry.errors import InputError, RecipeError
from allometry.recipe import Recipe, choice
from allometry.runs.run import Runs
from allometry.sweeps.designs.definition import Planned
from allometry.sweeps.designs.ladder import TOKENS_PER_PARAM
from allometry.sweeps.designs.rates import RateTrend, reshaped
from allometry.sweeps.designs.sizes import Size
from allometry.units import show_count, show_power

FLOPS_TOLERANCE = 0.01  # a profile compares sizes at equal compute: farther off, a run is another profile's
_LEAST_SIZES = 3  # a minimum has a run on either side
_HEAD_STEPS = 4  # the head's share depends on the width that is sought: it settles within a few steps
_SHAPES_IN_STEPS = 1.1  # beyond the ratios: the nearest legal shape is not quite the size that was wanted


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """A size that a budget has no run for.

    Attributes:
        flops: The budget.
        params: Parameters of the size, `matmul` convention.
        reason: Why, as a sentence.
    """

    flops: float
    params: int
    reason: str


@choice
class IsoFlop:
    """Budgets times sizes: the runs of one budget spend it on ever larger models and ever fewer tokens.

    Approach 2 of Hoffmann et al. 2022, section 3.2, arXiv:2203.15556. Each run is trained straight, with a
    schedule of its own length. A size joins a budget if its tokens, rounded to whole optimizer steps, spend
    the budget within 1% and stay inside `ratios`; `dropped` lists the others with the reason.

    Attributes:
        base: What all runs share; its rate is the one for its own width and tokens, and moves by the rule of
            `rule_rate`.
        budgets: FLOP of each run, `matmul` convention; `half_decades` makes them.
        sizes: Sizes that are tried at every budget; derived for each budget if empty.
        sizes_per_budget: How many are derived, evenly in the log of tokens per parameter.
        ratios: Least and most tokens per parameter, to within a tenth: legal shapes come in steps.
    """

    base: Recipe
    budgets: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)
    sizes: tuple[Size, ...] = ()
    sizes_per_budget: int = Field(default=7, ge=_LEAST_SIZES)
    ratios: tuple[float, float] = (TOKENS_PER_PARAM / 8, TOKENS_PER_PARAM * 8)
    kind: Literal["iso_flop"] = "iso_flop"

    def __post_init__(self) -> None:
        if not 0 < self.ratios[0] < self.ratios[1]:
            raise RecipeError(f"ratios are the least and the most tokens per parameter, not {self.ratios}.")
        for budget, made in self._made.items():
            self._require_profile(budget, made)

    def recipes(self, runs: Runs) -> list[Planned]:
        """All of them, whatever has run."""
        return self.outline()

    def outline(self) -> list[Planned]:
        """The runs of each budget, the smallest model first."""
        return [Planned(recipe=one, design="iso_flop") for one in self._all if isinstance(one, Recipe)]

    def dropped(self) -> list[Dropped]:
        """Sizes that a budget has no run for, with the reason."""
        return [one for one in self._all if isinstance(one, Dropped)]

    def trend(self, runs: Runs) -> RateTrend:
        """The rule's own rates: the design makes no checks."""
        return RateTrend()

    def beyond(self, size: Size, tokens: int, trend: RateTrend) -> Recipe:
        """A run outside the design, at the rate of the rule."""
        return reshaped(self.base, size.of(self.base.architecture), tokens=tokens)

    @cached_property
    def _made(self) -> dict[float, list[Recipe | Dropped]]:
        return {budget: [self._run(one, budget) for one in self._shapes(budget)] for budget in self.budgets}

    @property
    def _all(self) -> list[Recipe | Dropped]:
        return [one for made in self._made.values() for one in made]

    def _shapes(self, budget: float) -> list[AnyArchitecture]:
        base = self.base.architecture
        if self.sizes:
            # Each once: the same size twice is one run, and no third point of a profile.
            shapes = dict.fromkeys(size.of(base) for size in self.sizes)
            return sorted(shapes, key=lambda shape: shape.params())
        least, most = (math.sqrt(budget / 6 / ratio) for ratio in reversed(self.ratios))
        found: dict[int, AnyArchitecture] = {}
        for wanted in np.geomspace(least, most, self.sizes_per_budget):
            shape = _of_params(base, float(wanted))
            found.setdefault(shape.params(), shape)
        return [found[params] for params in sorted(found)]

    def _run(self, shape: AnyArchitecture, budget: float) -> Recipe | Dropped:
        steps = budget / shape.flops_per_token() / self.base.batch_tokens
        tokens = round(steps) * self.base.batch_tokens
        if reason := self._unfit(shape, steps):
            return Dropped(flops=budget, params=shape.params(), reason=reason)
        try:
            return reshaped(self.base, shape, tokens=tokens)
        except RecipeError as error:
            return Dropped(flops=budget, params=shape.params(), reason=str(error))

    def _unfit(self, shape: AnyArchitecture, steps: float) -> str:
        """Why a size has no run at a budget; empty if it has one."""
        ratio = steps * self.base.batch_tokens / shape.params()
        if not self.ratios[0] / _SHAPES_IN_STEPS <= ratio <= self.ratios[1] * _SHAPES_IN_STEPS:
            return f"It would train on {ratio:.3g} tokens per parameter, outside {self._said_ratios}."
        off = abs(round(steps) / steps - 1)
        if off > FLOPS_TOLERANCE:
            return (
                f"The budget is {steps:.3g} optimizer steps of {self.base.batch_tokens} tokens; the nearest "
                f"whole number is {off:.1%} off, and 1% is allowed: take a smaller batch."
            )
        return ""

    @property
    def _said_ratios(self) -> str:
        return f"{self.ratios[0]:g} to {self.ratios[1]:g}"

    def _require_profile(self, budget: float, made: list[Recipe | Dropped]) -> None:
        runs = [one for one in made if isinstance(one, Recipe)]
        if len(runs) >= _LEAST_SIZES:
            return
        why = next((one.reason for one in made if isinstance(one, Dropped)), "Too few sizes are near it.")
        least = self._smallest_budget()
        raise RecipeError(
            f"A budget of {show_power(budget)} FLOP has runs of {len(runs)} sizes, and a profile needs "
            f"{_LEAST_SIZES}. {why} {least}"
        )

    def _smallest_budget(self) -> str:
        base = self.base.architecture
        shapes = [size.of(base) for size in self.sizes] or [_smallest(base)]
        params = min(shape.params() for shape in shapes)
        return (
            f"The smallest model has {show_count(params)} parameters and costs at least "
            f"{show_power(6 * params**2 * self.ratios[0])} FLOP."
        )


def half_decades(low: float, high: float) -> tuple[float, ...]:
    """Budgets from low to high in steps of a factor of about 3.16, the lowest included.

    Raises:
        InputError: If they are not in order.

    >>> [f"{budget:.3g}" for budget in half_decades(1e12, 1e13)]
    ['1e+12', '3.16e+12', '1e+13']
    """
    if not 0 < low <= high < math.inf:
        raise InputError(f"Budgets go from a low one to a high one in FLOP, not from {low:g} to {high:g}.")
    steps = math.floor(2 * math.log10(high / low) + 1e-9)
    return tuple(float(f"{low * math.sqrt(10) ** step:.6g}") for step in range(steps + 1))


def _of_params(base: AnyArchitecture, params: float) -> AnyArchitecture:
    """A legal shape of about so many `matmul` parameters: the head counts, which a size leaves out."""
    wanted = params
    for _ in range(_HEAD_STEPS):
        shape = _of_size(base, max(wanted, 1.0))
        wanted = max(params - (shape.params() - shape.params("non_embedding")), 1.0)
    return _of_size(base, wanted)


def _of_size(base: AnyArchitecture, size: float) -> AnyArchitecture:
    try:
        return resized(base, size=size)
    except InputError:  # no model is that small: the smallest there is
        return _smallest(base)


def _smallest(base: AnyArchitecture) -> AnyArchitecture:
    return resized(base, depth=1, aspect=16)

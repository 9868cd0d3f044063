"""Ladders: sizes times horizons, the branches of one size on one trunk; and the run beyond."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Protocol

import numpy as np
from pydantic import Field

from allometry.errors import RecipeError, Refusal
from allometry.recipe import Recipe, Wsd, choice
from allometry.runs.run import Runs
from allometry.sweeps.designs.definition import Planned, final_losses
from allometry.sweeps.designs.rates import RateTrend, rate_trend, reshaped, rounded, rule_rate
from allometry.sweeps.designs.sizes import Size

TOKENS_PER_PARAM = 20  # compute-optimal: Hoffmann et al. 2022, table 3, arXiv:2203.15556


@choice
class Ladder:
    """Sizes times token horizons; each size is one trunk with a decay branch per horizon.

    The learning rate of each size is checked first by short runs, at `check_factors` times the rule
    base rate * (base width / width) * (tokens / base tokens)^-1/2, and the trunks train at the rule times the
    factor that `rate_trend` finds best for their width. The rule's width part: Yang et al. 2022,
    arXiv:2203.03466, table 3, matrices under Adam; under muP, which scales the rates itself, it is left out.
    Its horizon part, which also carries the best rate of a short check to longer runs: Schaipp et al. 2025,
    arXiv:2501.18965; without it a check picks a rate several times too high
    (docs/decisions/0006-learning-rates-carried-over-horizons.md).

    Attributes:
        base: What all runs share; its rate is the one for its own width and tokens.
        sizes: The rungs.
        horizons: Tokens at which each size is finished; the trunk's rate is that of their geometric mean.
        multiples: In their place: multiples of 20 tokens per parameter, the compute-optimal ratio of Hoffmann
            et al. 2022, table 3, arXiv:2203.15556; every size then has horizons of its own.
        check_tokens: Length of a learning-rate check; 0 for none.
        check_factors: Rates tried, as multiples of the rule.
    """

    base: Recipe
    sizes: tuple[Size, ...] = Field(min_length=1)
    horizons: tuple[int, ...] = ()
    multiples: tuple[Annotated[float, Field(gt=0)], ...] = ()
    check_tokens: int = Field(default=0, ge=0)
    check_factors: tuple[Annotated[float, Field(gt=0)], ...] = (0.5, 1.0, 2.0)
    kind: Literal["ladder"] = "ladder"

    def __post_init__(self) -> None:
        if not isinstance(self.base.schedule, Wsd):
            raise RecipeError("A ladder branches off trunks, so the base needs schedule kind = 'wsd'.")
        if bool(self.horizons) == bool(self.multiples):
            raise RecipeError(
                "A ladder needs horizons in tokens or multiples of 20 tokens a parameter: one of both."
            )
        count = len(self.horizons or self.multiples)
        if self.base.schedule.warmup_fraction and count > 1:
            raise RecipeError(
                f"Branches of one trunk share its warmup, and warmup_fraction = "
                f"{self.base.schedule.warmup_fraction:g} is another one at each of {count} horizons; state "
                f"warmup_tokens."
            )
        if len(set(self.check_factors)) < len(self.check_factors):
            raise RecipeError(f"check_factors must differ from each other, not {self.check_factors}.")
        self.outline()  # every rung must be a legal recipe before the first is trained

    def recipes(self, runs: Runs) -> list[Planned]:
        """Checks of all sizes; trunks and branches once all checks have ended."""
        trend = self.trend(runs)
        return self._all_checks() if trend is None else self._planned(trend)

    def outline(self) -> list[Planned]:
        """All runs, with the learning rates of the rule where the checks will decide."""
        return self._planned(RateTrend())

    def beyond(self, size: Size, tokens: int, trend: RateTrend) -> Recipe:
        """A run outside the ladder, trained as the ladder would: its rate is that of a trunk of its size.

        Only tokens beyond the longest horizon lower it further.
        """
        horizon = self._middle_horizon(size) * max(1.0, tokens / max(self._horizons(size)))
        return self.at(size, tokens=tokens, learning_rate=self._rate(size, horizon, trend))

    def at(self, size: Size, *, tokens: int, learning_rate: float) -> Recipe:
        """The base recipe at another size, budget and rate."""
        shape = size.of(self.base.architecture)
        return reshaped(self.base, shape, tokens=tokens, learning_rate=learning_rate)

    def _horizons(self, size: Size) -> tuple[int, ...]:
        if self.horizons:
            return self.horizons
        params, batch = size.of(self.base.architecture).params(), self.base.batch_tokens
        steps = [round(multiple * TOKENS_PER_PARAM * params / batch) for multiple in self.multiples]
        return tuple(max(1, count) * batch for count in steps)

    def _middle_horizon(self, size: Size) -> float:
        horizons = self._horizons(size)
        return math.exp(sum(map(math.log, horizons)) / len(horizons))

    def _rate(self, size: Size, horizon: float, trend: RateTrend) -> float:
        return rounded(self._rule(size, horizon) * trend.factor(self._width(size)))

    def _rule(self, size: Size, tokens: float) -> float:
        return rule_rate(self.base, size.of(self.base.architecture), tokens)

    def _width(self, size: Size) -> int:
        return size.of(self.base.architecture).width

    def trend(self, runs: Runs) -> RateTrend | None:
        """What the checks say; None while one is still to be made."""
        factors: list[float] = []
        widths: list[float] = []
        losses: list[float] = []
        for size in self.sizes if self.check_tokens else ():
            found = final_losses(runs, self._checks(size))
            if found is None:
                return None
            if not np.isfinite(found).any():
                raise Refusal(
                    f"Every learning-rate check at width {self._width(size)} diverged; "
                    f"lower the base learning_rate."
                )
            factors += self.check_factors
            widths += [self._width(size)] * len(found)
            losses += found
        return rate_trend(factors, widths, losses)

    def _planned(self, trend: RateTrend) -> list[Planned]:
        rungs = [self._rung(s, self._rate(s, self._middle_horizon(s), trend)) for s in self.sizes]
        return self._all_checks() + [planned for rung in rungs for planned in rung]

    def _all_checks(self) -> list[Planned]:
        sizes = self.sizes if self.check_tokens else ()
        return [Planned(recipe=c, design="learning_rate_check") for s in sizes for c in self._checks(s)]

    def _checks(self, size: Size) -> list[Recipe]:
        rule = self._rule(size, self.check_tokens)
        rates = [rounded(rule * factor) for factor in self.check_factors]
        return [self.at(size, tokens=self.check_tokens, learning_rate=rate) for rate in rates]

    def _rung(self, size: Size, learning_rate: float) -> list[Planned]:
        horizons = self._horizons(size)
        finished = [self.at(size, tokens=tokens, learning_rate=learning_rate) for tokens in horizons]
        trunk = max((recipe.trunk() for recipe in finished), key=lambda recipe: recipe.tokens)
        branches = [replace(recipe, parent=trunk.run_id) for recipe in finished]
        partings = tuple(sorted({branch.trunk_steps for branch in branches}))
        return [
            Planned(recipe=trunk, design="trunk", partings=partings),
            *(Planned(recipe=branch, design="ladder") for branch in branches),
        ]


class Extrapolates(Protocol):
    """A design that knows how a run beyond its own would be trained."""

    def trend(self, runs: Runs) -> RateTrend | None:
        """What its learning-rate checks say; None while one is still to be made."""
        ...

    def beyond(self, size: Size, tokens: int, trend: RateTrend) -> Recipe:
        """A run of another size, trained as the design would."""
        ...


@dataclass(frozen=True, kw_only=True)
class Target:
    """One run beyond a design, at the learning rate that the design's checks point to."""

    ladder: Extrapolates
    size: Size
    tokens: int

    def recipes(self, runs: Runs) -> list[Planned]:
        """The target run; none until the checks that its learning rate comes from have ended."""
        trend = self.ladder.trend(runs)
        return [] if trend is None else [self._at(trend)]

    def outline(self) -> list[Planned]:
        """The target run at the rule's rate."""
        return [self._at(RateTrend())]

    def _at(self, trend: RateTrend) -> Planned:
        return Planned(recipe=self.ladder.beyond(self.size, self.tokens, trend), design="target")

"""Designs: which runs to make. Pure functions of what is known so far; nothing here trains."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import Field

from allometry.errors import RecipeError, Refusal
from allometry.recipe import Recipe, Wsd, choice, read_choice
from allometry.runs.run import Runs

_HORIZON_EXPONENT = -0.5  # of the best learning rate in the tokens of the run


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A run that a design asks for.

    Attributes:
        design: Why: "ladder", "trunk", "learning_rate_check", "target", "grid".
    """

    recipe: Recipe
    design: str


class Design(Protocol):
    """What `run_sweep` asks, again after every run that ends, until nothing new comes."""

    def recipes(self, runs: Runs) -> list[Planned]:
        """All runs that can be stated given those that ended, finished ones included."""
        ...

    def outline(self) -> list[Planned]:
        """All runs the design will ask for, as far as can be said before any has run."""
        ...


@choice
class Size:
    """One rung of a ladder: what differs from the base architecture."""

    width: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)


@choice
class Ladder:
    """Sizes times token horizons; each size is one trunk with a decay branch per horizon.

    The learning rate of each size is checked first by short runs, at `check_factors` times a rule, and the
    minimum of a parabola through the best three is taken. The rule is base rate * (base width / width) *
    (tokens / base tokens)^-1/2. Its width part: Yang et al. 2022, arXiv:2203.03466, table 3, matrices under
    Adam. Its horizon part, by which the best rate of a short check is also carried to longer runs: Schaipp
    et al. 2025, arXiv:2501.18965; without it a check picks a rate several times too high for the run
    (docs/decisions/0006-learning-rates-carried-over-horizons.md).

    Attributes:
        base: What all runs share; its rate is the one for its own width and tokens.
        sizes: The rungs.
        horizons: Tokens at which each size is finished; the trunk's rate is that of their geometric mean.
        check_tokens: Length of a learning-rate check; 0 for none.
        check_factors: Rates tried, as multiples of the rule.
    """

    base: Recipe
    sizes: tuple[Size, ...] = Field(min_length=1)
    horizons: tuple[int, ...] = Field(min_length=1)
    check_tokens: int = Field(default=0, ge=0)
    check_factors: tuple[Annotated[float, Field(gt=0)], ...] = (0.5, 1.0, 2.0)
    kind: Literal["ladder"] = "ladder"

    def __post_init__(self) -> None:
        if not isinstance(self.base.schedule, Wsd):
            raise RecipeError("A ladder branches off trunks, so the base needs schedule kind = 'wsd'.")
        if len(set(self.check_factors)) < len(self.check_factors):
            raise RecipeError(f"check_factors must differ from each other, not {self.check_factors}.")
        self.outline()  # every rung must be a legal recipe before the first is trained

    def recipes(self, runs: Runs) -> list[Planned]:
        """Checks of all sizes, and trunk and branches of every size whose checks have ended."""
        planned: list[Planned] = []
        for size in self.sizes:
            checks = self._checks(size)
            planned += [Planned(recipe=check, design="learning_rate_check") for check in checks]
            losses = final_losses(runs, checks)
            if losses is not None:
                planned += self._rung(size, self._carried(best_learning_rate(checks, losses), size))
        return planned

    def outline(self) -> list[Planned]:
        """All runs, with the learning rates of the rule where the check will decide."""
        checks = [
            Planned(recipe=c, design="learning_rate_check") for s in self.sizes for c in self._checks(s)
        ]
        rungs = [self._rung(size, self._rule(size, self._middle_horizon)) for size in self.sizes]
        return checks + [planned for rung in rungs for planned in rung]

    def learning_rate(self, size: Size, tokens: int, runs: Runs) -> float:
        """The rate for a run outside the ladder: the trend of the checked rates over the width, carried on.

        A line through log rate against log width when three sizes were checked; else the rule.
        """
        checked = [(s.width, self._checks(s)) for s in self.sizes]
        known = [(width, c, losses) for width, c in checked if (losses := final_losses(runs, c)) is not None]
        best = [(width, best_learning_rate(c, losses)) for width, c, losses in known]
        points = [(math.log(width), math.log(rate)) for width, rate in best if rate is not None]
        if len({x for x, _ in points}) < 3:
            return self._rule(size, tokens)
        log_widths, log_rates = np.array(points).T
        slope, level = np.polyfit(log_widths, log_rates, deg=1)
        checked_rate = math.exp(level + slope * math.log(size.width))
        return _rounded(checked_rate * (tokens / self.check_tokens) ** _HORIZON_EXPONENT)

    def at(self, size: Size, *, tokens: int, learning_rate: float) -> Recipe:
        """The base recipe at another size, budget and rate."""
        return replace(
            self.base,
            architecture=replace(self.base.architecture, **asdict(size)),
            optimizer=replace(self.base.optimizer, learning_rate=learning_rate),
            tokens=tokens,
        )

    @property
    def _middle_horizon(self) -> float:
        return math.exp(sum(map(math.log, self.horizons)) / len(self.horizons))

    def _rule(self, size: Size, tokens: float) -> float:
        wider, longer = size.width / self.base.architecture.width, tokens / self.base.tokens
        return _rounded(self.base.optimizer.learning_rate / wider * longer**_HORIZON_EXPONENT)

    def _carried(self, checked_rate: float | None, size: Size) -> float:
        """The rate of a trunk, from the best rate of its checks if there were any."""
        if checked_rate is None:
            return self._rule(size, self._middle_horizon)
        return _rounded(checked_rate * (self._middle_horizon / self.check_tokens) ** _HORIZON_EXPONENT)

    def _checks(self, size: Size) -> list[Recipe]:
        if not self.check_tokens:
            return []
        rule = self._rule(size, self.check_tokens)
        rates = [_rounded(rule * factor) for factor in self.check_factors]
        return [self.at(size, tokens=self.check_tokens, learning_rate=rate) for rate in rates]

    def _rung(self, size: Size, learning_rate: float) -> list[Planned]:
        finished = [self.at(size, tokens=tokens, learning_rate=learning_rate) for tokens in self.horizons]
        trunk = max((recipe.trunk() for recipe in finished), key=lambda recipe: recipe.tokens)
        branches = [replace(recipe, parent=trunk.run_id) for recipe in finished]
        return [
            Planned(recipe=trunk, design="trunk"),
            *(Planned(recipe=branch, design="ladder") for branch in branches),
        ]


@choice
class Grid:
    """Every combination of values of some recipe fields, each trained straight.

    Attributes:
        base: The recipe that is varied.
        vary: Dotted field to values, for example {"optimizer.learning_rate": [0.01, 0.02], "seed": [0, 1]}.
    """

    base: Recipe
    vary: dict[str, list[Any]] = Field(min_length=1)
    kind: Literal["grid"] = "grid"

    def __post_init__(self) -> None:
        self.outline()

    def recipes(self, runs: Runs) -> list[Planned]:
        """All combinations, whatever has run."""
        return self.outline()

    def outline(self) -> list[Planned]:
        """All combinations, the last field varying fastest."""
        combinations = itertools.product(*self.vary.values())
        return [
            Planned(recipe=_with(self.base, dict(zip(self.vary, values, strict=True))), design="grid")
            for values in combinations
        ]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One run beyond a ladder, at the learning rate that the ladder's checks point to."""

    ladder: Ladder
    size: Size
    tokens: int

    def recipes(self, runs: Runs) -> list[Planned]:
        """The target run."""
        rate = self.ladder.learning_rate(self.size, self.tokens, runs)
        recipe = self.ladder.at(self.size, tokens=self.tokens, learning_rate=rate)
        return [Planned(recipe=recipe, design="target")]

    def outline(self) -> list[Planned]:
        """The target run at the rule's rate."""
        return self.recipes(Runs.of([]))


def best_learning_rate(checks: Sequence[Recipe], losses: Sequence[float]) -> float | None:
    """The rate at the minimum of a parabola in log rate through the best check and its neighbours.

    Args:
        checks: The check runs.
        losses: Their held-out losses; NaN for one that diverged.

    Returns:
        The rate, the best tried one if it lies at an end, None if there was no check.

    Raises:
        Refusal: If every check diverged.
    """
    if not checks:
        return None
    finite = sorted(
        (math.log(check.optimizer.learning_rate), loss)
        for check, loss in zip(checks, losses, strict=True)
        if math.isfinite(loss)
    )
    if not finite:
        width = checks[0].architecture.width
        raise Refusal(f"Every learning-rate check at width {width} diverged; lower the base learning_rate.")
    best = min(range(len(finite)), key=lambda k: finite[k][1])
    if best in (0, len(finite) - 1):
        return _rounded(math.exp(finite[best][0]))
    log_rates, values = np.array(finite[best - 1 : best + 2]).T
    curvature, slope, _ = np.polyfit(log_rates, values, deg=2)
    return _rounded(math.exp(-slope / (2 * curvature)))


def final_losses(runs: Runs, recipes: Sequence[Recipe]) -> list[float] | None:
    """Held-out loss of each recipe, NaN if it diverged; None if one is still to be made."""
    ended = runs.where("status IN ('done', 'diverged')").table
    losses = ended["loss"] if "loss" in ended.columns else [math.nan] * len(ended)
    known = dict(zip(ended["run_id"], losses, strict=True))
    if any(recipe.run_id not in known for recipe in recipes):
        return None
    return [float(known[recipe.run_id]) for recipe in recipes]


def _rounded(rate: float) -> float:
    """Three digits: a learning rate is not known better, and a short number is a readable recipe."""
    return float(f"{rate:.3g}")


def _with(base: Recipe, changes: dict[str, Any]) -> Recipe:
    values = asdict(base)
    for path, value in changes.items():
        table = values
        *tables, key = path.split(".")
        for name in tables:
            table = table.setdefault(name, {})  # an unknown table stays in and is refused below
            if not isinstance(table, dict):
                raise RecipeError(f"grid: '{path}' names no field of a recipe: '{name}' is a plain value.")
        table[key] = value
    return read_choice(Recipe, values, f"grid at {changes}")

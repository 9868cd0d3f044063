"""Designs: which runs to make. Pure functions of what is known so far; nothing here trains."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import Field

from allometry.architectures import AnyArchitecture
from allometry.architectures.dials import resized
from allometry.errors import RecipeError, Refusal
from allometry.recipe import MuP, Recipe, Wsd, at_rate, choice, read_choice
from allometry.runs.run import Runs

_HORIZON_EXPONENT = -0.5  # of the best learning rate in the tokens of the run
_NO_BASIN = 1e-9  # nats per squared log: a curvature of rounding size is none


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
    """One rung of a ladder: what differs from the base architecture.

    Attributes:
        width, layers: Both, unless a dial stands for them.
        heads: Of attention; None for an architecture that has none, or for what a dial derives.
        depth, size: A dial of `architectures.dials`; width, layers and heads beside it are not derived.
    """

    width: int | None = Field(default=None, gt=0)
    layers: int | None = Field(default=None, gt=0)
    heads: int | None = Field(default=None, gt=0)
    depth: int | None = Field(default=None, gt=0)
    size: float | str | None = None

    def __post_init__(self) -> None:
        if not self._has_dial and (self.width is None or self.layers is None):
            raise RecipeError("A size needs width and layers, or a dial in their place: depth or size.")

    def of(self, base: AnyArchitecture) -> AnyArchitecture:
        """An architecture at this size.

        Raises:
            RecipeError: If heads are given to one that has none, or not to one that has.
        """
        has_heads = any(field.name == "heads" for field in fields(base))
        if self.heads is not None and not has_heads:
            raise RecipeError(
                f"The size of {self._said} has heads = {self.heads} and a {base.kind} has no attention "
                f"heads: leave them out."
            )
        given = {name: value for name, value in asdict(self).items() if value is not None}
        if self._has_dial:
            return resized(base, **given)
        if has_heads and self.heads is None:
            raise RecipeError(f"The size of {self._said} lacks 'heads', which a {base.kind} has.")
        return replace(base, **given)

    @property
    def _has_dial(self) -> bool:
        return self.depth is not None or self.size is not None

    @property
    def _said(self) -> str:
        names = ("width", "depth", "size")
        return next(f"{name} {getattr(self, name)}" for name in names if getattr(self, name) is not None)


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
        if self.base.schedule.warmup_fraction and len(self.horizons) > 1:
            raise RecipeError(
                f"Branches of one trunk share its warmup, and warmup_fraction = "
                f"{self.base.schedule.warmup_fraction:g} is another one at each of {len(self.horizons)} "
                f"horizons; state warmup_tokens."
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
        horizon = self._middle_horizon * max(1.0, tokens / max(self.horizons))
        rate = _rounded(self._rule(size, horizon) * trend.factor(self._width(size)))
        return self.at(size, tokens=tokens, learning_rate=rate)

    def at(self, size: Size, *, tokens: int, learning_rate: float) -> Recipe:
        """The base recipe at another size, budget and rate."""
        return replace(
            self.base,
            architecture=size.of(self.base.architecture),
            optimizer=at_rate(self.base.optimizer, learning_rate),
            tokens=tokens,
        )

    @property
    def _middle_horizon(self) -> float:
        return math.exp(sum(map(math.log, self.horizons)) / len(self.horizons))

    def _rule(self, size: Size, tokens: float) -> float:
        wider, longer = self._width(size) / self.base.architecture.width, tokens / self.base.tokens
        if isinstance(self.base.parametrization, MuP):
            wider = 1.0  # the rate is that of the base width at every width
        return self.base.optimizer.learning_rate / wider * math.pow(longer, _HORIZON_EXPONENT)

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
        return self._all_checks() + [
            planned
            for size in self.sizes
            for planned in self._rung(
                size, _rounded(self._rule(size, self._middle_horizon) * trend.factor(self._width(size)))
            )
        ]

    def _all_checks(self) -> list[Planned]:
        sizes = self.sizes if self.check_tokens else ()
        return [Planned(recipe=c, design="learning_rate_check") for s in sizes for c in self._checks(s)]

    def _checks(self, size: Size) -> list[Recipe]:
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
        """The target run; none until the checks that its learning rate comes from have ended."""
        trend = self.ladder.trend(runs)
        return [] if trend is None else [self._at(trend)]

    def outline(self) -> list[Planned]:
        """The target run at the rule's rate."""
        return [self._at(RateTrend())]

    def _at(self, trend: RateTrend) -> Planned:
        return Planned(recipe=self.ladder.beyond(self.size, self.tokens, trend), design="target")


@choice
class Given:
    """Runs that are asked for one by one with `allometry train`: the design itself asks for none."""

    kind: Literal["given"] = "given"

    def recipes(self, runs: Runs) -> list[Planned]:
        """None."""
        return []

    def outline(self) -> list[Planned]:
        """None."""
        return []


@dataclass(frozen=True, kw_only=True)
class RateTrend:
    """The best learning rate as a multiple of a rule, a power of the width: middle * (width / centre)^tilt.

    Attributes:
        lowest, highest: The multiples that were tried; no other is given, whatever the width.
    """

    middle: float = 1.0
    tilt: float = 0.0
    centre: float = 1.0
    lowest: float = 0.0
    highest: float = math.inf

    def factor(self, width: float) -> float:
        """The multiple for a width."""
        return min(max(self.middle * math.pow(width / self.centre, self.tilt), self.lowest), self.highest)


def rate_trend(factors: Sequence[float], widths: Sequence[float], losses: Sequence[float]) -> RateTrend:
    """Find the best multiple of the rule from the checks of all sizes together.

    Least squares of loss = level of the size + c z^2 + d z + e z x, with z the log of the multiple and x the
    log of the width from its mean: one basin for all sizes, whose minimum -(d + e x) / 2c may drift with the
    width. The basin of one small size alone is flatter than the noise of a run.

    Args:
        factors, widths, losses: One entry a check; NaN for a loss that diverged.

    Returns:
        The trend; without drift for less than three widths; the multiple of least mean loss where the
        losses have no basin; 1 if there are no checks.
    """
    tried = [(z, x, y) for z, x, y in zip(factors, widths, losses, strict=True) if math.isfinite(y)]
    if not tried:
        return RateTrend()
    multiple, width, loss = np.array(tried).T
    edges = {"lowest": float(multiple.min()), "highest": float(multiple.max())}
    z, centre = np.log(multiple), math.exp(np.log(width).mean())
    x = np.log(width / centre)
    levels = (width[:, None] == np.unique(width)).astype(np.float64)
    drift = z * x * (levels.shape[1] >= 3)
    (*_, curvature, slope, turn), *_ = np.linalg.lstsq(np.column_stack([levels, z**2, z, drift]), loss)
    if not curvature > _NO_BASIN:
        excess = loss - levels @ (levels.T @ loss / levels.sum(axis=0))
        best = min(np.unique(multiple), key=lambda one: float(excess[multiple == one].mean()))
        return RateTrend(middle=float(best), **edges)
    middle, tilt = math.exp(-slope / (2 * curvature)), -turn / (2 * curvature)
    return RateTrend(middle=middle, tilt=float(tilt), centre=centre, **edges)


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

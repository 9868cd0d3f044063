"""Learning-rate checks: short runs around the rule's rate, at each size."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from allometry.errors import RecipeError
from allometry.recipe import Recipe, choice
from allometry.runs.run import Runs
from allometry.sweeps.designs.definition import Planned
from allometry.sweeps.designs.rates import reshaped, rounded, rule_rate
from allometry.sweeps.designs.sizes import Size


@choice
class LearningRateCheck:
    """Every size at several multiples of the rule's learning rate, each trained for the base's tokens.

    What a ladder does before its trunks, as a study of its own: `plots.learning_rate_checks` shows it, and
    `rate_trend` reads the best multiple off it.

    Attributes:
        base: Its rate is the one for its own width; that of other widths follows the rule of `rule_rate`.
        sizes: Where rates are tried; at the base's own size if empty.
        factors: Multiples of the rule.
    """

    base: Recipe
    sizes: tuple[Size, ...] = ()
    factors: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(0.25, 0.5, 1.0, 2.0, 4.0), min_length=2
    )
    kind: Literal["learning_rate_check"] = "learning_rate_check"

    def __post_init__(self) -> None:
        if len(set(self.factors)) < len(self.factors):
            raise RecipeError(f"factors must differ from each other, not {self.factors}.")
        self.outline()

    def recipes(self, runs: Runs) -> list[Planned]:
        """All of them, whatever has run."""
        return self.outline()

    def outline(self) -> list[Planned]:
        """Every size by every factor."""
        base = self.base
        shapes = [size.of(base.architecture) for size in self.sizes] or [base.architecture]
        return [
            Planned(
                recipe=reshaped(
                    base,
                    shape,
                    tokens=base.tokens,
                    learning_rate=rounded(factor * rule_rate(base, shape, base.tokens)),
                ),
                design="learning_rate_check",
            )
            for shape in shapes
            for factor in self.factors
        ]

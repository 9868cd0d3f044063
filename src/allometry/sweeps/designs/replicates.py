"""Replicates: the same runs by several seeds, to measure how much single runs differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from allometry.errors import RecipeError
from allometry.recipe import Recipe, choice
from allometry.runs.run import Runs
from allometry.sweeps.designs.definition import Planned
from allometry.sweeps.designs.rates import reshaped
from allometry.sweeps.designs.sizes import Size


@choice
class Replicates:
    """One recipe, at one or several sizes, by every seed.

    Seeds of one setting differ by run-to-run noise alone, which no law explains: their spread is the least
    error that a forecast of a single run can have. Cheap small runs measure it well.

    Attributes:
        base: The recipe that is repeated.
        sizes: Where it is repeated; at its own size if empty. Rates follow the rule of `rule_rate`.
        seeds: At least two, each once.
    """

    base: Recipe
    sizes: tuple[Size, ...] = ()
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0, 1, 2), min_length=2)
    kind: Literal["replicates"] = "replicates"

    def __post_init__(self) -> None:
        if len(set(self.seeds)) < len(self.seeds):
            raise RecipeError(f"seeds must differ from each other, not {self.seeds}.")
        self.outline()

    def recipes(self, runs: Runs) -> list[Planned]:
        """All of them, whatever has run."""
        return self.outline()

    def outline(self) -> list[Planned]:
        """Every size by every seed."""
        shapes = [size.of(self.base.architecture) for size in self.sizes] or [self.base.architecture]
        settings = [reshaped(self.base, shape, tokens=self.base.tokens) for shape in shapes]
        return [Planned(recipe=one, design="replicates") for one in repeated(settings, self.seeds)]


def repeated(recipes: Sequence[Recipe], seeds: Sequence[int]) -> list[Recipe]:
    """Every recipe by every seed, each trained on its own: a branch would share its trunk's luck."""
    return [replace(recipe, seed=seed, parent="") for recipe in recipes for seed in seeds]

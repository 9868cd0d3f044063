"""Grids: every combination of values of some recipe fields."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field

from allometry.errors import RecipeError
from allometry.recipe import Recipe, choice, read_choice
from allometry.runs.run import Runs
from allometry.sweeps.designs.definition import Planned


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

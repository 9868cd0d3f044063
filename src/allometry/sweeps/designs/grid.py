"""Grids: every combination of values of some recipe fields."""

from __future__ import annotations

import itertools
from dataclasses import fields, is_dataclass
from functools import cached_property
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
        self._cells  # noqa: B018  (every cell must be a legal recipe before the first is trained)

    def recipes(self, runs: Runs) -> list[Planned]:
        """All combinations, whatever has run."""
        return self.outline()

    def outline(self) -> list[Planned]:
        """All combinations, the last field varying fastest."""
        return list(self._cells)

    @cached_property
    def _cells(self) -> list[Planned]:
        """Made once: a sweep asks again after every run, and naming ten thousand takes a second."""
        combinations = itertools.product(*self.vary.values())
        return [
            Planned(recipe=_with(self.base, dict(zip(self.vary, values, strict=True))), design="grid")
            for values in combinations
        ]


def _with(base: Recipe, changes: dict[str, Any]) -> Recipe:
    # What does not vary is handed on as it is, checked before: only the tables that vary are read again.
    values = {name: getattr(base, name) for name in _FIELDS}
    for path, value in changes.items():
        table = values
        *tables, key = path.split(".")
        for name in tables:
            table[name] = _opened(table.get(name, {}), path, name)  # an unknown table is refused below
            table = table[name]
        table[key] = value
    return read_choice(Recipe, values, f"grid at {changes}")


def _opened(entry: Any, path: str, name: str) -> dict[str, Any]:
    if is_dataclass(entry) and not isinstance(entry, type):
        return {field.name: getattr(entry, field.name) for field in fields(entry)}
    if not isinstance(entry, dict):
        raise RecipeError(f"grid: '{path}' names no field of a recipe: '{name}' is a plain value.")
    return dict(entry)


_FIELDS = tuple(field.name for field in fields(Recipe))

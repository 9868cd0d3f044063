"""What a design is: it says which runs can be stated now, given those that have ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from allometry.recipe import Recipe, choice
from allometry.runs.run import Runs


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A run that a design asks for.

    Attributes:
        design: Why: "ladder", "trunk", "learning_rate_check", "target", "grid", "iso_flop", "replicates".
        partings: Steps of a trunk at which branches may leave it later: its state there is kept for them.
        part: Of a trunk that is trained as far as some branches need: the step it goes on from and the step
            it comes to; None for all of it.
    """

    recipe: Recipe
    design: str
    partings: tuple[int, ...] = ()
    part: tuple[int, int] | None = None

    @property
    def own_tokens(self) -> int:
        """Tokens the run takes itself: of a branch those after it has left its trunk, of a part its own."""
        if self.part is not None:
            return (self.part[1] - self.part[0]) * self.recipe.batch_tokens
        shared = self.recipe.trunk_steps * self.recipe.batch_tokens if self.recipe.parent else 0
        return self.recipe.tokens - shared

    @property
    def own_flops(self) -> float:
        """Compute the run takes itself, in FLOP under the `matmul` convention."""
        return self.recipe.architecture.flops_per_token("matmul") * self.own_tokens


class Design(Protocol):
    """What `run_sweep` asks, again after every run that ends, until nothing new comes."""

    def recipes(self, runs: Runs) -> list[Planned]:
        """All runs that can be stated given those that ended, finished ones included."""
        ...

    def outline(self) -> list[Planned]:
        """All runs the design will ask for, as far as can be said before any has run."""
        ...


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


def final_losses(runs: Runs, recipes: Sequence[Recipe]) -> list[float] | None:
    """Held-out loss of each recipe, NaN if it diverged; None if one is still to be made."""
    ended = runs.where("status IN ('done', 'diverged')").table
    losses = ended["loss"] if "loss" in ended.columns else [math.nan] * len(ended)
    known = dict(zip(ended["run_id"], losses, strict=True))
    if any(recipe.run_id not in known for recipe in recipes):
        return None
    return [float(known[recipe.run_id]) for recipe in recipes]

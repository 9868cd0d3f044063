"""Runs that could be made next, and what each would cost, alone or beside others on its trunk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.recipe import Recipe, Wsd
from allometry.sweeps.designs.definition import Planned

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """Runs that could be made; every array has one entry a run.

    A run costs its decay and what its trunk lacks up to where the run leaves it: a trunk is trained as far as
    the last of its runs needs, and goes on from there when a longer one comes.

    Attributes:
        inputs: Column to values, such as params and tokens.
        straight: FLOP of the run trained on its own: those of `trunk` and `decay` together.
        trunk: FLOP of its trunk up to where the run leaves it; 0 for a run without one.
        decay: FLOP of the run after it left its trunk; its straight cost for a run without one.
        trunks: Which trunk, as a number; runs without one have numbers of their own.
        paid: FLOP of each trunk that are trained already.
    """

    inputs: Mapping[str, Array]
    straight: Array
    trunk: Array
    decay: Array
    trunks: Index
    paid: Array

    def __len__(self) -> int:
        return len(self.straight)

    @property
    def cheapest(self) -> float:
        """FLOP of the cheapest run, beside none."""
        return float(Spent(self).margins().min())

    @classmethod
    def independent(cls, inputs: Mapping[str, Array], flops: Array) -> Candidates:
        """Runs that share nothing.

        >>> import numpy as np
        >>> runs = Candidates.independent({"params": np.array([1e6, 2e6])}, np.array([1e15, 2e15]))
        >>> float(runs.cost([0, 1]))
        3000000000000000.0
        """
        flops, none = np.asarray(flops, dtype=np.float64), np.zeros(len(flops))
        own = np.arange(len(flops))
        return cls(inputs=inputs, straight=flops, trunk=none, decay=flops, trunks=own, paid=none)

    def take(self, rows: Index | Flags) -> Candidates:
        """Some of the runs; the trunks stay."""
        return replace(
            self,
            inputs={name: values[rows] for name, values in self.inputs.items()},
            **{name: getattr(self, name)[rows] for name in ("straight", "trunk", "decay", "trunks")},
        )

    def after(self, chosen: Collection[int]) -> Candidates:
        """The same once a set is made: its trunks are there, as far as it needed them."""
        spent = Spent(self)
        for one in chosen:
            spent.add(one)
        return replace(self, paid=spent.reach)

    def cheapest_part(self, chosen: Collection[int], flops: float) -> tuple[int, ...]:
        """The cheapest runs of a set, as many as a budget allows, and at least one.

        What they show decides whether the dear ones are made at all.
        """
        part: list[int] = []
        spent = Spent(self)
        for one in sorted(chosen, key=lambda pick: self.straight[pick]):
            if part and spent.total + spent.margins()[one] > flops:
                break
            part.append(one)
            spent.add(one)
        return tuple(part)

    def cost(self, chosen: Collection[int]) -> float:
        """FLOP that a set of runs takes, each trunk trained once."""
        state = Spent(self)
        for one in chosen:
            state.add(one)
        return state.total


class Spent:
    """What a growing set of candidates costs.

    Attributes:
        reach: FLOP of each trunk with what the set adds to it.
        total: FLOP of the set.
    """

    def __init__(self, candidates: Candidates) -> None:
        self._of = candidates
        self.reach = candidates.paid
        self.total = 0.0

    def margins(self) -> Array:
        """FLOP that each candidate would add, of shape (candidates,)."""
        lacking = self._of.trunk - self.reach[self._of.trunks]
        return np.asarray(np.maximum(lacking, 0.0) + self._of.decay)

    def add(self, one: int) -> None:
        """Add a candidate to the set."""
        self.total += float(self.margins()[one])
        self.reach = self.reach.copy()
        group = self._of.trunks[one]
        self.reach[group] = max(self.reach[group], self._of.trunk[one])


@dataclass(frozen=True, kw_only=True)
class Options:
    """The runs of a design as candidates, and the recipes behind them.

    Attributes:
        runs: What can be chosen, in the order of `candidates`.
        trunks: Trunks by run id.
        groups: Name of each trunk, in the order of their numbers in `candidates`.
        candidates: What the choice reads.
    """

    runs: tuple[Planned, ...]
    trunks: Mapping[str, Planned]
    groups: tuple[str, ...]
    candidates: Candidates

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Run id of each candidate."""
        return tuple(planned.recipe.run_id for planned in self.runs)

    def asked(self, picks: Sequence[int]) -> tuple[str, ...]:
        """Run ids of the picks and, first, of the trunks that have to grow for them."""
        grown = self.candidates.after(picks).paid > self.candidates.paid
        trunks = [name for name, grew in zip(self.groups, grown, strict=True) if grew and name in self.trunks]
        return (*trunks, *(self.ids[pick] for pick in picks))


def candidates_of(
    planned: Sequence[Planned], *, done: Collection[str] = (), partway: Mapping[str, int] | None = None
) -> Options:
    """The runs of a design that could be made next; what a fit cannot use is no candidate.

    Args:
        planned: A design's runs; learning-rate checks are left out, trunks are only what branches share.
        done: Run ids of those that are made already, trunks included.
        partway: Steps of each trunk that was trained as far as its branches needed.

    Raises:
        InputError: If nothing is left to choose from.
    """
    trunks = {one.recipe.run_id: one for one in planned if one.design == "trunk"}
    runs = tuple(
        one
        for one in planned
        if one.design not in ("trunk", "learning_rate_check") and one.recipe.run_id not in done
    )
    if not runs:
        raise InputError(
            "Every run of the design is made; give it more sizes, horizons or seeds to choose from."
        )
    recipes = [one.recipe for one in runs]
    groups = {name: number for number, name in enumerate(dict.fromkeys(map(_trunk_name, recipes)))}
    paid = _paid(trunks, done, partway or {})
    decay = np.array([_after_parting(recipe, trunks) for recipe in recipes])
    straight = np.array([recipe.flops() for recipe in recipes])
    return Options(
        runs=runs,
        trunks=trunks,
        groups=tuple(groups),
        candidates=Candidates(
            inputs=inputs_of(recipes),
            straight=straight,
            trunk=straight - decay,
            decay=decay,
            trunks=np.array([groups[_trunk_name(recipe)] for recipe in recipes]),
            paid=np.array([paid.get(name, 0.0) for name in groups]),
        ),
    )


def inputs_of(recipes: Sequence[Recipe]) -> dict[str, Array]:
    """What laws may read of runs before they are made: params, tokens, flops by the `matmul` convention."""
    return {
        "params": np.array([float(recipe.architecture.params()) for recipe in recipes]),
        "tokens": np.array([float(recipe.tokens) for recipe in recipes]),
        "flops": np.array([recipe.flops() for recipe in recipes]),
    }


def _paid(
    trunks: Mapping[str, Planned], done: Collection[str], partway: Mapping[str, int]
) -> dict[str, float]:
    """FLOP of the trunks that are there, whole or in part."""
    steps = {name: trunk.recipe.steps for name, trunk in trunks.items() if name in done}
    steps |= {name: count for name, count in partway.items() if name in trunks}
    return {name: _flops_of(trunks[name].recipe, count) for name, count in steps.items()}


def _flops_of(recipe: Recipe, steps: int) -> float:
    return recipe.architecture.flops_per_token("matmul") * steps * recipe.batch_tokens


def _trunk_name(recipe: Recipe) -> str:
    return recipe.parent or recipe.run_id


def _after_parting(recipe: Recipe, trunks: Mapping[str, Planned]) -> float:
    if recipe.parent not in trunks or not isinstance(recipe.schedule, Wsd):
        return recipe.flops()
    return Planned(recipe=recipe, design="").own_flops

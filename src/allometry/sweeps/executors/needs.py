"""What a run takes of a machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from allometry.architectures import Architecture
from allometry.errors import InputError
from allometry.recipe import Recipe, choice
from allometry.units import read_quantity


def _count(value: Any) -> Any:
    return read_quantity(value) if isinstance(value, str) else value


Quantity = Annotated[float, BeforeValidator(_count), Field(ge=0)]


@choice
class Needs:
    """What runs take of a machine, from a size on.

    Attributes:
        from_params: Holds for recipes with at least so many parameters in all; a number or "1.4B".
        processes: Of one run; above 1 it is started by torchrun.
        sharding: Whether each process holds the whole model and optimizer, or a share of them.
        threads: Of each process. The bits of a run depend on it, so it belongs to what must not change
            between two sittings of one run.
        gpus: Accelerators of one run; 0: it runs where the sweep's device says.
        memory_bytes: Stated peak, in bytes or "40G"; 0: not stated, and not looked at.
        minutes: Of time, where an executor must ask for it; 0: what the executor asks for all.

    >>> Needs(from_params="1.4B", gpus=8).from_params
    1400000000.0
    """

    from_params: Quantity = 0.0
    processes: int = Field(default=1, ge=1)
    sharding: Literal["ddp", "fsdp"] = "ddp"
    threads: int = Field(default=1, ge=1)
    gpus: int = Field(default=0, ge=0)
    memory_bytes: Quantity = 0.0
    minutes: int = Field(default=0, ge=0)

    @property
    def cores(self) -> int:
        """Processor cores."""
        return self.processes * self.threads


def needs_of(recipe: Recipe, rules: Sequence[Needs]) -> Needs:
    """The needs of a recipe: of the rules that hold for its size, the one for the largest.

    >>> small, large = Needs(), Needs(from_params=1e9, gpus=8)
    >>> needs_for(1e6, [large, small]).gpus, needs_for(2e9, [large, small]).gpus
    (0, 8)
    """
    return needs_for(_params(recipe.architecture), rules)


@lru_cache(maxsize=1024)
def _params(shape: Architecture) -> float:
    """Counted once a shape: it is asked of every waiting run whenever one ends."""
    return shape.params("total")


def needs_for(params: float, rules: Sequence[Needs]) -> Needs:
    """The needs of a run with so many parameters.

    Raises:
        InputError: If no rule holds for it.
    """
    holding = [rule for rule in rules if rule.from_params <= params]
    if not holding:
        least = min((rule.from_params for rule in rules), default=0.0)
        raise InputError(
            f"No [[needs]] holds for a run of {params:g} parameters: the smallest begins at {least:g}. "
            f"Add one without from_params."
        )
    return max(holding, key=lambda rule: rule.from_params)

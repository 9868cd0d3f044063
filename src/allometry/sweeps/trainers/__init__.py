"""What makes a run: the lab of this package, or the user's own trainer. Where, is the executor's concern."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from allometry.sweeps.trainers.command import Command
from allometry.sweeps.trainers.lab import Lab

__all__ = ["TRAINERS", "AnyTrainer", "Command", "Lab", "read_trainer"]

AnyTrainer = Annotated[Lab | Command, Field(discriminator="kind")]
TRAINERS: Mapping[str, type[Lab | Command]] = {"lab": Lab, "command": Command}


def read_trainer(values: Mapping[str, Any]) -> Lab | Command:
    """A trainer as spelled out in text."""
    return TRAINERS[values["kind"]](**values)

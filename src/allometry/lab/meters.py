"""What is measured while a run trains, next to its loss: the interface, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from allometry.architectures.modules.language import LanguageModel
from allometry.lab.steps import Batch, Objective


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A run in training as a meter sees it: to be read, never changed.

    Attributes:
        step: Optimizer steps taken; before the step that is measured, one less than after it.
        batch: Of the step that is measured.
        gradient_norm: Of that step, before clipping; None before it. After it, each parameter's `grad` still
            holds the clipped gradient.
        objective: What is minimised: objective(model, batch).minimised has a graph for torch.autograd.grad.
    """

    step: int
    model: LanguageModel
    optimizer: torch.optim.Optimizer
    batch: Batch
    objective: Objective
    gradient_norm: Tensor | None = None


class Meter:
    """Measures a run; override what is needed.

    The step that ends a line of the curve is the one that is measured: `before` is called before it, `after`
    behind it. A meter changes no bit of the run: it leaves weights, `grad` and torch's own generators as they
    are (torch.autograd.grad and a generator of its own are free to use). Values must be a function of the
    step, so that a resumed run has the same curve; what goes on from step to step belongs in `notes`.

    >>> class GradientNorm(Meter):
    ...     def after(self, moment):
    ...         return {"gradient_norm": moment.gradient_norm}
    """

    def before(self, moment: Moment) -> None:
        """Look at the run before the step; keep weights to compare with, for example."""

    def after(self, moment: Moment) -> Mapping[str, float | Tensor]:
        """Values for this line of the curve, by column; a scalar on the device is fetched by the loop."""
        return {}

    def totals(self) -> Mapping[str, Any]:
        """Columns of the finished run; what could not be measured is left out or labelled, never zero."""
        return {}

    def notes(self) -> Mapping[str, Any]:
        """State for the checkpoint: JSON values that `take_up` is given when the run is resumed."""
        return {}

    def take_up(self, notes: Mapping[str, Any]) -> None:
        """Go on from the notes of an earlier sitting, or of the trunk a branch left; empty from the start."""

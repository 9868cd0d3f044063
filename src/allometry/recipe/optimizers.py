"""Optimizers as a recipe names them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from allometry.recipe.choices import choice


@choice
class AdamW:
    """AdamW, decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101).

    Attributes:
        learning_rate: Peak, per step.
        weight_decay: Multiplies the learning rate; matrices only, not embeddings or gains.
        betas: Decay of the first and second moment per step.
        clip: Largest norm of the gradient.
    """

    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(default=0.1, ge=0)
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.98)
    clip: float = Field(default=1.0, gt=0)
    kind: Literal["adamw"] = "adamw"


Optimizer = AdamW

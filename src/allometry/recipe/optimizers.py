"""Optimizers as a recipe names them.

Weight decay is decoupled from the gradient in all of them, and is for matrices only: hidden ones and the
head, not embeddings, gains or biases. What a step multiplies a weight by is stated, because published decays
differ in just that:

    times_learning_rate   1 - share * learning_rate * weight_decay, as PyTorch's AdamW
    independent           1 - share * weight_decay, as Loshchilov and Hutter 2019, algorithm 2

with `share` what the schedule makes of the peak at that step. `learning_rate` is the one of the recipe:
what muP multiplies it by for a wider model leaves the decay per step alone, as its authors' package does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from allometry.errors import RecipeError
from allometry.recipe.choices import choice

DecayConvention = Literal["times_learning_rate", "independent"]
# 0 reads as "do not clip"; as one value, inf, so that both ways to say it are one recipe.
Clip = Annotated[float, Field(ge=0), AfterValidator(lambda norm: norm or math.inf)]
Share = Annotated[float, Field(ge=0, lt=1)]


@choice
class AdamW:
    """AdamW, decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101).

    Attributes:
        learning_rate: Peak, per step.
        weight_decay: Of matrices only, not embeddings or gains, by `weight_decay_convention`.
        betas: Decay of the first and second moment per step.
        clip: Largest norm of the gradient, all parameters together; 0 or inf for none.
        weight_decay_convention: Whether the learning rate multiplies the decay.
    """

    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    weight_decay: float = Field(default=0.1, ge=0, allow_inf_nan=False)
    betas: tuple[Share, Share] = (0.9, 0.98)
    clip: Clip = 1.0
    weight_decay_convention: DecayConvention = "times_learning_rate"
    kind: Literal["adamw"] = "adamw"


@choice
class Sgd:
    """Stochastic gradient descent with momentum; its decay is decoupled too.

    Attributes:
        learning_rate: Peak, per step.
        momentum: Share of the last step's direction that is kept; 0 for plain gradient descent. In the long
            run a gradient moves a weight by learning_rate / (1 - momentum).
        nesterov: Look ahead along the momentum (Sutskever et al. 2013, section 2); needs a momentum.
        weight_decay: Of matrices only, by `weight_decay_convention`.
        clip: Largest norm of the gradient, all parameters together; 0 or inf for none.
        weight_decay_convention: Whether the learning rate multiplies the decay.

    Source:
        Loshchilov and Hutter 2019, algorithm 1 (SGDW), arXiv:1711.05101.
    """

    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    momentum: Share = 0.9
    nesterov: bool = False
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    clip: Clip = 1.0
    weight_decay_convention: DecayConvention = "times_learning_rate"
    kind: Literal["sgd"] = "sgd"

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise RecipeError(
                "nesterov looks ahead along the momentum, and momentum is 0; set one above 0, such as 0.9."
            )


@choice
class Muon:
    """Muon for hidden matrices: momentum made orthogonal; AdamW for embeddings, head, gains and biases.

    A fused projection, such as that of queries, keys and values, is one matrix here.

    Attributes:
        learning_rate: Peak of the hidden matrices, per step; `others` states its own.
        others: AdamW for all other parameters; it has no clip of its own.
        momentum: Of the moving average of gradients.
        nesterov: Look ahead along the momentum.
        adjustment: How the size of an update follows the matrix's shape (outputs, inputs): "original" is
            learning_rate * sqrt(max(1, outputs / inputs)), "match_rms_adamw" is
            learning_rate * 0.2 * sqrt(max(outputs, inputs)), as large as AdamW's at the same rate.
        weight_decay: Of hidden matrices, by `weight_decay_convention`; the head's is that of `others`.
        clip: Largest norm of the gradient, all parameters together; 0 or inf for none.
        weight_decay_convention: Whether the learning rate multiplies the decay.

    Source:
        Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et al. 2025, eq. 4, arXiv:2502.16982.
    """

    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    others: AdamW
    momentum: Share = 0.95
    nesterov: bool = True
    adjustment: Literal["original", "match_rms_adamw"] = "original"
    weight_decay: float = Field(default=0.1, ge=0, allow_inf_nan=False)
    clip: Clip = 1.0
    weight_decay_convention: DecayConvention = "times_learning_rate"
    kind: Literal["muon"] = "muon"

    def __post_init__(self) -> None:
        if self.others.clip != AdamW(learning_rate=1.0).clip:
            raise RecipeError(
                f"others.clip is {self.others.clip:g}, but the gradient is clipped once, as a whole; "
                f"leave it out and set the clip of muon."
            )


def _kind(described: Any) -> Any:
    # A table that names no kind is AdamW, as it was when there was no other.
    if isinstance(described, Mapping):
        return described.get("kind", "adamw")
    return getattr(described, "kind", None)


Optimizer = Annotated[
    Annotated[AdamW, Tag("adamw")] | Annotated[Sgd, Tag("sgd")] | Annotated[Muon, Tag("muon")],
    Discriminator(_kind),
]


def at_rate(optimizer: AdamW | Sgd | Muon, learning_rate: float) -> AdamW | Sgd | Muon:
    """The same optimizer at another peak learning rate; the `others` of Muon move by the same factor.

    >>> muon = at_rate(Muon(learning_rate=0.02, others=AdamW(learning_rate=0.01)), 0.04)
    >>> muon.learning_rate, muon.others.learning_rate
    (0.04, 0.02)
    """
    if not isinstance(optimizer, Muon):
        return replace(optimizer, learning_rate=learning_rate)
    others = optimizer.others.learning_rate * (learning_rate / optimizer.learning_rate)
    return replace(
        optimizer, learning_rate=learning_rate, others=replace(optimizer.others, learning_rate=others)
    )

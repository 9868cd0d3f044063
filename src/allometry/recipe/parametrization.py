"""How rates, weights and scores follow the width of a model."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field

from allometry.errors import RecipeError
from allometry.recipe.choices import choice


@choice
class Standard:
    """One learning rate for all parameters, whatever the width; its best value falls as the width grows."""

    kind: Literal["standard"] = "standard"


@choice
class MuP:
    """Maximal update parametrization: the best learning rate stays where it is as the width grows.

    With m = width / base_width, what differs from the standard parametrization, in the form of table 8:

        logits                 times 1/m
        scores of attention    times sqrt(base_head_width) / head_width, not 1 / sqrt(head_width)
        rates under AdamW      hidden matrices times 1/m
        rates under SGD        embeddings, head, gains and biases times m
        rates under Muon       hidden matrices times 1 ("original") or 1/sqrt(m) ("match_rms_adamw")

    Weights start as they do in the standard parametrization, whose embeddings and head start at the same
    small variance at every width. A model of the base width, with heads of base_head_width, is the standard
    one to the last bit. Weight decay per step stays as written, whatever the rate is multiplied by. Under
    SGD, gradients are of another norm at another width: clipping them undoes the transfer.

    Attributes:
        base_width: The width at which the recipe's learning rate was found.
        base_head_width: Width of a head at the base width; None if a wider model has more heads, not wider
            ones, whose scores then need no other scale.

    Source:
        Yang et al. 2022, tables 3 and 8, arXiv:2203.03466; for Muon: Yang, Simon and Bernstein 2023,
        condition 1, arXiv:2310.17813 (the spectral norm of an update stays what it is).
    """

    base_width: int = Field(gt=0)
    base_head_width: int | None = Field(default=None, gt=0)
    kind: Literal["mup"] = "mup"


Parametrization = Annotated[Standard | MuP, Field(discriminator="kind")]


def require_heads(parametrization: Standard | MuP, dimensions: Collection[str]) -> None:
    """Refuse a width of heads for an architecture that has no attention heads.

    Raises:
        RecipeError: If `base_head_width` would change nothing.
    """
    if isinstance(parametrization, MuP) and parametrization.base_head_width and "heads" not in dimensions:
        raise RecipeError(
            f"base_head_width = {parametrization.base_head_width} scales the scores of attention, and this "
            f"architecture has no attention heads; leave it out."
        )

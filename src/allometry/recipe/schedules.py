"""Schedules of the learning rate as a recipe names them.

Every one begins with a linear warmup, stated in tokens or as a share of the run: a share follows runs of
different lengths, tokens are the same for all branches of a trunk.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from allometry.errors import RecipeError
from allometry.recipe.choices import choice


@choice
class Constant:
    """Warmup, then the peak rate to the end: the trunk that decay branches leave from.

    Attributes:
        warmup_tokens: Length of the linear warmup, stated in tokens so that all branches share it.
        warmup_fraction: The same as a share of the run's steps; at most one of both is stated.
    """

    warmup_tokens: int = Field(default=0, ge=0)
    warmup_fraction: float = Field(default=0.0, ge=0, le=1)
    kind: Literal["constant"] = "constant"

    def __post_init__(self) -> None:
        _require_one_warmup(self.warmup_tokens, self.warmup_fraction)


@choice
class Wsd:
    """Warmup, stable, decay: the peak rate, then a decay to zero over the last part of the run.

    Attributes:
        warmup_tokens: Length of the linear warmup.
        decay_fraction: Share of all tokens spent decaying, along 1 - sqrt(progress).
        warmup_fraction: The warmup as a share of the run's steps; at most one of both is stated. Runs of
            different lengths then have different trunks.

    Source:
        Hu et al. 2024, arXiv:2404.06395; decay shape: Hägele et al. 2024, arXiv:2405.18392.
    """

    warmup_tokens: int = Field(default=0, ge=0)
    decay_fraction: float = Field(default=0.25, gt=0, le=1)
    warmup_fraction: float = Field(default=0.0, ge=0, le=1)
    kind: Literal["wsd"] = "wsd"

    def __post_init__(self) -> None:
        _require_one_warmup(self.warmup_tokens, self.warmup_fraction)


@choice
class Cosine:
    """Warmup, then half a cosine to a share of the peak rate (Loshchilov and Hutter 2017, arXiv:1608.03983).

    Attributes:
        warmup_tokens: Length of the linear warmup.
        final_fraction: Rate at the end, as a share of the peak.
        warmup_fraction: The warmup as a share of the run's steps; at most one of both is stated.
    """

    warmup_tokens: int = Field(default=0, ge=0)
    final_fraction: float = Field(default=0.1, ge=0, le=1)
    warmup_fraction: float = Field(default=0.0, ge=0, le=1)
    kind: Literal["cosine"] = "cosine"

    def __post_init__(self) -> None:
        _require_one_warmup(self.warmup_tokens, self.warmup_fraction)


@choice
class Linear:
    """Warmup, then a straight line to a share of the peak rate (Defazio et al. 2023, arXiv:2310.07831).

    Attributes:
        warmup_tokens: Length of the linear warmup.
        final_fraction: Rate at the end, as a share of the peak.
        warmup_fraction: The warmup as a share of the run's steps; at most one of both is stated.
    """

    warmup_tokens: int = Field(default=0, ge=0)
    final_fraction: float = Field(default=0.0, ge=0, le=1)
    warmup_fraction: float = Field(default=0.0, ge=0, le=1)
    kind: Literal["linear"] = "linear"

    def __post_init__(self) -> None:
        _require_one_warmup(self.warmup_tokens, self.warmup_fraction)


Schedule = Annotated[Wsd | Cosine | Linear | Constant, Field(discriminator="kind")]


def _require_one_warmup(tokens: int, fraction: float) -> None:
    if tokens and fraction:
        raise RecipeError(
            f"The warmup is stated twice, as warmup_tokens = {tokens} and as warmup_fraction = {fraction:g}; "
            f"leave one of them out."
        )

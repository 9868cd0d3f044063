"""Schedules of the learning rate as a recipe names them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from allometry.recipe.choices import choice


@choice
class Constant:
    """Warmup, then the peak rate to the end: the trunk that decay branches leave from.

    Attributes:
        warmup_tokens: Length of the linear warmup, stated in tokens so that all branches share it.
    """

    warmup_tokens: int = Field(default=0, ge=0)
    kind: Literal["constant"] = "constant"


@choice
class Wsd:
    """Warmup, stable, decay: the peak rate, then a decay to zero over the last part of the run.

    Attributes:
        warmup_tokens: Length of the linear warmup.
        decay_fraction: Share of all tokens spent decaying, along 1 - sqrt(progress).

    Source:
        Hu et al. 2024, arXiv:2404.06395; decay shape: Hägele et al. 2024, arXiv:2405.18392.
    """

    warmup_tokens: int = Field(default=0, ge=0)
    decay_fraction: float = Field(default=0.25, gt=0, le=1)
    kind: Literal["wsd"] = "wsd"


@choice
class Cosine:
    """Warmup, then half a cosine to a share of the peak rate (Loshchilov and Hutter 2017, arXiv:1608.03983).

    Attributes:
        warmup_tokens: Length of the linear warmup.
        final_fraction: Rate at the end, as a share of the peak.
    """

    warmup_tokens: int = Field(default=0, ge=0)
    final_fraction: float = Field(default=0.1, ge=0, le=1)
    kind: Literal["cosine"] = "cosine"


Schedule = Annotated[Wsd | Cosine | Constant, Field(discriminator="kind")]

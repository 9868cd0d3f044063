"""In how many bits a run computes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from allometry.recipe.choices import choice

Compute = Literal["fp32", "bf16", "fp16"]


@choice
class Precision:
    """In how many bits a run computes; `precision = "bf16"` is short for `precision = { compute = "bf16" }`.

    Attributes:
        compute: What matrix products take in. "fp32"; "bf16" and "fp16" by autocast, with weights and
            optimizer state in fp32, fp16 with a loss scale; "auto" is bf16 where a short probe of the device
            finds its products faster, else fp32.
        weight_bits: Hidden matrices are rounded to so many bits in every pass, each output channel to its own
            symmetric grid, and trained through the rounding (straight-through); the embedding, the head and
            vectors are not. None rounds nothing.

    Source:
        Micikevicius et al. 2018, arXiv:1710.03740 (loss scale); Bengio et al. 2013, arXiv:1308.3432
        (straight-through).

    >>> Precision(compute="bf16")
    Precision(compute='bf16', weight_bits=None)
    """

    compute: Literal["fp32", "bf16", "fp16", "auto"] = "fp32"
    weight_bits: int | None = Field(default=None, ge=2, le=8)


def _spelled(value: Any) -> Any:
    return {"compute": value} if isinstance(value, str) else value


SpelledPrecision = Annotated[Precision, BeforeValidator(_spelled)]

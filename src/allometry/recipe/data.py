"""Which text, split how, in which tokens."""

from __future__ import annotations

from pydantic import Field

from allometry.recipe.choices import choice
from allometry.recipe.sources import Source
from allometry.recipe.tokenizers import Tokenizer


@choice
class Data:
    """Which text, split how, in which tokens.

    Attributes:
        held_out: Share of documents kept for evaluation, chosen by a hash of their names.
        held_out_tokens: At most so many held-out tokens are scored.
    """

    corpus: Source
    tokenizer: Tokenizer
    held_out: float = Field(default=0.05, gt=0, lt=1)
    held_out_tokens: int = Field(default=65_536, gt=0)

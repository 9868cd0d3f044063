"""What text is cut into."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from allometry.recipe.choices import choice


@choice
class Bpe:
    """Byte-level BPE trained on the training text.

    Attributes:
        vocab: Tokens, the end-of-document token included.
    """

    vocab: int = Field(ge=257, le=65536)
    kind: Literal["bpe"] = "bpe"


Tokenizer = Bpe

"""What text is cut into."""

from __future__ import annotations

from typing import Annotated, Literal

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


@choice
class Utf8Bytes:
    """A token for each byte, and one for the end of a document."""

    kind: Literal["utf8_bytes"] = "utf8_bytes"

    @property
    def vocab(self) -> int:
        """256 bytes and the end of a document."""
        return 257


@choice
class TokenizerFile:
    """Any tokenizer of the `tokenizers` library, from its tokenizer.json; the file's content is hashed.

    Attributes:
        path: A relative one starts at the working directory.
        vocab: One above its highest token id; it is checked.
        end_of_document: The token that ends a document, as the file spells it.
    """

    path: str = Field(min_length=1)
    vocab: int = Field(ge=2, le=2**32)
    end_of_document: str = Field(min_length=1)
    kind: Literal["tokenizer_file"] = "tokenizer_file"


@choice
class Symbols:
    """The symbols that a synthetic source draws, as they are.

    Attributes:
        vocab: Of the source.
    """

    vocab: int = Field(ge=2, le=65536)
    kind: Literal["symbols"] = "symbols"


Tokenizer = Annotated[Bpe | Utf8Bytes | TokenizerFile | Symbols, Field(discriminator="kind")]

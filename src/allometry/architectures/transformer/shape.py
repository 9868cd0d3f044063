"""Dimensions of the decoder-only transformer and its exact counts, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from allometry.architectures.definition import Architecture, Group
from allometry.errors import InputError

if TYPE_CHECKING:
    from allometry.architectures.transformer.model import TransformerModel


@dataclass(frozen=True, kw_only=True)
class Transformer(Architecture):
    """A decoder-only transformer with an untied head.

    Attributes:
        vocab: Tokens in the vocabulary.
        context: Tokens per sequence, also the longest one.
        width: Model dimension.
        layers: Blocks.
        heads: Attention heads; must divide the width into even parts.
        mlp_ratio: Hidden units of the MLP per unit of width.
        rotary_base: Longest wavelength of the rotary positions, over 2 pi.

    Source:
        Radford et al. 2019 (pre-norm decoder); So et al. 2021, arXiv:2109.08668 (squared ReLU);
        Su et al. 2021, arXiv:2104.09864 (rotary positions).

    >>> shape = Transformer(vocab=1024, context=128, width=32, layers=2, heads=2)
    >>> shape.params("total"), shape.params("non_embedding"), shape.params("matmul")
    (90272, 24736, 57344)
    """

    vocab: int
    context: int
    width: int
    layers: int
    heads: int
    mlp_ratio: int = 4
    rotary_base: int = 1000
    kind: Literal["transformer"] = "transformer"
    __pydantic_config__: ClassVar = {"extra": "forbid"}  # an unknown key in a recipe is an error

    def __post_init__(self) -> None:
        for name in ("vocab", "context", "width", "layers", "heads", "mlp_ratio", "rotary_base"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise InputError(f"{name} must be a whole number of at least 1, not {value!r}.")
        if self.width % (2 * self.heads):
            legal = [heads for heads in range(1, self.width) if self.width % (2 * heads) == 0]
            raise InputError(
                f"heads must split the width {self.width} into even parts and {self.heads} does not; "
                f"take one of {', '.join(map(str, legal)) or 'none: the width must be even'}."
            )

    def groups(self) -> Mapping[str, Group]:
        """Parameters by group: embedding, head, attention, mlp, norm."""
        attention = 4 * self.width**2 * self.layers
        mlp = 2 * self.mlp_ratio * self.width**2 * self.layers
        head = self.vocab * self.width
        return {
            "embedding": Group(total=self.vocab * self.width),
            "head": Group(total=head, matmul=head),
            "attention": Group(total=attention, matmul=attention),
            "mlp": Group(total=mlp, matmul=mlp),
            "norm": Group(total=(2 * self.layers + 1) * self.width),
        }

    def attention_flops_per_token(self) -> float:
        """Forward FLOP per token of scores and weighted values: 2 products of 2 * width * context a layer."""
        return 4.0 * self.layers * self.width * self.context

    def cache_bytes(self, *, bytes_per_value: int = 2) -> int:
        """Bytes of keys and values per token of context."""
        return 2 * self.layers * self.width * bytes_per_value

    def dimensions(self) -> dict[str, int]:
        """The canonical columns of the shape."""
        return {
            "width": self.width,
            "layers": self.layers,
            "heads": self.heads,
            "context": self.context,
            "vocab": self.vocab,
        }

    def build(self) -> TransformerModel:
        """The torch module; its weights are set by `initialize`."""
        from allometry.architectures.transformer.model import TransformerModel

        return TransformerModel(self)

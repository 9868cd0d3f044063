"""The torch module of decoders: embedding, blocks, a last norm, a head.

Shapes in names: B sequences, T tokens, D width.
"""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

from allometry.architectures.attention import Latent
from allometry.architectures.decoder import Decoder
from allometry.architectures.modules.attention import MultiHeadAttention
from allometry.architectures.modules.language import LanguageModel, TiedHead, untied_head
from allometry.architectures.modules.latent_attention import LatentAttention
from allometry.architectures.modules.norms import build_norm
from allometry.architectures.modules.positions import Mask, Rotary, alibi_slopes
from allometry.architectures.modules.roles import EMBEDDING, HIDDEN, RESIDUAL, Role, tagged


class Block(nn.Module):
    """Attention, then a feed-forward layer: each reads a stream and adds to it.

    Where a block norms what it adds, the norms stand after the branches, else before them or both.
    """

    def __init__(self, shape: Decoder, *, attention: nn.Module, mlp: nn.Module) -> None:
        super().__init__()
        self.attention_norm = _norm_of(shape, "pre", "sandwich")
        self.attention = attention
        self.attention_out_norm = _norm_of(shape, "post", "sandwich")
        self.mlp_norm = _norm_of(shape, "pre", "sandwich")
        self.mlp = mlp
        self.mlp_out_norm = _norm_of(shape, "post", "sandwich")

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Add what attention finds, then what the feed-forward layer finds in the sum."""
        x_BTD = x_BTD + self.attention_out_norm(self.attention(self.attention_norm(x_BTD)))
        added: Tensor = self.mlp_out_norm(self.mlp(self.mlp_norm(x_BTD)))
        return x_BTD + added


class ParallelBlock(Block):
    """Attention and the feed-forward layer read the same stream (Black et al. 2022, arXiv:2204.06745)."""

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Add what both find."""
        mixed: Tensor = self.attention_out_norm(self.attention(self.attention_norm(x_BTD)))
        added: Tensor = self.mlp_out_norm(self.mlp(self.mlp_norm(x_BTD)))
        return x_BTD + mixed + added


class OneNormBlock(nn.Module):
    """Attention and the feed-forward layer read the same normed stream."""

    def __init__(self, shape: Decoder, *, attention: nn.Module, mlp: nn.Module) -> None:
        super().__init__()
        self.norm = build_norm(shape.norm, shape.width)
        self.attention, self.mlp = attention, mlp

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Add what both find."""
        normed = self.norm(x_BTD)
        mixed: Tensor = x_BTD + self.attention(normed) + self.mlp(normed)
        return mixed


_BLOCKS = {"sequential": Block, "parallel": ParallelBlock, "parallel_one_norm": OneNormBlock}


class DecoderModel(LanguageModel):
    """Embedding, blocks, a last norm, a head; a subclass says what feed-forward layer a block has."""

    def __init__(self, shape: Decoder) -> None:
        super().__init__(vocab=shape.vocab, width=shape.width)
        self.positions = (
            tagged(nn.Embedding(shape.context, shape.width), weight=EMBEDDING)
            if shape.positions == "learned"
            else None
        )
        self.embedding_norm = build_norm(shape.norm, shape.width) if shape.embedding_norm else nn.Identity()
        self.blocks = nn.ModuleList(self._blocks(shape))
        self.norm = build_norm(shape.norm, shape.width)
        bias = "head" in shape.biases
        self.head = (
            TiedHead(self.token, bias=bias)
            if shape.tied
            else untied_head(vocab=shape.vocab, width=shape.width, bias=bias)
        )

    @abstractmethod
    def feedforward(self, shape: Decoder, layer: int) -> nn.Module:
        """The feed-forward layer of a block, counted from 0: (B, T, D) in and out."""

    def features(self, tokens_BT: Tensor) -> Tensor:
        """Final normalised activations of shape (B, T, D)."""
        x_BTD: Tensor = self.token(tokens_BT)
        if self.positions is not None:
            x_BTD = x_BTD + self.positions.weight[: tokens_BT.shape[1]]
        x_BTD = self.embedding_norm(x_BTD)
        for block in self.blocks:
            x_BTD = block(x_BTD)
        normed: Tensor = self.norm(x_BTD)
        return normed

    def _blocks(self, shape: Decoder) -> list[nn.Module]:
        build = _BLOCKS[shape.branches]
        rotary = _rotary(shape)
        masks = {span: _mask(shape, span) for span in set(shape.spans())}
        return [
            build(
                shape,
                attention=_attention(shape, rotary, masks[span]),
                mlp=self.feedforward(shape, layer),
            )
            for layer, span in enumerate(shape.spans())
        ]


def residual_role(shape: Decoder) -> Role:
    """The role of a matrix that writes into the residual stream.

    It starts at zero, so that a block starts as the identity; not where a norm follows, which has no
    direction to norm at zero and a slope of 1 / sqrt(epsilon) beside it.
    """
    return RESIDUAL if shape.norm_at == "pre" else HIDDEN


def _norm_of(shape: Decoder, *places: str) -> nn.Module:
    return build_norm(shape.norm, shape.width) if shape.norm_at in places else nn.Identity()


def _rotary(shape: Decoder) -> Rotary | None:
    if shape.positions != "rotary":
        return None
    return Rotary(width=shape.rotary_width, context=shape.context, base=shape.rotary_base)


def _mask(shape: Decoder, span: int) -> Mask | None:
    if shape.positions == "alibi":
        return Mask(context=shape.context, window=span, slopes_H=alibi_slopes(shape.heads))
    return Mask(context=shape.context, window=span) if span < shape.context else None


def _attention(shape: Decoder, rotary: Rotary | None, mask: Mask | None) -> nn.Module:
    if isinstance(shape.attention, Latent):
        assert rotary is not None
        return LatentAttention(shape, rotary=rotary, role=residual_role(shape))
    return MultiHeadAttention(shape, rotary=rotary, mask=mask, role=residual_role(shape))

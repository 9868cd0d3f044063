"""What decoders made of blocks of attention and feed-forward layers share: their choices and their counts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from allometry.architectures.attention import AttentionChoice, Latent, MultiHead
from allometry.architectures.definition import Architecture, Group
from allometry.architectures.feedforward import Activation
from allometry.architectures.norms import Norm, norm_params
from allometry.architectures.requirements import require_one_of, require_whole
from allometry.errors import InputError

Positions = Literal["rotary", "learned", "alibi", "none"]
NormAt = Literal["pre", "post", "sandwich"]
Branches = Literal["sequential", "parallel", "parallel_one_norm"]
Bias = Literal["qkv", "attention_out", "mlp", "head"]

_HIGHEST_RATIO = 1000
_EVERY_HEAD = MultiHead()
_NORMS_PER_BRANCH: dict[NormAt, int] = {"pre": 1, "post": 1, "sandwich": 2}


@dataclass(frozen=True, kw_only=True)
class Decoder(Architecture):
    """A decoder whose blocks add what attention and a feed-forward layer find to a residual stream.

    Attributes:
        vocab: Tokens in the vocabulary.
        context: Tokens per sequence, also the longest one.
        width: Model dimension.
        layers: Blocks.
        heads: Attention heads; must divide the width into even parts unless the head width is given.
        mlp_ratio: Hidden units of the MLP per unit of width; a hidden size that comes out broken is
            rounded up to a multiple of 8.
        mlp_width: Hidden units of the MLP, in place of a ratio.
        activation: "relu2", "relu", "gelu", or gated: "swiglu", "geglu".
        attention: `MultiHead` (grouped, multi-query, windowed by its settings) or `Latent`.
        positions: "rotary", "learned" (an embedding), "alibi" (scores fall with the distance), "none".
        rotary_base: Longest wavelength of the rotary positions, over 2 pi.
        rotary_fraction: Share of a head's dimensions that rotary positions turn.
        norm: "layer" (a gain), "layer_with_bias", "layer_fixed" (neither), "rms".
        norm_at: Where a block norms: "pre" (what it reads), "post" (what it adds), "sandwich" (both).
        embedding_norm: Whether the embedding is normed before the first block.
        branches: "sequential" (the MLP reads what attention wrote), "parallel", or "parallel_one_norm"
            (both read the same normed stream).
        biases: Which products have a bias: any of "qkv", "attention_out", "mlp", "head".
        tied: Whether the head is the embedding.

    Source:
        Radford et al. 2019 (pre-norm decoder); Su et al. 2021, arXiv:2104.09864 (rotary positions); Press
        et al. 2021, arXiv:2108.12409 (ALiBi); OLMo team 2024, section 3.2, arXiv:2501.00656 ("post"); Gemma
        team 2024, section 2, arXiv:2408.00118 ("sandwich"); Black et al. 2022, section 2.1,
        arXiv:2204.06745 ("parallel", partial rotary); Press and Wolf 2017, arXiv:1608.05859 (tied).
    """

    vocab: int
    context: int
    width: int
    layers: int
    heads: int
    mlp_ratio: float = 4
    mlp_width: int | None = None
    activation: Activation = "relu2"
    attention: AttentionChoice = _EVERY_HEAD
    positions: Positions = "rotary"
    rotary_base: int = 1000
    rotary_fraction: float = 1.0
    norm: Norm = "layer"
    norm_at: NormAt = "pre"
    embedding_norm: bool = False
    branches: Branches = "sequential"
    biases: tuple[Bias, ...] = ()
    tied: bool = False
    __pydantic_config__: ClassVar = {"extra": "forbid"}  # an unknown key in a recipe is an error

    def __post_init__(self) -> None:
        self._require_dimensions()
        self._require_names()
        self._write_one_way()
        self._require_what_goes_together()
        even = self.positions == "rotary" and self.rotary_fraction == 1
        self.attention.require(width=self.width, heads=self.heads, even=even)
        if self.positions == "rotary":
            self._require_pairs()

    @abstractmethod
    def feedforward_groups(self) -> Mapping[str, Group]:
        """Parameters of all feed-forward layers, by group."""

    @property
    def inner_width(self) -> int:
        """Hidden units of the MLP.

        >>> from allometry.architectures import Transformer
        >>> Transformer(vocab=256, context=16, width=64, layers=1, heads=1, mlp_ratio=8 / 3).inner_width
        176
        """
        if self.mlp_width:
            return self.mlp_width
        units = self.mlp_ratio * self.width
        return round(units) if abs(units - round(units)) < 1e-6 else 8 * (int(units) // 8 + 1)

    @property
    def rotary_width(self) -> int:
        """Dimensions of a head that rotary positions turn; 0 without them."""
        if self.positions != "rotary":
            return 0
        return round(self.rotary_fraction * self.attention.rotary_room(width=self.width, heads=self.heads))

    def groups(self) -> Mapping[str, Group]:
        """Parameters by group: embedding, positions (if learned), head, attention, feed-forward, norm."""
        positions = {"positions": Group(total=self.context * self.width)}
        return {
            "embedding": Group(total=self.vocab * self.width),
            **(positions if self.positions == "learned" else {}),
            "head": self._head(),
            "attention": self._attention(),
            **self.feedforward_groups(),
            "norm": Group(total=self._norms()),
        }

    def attention_flops_per_token(self) -> float:
        """Forward FLOP per token of scores and weighted values; a window's layer has those of the window."""
        queries, values = self.attention.head_widths(width=self.width, heads=self.heads)
        return 2.0 * self.heads * (queries + values) * sum(self.spans())

    def spans(self) -> list[int]:
        """Keys that a query has scores with, by layer."""
        return [self.attention.span(layer, context=self.context) for layer in range(self.layers)]

    def cache_bytes(self, *, bytes_per_value: int = 2) -> int:
        """Bytes a decoder keeps per token of context, while no window is full."""
        cached = self.attention.cached_values(width=self.width, heads=self.heads)
        return self.layers * cached * bytes_per_value

    def sequence_cache_bytes(self, tokens: int, *, bytes_per_value: int = 2) -> int:
        """Bytes a decoder keeps for a sequence of so many tokens; a full window drops the oldest.

        >>> from allometry.architectures import Transformer
        >>> local = MultiHead(window=32, global_every=2)
        >>> shape = Transformer(vocab=256, context=64, width=16, layers=2, heads=1, attention=local)
        >>> shape.sequence_cache_bytes(64) / shape.cache_bytes()
        48.0
        """
        cached = self.attention.cached_values(width=self.width, heads=self.heads)
        kept = sum(self.attention.span(layer, context=tokens) for layer in range(self.layers))
        return kept * cached * bytes_per_value

    def dimensions(self) -> Mapping[str, float]:
        """The canonical columns of the shape."""
        return {
            "width": self.width,
            "layers": self.layers,
            "heads": self.heads,
            "context": self.context,
            "vocab": self.vocab,
        }

    def _head(self) -> Group:
        """A tied head is in the products and, being the embedding, not in the total."""
        matrix = self.vocab * self.width
        own = 0 if self.tied else matrix
        return Group(total=own + ("head" in self.biases) * self.vocab, matmul=matrix)

    def _attention(self) -> Group:
        projections = self.attention.projections(width=self.width, heads=self.heads)
        matrices = sum(inputs * outputs for inputs, outputs in projections.values())
        biased = [name for name, bias in (("qkv", "qkv"), ("out", "attention_out")) if bias in self.biases]
        biases = sum(projections[name][1] for name in biased)
        vectors = biases + self.attention.sink_params(heads=self.heads)
        return Group(total=self.layers * (matrices + vectors), matmul=self.layers * matrices)

    def _norms(self) -> int:
        per_block = 1 if self.branches == "parallel_one_norm" else 2 * _NORMS_PER_BRANCH[self.norm_at]
        of_stream = self.layers * per_block + 1 + self.embedding_norm
        inside = sum(
            norm_params(self.norm, span) for span in self.attention.normed(width=self.width, heads=self.heads)
        )
        return of_stream * norm_params(self.norm, self.width) + self.layers * inside

    def _require_dimensions(self) -> None:
        require_whole(
            vocab=self.vocab,
            context=self.context,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            rotary_base=self.rotary_base,
            mlp_width=self.mlp_width,
        )
        if isinstance(self.mlp_ratio, bool) or not 0 < self.mlp_ratio <= _HIGHEST_RATIO:
            raise InputError(
                f"mlp_ratio must be a number above 0 and at most {_HIGHEST_RATIO}, not {self.mlp_ratio!r}."
            )
        if not 0 < self.rotary_fraction <= 1:
            raise InputError(f"rotary_fraction must be above 0 and at most 1, not {self.rotary_fraction!r}.")

    def _require_names(self) -> None:
        require_one_of(get_args(Positions), positions=self.positions)
        require_one_of(get_args(Activation), activation=self.activation)
        require_one_of(get_args(Norm), norm=self.norm)
        require_one_of(get_args(NormAt), norm_at=self.norm_at)
        require_one_of(get_args(Branches), branches=self.branches)
        for bias in self.biases:
            require_one_of(get_args(Bias), biases=bias)

    def _write_one_way(self) -> None:
        """One model has one identity: whole ratios without a point, biases in one order."""
        if self.mlp_ratio == int(self.mlp_ratio):
            object.__setattr__(self, "mlp_ratio", int(self.mlp_ratio))
        biases = tuple(bias for bias in get_args(Bias) if bias in self.biases)
        object.__setattr__(self, "biases", biases)

    def _require_what_goes_together(self) -> None:
        if self.mlp_width and self.mlp_ratio != 4:
            raise InputError(
                f"mlp_width = {self.mlp_width} and mlp_ratio = {self.mlp_ratio} both set the hidden units; "
                f"leave one out."
            )
        if self.branches == "parallel_one_norm" and self.norm_at != "pre":
            raise InputError(
                f"branches = 'parallel_one_norm' has one norm, before both branches, and norm_at = "
                f"'{self.norm_at}' asks for others; take 'parallel', or norm_at = 'pre'."
            )
        if self.positions != "rotary" and self.rotary_fraction != 1:
            raise InputError(
                f"rotary_fraction = {self.rotary_fraction} says nothing about positions = "
                f"'{self.positions}'; leave it out, or take positions = 'rotary'."
            )
        if isinstance(self.attention, Latent):
            self._require_latent()
        elif self.attention.sinks and self.positions == "alibi":
            raise InputError(
                "sinks are scores beside those of the keys, which positions = 'alibi' changes; take other "
                "positions, or leave out sinks."
            )

    def _require_latent(self) -> None:
        if self.positions != "rotary" or self.rotary_fraction != 1:
            raise InputError(
                f"Latent attention has a rotary part of its own; it goes with positions = 'rotary' and "
                f"rotary_fraction = 1, not '{self.positions}' and {self.rotary_fraction}."
            )
        if "qkv" in self.biases:
            raise InputError(
                "Latent attention has no one projection of queries, keys and values that could have a "
                "bias; leave 'qkv' out of biases."
            )

    def _require_pairs(self) -> None:
        room = self.attention.rotary_room(width=self.width, heads=self.heads)
        turned = self.rotary_fraction * room
        if turned < 2 or abs(turned / 2 - round(turned / 2)) > 1e-6:
            raise InputError(
                f"Rotary positions turn pairs of dimensions, and {self.rotary_fraction} of the {room} of a "
                f"head is {turned:g}; it must be a multiple of 2."
            )

"""Dimensions of the mixture of experts and its exact counts, total and active, without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from allometry.architectures.decoder import Decoder
from allometry.architectures.definition import Group
from allometry.architectures.feedforward import feedforward_params
from allometry.architectures.requirements import listed, require_one_of, require_whole
from allometry.errors import InputError

if TYPE_CHECKING:
    from allometry.architectures.moe.model import MixtureModel

Scores = Literal["softmax", "sigmoid"]


@dataclass(frozen=True, kw_only=True)
class MixtureOfExperts(Decoder):
    """A decoder in whose feed-forward layers each token goes to the few experts a router scores highest.

    What a `Decoder` chooses it chooses too; "mlp" among the biases gives one to experts and routers. Its
    `mlp_width` is that of the dense layer that the experts replace. Routing is in float32, drops no token,
    and is not limited to groups of experts.

    Attributes:
        experts: Routed experts of a layer.
        top_k: Of them, those a token goes to.
        granularity: How many times smaller an expert is than the dense layer.
        expert_width: Hidden units of an expert, in place of a granularity.
        shared_experts: Experts that every token goes to beside the routed ones, as one layer of their width.
        dense_layers: First layers that are not routed.
        scores: Of a token's experts: "softmax" over all of them, or each its own "sigmoid".
        renormalize: Whether the weights of a token's chosen experts are made to add up to 1.
        balance_loss: Weight of the loss that evens out the load of a layer's experts, 1 for even loads.
        balance_step: How far a step of the optimizer moves each expert's preference, which counts in the
            choice of experts and not in their weights, against its load; 0 for no preferences.
        z_loss: Weight of the mean square of the logarithm of the router's normaliser.

    Source:
        Shazeer et al. 2017, arXiv:1701.06538; Fedus et al. 2022, section 2.2, arXiv:2101.03961 (balance
        loss); Dai et al. 2024, arXiv:2401.06066 (shared experts); Krajewski et al. 2024, arXiv:2402.07871
        (granularity); DeepSeek-AI 2024, section 2.1.2, arXiv:2412.19437 (sigmoid, preferences); Zoph et al.
        2022, section 3.1, arXiv:2202.08906 (z-loss).

    >>> from allometry.architectures import MultiHead
    >>> mixtral = MixtureOfExperts(vocab=32_000, context=4096, width=4096, layers=32, heads=32, norm="rms",
    ...     attention=MultiHead(kv_heads=8), activation="swiglu", mlp_width=14_336, experts=8, top_k=2)
    >>> mixtral.params("total"), mixtral.params("active")
    (46702792704, 12879925248)
    """

    experts: int
    top_k: int
    granularity: int = 1
    expert_width: int | None = None
    shared_experts: int = 0
    dense_layers: int = 0
    scores: Scores = "softmax"
    renormalize: bool = True
    balance_loss: float = 0.01
    balance_step: float = 0.0
    z_loss: float = 0.0
    kind: Literal["moe"] = "moe"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(experts=self.experts, top_k=self.top_k, granularity=self.granularity)
        require_whole(expert_width=self.expert_width)
        require_one_of(get_args(Scores), scores=self.scores)
        self._require_places()
        self._require_routing()
        self._require_one_width()

    @property
    def expert_inner_width(self) -> int:
        """Hidden units of one expert."""
        return self.expert_width or self.inner_width // self.granularity

    @property
    def routed_layers(self) -> int:
        """Layers with a router."""
        return self.layers - self.dense_layers

    def feedforward_groups(self) -> Mapping[str, Group]:
        """Dense MLPs, routers, shared and routed experts; a token meets `top_k` of the last in products."""
        dense, expert = self._mlp(self.inner_width), self._mlp(self.expert_inner_width)
        shared = self._mlp(self.shared_experts * self.expert_inner_width)
        router = Group(
            total=self.experts * (self.width + ("mlp" in self.biases)), matmul=self.experts * self.width
        )
        routed = Group(total=self.experts * expert.total, matmul=self.top_k * expert.matmul)
        return {
            **({"mlp": _times(self.dense_layers, dense)} if self.dense_layers else {}),
            "router": _times(self.routed_layers, router),
            **({"shared_experts": _times(self.routed_layers, shared)} if self.shared_experts else {}),
            "experts": _times(self.routed_layers, routed),
        }

    def active_params(self) -> int:
        """The total less the experts that a token does not go to."""
        idle = self.routed_layers * (self.experts - self.top_k)
        return super().active_params() - idle * self._mlp(self.expert_inner_width).total

    def dimensions(self) -> Mapping[str, float]:
        """The canonical columns of the shape."""
        return {
            **super().dimensions(),
            "experts": self.experts,
            "granularity": self.inner_width / self.expert_inner_width,
            "sparsity": 1 - self.top_k / self.experts,
        }

    def build(self) -> MixtureModel:
        """The torch module; its weights are set by `initialize`."""
        from allometry.architectures.moe.model import MixtureModel

        return MixtureModel(self)

    def _mlp(self, inner: int) -> Group:
        return feedforward_params(self.width, inner, activation=self.activation, bias="mlp" in self.biases)

    def _require_places(self) -> None:
        if self.top_k > self.experts:
            raise InputError(
                f"A token cannot go to top_k = {self.top_k} of {self.experts} experts; take at most "
                f"{self.experts}."
            )
        for name, most in (("shared_experts", math.inf), ("dense_layers", self.layers - 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
                limit = "of at least 0" if most == math.inf else f"from 0 to layers - 1 ({most})"
                raise InputError(f"{name} must be a whole number {limit}, not {value!r}.")

    def _require_routing(self) -> None:
        for name in ("balance_loss", "balance_step", "z_loss"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise InputError(f"{name} must be a number of at least 0, not {value!r}.")
        if self.renormalize and self.top_k == 1:
            raise InputError(
                "With top_k = 1 a renormalized weight is always 1 and the router would learn nothing from "
                "the loss; set renormalize = false, or a larger top_k."
            )

    def _require_one_width(self) -> None:
        if self.expert_width and self.granularity != 1:
            raise InputError(
                f"expert_width = {self.expert_width} and granularity = {self.granularity} both set the "
                f"hidden units of an expert; leave one out."
            )
        if self.inner_width % self.granularity:
            legal = [part for part in range(1, self.inner_width + 1) if self.inner_width % part == 0]
            raise InputError(
                f"granularity must divide the hidden units of the dense layer ({self.inner_width}) and "
                f"{self.granularity} does not; take one of {listed(legal)}."
            )


def _times(layers: int, group: Group) -> Group:
    return Group(total=layers * group.total, matmul=layers * group.matmul)

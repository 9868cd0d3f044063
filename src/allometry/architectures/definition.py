"""What every architecture can say about itself without torch: parameters and FLOP, by stated convention."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from allometry.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import torch

ParamsConvention = Literal["matmul", "total", "non_embedding", "active"]
FlopsConvention = Literal["6ND", "matmul", "with_attention"]

_EMBEDDING = ("embedding", "positions", "head")


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Parameters of one kind.

    Attributes:
        total: All of them.
        matmul: Those that a token meets in a matrix product; an embedding look-up, a gain, a bias or a
            depthwise kernel is none, nor is an expert that the token is not routed to.
    """

    total: int
    matmul: int = 0


class Architecture(ABC):
    """Dimensions of a model family; counts itself, exactly, without torch.

    A concrete architecture is a frozen dataclass of its dimensions, with a `kind` to be told apart by. Groups
    always include "embedding" and "head", because the field's conventions differ in just those.
    """

    vocab: int
    context: int

    @abstractmethod
    def groups(self) -> Mapping[str, Group]:
        """Parameters by group; the groups add up to the torch module's count."""

    @abstractmethod
    def attention_flops_per_token(self) -> float:
        """Forward FLOP per token in products of activations with activations, all scores computed."""

    @abstractmethod
    def cache_bytes(self, *, bytes_per_value: int = 2) -> int:
        """Bytes a decoder keeps per token of context."""

    def state_bytes(self, *, bytes_per_value: int = 2) -> int:
        """Bytes a decoder keeps per sequence, however long: the state of a recurrence, none in attention."""
        return 0

    @abstractmethod
    def dimensions(self) -> Mapping[str, float]:
        """The canonical columns of the shape: width, layers, context, vocab and what else it has."""

    @abstractmethod
    def build(self) -> torch.nn.Module:
        """The torch module with uninitialised weights; needs the `lab` extra."""

    def params(self, convention: ParamsConvention = "matmul") -> int:
        """Count parameters.

        Args:
            convention: "matmul" (blocks and head, the products a token goes through), "total",
                "non_embedding" (total less embedding, learned positions and head: Kaplan et al. 2020, section
                2.1, whose head was tied to the embedding), "active" (used per token; the total if dense).

        Raises:
            InputError: For another convention.
        """
        groups = self.groups()
        counts = {
            "matmul": sum(group.matmul for group in groups.values()),
            "total": sum(group.total for group in groups.values()),
            "non_embedding": sum(g.total for name, g in groups.items() if name not in _EMBEDDING),
            "active": self.active_params(),
        }
        return counts[_known(convention, get_args(ParamsConvention), "parameter")]

    def active_params(self) -> int:
        """Parameters used per token: all of them unless the architecture routes."""
        return sum(group.total for group in self.groups().values())

    def flops_per_token(self, convention: FlopsConvention = "matmul") -> float:
        """Training FLOP per token: forward 2, backward 4 per multiply-add.

        Args:
            convention: "matmul" is 6 per matmul parameter; "with_attention" adds the products of
                queries, keys and values with all scores computed, causal or not, as dense kernels and FLOP
                counters do; "6ND" is 6 per parameter of the total, the approximation of the literature.

        Raises:
            InputError: For another convention.

        Source:
            Kaplan et al. 2020, section 2.1, arXiv:2001.08361 (6ND); Chowdhery et al. 2022, appendix B,
            arXiv:2204.02311 (attention term 12 * layers * width * context).
        """
        counts = {
            "6ND": 6.0 * self.params("total"),
            "matmul": 6.0 * self.params("matmul"),
            "with_attention": 6.0 * self.params("matmul") + 3.0 * self.attention_flops_per_token(),
        }
        return counts[_known(convention, get_args(FlopsConvention), "FLOP")]


def _known(convention: str, known: tuple[str, ...], kind: str) -> str:
    if convention not in known:
        raise InputError(
            f"There is no {kind} convention '{convention}'.{did_you_mean(convention, known)} "
            f"There are: {', '.join(known)}."
        )
    return convention

"""What every language model is: token ids in, logits out."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from allometry.architectures.modules.roles import BIAS, EMBEDDING, HEAD, tagged


class LanguageModel(nn.Module, ABC):
    """Token ids in, logits out; `hidden` stops before the head, for a loss that never holds all logits.

    Attributes:
        token: Embedding of shape (V, D).
        head: Projection to the logits.
        logit_scale: What the logits are multiplied by; muP sets it.
    """

    head: nn.Linear

    def __init__(self, *, vocab: int, width: int) -> None:
        super().__init__()
        self.token = tagged(nn.Embedding(vocab, width), weight=EMBEDDING)
        self.logit_scale = 1.0

    @abstractmethod
    def features(self, tokens_BT: Tensor) -> Tensor:
        """Final normalised activations of shape (B, T, D)."""

    def auxiliary_loss(self) -> Tensor | None:
        """What the last forward pass adds to the training loss, in nats; None for nothing."""
        return None

    def after_step(self) -> None:
        """What the model changes about itself after a step of the optimizer; nothing for most."""

    def hidden(self, tokens_BT: Tensor) -> Tensor:
        """What the head is applied to, of shape (B, T, D)."""
        features = self.features(tokens_BT)
        return features if self.logit_scale == 1.0 else features * self.logit_scale

    def logit_factors(self, x_BTD: Tensor) -> tuple[Tensor, Tensor]:
        """Activations and a matrix whose product is the logits, for a loss that never holds all of them.

        A bias of the head is a column of the matrix, for one more activation that is always 1.
        """
        bias_V: Tensor | None = getattr(self.head, "bias", None)
        if bias_V is None:
            return x_BTD, self.head.weight
        ones = x_BTD.new_ones(*x_BTD.shape[:-1], 1)
        biased = torch.cat((self.head.weight, bias_V.unsqueeze(-1)), dim=-1)
        return torch.cat((x_BTD, ones), dim=-1), biased

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Logits of shape (B, T, V)."""
        logits: Tensor = self.head(self.hidden(tokens_BT))
        return logits


def untied_head(*, vocab: int, width: int, bias: bool = False) -> nn.Linear:
    """A projection to the logits; a model makes it last, so that its weights are the last to be drawn."""
    return tagged(nn.Linear(width, vocab, bias=bias), weight=HEAD, bias=BIAS)


class TiedHead(nn.Linear):
    """A projection to the logits whose matrix is the embedding: one parameter, in one place, with one role.

    Source:
        Press and Wolf 2017, arXiv:1608.05859.
    """

    def __init__(self, token: nn.Embedding, *, bias: bool = False) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = token.embedding_dim, token.num_embeddings
        self._tied = (token,)  # in a tuple, or its weight would be named, saved and stepped twice
        self.register_parameter(
            "bias", nn.Parameter(token.weight.new_empty(self.out_features)) if bias else None
        )
        tagged(self, bias=BIAS)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """The embedding of shape (V, D)."""
        return self._tied[0].weight

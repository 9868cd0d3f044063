"""The torch module of the mixture of experts.

Shapes in names: B sequences of T tokens, N tokens of all, D width, L routed layers, E experts, K experts of a
token.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from allometry.architectures.modules.decoder import DecoderModel, residual_role
from allometry.architectures.modules.feedforward import build_feedforward
from allometry.architectures.modules.linear import linear
from allometry.architectures.modules.roles import HEAD
from allometry.architectures.moe.shape import MixtureOfExperts

if TYPE_CHECKING:
    from allometry.architectures.decoder import Decoder


class Router(nn.Module):
    """Scores the experts by a linear map in float32 and chooses each token's best.

    Attributes:
        preferences_E: Added to the scores in the choice, not in the weights.
        counts_E: Choices of each expert in the last forward pass.
        step_counts_E: Those since the last step of the optimizer.
        loss: What the last forward pass with gradients adds to the training loss.
    """

    preferences_E: Tensor
    counts_E: Tensor
    step_counts_E: Tensor

    def __init__(self, shape: MixtureOfExperts) -> None:
        super().__init__()
        self.shape = shape
        # Its outputs, one per expert, do not grow with the width: the role of a head.
        self.map = linear(shape.width, shape.experts, role=HEAD, bias="mlp" in shape.biases)
        self.register_buffer("preferences_E", torch.zeros(shape.experts))
        for counts in ("counts_E", "step_counts_E"):
            self.register_buffer(counts, torch.zeros(shape.experts, dtype=torch.long), persistent=False)
        self.loss: Tensor | None = None

    def forward(self, x_ND: Tensor) -> tuple[Tensor, Tensor]:
        """The experts of each token and their weights, both of shape (N, K)."""
        with torch.autocast(x_ND.device.type, enabled=False):
            logits_NE = self.map(x_ND.to(self.map.weight.dtype)).float()
        scores_NE = logits_NE.softmax(-1) if self.shape.scores == "softmax" else logits_NE.sigmoid()
        experts_NK = (scores_NE + self.preferences_E).topk(self.shape.top_k, dim=-1).indices
        weights_NK = scores_NE.gather(-1, experts_NK)
        if self.shape.renormalize:
            weights_NK = weights_NK / weights_NK.sum(-1, keepdim=True)
        self._remember(logits_NE, scores_NE, experts_NK.flatten())
        return experts_NK, weights_NK

    @torch.no_grad()
    def after_step(self) -> None:
        """Move the preferences against the loads of the step, each by the same amount."""
        counts_E = self.step_counts_E.float()
        self.preferences_E += self.shape.balance_step * (counts_E.mean() - counts_E).sign()
        self.step_counts_E.zero_()

    def _remember(self, logits_NE: Tensor, scores_NE: Tensor, choices: Tensor) -> None:
        # Not by bincount, which waits for the device to learn how many bins there are.
        self.counts_E = torch.zeros_like(self.counts_E).scatter_add_(0, choices, torch.ones_like(choices))
        self.loss = None
        if torch.is_grad_enabled():
            self.step_counts_E += self.counts_E
            uneven = uneven_load(scores_NE, self.counts_E)
            self.loss = self.shape.balance_loss * uneven + self.shape.z_loss * normaliser_size(logits_NE)


class RoutedFeedForward(nn.Module):
    """What each token's chosen experts find, weighted, and what the shared ones do."""

    def __init__(self, shape: MixtureOfExperts) -> None:
        super().__init__()
        build, inner = partial(_mlp, shape), shape.expert_inner_width
        self.router = Router(shape)
        self.experts = nn.ModuleList(build(inner) for _ in range(shape.experts))
        self.shared = build(shape.shared_experts * inner) if shape.shared_experts else None

    def forward(self, x_BTD: Tensor) -> Tensor:
        """The sum of what a token's experts make of it, of the same shape."""
        x_ND = x_BTD.flatten(0, 1)
        experts_NK, weights_NK = self.router(x_ND)
        found_NKD = routed(x_ND, experts_NK, self.experts, counts_E=self.router.counts_E)
        mixed_BTD: Tensor = (found_NKD * weights_NK.unsqueeze(-1).to(found_NKD.dtype)).sum(1).view_as(x_BTD)
        if self.shared is not None:
            mixed_BTD = mixed_BTD + self.shared(x_BTD)
        return mixed_BTD


class MixtureModel(DecoderModel):
    """A decoder with routed feed-forward layers after the first dense ones."""

    def __init__(self, shape: MixtureOfExperts) -> None:
        super().__init__(shape)

    def feedforward(self, shape: Decoder, layer: int) -> nn.Module:
        """Routed after the first dense ones."""
        assert isinstance(shape, MixtureOfExperts)
        return _mlp(shape, shape.inner_width) if layer < shape.dense_layers else RoutedFeedForward(shape)

    def auxiliary_loss(self) -> Tensor | None:
        """The sum of the layers' weighted balance and z-losses; None after a pass without gradients."""
        losses = [router.loss for router in self._routers() if router.loss is not None]
        return torch.stack(losses).sum() if losses else None

    def after_step(self) -> None:
        """Move the preferences of all routers."""
        for router in self._routers():
            router.after_step()

    def expert_loads(self) -> Tensor:
        """Share of the choices that fell on each expert in the last forward pass, shape (L, E)."""
        counts_LE = torch.stack([router.counts_E for router in self._routers()])
        return counts_LE / counts_LE.sum(dim=-1, keepdim=True)

    def _routers(self) -> list[Router]:
        return [part for part in self.modules() if isinstance(part, Router)]


def routed(x_ND: Tensor, experts_NK: Tensor, experts: nn.ModuleList, *, counts_E: Tensor) -> Tensor:
    """What each token's experts make of it, of shape (N, K, D): tokens sorted by expert, none dropped.

    Args:
        counts_E: Tokens of each expert. Cutting them apart waits for the device, once a layer.
    """
    order = experts_NK.flatten().argsort(stable=True)
    parts = torch.split(x_ND[order // experts_NK.shape[1]], counts_E.tolist())
    found = torch.cat([expert(part) for expert, part in zip(experts, parts, strict=True)])
    return torch.unflatten(found[order.argsort()], 0, tuple(experts_NK.shape))


def uneven_load(scores_NE: Tensor, counts_E: Tensor) -> Tensor:
    """Experts times the sum of share of choices times mean share of score: 1 for even loads, E at worst.

    Source:
        Fedus et al. 2022, eq. 4 to 6, arXiv:2101.03961, for one choice a token; the share of all choices for
        more.
    """
    shares_E = counts_E / counts_E.sum()
    mean_E = (scores_NE / scores_NE.sum(-1, keepdim=True)).mean(0)
    return len(counts_E) * (shares_E * mean_E).sum()


def normaliser_size(logits_NE: Tensor) -> Tensor:
    """Mean square of the log of the softmax's normaliser (Zoph et al. 2022, eq. 5, arXiv:2202.08906)."""
    return logits_NE.logsumexp(-1).square().mean()


def _mlp(shape: MixtureOfExperts, inner: int) -> nn.Module:
    return build_feedforward(
        shape.width, inner, activation=shape.activation, bias="mlp" in shape.biases, role=residual_role(shape)
    )

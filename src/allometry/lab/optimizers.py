"""Optimizers from their description in a recipe."""

from __future__ import annotations

import torch
from torch import nn

from allometry.architectures.modules.roles import roles_of
from allometry.recipe import AdamW

_DECAYED = ("hidden", "head")  # matrices


def build_optimizer(model: nn.Module, choice: AdamW) -> torch.optim.Optimizer:
    """AdamW over two groups: matrices decay, embeddings and gains do not.

    Args:
        model: Its parameters' roles decide the group.
        choice: From the recipe.
    """
    named = list(model.named_parameters())
    roles = roles_of(model)
    matrices = [weight for name, weight in named if roles[name].kind in _DECAYED]
    others = [weight for name, weight in named if roles[name].kind not in _DECAYED]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": choice.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=choice.learning_rate,
        betas=choice.betas,
        fused=True,  # one kernel per step: a third of a small model's step time is this loop otherwise
    )


def set_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the learning rate of every group for the next step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate

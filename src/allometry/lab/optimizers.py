"""Optimizers from their description in a recipe; parameters are grouped by their roles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from allometry.architectures.modules.roles import Kind, roles_of
from allometry.recipe import AdamW, Muon, Sgd

UNSCALED: Mapping[Kind, float] = {"embedding": 1.0, "hidden": 1.0, "head": 1.0, "vector": 1.0}
_DECAYED = ("hidden", "head")  # matrices

Weights = Sequence[tuple[Kind, nn.Parameter]]


def build_optimizer(
    model: nn.Module, choice: AdamW | Sgd | Muon, multipliers: Mapping[Kind, float] = UNSCALED
) -> torch.optim.Optimizer:
    """One optimizer over all parameters; matrices decay, embeddings and gains do not.

    Args:
        model: Its parameters' roles decide the group.
        choice: From the recipe.
        multipliers: Of the learning rate, by kind of parameter: `rate_multipliers` of the recipe.

    Returns:
        A torch optimizer, whose `state` holds tensors by parameter even where it is made of several; its rate
        is set by `set_rate`.

    >>> model = nn.Linear(2, 2, bias=False)
    >>> from allometry.architectures.modules.roles import HIDDEN, tagged
    >>> optimizer = build_optimizer(tagged(model, weight=HIDDEN), Sgd(learning_rate=0.1))
    >>> set_rate(optimizer, 0.05)
    >>> optimizer.param_groups[0]["lr"]
    0.05
    """
    roles = roles_of(model)
    weights: Weights = [(roles[name].kind, weight) for name, weight in model.named_parameters()]
    match choice:
        case AdamW():
            return _adamw(weights, choice, multipliers)
        case Sgd():
            return _sgd(weights, choice, multipliers)
        case Muon():
            return _muon(weights, choice, multipliers)


def set_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the learning rate of every group for the next step.

    Args:
        learning_rate: What the recipe's `optimizer.learning_rate` is by now; a group has a fixed multiple.
    """
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["multiplier"]


def _adamw(
    weights: Weights, choice: AdamW, multipliers: Mapping[Kind, float], share: float = 1.0
) -> torch.optim.Optimizer:
    return FusedAdamW(
        _groups(weights, choice, multipliers, share),
        lr=choice.learning_rate,
        betas=choice.betas,
        fused=True,  # one kernel per step: a third of a small model's step time is this loop otherwise
    )


def _sgd(weights: Weights, choice: Sgd, multipliers: Mapping[Kind, float]) -> torch.optim.Optimizer:
    return DecoupledSgd(
        _groups(weights, choice, multipliers),
        lr=choice.learning_rate,
        momentum=choice.momentum,
        nesterov=choice.nesterov,
        fused=True,
    )


def _muon(weights: Weights, choice: Muon, multipliers: Mapping[Kind, float]) -> torch.optim.Optimizer:
    matrices = [(kind, weight) for kind, weight in weights if kind == "hidden"]
    others = [(kind, weight) for kind, weight in weights if kind != "hidden"]
    orthogonal = torch.optim.Muon(
        _groups(matrices, choice, multipliers),
        lr=choice.learning_rate,
        momentum=choice.momentum,
        nesterov=choice.nesterov,
        adjust_lr_fn=choice.adjustment,
    )
    share = choice.others.learning_rate / choice.learning_rate
    return Joined(orthogonal, _adamw(others, choice.others, multipliers, share))


def _groups(
    weights: Weights, choice: AdamW | Sgd | Muon, multipliers: Mapping[Kind, float], share: float = 1.0
) -> list[dict[str, Any]]:
    """Parameters that have rate and decay in common.

    Args:
        share: Of the rate that `set_rate` is told.
    """
    shared: dict[tuple[float, float], list[nn.Parameter]] = {}
    for kind, weight in weights:
        decay = _decay(choice, multipliers[kind]) if kind in _DECAYED else 0.0
        shared.setdefault((multipliers[kind], decay), []).append(weight)
    return [
        {"params": params, "multiplier": multiplier * share, "weight_decay": decay}
        for (multiplier, decay), params in shared.items()
    ]


def _decay(choice: AdamW | Sgd | Muon, multiplier: float) -> float:
    """What to give an optimizer that multiplies by the group's rate: the decay per step has no multiplier."""
    decay = choice.weight_decay / multiplier
    return decay / choice.learning_rate if choice.weight_decay_convention == "independent" else decay


class FusedAdamW(torch.optim.AdamW):
    """Torch's AdamW, whose kernel is called at once where every weight has a gradient and moments.

    What torch asks before each call takes three times as long as the kernel of a small model.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Step as torch does, to the bit."""
        weights = [weight for group in self.param_groups for weight in group["params"]]
        if closure is not None or any(weight.grad is None or not self.state[weight] for weight in weights):
            begun: float | None = super().step(closure)
            return begun
        for group in self.param_groups:
            self._step_group(group)
        return None

    def _step_group(self, group: Mapping[str, Any]) -> None:
        weights: list[torch.Tensor] = group["params"]
        states = [self.state[weight] for weight in weights]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            weights,
            [weight.grad for weight in weights if weight.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )


class DecoupledSgd(torch.optim.SGD):
    """SGD whose weight decay shrinks the weights and stays out of gradient and momentum.

    Source:
        Loshchilov and Hutter 2019, algorithm 1, arXiv:1711.05101.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], **settings: Any) -> None:
        # Under another name, so that torch's own, coupled decay stays 0.
        renamed = [
            {**group, "decoupled_decay": group["weight_decay"], "weight_decay": 0.0} for group in groups
        ]
        super().__init__(renamed, **settings)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Shrink, then step; a parameter without a gradient stays as it is."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if group["decoupled_decay"] and weights:
                torch._foreach_mul_(weights, 1 - group["lr"] * group["decoupled_decay"])
        loss: float | None = super().step(closure)
        return loss


class Joined(torch.optim.Optimizer):
    """Several optimizers that step as one, each over its own parameters; groups and state are one."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        groups = [group for part in parts for group in part.param_groups]
        super().__init__(groups, {})
        self.param_groups = groups
        self.parts = parts
        for part in parts:
            part.state = self.state

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Let every part step once."""
        loss = None if closure is None else closure()
        for part in self.parts:
            part.step()
        return loss

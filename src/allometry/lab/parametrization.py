"""How weights start, by the roles that the model tags them with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from allometry.architectures.modules.roles import Role, roles_of

_SMALL = 0.02  # of embeddings and the head: the first loss is ln(vocab) within a few hundredths


@torch.no_grad()
def initialize(model: nn.Module, generator: torch.Generator) -> None:
    """Set all weights from a generator, in the order of the model's parameters.

    Random matrices keep the variance of their input.
    """
    roles = roles_of(model)
    for name, weight in model.named_parameters():
        _start(weight, roles[name], generator)


def _start(weight: Tensor, role: Role, generator: torch.Generator) -> None:
    match role.start:
        case "zeros":
            weight.zero_()
        case "ones":
            weight.fill_(1.0)
        case "random":
            small = role.kind in ("embedding", "head")
            weight.normal_(std=_SMALL if small else weight.shape[-1] ** -0.5, generator=generator)
        case "set":
            pass

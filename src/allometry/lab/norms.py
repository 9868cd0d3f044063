"""Sizes that show trouble before the loss does: of activations, gradients, weights and updates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from allometry.architectures.modules.roles import roles_of
from allometry.lab.meters import Meter, Moment

_MATRICES = ("hidden", "head", "embedding")


class NormMeter(Meter):
    """Measures the step that ends a line of the curve.

    Columns of the line: `gradient_norm` before clipping; `weight_norm` and `update_norm` of all matrices
    together and `update_ratio`, the second over the first; `activation_rms.<module>`, the root mean square
    of what the embedding, each block and the last norm put out, in the step's own forward pass.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}
        self._sizes: dict[str, Tensor] = {}
        self._hooks: list[RemovableHandle] = []

    def before(self, moment: Moment) -> None:
        """Keep the matrices, and watch the forward pass that comes."""
        self._kept = {name: weight.detach().clone() for name, weight in _matrices(moment.model)}
        self._sizes.clear()
        self._hooks = [
            module.register_forward_hook(self._watcher(name)) for name, module in _stages(moment.model)
        ]

    def after(self, moment: Moment) -> Mapping[str, float | Tensor]:
        """The values of the line."""
        for hook in self._hooks:
            hook.remove()
        weights = dict(_matrices(moment.model))
        moved = _norm([weights[name].detach() - kept for name, kept in self._kept.items()])
        size = _norm(list(self._kept.values()))
        self._kept = {}
        assert moment.gradient_norm is not None
        return {
            "gradient_norm": moment.gradient_norm,
            "weight_norm": size,
            "update_norm": moved,
            "update_ratio": moved / size,
            **{f"activation_rms.{name}": rms for name, rms in self._sizes.items()},
        }

    def _watcher(self, name: str) -> Any:
        def watch(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                self._sizes[name] = output.detach().float().square().mean().sqrt()

        return watch


def _matrices(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    roles = roles_of(model)
    yield from ((name, weight) for name, weight in model.named_parameters() if roles[name].kind in _MATRICES)


def _stages(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Embedding, blocks, last norm: the model's own parts, and those of its lists."""
    for name, module in model.named_children():
        if isinstance(module, nn.ModuleList):
            yield from ((f"{name}.{index}", block) for index, block in enumerate(module))
        elif name != "head":
            yield name, module


def _norm(tensors: list[Tensor]) -> Tensor:
    return torch.stack([tensor.float().square().sum() for tensor in tensors]).sum().sqrt()

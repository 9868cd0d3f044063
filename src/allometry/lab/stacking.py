"""Several models of one shape as one: leaf modules hold all their weights, everything between stays as it is.

The replicas' batches follow each other along the first axis. What has no weights (attention, activations,
residual sums) works row by row and does not see the difference; what has is replaced here.

Shapes in names: R replicas, B sequences of each, T tokens, D width, V vocabulary, I inputs, O outputs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from allometry.architectures.modules.language import LanguageModel
from allometry.lab.precision import EXACT, Arithmetic
from allometry.lab.steps import Batch, cross_entropies

Gradients = list[tuple[nn.Parameter, Tensor]]


@dataclass(frozen=True, slots=True)
class Made:
    """What a shared pass made for one replica.

    Attributes:
        loss: Cross-entropy in nats per token.
        norm: Of the gradients before clipping.
        gradients: By parameter, clipped.
    """

    loss: Tensor
    norm: Tensor
    gradients: Gradients


class Stacked(nn.Module):
    """A leaf whose parameters are those of several leaves, one after another along a first axis.

    The leaves' own parameters become views of the stack: an optimizer that steps one steps its replica.
    """

    def __init__(self, leaves: Sequence[nn.Module]) -> None:
        super().__init__()
        self.replicas = len(leaves)
        self.owners: dict[str, list[nn.Parameter]] = {}
        for name, _ in leaves[0].named_parameters(recurse=False):
            self.owners[name] = [leaf.get_parameter(name) for leaf in leaves]
            self.register_parameter(f"{name}_R", _shared(self.owners[name]))

    def stack(self, name: str) -> nn.Parameter | None:
        """All replicas' parameter of a name; None if the leaf has none."""
        return self.get_parameter(f"{name}_R") if name in self.owners else None

    def by_replica(self, x: Tensor) -> Tensor:
        """(R B, …) as (R, B …, last): rows of each replica."""
        return x.reshape(self.replicas, -1, x.shape[-1])


class StackedLinear(Stacked):
    """Linear layers, with the names that a linear layer has."""

    @property
    def weight(self) -> nn.Parameter:
        """Of shape (R, O, I)."""
        return self.get_parameter("weight_R")

    @property
    def bias(self) -> nn.Parameter | None:
        """Of shape (R, O)."""
        return self.stack("bias")

    def forward(self, x: Tensor) -> Tensor:
        """From (R B, …, I) to (R B, …, O)."""
        weight_ROI, bias_RO = self.weight, self.bias
        y = torch.bmm(self.by_replica(x), weight_ROI.mT)
        if bias_RO is not None:
            y = y + bias_RO.unsqueeze(1)
        return y.view(*x.shape[:-1], weight_ROI.shape[1])


class StackedEmbedding(Stacked):
    """Embeddings of token ids."""

    def forward(self, ids: Tensor) -> Tensor:
        """From (R B, T) to (R B, T, D)."""
        weight_RVD = self.get_parameter("weight_R")
        first_R = torch.arange(self.replicas, device=ids.device) * weight_RVD.shape[1]
        own = (ids.view(self.replicas, -1) + first_R.unsqueeze(1)).view(ids.shape)
        return functional.embedding(own, weight_RVD.flatten(0, 1))


class StackedNorm(Stacked):
    """Norms over the last dimensions: LayerNorm or RMSNorm without its own gain, then the replicas'."""

    def __init__(self, leaves: Sequence[nn.Module]) -> None:
        super().__init__(leaves)
        self.plain = copy.deepcopy(leaves[0])
        self.plain.register_parameter("weight", None)
        if "bias" in self.owners:
            self.plain.register_parameter("bias", None)

    def forward(self, x: Tensor) -> Tensor:
        """Of the same shape."""
        gain, bias = self.stack("weight"), self.stack("bias")
        assert gain is not None
        per_replica = (self.replicas, -1, *gain.shape[1:])
        y: Tensor = self.plain(x).view(per_replica) * gain.unsqueeze(1)
        return (y if bias is None else y + bias.unsqueeze(1)).view(x.shape)


_STACKED: dict[type[nn.Module], Callable[[Sequence[nn.Module]], Stacked]] = {
    nn.Linear: StackedLinear,
    nn.Embedding: StackedEmbedding,
    nn.LayerNorm: StackedNorm,
    nn.RMSNorm: StackedNorm,
}


def can_stack(model: LanguageModel) -> bool:
    """Whether replicas of a model can be trained as one; recurrent models and experts cannot yet.

    >>> from allometry.architectures import Transformer
    >>> can_stack(Transformer(vocab=300, context=16, width=16, layers=1, heads=1).build())
    True
    """
    kind = type(model)
    plain = (
        kind.auxiliary_loss is LanguageModel.auxiliary_loss
        and kind.after_step is LanguageModel.after_step
        and model.head.bias is None
    )
    # A second embedding is one of positions, whose matrix is read without a call.
    embeddings = [leaf for _, leaf in _leaves(model) if isinstance(leaf, nn.Embedding)]
    return plain and len(embeddings) == 1 and all(type(leaf) in _STACKED for _, leaf in _leaves(model))


@dataclass
class Stack:
    """Replicas that make their gradients in one pass.

    Attributes:
        body: The model whose leaves are stacked.
        head_RVD: The heads' matrices.
    """

    body: LanguageModel
    head_RVD: nn.Parameter
    leaves: list[Stacked] = field(default_factory=list)

    @classmethod
    def of(cls, models: Sequence[LanguageModel]) -> Stack:
        """From models of one shape for which `can_stack` holds; their parameters become views."""
        head = models[0].head.weight  # of another leaf where it is tied
        body = copy.deepcopy(models[0])
        leaves: list[Stacked] = []
        for path, leaf in _leaves(models[0]):
            leaves.append(_STACKED[type(leaf)]([model.get_submodule(path) for model in models]))
            body.set_submodule(path, leaves[-1])
        stacks = {id(own[0]): leaf.stack(name) for leaf in leaves for name, own in leaf.owners.items()}
        head_RVD = stacks[id(head)]
        assert head_RVD is not None
        return cls(body, head_RVD, leaves)

    def gradients(
        self,
        batches: Sequence[Batch],
        arithmetic: Arithmetic = EXACT,
        *,
        clips: Sequence[float] | None = None,
    ) -> list[Made]:
        """Of each replica on its own batch.

        Args:
            clips: What each replica's norm is clipped to; None for no clipping.
        """
        for parameter in self.body.parameters():
            parameter.grad = None
        with arithmetic.products():
            x_BTD = self.body.hidden(torch.cat([batch.inputs_BT for batch in batches]))
            losses_R = cross_entropies(x_BTD, self.head_RVD, batches)
        losses_R.sum().backward()  # type: ignore[no-untyped-call]
        norms_R = self._norms()
        if clips is not None:
            self._clip(norms_R, clips)
        handed = self._by_owner()
        each_loss, each_norm = losses_R.detach().unbind(0), norms_R.unbind(0)
        return [Made(*one) for one in zip(each_loss, each_norm, handed, strict=True)]

    def _norms(self) -> Tensor:
        """Of each replica's gradients, of shape (R,)."""
        by_stack = [torch.linalg.vector_norm(grad.flatten(1), dim=1) for grad in self._grads()]
        norms_R: Tensor = torch.linalg.vector_norm(torch.stack(by_stack), dim=0)
        return norms_R

    def _clip(self, norms_R: Tensor, clips: Sequence[float]) -> None:
        """As `torch.nn.utils.clip_grad_norm_` does it, for all replicas at once."""
        shares_R = (norms_R.new_tensor(clips) / (norms_R + 1e-6)).clamp_(max=1.0)
        for grad in self._grads():
            grad.mul_(shares_R.view(-1, *[1] * (grad.dim() - 1)))

    def _grads(self) -> Iterator[Tensor]:
        for leaf in self.leaves:
            for name in leaf.owners:
                grad = leaf.get_parameter(f"{name}_R").grad
                assert grad is not None
                yield grad

    def _by_owner(self) -> list[Gradients]:
        owners = [own for leaf in self.leaves for own in leaf.owners.values()]
        pairs = [
            zip(own, grad.unbind(0), strict=True) for own, grad in zip(owners, self._grads(), strict=True)
        ]
        return [list(one) for one in zip(*pairs, strict=True)]


def _leaves(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Modules with parameters of their own."""
    return [
        (path, module)
        for path, module in model.named_modules()
        if next(module.parameters(recurse=False), None) is not None
    ]


def _shared(owners: Sequence[nn.Parameter]) -> nn.Parameter:
    stack = torch.stack([owner.data for owner in owners])
    for owner, part in zip(owners, stack, strict=True):
        owner.data = part
    return nn.Parameter(stack)

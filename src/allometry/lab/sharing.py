"""A step that several processes share: their batches, their gradients, their weights.

Shapes in names: B sequences, T tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from allometry.architectures.modules.language import LanguageModel
from allometry.errors import InputError
from allometry.lab.checkpoints import state_tensors
from allometry.lab.feeding import Feed
from allometry.lab.memory import ran_out_of_memory
from allometry.lab.optimizers import build_optimizer
from allometry.lab.parametrization import rate_multipliers
from allometry.lab.steps import Batch, Loss, Objective, Stepper


@dataclass(frozen=True)
class ShareFeed:
    """This process's sequences of every batch."""

    feed: Feed
    rank: int
    processes: int

    def batch(self, step: int) -> Batch:
        """Of the whole batch, the rank-th of equal parts."""
        whole = self.feed.batch(step)
        return list(whole.split(self.processes))[self.rank]


class Pass(nn.Module):
    """One pass through the objective as a module: DistributedDataParallel averages what is behind one."""

    def __init__(self, model: LanguageModel, objective: Objective) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(
        self, inputs_BT: Tensor, targets_BT: Tensor, scored_N: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """What is minimised, and the cross-entropy."""
        loss = self.objective(self.model, Batch(inputs_BT, targets_BT, scored_N))
        return loss.minimised, loss.cross_entropy


@dataclass
class SharedStepper(Stepper):
    """Steps with gradients averaged over all processes.

    Attributes:
        joined: `Pass` over the model, wrapped or sharded.
    """

    joined: nn.Module = field(default_factory=nn.Identity)

    @classmethod
    def instead_of(cls, stepper: Stepper) -> SharedStepper:
        """Take over from a stepper, with its state."""
        joined: nn.Module = Pass(stepper.model, stepper.objective)
        if not isinstance(stepper.model, FSDPModule):
            joined = DistributedDataParallel(joined)
        settings = {one.name: getattr(stepper, one.name) for one in fields(Stepper) if one.init}
        return cls(**settings, joined=joined)

    def _fitting_gradients(self, batch: Batch) -> Tensor:
        try:
            return self._gradients(batch)
        except RuntimeError as error:
            if not ran_out_of_memory(error):
                raise
            # The others wait for this share whole: it cannot be split here alone.
            raise InputError(
                f"Process {dist.get_rank()} of {dist.get_world_size()} has no memory left for its "
                f"{len(batch.inputs_BT)} sequences; take more processes, or a smaller batch_tokens."
            ) from error

    def _gradients(self, batch: Batch) -> Tensor:
        with self.arithmetic.weights(self.model):
            with self.arithmetic.products():
                loss = Loss(*self.joined(batch.inputs_BT, batch.targets_BT, batch.scored_N))
            scale = self.loss_scale.scale if self.loss_scale else 1.0
            (loss.minimised * scale).backward()  # type: ignore[no-untyped-call]
        mean = loss.cross_entropy.clone()
        dist.all_reduce(mean)
        return mean / dist.get_world_size()


def shard(stepper: Stepper) -> None:
    """Give this process its share of weights and optimizer state, with what they hold by now."""
    model = stepper.model
    state = {name: dict(stepper.optimizer.state[weight]) for name, weight in model.named_parameters()}
    for block in getattr(model, "blocks", ()):
        fully_shard(block)
    fully_shard(model, reshard_after_forward=False)  # the head is read behind the forward pass
    register_fsdp_forward_method(model, "hidden")
    recipe = stepper.recipe
    stepper.optimizer = build_optimizer(model, recipe.optimizer, rate_multipliers(recipe))
    for name, weight in model.named_parameters():
        assert isinstance(weight, DTensor)
        own = {kind: _share_of(value, weight) for kind, value in state[name].items()}
        if own:
            stepper.optimizer.state[weight] = own


def _share_of(value: Tensor, weight: DTensor) -> Tensor:
    if value.shape != weight.shape:
        return value  # a count of steps
    return distribute_tensor(value, weight.device_mesh, weight.placements)


def whole_state(model: LanguageModel, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """As `state_tensors`, put together from all processes' shares; all must ask for it."""
    reshard(model)
    return {
        name: tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        for name, tensor in state_tensors(model, optimizer).items()
    }


def reshard(model: nn.Module) -> None:
    """A pass without backward leaves the root's weights gathered; the optimizer steps shares."""
    if isinstance(model, FSDPModule):
        model.reshard()

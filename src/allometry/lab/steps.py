"""One optimizer step: what is minimised, in how many parts, and the update that follows.

Shapes in names: B sequences, T tokens, D width, V vocabulary, N scored positions of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from allometry.architectures.modules.language import LanguageModel
from allometry.errors import InputError
from allometry.lab.losses import head_loss, head_losses
from allometry.lab.memory import ran_out_of_memory
from allometry.lab.optimizers import set_rate
from allometry.lab.precision import EXACT, Arithmetic, LossScale, overflowed
from allometry.lab.schedules import rate_at
from allometry.recipe import Recipe

NOT_SCORED = -1  # a target that costs nothing: the prompt of a task


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs and targets of one step, on the device.

    Attributes:
        inputs_BT: Token ids.
        targets_BT: What each position must predict; `NOT_SCORED` where nothing is asked.
        scored_N: Flat places of the targets that count; None for all. Found on the host, where the batch is
            made, because the device would have to be waited for.
    """

    inputs_BT: Tensor
    targets_BT: Tensor
    scored_N: Tensor | None = None

    @classmethod
    def of_windows(cls, ids_BT: Tensor) -> Batch:
        """Every token is predicted from those before it; windows of shape (B, context + 1).

        >>> Batch.of_windows(torch.tensor([[5, 6, 7]])).targets_BT.tolist()
        [[6, 7]]
        """
        return cls(ids_BT[:, :-1], ids_BT[:, 1:])

    @classmethod
    def of_targets(cls, inputs_BT: Tensor, targets_BT: Tensor, device: torch.device) -> Batch:
        """Some positions are not scored. Both are on the host; the batch is on the device.

        >>> ids = torch.tensor([[5, 6, 7]])
        >>> Batch.of_targets(ids, torch.tensor([[-1, -1, 8]]), torch.device("cpu")).scored
        1
        """
        parts = (inputs_BT, targets_BT, _places(targets_BT))
        return cls(*(part.to(device, non_blocking=True) for part in parts))

    @property
    def scored(self) -> int:
        """Positions that count."""
        return self.targets_BT.numel() if self.scored_N is None else self.scored_N.numel()

    def split(self, parts: int) -> Iterator[Batch]:
        """The same sequences in so many parts, fewer if there are fewer sequences."""
        if parts == 1:
            yield self
            return
        for inputs_BT, targets_BT in zip(
            self.inputs_BT.chunk(parts), self.targets_BT.chunk(parts), strict=True
        ):
            yield Batch(inputs_BT, targets_BT, None if self.scored_N is None else _places(targets_BT))


def _places(targets_BT: Tensor) -> Tensor:
    return (targets_BT.flatten() != NOT_SCORED).nonzero().flatten()


@dataclass(frozen=True, slots=True)
class Loss:
    """What one pass through a batch, or a part of it, cost.

    Attributes:
        minimised: Scalar whose gradient is taken; may hold more than the cross-entropy.
        cross_entropy: Mean over the scored positions in nats per token, without a graph: the curve shows it.
    """

    minimised: Tensor
    cross_entropy: Tensor


class Objective(Protocol):
    """What a run minimises: a mean over the scored positions of a batch."""

    def __call__(self, model: LanguageModel, batch: Batch) -> Loss:
        """Pass a batch through the model."""
        ...


def next_token(model: LanguageModel, batch: Batch) -> Loss:
    """Cross-entropy of the next token, and what the model's last pass adds to it, as a balance of experts."""
    return next_token_of(model, model.hidden(batch.inputs_BT), batch)


def next_token_of(model: LanguageModel, x_BTD: Tensor, batch: Batch) -> Loss:
    """The same from the activations that the model's last pass left for the head."""
    loss = cross_entropy(*model.logit_factors(x_BTD), batch)
    extra = model.auxiliary_loss()
    return Loss(loss if extra is None else loss + extra, loss.detach())


def cross_entropy(x_BTD: Tensor, head_VD: Tensor, batch: Batch) -> Tensor:
    """Mean cross-entropy over the scored positions, in nats per token.

    Under autocast the head's products are taken in its precision, though the last norm may be in fp32.
    """
    targets_BT = batch.targets_BT
    if batch.scored_N is not None:  # as one long sequence
        x_BTD = x_BTD.flatten(0, 1).index_select(0, batch.scored_N).unsqueeze(0)
        targets_BT = targets_BT.flatten().index_select(0, batch.scored_N).unsqueeze(0)
    return head_loss(_in_autocast(x_BTD), head_VD, targets_BT)


def cross_entropies(x_BTD: Tensor, head_RVD: Tensor, batches: Sequence[Batch]) -> Tensor:
    """The same of each of R models, whose sequences follow each other in x; every position is scored.

    Returns:
        Of shape (R,).
    """
    targets_RN = torch.stack([batch.targets_BT.flatten() for batch in batches])
    x_RND = x_BTD.reshape(*targets_RN.shape, -1)
    return head_losses(_in_autocast(x_RND), head_RVD, targets_RN)


def _in_autocast(x: Tensor) -> Tensor:
    device = x.device.type
    return x.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else x


def gradients(
    model: LanguageModel,
    batch: Batch,
    *,
    objective: Objective = next_token,
    arithmetic: Arithmetic = EXACT,
    parts: int = 1,
    scale: float = 1.0,
) -> Tensor:
    """Add the gradients of the mean loss of a batch to the parameters' `grad`.

    Args:
        objective: What is minimised.
        arithmetic: How the passes compute; forward and backward see the same rounded weights.
        parts: Passes that the batch is split into. Each counts by its scored positions, so the sum is the
            gradient of the whole batch up to rounding; a loss that is no mean over positions, such as the
            balance of experts, is then the mean over the parts.
        scale: What the gradients are multiplied by; the cross-entropy is not.

    Returns:
        The cross-entropy in nats per scored token, a scalar on the device.
    """
    costs: list[Tensor] = []
    with arithmetic.weights(model):
        for part in batch.split(parts):
            if part.scored:
                with arithmetic.products():
                    loss = objective(model, part)
                share = part.scored / batch.scored
                _times(loss.minimised, share * scale).backward()  # type: ignore[no-untyped-call]
                costs.append(_times(loss.cross_entropy, share))
    return costs[0] if len(costs) == 1 else torch.stack(costs).sum()


def _times(loss: Tensor, share: float) -> Tensor:
    return loss if share == 1.0 else loss * share  # a kernel less where the batch is whole


@dataclass
class Stepper:
    """Turns batches into updates; the only place that does.

    Attributes:
        objective: What is minimised.
        arithmetic: How the passes compute.
        loss_scale: Of fp16; a step whose gradient overflows is left out.
        parts: Passes a batch is split into; doubled when memory runs out, never lowered again.
        gradient_norm: Of the last step, before clipping, on the device; None before the first.
    """

    recipe: Recipe
    model: LanguageModel
    optimizer: torch.optim.Optimizer
    objective: Objective = next_token
    arithmetic: Arithmetic = EXACT
    loss_scale: LossScale | None = None
    parts: int = 1
    gradient_norm: Tensor | None = field(default=None, init=False)

    def take(self, step: int, batch: Batch) -> Tensor:
        """One update; `step` counts from 0. Only a loss scale makes the device be waited for.

        Returns:
            The cross-entropy before the update, in nats per scored token, on the device.

        Raises:
            InputError: If not even one sequence fits the memory.
        """
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._fitting_gradients(batch)
        if self.loss_scale:
            self.loss_scale.unscale(self.model.parameters())
        self.gradient_norm = self._clipped()
        set_rate(self.optimizer, self.recipe.optimizer.learning_rate * rate_at(self.recipe, step))
        if self._is_taken(self.gradient_norm):
            self.optimizer.step()
            self.model.after_step()
        return loss

    def _is_taken(self, gradient_norm: Tensor) -> bool:
        if self.loss_scale is None:
            return True
        overflow = overflowed(gradient_norm)
        self.loss_scale.note(overflow=overflow)
        return not overflow

    def notes(self) -> dict[str, Any]:
        """State for the checkpoint, as JSON values."""
        return {"parts": self.parts, "loss_scale": self.loss_scale and asdict(self.loss_scale)}

    def take_up(self, notes: Mapping[str, Any]) -> None:
        """Go on from the notes of a checkpoint."""
        self.parts = notes.get("parts", self.parts)
        if self.loss_scale and notes.get("loss_scale"):
            self.loss_scale = LossScale(**notes["loss_scale"])

    def _clipped(self) -> Tensor:
        """Clip the gradients; their norm before."""
        return nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.optimizer.clip)

    def _fitting_gradients(self, batch: Batch) -> Tensor:
        while True:
            try:
                return gradients(
                    self.model,
                    batch,
                    objective=self.objective,
                    arithmetic=self.arithmetic,
                    parts=self.parts,
                    scale=self.loss_scale.scale if self.loss_scale else 1.0,
                )
            except RuntimeError as error:
                if not ran_out_of_memory(error):
                    raise
                # The graph hangs on the exception: memory is free only when it is handled.
                self.parts = _more_parts(self.parts, batch)
            self.optimizer.zero_grad(set_to_none=True)
            if batch.inputs_BT.is_cuda:
                torch.cuda.empty_cache()


def _more_parts(parts: int, batch: Batch) -> int:
    sequences, length = batch.inputs_BT.shape
    if parts >= sequences:
        raise InputError(
            f"A single sequence of {length} tokens does not fit the memory of {batch.inputs_BT.device}; "
            f"take a shorter context or a smaller model."
        )
    return min(2 * parts, sequences)

"""Learning from a teacher's predictions next to the text.

Shapes in names: B sequences, T tokens, D width, V vocabulary, N scored positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from allometry.architectures.modules.language import LanguageModel
from allometry.lab.steps import Batch, Loss, next_token_of


@dataclass(frozen=True)
class Distillation:
    """What a student minimises: (1 - share) * cross-entropy + share * temperature^2 * KL(teacher || student).

    Attributes:
        teacher: A finished model, never changed.
        temperature: What the logits of both are divided by.
        share: Of the teacher's term.

    Source:
        Hinton et al. 2015, section 2, arXiv:1503.02531.
    """

    teacher: LanguageModel
    temperature: float
    share: float

    def __call__(self, model: LanguageModel, batch: Batch) -> Loss:
        """Pass a batch through both models."""
        x_BTD = model.hidden(batch.inputs_BT)
        alone = next_token_of(model, x_BTD, batch)
        with torch.no_grad():
            teacher_NV = _scored(self.teacher(batch.inputs_BT), batch)
        student_NV = _scored(model.head(x_BTD), batch)
        softened = divergence(teacher_NV, student_NV, self.temperature)
        return Loss((1 - self.share) * alone.minimised + self.share * softened, alone.cross_entropy)


def divergence(teacher_NV: Tensor, student_NV: Tensor, temperature: float) -> Tensor:
    """temperature^2 * KL(teacher || student) of the softened distributions, mean over positions, in nats."""
    targets_NV = functional.log_softmax(teacher_NV.float() / temperature, dim=-1)
    guesses_NV = functional.log_softmax(student_NV.float() / temperature, dim=-1)
    return temperature**2 * functional.kl_div(guesses_NV, targets_NV, reduction="batchmean", log_target=True)


def _scored(logits_BTV: Tensor, batch: Batch) -> Tensor:
    logits_NV = logits_BTV.flatten(0, 1)
    return logits_NV if batch.scored_N is None else logits_NV.index_select(0, batch.scored_N)

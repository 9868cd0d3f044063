"""What a model makes of problems: its probabilities of answers, and answers drawn from it.

Shapes in names: n problems, P tokens of a prompt, A tokens of an answer, V vocabulary.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from allometry.lab.tasks.problems import Problems
from allometry.lab.tasks.scores import Values

Ids = npt.NDArray[np.int64]
_SEQUENCES = 256  # per forward pass


@torch.no_grad()
def answer_log_probs(model: nn.Module, problems: Problems, device: torch.device | str = "cpu") -> Values:
    """Log probability of every token at every place of the answer, the right ones standing before it.

    Returns:
        Nats, shape (n, A, V).
    """
    length = problems.answers.shape[1]
    tokens = problems.tokens[:, :-1]
    logits = [model(part.to(device))[:, -length:].float() for part in _parts(tokens)]
    found: Values = torch.cat(logits).log_softmax(dim=-1).double().cpu().numpy()
    return found


@torch.no_grad()
def draw_answers(
    model: nn.Module,
    prompts: Ids,
    tokens: int,
    *,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Ids:
    """Let a model write answers token by token.

    Args:
        prompts: Token ids, shape (n, P).
        tokens: Length A of the answers.
        temperature: 0 takes the most probable token, 1 draws from the model's distribution.
        generator: Of the draws, on the CPU, so that they are the same on every device; needed unless
            the temperature is 0.

    Returns:
        Shape (n, A).
    """
    written = [_written(model, part.to(device), tokens, temperature, generator) for part in _parts(prompts)]
    answers: Ids = torch.cat(written).cpu().numpy()
    return answers


def _parts(tokens: Ids) -> list[Tensor]:
    return [
        torch.from_numpy(tokens[start : start + _SEQUENCES]) for start in range(0, len(tokens), _SEQUENCES)
    ]


def _written(
    model: nn.Module, text: Tensor, tokens: int, temperature: float, generator: torch.Generator | None
) -> Tensor:
    prompt_length = text.shape[1]
    for _ in range(tokens):
        logits = model(text)[:, -1].float().cpu()
        following = (
            logits.argmax(dim=-1, keepdim=True)
            if temperature == 0
            else torch.multinomial((logits / temperature).softmax(dim=-1), 1, generator=generator)
        )
        text = torch.cat((text, following.to(text.device)), dim=1)
    return text[:, prompt_length:]

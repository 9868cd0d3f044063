"""The torch module of the state-space language model.

Shapes in names: B sequences, T tokens, D width, E inner width, H heads, P inner dimensions of a head, G
groups of heads, N state dimensions, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from allometry.architectures.modules.language import LanguageModel, TiedHead, untied_head
from allometry.architectures.modules.roles import BIAS, GAIN, HIDDEN, RESIDUAL, Role, tagged
from allometry.architectures.modules.scan import chunked_scan

if TYPE_CHECKING:
    from allometry.architectures.state_space.shape import StateSpace

_RATES = (1.0, 16.0)  # of decay per unit of time at the start: evenly spaced
_STEPS = (1e-3, 1e-1)  # of time per token at the start: evenly spaced in the logarithm
_EPSILON = 1e-5
_SET = Role(kind="vector", start="set")
_KERNEL = Role(kind="vector", start="random")


class Convolution(nn.Module):
    """Causal depthwise convolution over the last few tokens, then SiLU."""

    def __init__(self, channels: int, *, kernel: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(channels, kernel))
        self.bias = nn.Parameter(torch.zeros(channels))
        tagged(self, kernel=_KERNEL, bias=BIAS)

    def forward(self, x_BTE: Tensor) -> Tensor:
        """Mix every token with the few before it, channel by channel."""
        length, taps = x_BTE.shape[1], self.kernel.shape[1]
        before = functional.pad(x_BTE, (0, 0, taps - 1, 0))
        mixed: Tensor = self.bias
        for tap in range(taps):  # faster than a grouped convolution, which CPUs and small GPUs do slowly
            mixed = torch.addcmul(mixed, before[:, tap : tap + length], self.kernel[:, tap])
        return functional.silu(mixed)


class Recurrence(nn.Module):
    """Each head's state decays at its own rate, over time that every token sets the step of."""

    def __init__(self, shape: StateSpace) -> None:
        super().__init__()
        self.chunk, self.groups, self.state_width = shape.chunk, shape.state_groups, shape.state_width
        spread = (torch.arange(shape.heads) + 0.5) / shape.heads
        low, high = torch.tensor(_RATES)
        self.log_rate = nn.Parameter((low + (high - low) * spread).log())
        first, last = torch.tensor(_STEPS).log()
        step = (first + (last - first) * spread).exp()
        self.step_bias = nn.Parameter(step.expm1().log())  # softplus of it is the step
        self.skip = nn.Parameter(torch.ones(shape.heads))
        tagged(self, log_rate=_SET, step_bias=_SET, skip=GAIN)

    def forward(self, x_BTHP: Tensor, states_BTS: Tensor, steps_BTH: Tensor) -> Tensor:
        """Write x into the states and read them, all of one step in time a token.

        Args:
            x_BTHP: What is written.
            states_BTS: Where it is written and where read, 2 * G * N dimensions.
            steps_BTH: Of time, before bias and softplus.
        """
        write_BTGN, read_BTGN = torch.unflatten(states_BTS, -1, (2, self.groups, self.state_width)).unbind(2)
        step_BTH = functional.softplus(steps_BTH.float() + self.step_bias)
        log_decay_BTH = -step_BTH * self.log_rate.exp()
        written_BTHP = x_BTHP * step_BTH.unsqueeze(-1).to(x_BTHP.dtype)
        y_BTHP = chunked_scan(written_BTHP, log_decay_BTH, write_BTGN, read_BTGN, chunk=self.chunk)
        return y_BTHP + x_BTHP * self.skip.unsqueeze(-1)


class Block(nn.Module):
    """Pre-norm residual block: project, convolve, scan, gate and norm, project back."""

    def __init__(self, shape: StateSpace) -> None:
        super().__init__()
        inner, convolved, heads = shape.inner_width, shape.convolved_width, shape.heads
        self.parts = (inner, convolved, heads)
        self.head_width, self.state_groups = shape.head_width, shape.state_groups
        self.norm = _norm(shape.width)
        self.into = tagged(nn.Linear(shape.width, sum(self.parts), bias=False), weight=HIDDEN)
        self.convolution = Convolution(convolved, kernel=shape.kernel)
        self.recurrence = Recurrence(shape)
        self.gated_norm = _norm(inner)
        self.out = tagged(nn.Linear(inner, shape.width, bias=False), weight=RESIDUAL)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Add what the scan finds."""
        gate_BTE, convolved_BTC, steps_BTH = self.into(self.norm(x_BTD)).split(self.parts, dim=-1)
        inner = gate_BTE.shape[-1]
        x_BTE, states_BTS = self.convolution(convolved_BTC).split(
            (inner, convolved_BTC.shape[-1] - inner), -1
        )
        y_BTHP = self.recurrence(x_BTE.unflatten(-1, (-1, self.head_width)), states_BTS, steps_BTH)
        gated: Tensor = self.out(self.gated_norm(y_BTHP.flatten(2) * functional.silu(gate_BTE)))
        return x_BTD + gated


class StateSpaceModel(LanguageModel):
    """Embedding, blocks, a last norm, a head."""

    def __init__(self, shape: StateSpace) -> None:
        super().__init__(vocab=shape.vocab, width=shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = _norm(shape.width)
        self.head = TiedHead(self.token) if shape.tied else untied_head(vocab=shape.vocab, width=shape.width)

    def features(self, tokens_BT: Tensor) -> Tensor:
        """Final normalised activations of shape (B, T, D)."""
        x_BTD: Tensor = self.token(tokens_BT)
        for block in self.blocks:
            x_BTD = block(x_BTD)
        normed: Tensor = self.norm(x_BTD)
        return normed


def _norm(width: int) -> nn.RMSNorm:
    return tagged(nn.RMSNorm(width, eps=_EPSILON), weight=GAIN)

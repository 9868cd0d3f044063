"""A linear recurrence whose states decay by one number a token, computed in chunks by matrix products.

Shapes in names: B sequences, T tokens, C chunks of Q tokens, H heads in G groups of R, P inner dimensions of
a head, N state dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def chunked_scan(
    x_BTHP: Tensor, log_decay_BTH: Tensor, write_BTGN: Tensor, read_BTGN: Tensor, *, chunk: int
) -> Tensor:
    """Outputs y_t = S_t read_t of the states S_t = decay_t S_(t-1) + x_t write_t^T, from S = 0.

    Args:
        x_BTHP: What the heads write.
        log_decay_BTH: Logarithm of each head's decay per token, at most 0.
        write_BTGN: Where in their states the heads of a group write it; B of the paper.
        read_BTGN: Where they read; C of the paper.
        chunk: Tokens computed at once; any number gives the same outputs.

    Returns:
        Shape (B, T, H, P).

    Source:
        Dao and Gu 2024, section 6, arXiv:2405.21060.
    """
    length, groups = x_BTHP.shape[1], write_BTGN.shape[2]
    chunk = min(chunk, length)
    x_BCGRPQ = torch.unflatten(_chunked(x_BTHP, chunk), 3, (groups, -1)).permute(0, 1, 3, 4, 5, 2)
    log_decay_BCGRQ = torch.unflatten(_chunked(log_decay_BTH, chunk), 3, (groups, -1)).permute(0, 1, 3, 4, 2)
    write_BCGQN, read_BCGQN = (_chunked(one, chunk).transpose(2, 3) for one in (write_BTGN, read_BTGN))
    decay_BCGRQQ = decays_between(log_decay_BCGRQ)
    scores_BCGQQ = read_BCGQN @ write_BCGQN.mT
    y_BCGRPQ = x_BCGRPQ @ (scores_BCGQQ.unsqueeze(3) * decay_BCGRQQ).mT
    if y_BCGRPQ.shape[1] > 1:
        left_BCGRPQ = (x_BCGRPQ * decay_BCGRQQ[..., -1:, :])[:, :-1]
        states = _states_between(left_BCGRPQ, write_BCGQN[:, :-1], log_decay_BCGRQ[:, :-1].sum(-1))
        earlier = _read(states, read_BCGQN[:, 1:]) * log_decay_BCGRQ[:, 1:].cumsum(-1).exp().unsqueeze(-2)
        y_BCGRPQ = torch.cat((y_BCGRPQ[:, :1], y_BCGRPQ[:, 1:] + earlier), dim=1)
    return y_BCGRPQ.permute(0, 1, 5, 2, 3, 4).flatten(3, 4).flatten(1, 2)[:, :length]


def decays_between(log_decay: Tensor) -> Tensor:
    """How much of what was written at s is left at t: exp of the sum of log decays over s < r <= t.

    Each sum is made of its own terms: as the difference of two running sums it would lose its digits after
    a strong decay.

    Args:
        log_decay: Logarithm of the decay per step, at most 0, shape (..., T).

    Returns:
        Shape (..., T, T), t by s; 0 where s is after t.

    >>> decays_between(torch.tensor([0.5, 0.25, 0.5]).log())
    tensor([[1.0000, 0.0000, 0.0000],
            [0.2500, 1.0000, 0.0000],
            [0.1250, 0.5000, 1.0000]])
    """
    length = log_decay.shape[-1]
    later = torch.ones(length, length, dtype=torch.bool, device=log_decay.device).tril(-1)
    terms = log_decay.unsqueeze(-1).expand(*log_decay.shape, length).masked_fill(~later, 0)
    return terms.cumsum(dim=-2).exp().tril()


def _chunked(x_BT: Tensor, chunk: int) -> Tensor:
    """Split the tokens, zeros after the last: nothing written, nothing decayed."""
    missing = -x_BT.shape[1] % chunk
    padded = functional.pad(x_BT, (0, 0) * (x_BT.ndim - 2) + (0, missing)) if missing else x_BT
    return torch.unflatten(padded, 1, (-1, chunk))


def _states_between(left_BCGRPQ: Tensor, write_BCGQN: Tensor, log_decay_BCGR: Tensor) -> Tensor:
    """States after each chunk, of shape (B, C, G, R, P, N), from what of its tokens is left at its end."""
    own_BCGRPN = torch.unflatten(left_BCGRPQ.flatten(3, 4) @ write_BCGQN, 3, left_BCGRPQ.shape[3:5])
    decay_BGRCC = decays_between(log_decay_BCGR.movedim(1, -1))
    states_BGRCS = decay_BGRCC @ own_BCGRPN.flatten(4, 5).movedim(1, -2)
    return torch.unflatten(states_BGRCS.movedim(-2, 1), -1, own_BCGRPN.shape[-2:])


def _read(states_BCGRPN: Tensor, read_BCGQN: Tensor) -> Tensor:
    read_BCGSQ = states_BCGRPN.flatten(3, 4) @ read_BCGQN.mT
    return torch.unflatten(read_BCGSQ, 3, states_BCGRPN.shape[3:5])

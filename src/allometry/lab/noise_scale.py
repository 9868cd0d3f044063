"""The gradient noise scale: how many tokens a batch needs before more of them stop helping."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import stdtrit  # Student's t, in a fifth of the time that scipy.stats takes to load
from torch import Tensor, nn

from allometry.errors import InputError
from allometry.lab.evaluations import is_evaluated
from allometry.lab.meters import Meter, Moment

Gram = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class NoiseScale:
    """Signal and noise of the gradient at one point of a training.

    Attributes:
        gradient_squared: Squared length of the true gradient, estimated without bias; noise can make it
            negative.
        variance_tokens: Trace of the covariance of a batch's gradient times the tokens of the batch. The
            tokens of one sequence are drawn together, so this is that of whole sequences.
        critical_batch_tokens: Their ratio, the simple noise scale: near it, twice the batch saves clearly
            less than half of the steps. Infinite where the gradient cannot be told from noise.
        low, high: Its interval at `level`, by leaving out one part of the batch at a time; high is
            infinite where some of the parts do without a gradient.
        parts: Parts of the batch it was estimated from.
    """

    gradient_squared: float
    variance_tokens: float
    critical_batch_tokens: float
    low: float
    high: float
    level: float
    parts: int


def noise_scale(
    model: nn.Module,
    loss: Callable[[nn.Module, Tensor], Tensor],
    sequences: Tensor,
    *,
    parts: int = 16,
    level: float = 0.9,
) -> NoiseScale:
    """Estimate the noise scale from one large batch cut into parts.

    The mean product of two different parts' gradients is the squared true gradient; that of a part with
    itself has the part's noise on top. With two sizes of batch, a part and the whole, this is the estimator
    of McCandlish et al. 2018. Nothing of the model changes; memory is `parts` times the parameters.

    Args:
        loss: Mean loss of the model on some sequences.
        sequences: Token ids, shape (n, context + 1); n is cut to a multiple of the parts.
        parts: At least 3; more give a narrower interval and need as many backward passes.

    Raises:
        InputError: If there are fewer sequences than parts, or fewer parts than 3.

    Source:
        McCandlish et al. 2018, arXiv:1812.06162, eq. 2.9 and appendix A.1.
    """
    if parts < 3 or len(sequences) < parts:
        raise InputError(
            f"A noise scale needs at least 3 parts and a sequence for each, not {parts} parts of "
            f"{len(sequences)} sequences; give a larger batch."
        )
    each = len(sequences) // parts
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    losses = (loss(model, part) for part in sequences[: parts * each].split(each))  # type: ignore[no-untyped-call]
    gradients = torch.stack([_flat(torch.autograd.grad(one, weights, allow_unused=True)) for one in losses])
    tokens = each * (sequences.shape[1] - 1)
    return from_products(_products(gradients), part_tokens=tokens, level=level)


def _products(gradients: Tensor) -> Gram:
    found: Gram = (gradients @ gradients.T).double().cpu().numpy()
    return found


def _flat(gradients: Sequence[Tensor | None]) -> Tensor:
    return torch.cat([gradient.flatten() for gradient in gradients if gradient is not None])


def from_products(products: Gram, *, part_tokens: int, level: float = 0.9) -> NoiseScale:
    """The noise scale from the inner products of the gradients of equal parts of a batch.

    Args:
        products: Of each pair of parts, shape (parts, parts).
        part_tokens: Tokens in a part.

    >>> found = from_products(np.array([[3.0, 1, 1], [1, 3, 1], [1, 1, 3]]), part_tokens=10)
    >>> found.gradient_squared, found.variance_tokens, found.critical_batch_tokens
    (1.0, 20.0, 20.0)
    """
    parts = len(products)
    squared, noise = _moments(products)
    left_out = [_moments(np.delete(np.delete(products, k, 0), k, 1)) for k in range(parts)]
    ratios = np.array(
        [part_tokens * noise / squared if squared > 0 else math.inf for squared, noise in left_out]
    )
    scale = part_tokens * noise / squared if squared > 0 else math.inf
    low, high = _interval(scale, ratios, level)
    return NoiseScale(
        gradient_squared=squared,
        variance_tokens=part_tokens * noise,
        critical_batch_tokens=scale,
        low=low,
        high=high,
        level=level,
        parts=parts,
    )


def _moments(products: Gram) -> tuple[float, float]:
    """Squared true gradient, and the variance of a part's gradient."""
    parts = len(products)
    own = float(np.trace(products)) / parts
    squared = (float(products.sum()) - parts * own) / (parts * (parts - 1))
    return squared, own - squared


def _interval(scale: float, left_out: npt.NDArray[np.float64], level: float) -> tuple[float, float]:
    """By the jackknife on the logarithm, which keeps both ends positive."""
    if not math.isfinite(scale) or not np.isfinite(left_out).all():
        return float(np.min(left_out)) if np.isfinite(left_out).any() else 0.0, math.inf
    logs = np.log(left_out)
    parts = len(logs)
    error = math.sqrt((parts - 1) / parts * float(((logs - logs.mean()) ** 2).sum()))
    reach = float(stdtrit(parts - 1, (1 + level) / 2)) * error
    return scale * math.exp(-reach), scale * math.exp(reach)


class NoiseScaleMeter(Meter):
    """Measures the noise scale at log-spaced steps, from the batch of the step cut into parts.

    Columns of the line: `critical_batch_tokens`, and its ends at 90% with `_low` and `_high` behind; left out
    where the gradient cannot be told from noise. The last that was found is a column of the run.

    Args:
        per_doubling: Measurements while the steps double.
        parts: Of the batch, at most; each costs a backward pass. A batch of less than three sequences is
            not measured.
    """

    def __init__(self, per_doubling: int = 1, parts: int = 16) -> None:
        self._per_doubling, self._parts = per_doubling, parts
        self._last: dict[str, float] = {}
        self._line: dict[str, float] = {}

    def before(self, moment: Moment) -> None:
        """Measure, if this line of the curve is one of those."""
        self._line = {}
        parts = min(self._parts, len(moment.batch.inputs_BT))
        if parts >= 3 and is_evaluated(moment.step + 1, self._per_doubling):
            self._line = _columns(_of_batch(moment, parts))
            self._last = self._line or self._last

    def after(self, moment: Moment) -> Mapping[str, float | Tensor]:
        """The values of the line."""
        return self._line

    def totals(self) -> Mapping[str, Any]:
        """The last that was found."""
        return self._last

    def notes(self) -> Mapping[str, Any]:
        """The last that was found."""
        return self._last

    def take_up(self, notes: Mapping[str, Any]) -> None:
        """Go on from what an earlier sitting found."""
        self._last = dict(notes)


def _of_batch(moment: Moment, parts: int) -> NoiseScale:
    batch = moment.batch
    weights = [weight for weight in moment.model.parameters() if weight.requires_grad]
    losses = (moment.objective(moment.model, part).minimised for part in batch.split(parts))
    gradients = torch.stack([_flat(torch.autograd.grad(one, weights, allow_unused=True)) for one in losses])
    return from_products(_products(gradients), part_tokens=batch.targets_BT.numel() // len(gradients))


def _columns(found: NoiseScale) -> dict[str, float]:
    if not math.isfinite(found.critical_batch_tokens):
        return {}
    ends = {"": found.critical_batch_tokens, "_low": found.low, "_high": found.high}
    return {f"critical_batch_tokens{end}": value for end, value in ends.items() if math.isfinite(value)}

"""Does the score itself seem to jump: how much more a bend explains than a steady rise in log scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from allometry.capabilities.emergence.bends import Measured

Array = npt.NDArray[np.float64]

FOR_A_JUMP = 6.0  # chi-square, over the dispersion, that the bend must explain beyond the line
_PLACES = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Jump:
    """Whether the score bends upwards.

    Attributes:
        gain: Chi-square of the best rise in log scale that is straight or flattens, less that of the best one
            with an upward bend before it, over the dispersion.
        at: Scale of the upward bend.
    """

    gain: float
    at: float

    @property
    def seen(self) -> bool:
        """Whether a reader of the plot would call it a jump."""
        return self.gain > FOR_A_JUMP


def emergence_score(scores: npt.ArrayLike) -> float:
    """How much of a task's rise comes in few steps: larger is more sudden.

    sgn(argmax y - argmin y) · (max y - min y) / sqrt(median of the squared steps), over scores in the order
    of scale. A steady rise in k steps has k; noise in flat scores is divided by itself. It is inf where more
    than half of the steps are zero, and zero where all are.

    Source:
        Srivastava et al. 2022, appendix B (breakthroughness beside linearity), arXiv:2206.04615; in the form
        of Schaeffer et al. 2023, section 4, arXiv:2304.15004.

    >>> emergence_score([0.0, 0.1, 0.2, 0.3]).__round__(6)
    3.0
    >>> emergence_score([0.0, 0.01, 0.0, 0.01, 0.9]).__round__(6)
    90.0
    """
    values = np.asarray(scores, dtype=np.float64)
    rise = float(np.ptp(values))
    if not rise:
        return 0.0
    step = float(np.sqrt(np.median(np.diff(values) ** 2)))
    sign = float(np.sign(int(values.argmax()) - int(values.argmin())))
    return sign * rise / step if step else sign * float("inf")


def find_jump(data: Measured) -> Jump:
    """Weighted least squares of the score on log scale: a rise that may flatten, with and without a bend."""
    t = data.t
    near = (data.share * data.counts + 0.5) / (data.counts + 1)
    root = np.sqrt(data.counts / (near * (1 - near)))
    knots = np.linspace(t[0], t[-1], _PLACES + 2)[1:-1]
    ramps = np.maximum(t - knots[:, None], 0)
    first, last = np.triu_indices(_PLACES, k=1)
    plain = _least(_designs(t, ramps), data.share, root, bend_up=False)
    bent = _least(_designs(t, ramps[first], ramps[last]), data.share, root, bend_up=True)
    spread = max(data.dispersion, float(bent.min()) / max(len(t) - 5, 1), 1e-12)
    gain = max(0.0, float(plain.min() - bent.min())) / spread
    return Jump(gain=gain, at=float(np.exp(knots[first[bent.argmin()]] + np.log(data.x).mean())))


def _designs(t: Array, *ramps: Array) -> Array:
    """One, log scale, and what each bend adds; shape (G, n, K)."""
    parts = [np.broadcast_to(one, ramps[0].shape) for one in (np.ones_like(t), t)]
    return np.stack([*parts, *ramps], axis=2)


def _least(designs: Array, y: Array, root: Array, *, bend_up: bool) -> Array:
    """Weighted squares left over by each design; inf where the bends do not turn as asked."""
    scaled, target = designs * root[:, None], y * root
    normal = np.einsum("gnk,gnl->gkl", scaled, scaled)
    size = np.trace(normal, axis1=1, axis2=2)[:, None, None]
    moments = np.einsum("gnk,n->gk", scaled, target)[..., None]
    coefficients = np.linalg.solve(normal + 1e-10 * size * np.eye(normal.shape[1]), moments)[..., 0]
    left = ((target - np.einsum("gnk,gk->gn", scaled, coefficients)) ** 2).sum(axis=1)
    if bend_up:
        return np.where((coefficients[:, 2] > 0), left, np.inf)
    # A turn upwards here is no flattening: the straight line, which has none, takes its place.
    line = (target - scaled[0, :, :2] @ np.linalg.lstsq(scaled[0, :, :2], target, rcond=None)[0]) ** 2
    return np.asarray(np.where(coefficients[:, 2] <= 0, left, line.sum()))

"""What compute is worth with better recipes, how far it is from a target, and when growth closes the gap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from allometry.fitting.result import Estimate, Fit
from allometry.planning.basis import basis_of
from allometry.planning.effective_compute import Arrival, Pace, compute_gap, effective_flops, pace, time_to
from allometry.planning.published import PublishedFit
from allometry.planning.quantities import Quantity, stated
from allometry.units import show_power

ALGORITHMS = pace("algorithms", 8, 5, 14, "Ho et al. 2024, arXiv:2403.05812, 2012 to 2023, 95%")
"""How fast the recipes of language models grew better: the compute for a loss halved in so many months."""


@dataclass(frozen=True, kw_only=True)
class EffectiveCompute:
    """Compute, what it is worth, and how far a target is from it.

    Attributes:
        flops: Compute that is there.
        gains: Efficiency of its recipe over the reference.
        effective: FLOP of the reference recipe that it is worth.
        loss: The target.
        gap: How many times the effective compute the target takes by the law.
        arrival: When growth closes the gap; None where nothing is missing.
        law: What the gap was read from.
    """

    flops: Quantity
    gains: tuple[Quantity, ...]
    effective: Quantity
    loss: float
    gap: Quantity
    arrival: Arrival | None
    law: str

    @property
    def doublings(self) -> Estimate:
        """Of effective compute that the target takes; below zero where it is in reach."""
        low, value, high = (math.log2(end) for end in (self.gap.low, self.gap.value, self.gap.high))
        return Estimate(value=value, low=low, high=high, unit="1")

    def summary(self) -> str:
        """The effective compute, the gap and the arrival in plain words."""
        return "\n".join(_sentences(self))


def effective_compute(
    fit: Fit | PublishedFit | str,
    *,
    flops: float | Estimate,
    loss: float,
    gains: Sequence[Quantity] = (),
    paces: Sequence[Pace] = (ALGORITHMS,),
    level: float = 0.9,
) -> EffectiveCompute:
    """What compute is worth with better recipes, how far a loss is from it, and when it is in reach.

    Args:
        fit: A fit of a floor plus a power of params plus a power of tokens, a published one, or its name: the
            reference recipe is that of its runs.
        flops: Compute that is there, of one training run.
        gains: Efficiency of the recipe that will be used over the reference; see `gain_of`.
        paces: What grows from now on; see `pace` and `pace_of`. Algorithms alone, if not given.
        level: Share the ranges are meant to contain.

    Raises:
        InputError: If the loss is not above the floor, a number is not above zero, or nothing grows.
        FitError: If the law has another shape.

    >>> found = effective_compute("besiroglu_2024", flops=1e24, loss=1.9)
    >>> print(f"{found.gap.value:.3g} times, {found.doublings.value:.2g} doublings")
    20.4 times, 4.4 doublings
    """
    basis = basis_of(fit)
    effective = effective_flops(flops, *gains)
    missing = compute_gap(basis.surface(), loss=loss, flops=effective, level=level)
    return EffectiveCompute(
        flops=stated(flops, "FLOP", "training compute"),
        gains=tuple(gains),
        effective=effective,
        loss=loss,
        gap=missing,
        arrival=time_to(missing, *paces) if missing.value > 1 else None,
        law=f"{basis.law.name} on {basis.source}",
    )


def _sentences(found: EffectiveCompute) -> list[str]:
    gains = [f"  times {one.show()}: {one.origin}" for one in found.gains]
    worth = f" = {found.effective.show(show_power)} of the reference recipe" if gains else ""
    head = [f"{found.flops.show(show_power)}{worth}", *gains, f"A loss of {found.loss:g}, by {found.law}:"]
    if found.arrival is None:
        return [*head, f"  {found.gap.show()} times as much is needed, which is there"]
    return [*head, f"  {found.arrival.summary()}"]

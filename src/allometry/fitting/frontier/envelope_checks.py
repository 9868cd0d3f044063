"""What can be wrong with approach 1: each check finds nothing or says it in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.checks.definition import note, warning, worst_first
from allometry.fitting.frontier.checks import not_6nd, sensitive
from allometry.fitting.result import Finding

if TYPE_CHECKING:
    from allometry.fitting.frontier.envelope import EnvelopeFit

Array = NDArray[np.float64]

SIZES_FOR_FRONTIER = 5  # below this each size decides


def envelope_findings(found: EnvelopeFit, counts: tuple[Array, Array, Array]) -> list[Finding]:
    """All checks, worst first.

    Args:
        counts: flops, params and tokens of all rows.
    """
    own = (finding for check in _CHECKS for finding in check(found))
    return worst_first([*own, *not_6nd([counts])])


def _undecayed(found: EnvelopeFit) -> Iterator[Finding]:
    if found.from_curves:
        yield warning(
            "undecayed_points",
            "The points come from within training curves, where the learning rate was still set for "
            "the curve's own end: a run planned to end there would have a lower loss, by more the longer the "
            "curve goes on.",
            "Prefer final runs of several horizons a size, with their schedules finished.",
        )


def _edges(found: EnvelopeFit) -> Iterator[Finding]:
    lost = found.places - len(found.points)
    if lost:
        yield (note if lost < found.places / 2 else warning)(
            "edge_of_sizes",
            f"At {lost} of {found.places} places of compute the best run is the smallest or largest "
            "there, so the best size may lie beyond; they are not used.",
            "Add smaller sizes at low compute and larger ones at high compute.",
            {"at_edge": lost, "places": found.places},
        )


def _few_sizes(found: EnvelopeFit) -> Iterator[Finding]:
    sizes = found.points["params"].nunique()
    if sizes < SIZES_FOR_FRONTIER:
        yield warning(
            "few_sizes",
            f"The frontier goes through {sizes} sizes, in steps: the exponent is that of the steps.",
            f"Train {SIZES_FOR_FRONTIER} or more sizes over the same range of compute.",
            {"sizes": sizes},
        )


def _one_run(found: EnvelopeFit) -> Iterator[Finding]:
    yield from sensitive(
        found,
        "run",
        "one_run_decides",
        "The exponent of params is {here}; {change} alone it is {there}.",
        "Look at that run; repeat it with another seed, or add runs near it.",
    )


def _lowest(found: EnvelopeFit) -> Iterator[Finding]:
    yield note(
        "least_of_noisy",
        "The least of many noisy losses is too low, more so where more runs compete; and a resample "
        "can lose the best run but never find a better one, so intervals of an envelope are rough.",
        "Compare with approaches 2 and 3: disagreement({...}, flops=...).",
    )


_CHECKS = (_undecayed, _edges, _few_sizes, _one_run, _lowest)

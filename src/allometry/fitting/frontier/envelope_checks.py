"""What can be wrong with approach 1: each check finds nothing or says it in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.frontier.checks import SENSITIVE, not_6nd, worst_first
from allometry.fitting.result import Finding, Severity

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
        yield Finding(
            code="undecayed_points",
            severity=Severity.WARNING,
            sentence="The points come from within training curves, where the learning rate was still set for "
            "the curve's own end: a run planned to end there would have a lower loss, by more the longer the "
            "curve goes on.",
            remedy="Prefer final runs of several horizons a size, with their schedules finished.",
        )


def _edges(found: EnvelopeFit) -> Iterator[Finding]:
    lost = found.places - len(found.points)
    if lost:
        yield Finding(
            code="edge_of_sizes",
            severity=Severity.NOTE if lost < found.places / 2 else Severity.WARNING,
            sentence=f"At {lost} of {found.places} places of compute the best run is the smallest or largest "
            "there, so the best size may lie beyond; they are not used.",
            evidence={"at_edge": lost, "places": found.places},
            remedy="Add smaller sizes at low compute and larger ones at high compute.",
        )


def _few_sizes(found: EnvelopeFit) -> Iterator[Finding]:
    sizes = found.points["params"].nunique()
    if sizes < SIZES_FOR_FRONTIER:
        yield Finding(
            code="few_sizes",
            severity=Severity.WARNING,
            sentence=f"The frontier goes through {sizes} sizes, in steps: the exponent is that of the steps.",
            evidence={"sizes": sizes},
            remedy=f"Train {SIZES_FOR_FRONTIER} or more sizes over the same range of compute.",
        )


def _one_run(found: EnvelopeFit) -> Iterator[Finding]:
    rows = found.sensitivity[found.sensitivity["kind"] == "run"].dropna(subset=["params_exponent"])
    exponents = rows["params_exponent"].to_numpy(dtype=np.float64)
    moves = np.abs(exponents - found.params_law.exponent)
    if moves.size and moves.max() > SENSITIVE:
        place = int(moves.argmax())
        yield Finding(
            code="one_run_decides",
            severity=Severity.WARNING,
            sentence=f"The exponent of params is {found.params_law.exponent:.3f}; "
            f"{rows['change'].iloc[place]} alone it is {exponents[place]:.3f}.",
            evidence={"change": str(rows["change"].iloc[place]), "exponent": float(exponents[place])},
            remedy="Look at that run; repeat it with another seed, or add runs near it.",
        )


def _lowest(found: EnvelopeFit) -> Iterator[Finding]:
    yield Finding(
        code="least_of_noisy",
        severity=Severity.NOTE,
        sentence="The least of many noisy losses is too low, more so where more runs compete; and a resample "
        "can lose the best run but never find a better one, so intervals of an envelope are rough.",
        remedy="Compare with approaches 2 and 3: disagreement({...}, flops=...).",
    )


_CHECKS = (_undecayed, _edges, _few_sizes, _one_run, _lowest)

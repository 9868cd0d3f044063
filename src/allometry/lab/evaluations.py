"""Held-out losses along the curve of a run, at steps that are evenly spaced in the logarithm."""

from __future__ import annotations

import math

from allometry.lab.curve import LOG_STEPS


def is_evaluated(step: int, per_doubling: int) -> bool:
    """Whether the held-out loss is measured after so many steps.

    The steps are the lines of the curve nearest to whole parts of a doubling, the first line included. They
    do not depend on how long the run is, so that a branch has the points of its trunk.

    Args:
        per_doubling: Points a doubling of the steps; 0 for none.

    >>> [step for step in range(1, 300) if is_evaluated(step, per_doubling=1)]
    [8, 16, 32, 64, 128, 256]
    >>> [step for step in range(1, 100) if is_evaluated(step, per_doubling=2)]
    [8, 16, 24, 32, 48, 64, 88]
    """
    if not per_doubling or not step or step % LOG_STEPS:
        return False
    line = step // LOG_STEPS
    nearest = round(per_doubling * math.log2(line))
    return any(round(2 ** (part / per_doubling)) == line for part in (nearest - 1, nearest, nearest + 1))

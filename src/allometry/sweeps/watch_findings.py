"""What `watch` says of a run or a rung that is off, with what to do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.result import Finding, Severity
from allometry.sweeps.alarms import LOOKS
from allometry.units import show_count


def off_words(off_by: NDArray[np.float64], off: NDArray[np.bool_]) -> str:
    """How far off a run was at the first look that found it so.

    Args:
        off_by: Log loss less the expected one, at each look.
        off: At which looks it is outside its band.

    >>> off_words(np.array([0.0, 0.1, 0.3]), np.array([False, True, True]))
    'off forecast: 10.5% above after 25% of its tokens'
    """
    first = int(np.flatnonzero(off)[0])
    by = float(np.expm1(off_by[first]))
    where = "above" if by > 0 else "below"
    return f"off forecast: {abs(by):.1%} {where} after {(first + 1) / LOOKS:.0%} of its tokens"


def off_forecast(run_id: str, said: str) -> Finding:
    """A run outside its band."""
    return Finding(
        code="off_forecast",
        severity=Severity.WARNING,
        sentence=f"Run {run_id} is {said}.",
        remedy="Compare its recipe, data and rate with those of the runs the law was fitted to.",
    )


def rises(run_id: str, above: float, allowed: float) -> Finding:
    """A curve that has risen, in nat/token."""
    return Finding(
        code="rises",
        severity=Severity.WARNING,
        sentence=f"Run {run_id} has risen {above:.2g} nat above its best; scatter explains {allowed:.2g}.",
        evidence={"above": above, "allowed": allowed},
        remedy="It may diverge: a lower learning rate or a longer warmup is the usual cure.",
    )


def diverged(run_id: str, reason: str) -> Finding:
    """A run that was ended as diverged."""
    return Finding(
        code="diverged",
        severity=Severity.SERIOUS,
        sentence=f"Run {run_id} diverged: {reason}.",
        remedy="It is kept and left out of fits; lower the rate of that size.",
    )


def rung_off(params: float, size: float, allowed: float) -> Finding:
    """A size whose runs lie off the law; size and allowed on the scale of the fit."""
    return Finding(
        code="rung_off",
        severity=Severity.WARNING,
        sentence=f"The runs of {show_count(params)} parameters lie {size:+.2%} off the law; the scatter of "
        f"the other sizes explains {allowed:.2%}.",
        evidence={"params": params, "size": size, "allowed": allowed},
        remedy="Look at their learning rate, or fit without them and see how the forecast moves.",
    )

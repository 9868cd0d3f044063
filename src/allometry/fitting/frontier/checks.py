"""What approaches 1 and 2 check alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.allocation import FLOPS_PER_PARAMETER_TOKEN
from allometry.fitting.result import Finding, Severity

Array = NDArray[np.float64]

SENSITIVE = 0.02  # of an exponent: a factor 1.1 of the best size two decades on, 1.6 ten decades on
NOT_6ND = 0.05  # relative difference of flops from 6 · params · tokens


def not_6nd(counts: Iterable[tuple[Array, Array, Array]]) -> Iterator[Finding]:
    """Whether compute is counted otherwise than 6 · params · tokens.

    Args:
        counts: flops, params and tokens, in any number of parts.
    """
    parts = [flops / (FLOPS_PER_PARAMETER_TOKEN * params * tokens) for flops, params, tokens in counts]
    ratio = np.concatenate(parts)
    low, high = float(ratio.min()), float(ratio.max())
    if max(high, 1 / low) - 1 <= NOT_6ND:
        return
    yield Finding(
        code="flops_not_6nd",
        severity=Severity.NOTE if high / low - 1 <= NOT_6ND else Severity.WARNING,
        sentence=f"The table's flops are {low:.2f} to {high:.2f} times 6 · params · tokens. The best tokens "
        "here follow the table's compute"
        + ("." if high / low - 1 <= NOT_6ND else ", and the exponents depend on this count."),
        evidence={"low": low, "high": high},
        remedy="Name the convention with every number; refit with inputs={'flops': ...} or other params to "
        "see what it changes.",
    )


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sorted by severity."""
    order = [Severity.SERIOUS, Severity.WARNING, Severity.NOTE]
    return sorted(findings, key=lambda finding: order.index(finding.severity))

"""What approaches 1 and 2 check alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.allocation import FLOPS_PER_PARAMETER_TOKEN
from allometry.fitting.checks.definition import note, warning
from allometry.fitting.frontier.definition import Frontier
from allometry.fitting.result import Finding

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
    steady = high / low - 1 <= NOT_6ND
    yield (note if steady else warning)(
        "flops_not_6nd",
        f"The table's flops are {low:.2f} to {high:.2f} times 6 · params · tokens. The best tokens here "
        f"follow the table's compute{'.' if steady else ', and the exponents depend on this count.'}",
        "Name the convention with every number; refit with inputs={'flops': ...} or other params to "
        "see what it changes.",
        {"low": low, "high": high},
    )


def moving_most(found: Frontier, kind: str) -> tuple[str, float, float]:
    """The change of one kind that moves the params exponent most: its words, the exponent, the move."""
    here = found.params_law.exponent
    rows = found.sensitivity[found.sensitivity["kind"] == kind].dropna(subset=["params_exponent"])
    exponents = rows["params_exponent"].to_numpy(dtype=np.float64)
    if not exponents.size:
        return "", here, 0.0
    place = int(np.argmax(np.abs(exponents - here)))
    return str(rows["change"].iloc[place]), float(exponents[place]), float(exponents[place]) - here


def sensitive(found: Frontier, kind: str, code: str, sentence: str, remedy: str) -> Iterator[Finding]:
    """A warning if a change of one kind moves the params exponent by more than `SENSITIVE`.

    Args:
        sentence: What it says, with {here} and {there} for the two exponents and {change} for what changed.
    """
    change, there, move = moving_most(found, kind)
    if abs(move) > SENSITIVE:
        said = sentence.format(here=f"{found.params_law.exponent:.3f}", there=f"{there:.3f}", change=change)
        yield warning(code, said, remedy, {"change": change, "exponent": there})

"""Sample efficiency in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from allometry.fitting.result import Finding, Severity
from allometry.trends.trend_words import trend_words
from allometry.units import show_count

if TYPE_CHECKING:
    from allometry.trends.sample_efficiency import SampleEfficiency

_FAR = 3.0  # times the most tokens measured from which it is said


def summarise(made: SampleEfficiency) -> str:
    """One line a recipe, the trend, what was declined."""
    lines = [f"Tokens to a {made.output} of {made.target:g} ({100 * made.level:g}% interval):"]
    lines += [f"  {recipe_words(row, made.reference)}" for row in made.table.to_dict("records")]
    lines += [f"  {name}: none. {why}" for name, why in made.declined.items()]
    return "\n".join(lines + ([trend_words(made.trend)] if made.trend is not None else []))


def efficiency_findings(made: SampleEfficiency) -> Iterator[Finding]:
    """Which recipes are read off far beyond their runs."""
    far = made.table[np.isfinite(made.table["beyond"]) & (made.table["beyond"] > _FAR)]
    if len(far):
        names = ", ".join(far["recipe"])
        yield Finding(
            code="beyond_runs",
            severity=Severity.WARNING,
            sentence=f"The target lies more than {_FAR:g} times beyond the longest run of {names}.",
            evidence={str(row["recipe"]): float(row["beyond"]) for row in far.to_dict("records")},
            remedy="Train longer, or choose a target nearer to the runs.",
        )


def recipe_words(row: dict[Any, Any], reference: str) -> str:
    """One recipe in one line."""
    said = f"{row['recipe']}: {_tokens(row['tokens'])} ({_tokens(row['low'])} to {_tokens(row['high'])})"
    if row["recipe"] != reference and np.isfinite(row["multiplier"]):
        high = row["multiplier_high"]
        ends = f"{row['multiplier_low']:.2g} to {f'{high:.2g}' if np.isfinite(high) else 'any number'}"
        said += f", {row['multiplier']:.2g} times as efficient as {reference} ({ends})"
    if row["never"] >= 0.005:
        said += f"; in {row['never']:.0%} of the draws never: the floor lies above"
    if np.isfinite(row["beyond"]) and row["beyond"] > _FAR:
        said += f"; {row['beyond']:.0f} times beyond its longest run"
    return said + "."


def _tokens(value: float) -> str:
    return show_count(value) if np.isfinite(value) else "never"

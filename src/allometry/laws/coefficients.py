"""Coefficients that many laws share: a floor, a scale, an exponent."""

from __future__ import annotations

from allometry.laws.definition import Coefficient

# An exponent of exactly 0 turns its term into a second floor; beyond 3 the term is a step.
EXPONENT_BOUNDS = (1e-4, 3.0)


def floor(
    meaning: str, *, typical: float, name: str = "E", unit: str = "nat/token", high: float = 3.0
) -> Coefficient:
    """What is left when everything else is unlimited; zero at the least."""
    # Not as a logarithm: runs that show no floor push E to 0 itself, and log E would run away for ever.
    return Coefficient(
        name=name,
        meaning=meaning,
        unit=unit,
        low=0.03 * high,
        high=high,
        positive=False,
        bounds=(0, 1e9),
        typical=typical,
    )


def scale(name: str, meaning: str, unit: str, *, typical: float) -> Coefficient:
    """The size of a term, above zero, over many orders of magnitude."""
    return Coefficient(
        name=name, meaning=meaning, unit=unit, low=1e-2, high=1e6, bounds=(1e-30, 1e60), typical=typical
    )


def exponent(name: str, meaning: str, *, typical: float) -> Coefficient:
    """How fast a term falls with its input."""
    # Not as a logarithm: log A and alpha trade off along a straight line, log A and log alpha along a curve.
    return Coefficient(
        name=name,
        meaning=meaning,
        unit="1",
        low=0.03,
        high=1.5,
        positive=False,
        bounds=EXPONENT_BOUNDS,
        typical=typical,
    )

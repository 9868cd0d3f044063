"""Functions that a law's formula may use besides arithmetic: they take SymPy symbols.

SymPy takes longer to import than all the rest of the package, so that it is imported on the first call.
"""

from __future__ import annotations

from typing import Any


def exp(x: Any) -> Any:
    """e to the power of x."""
    import sympy

    return sympy.exp(x)


def log(x: Any) -> Any:
    """The natural logarithm."""
    import sympy

    return sympy.log(x)


def logistic(x: Any) -> Any:
    """1 / (1 + exp(-x)): from 0 to 1, one half at zero.

    Written by the hyperbolic tangent, which does not overflow.
    """
    import sympy

    return (1 + sympy.tanh(x / 2)) / 2


def largest(x: Any, y: Any) -> Any:
    """The larger of two; its derivative jumps where they are equal."""
    import sympy

    return sympy.Piecewise((x, x > y), (y, True))


def least(x: Any, y: Any) -> Any:
    """The smaller of two; its derivative jumps where they are equal."""
    import sympy

    return sympy.Piecewise((x, x < y), (y, True))

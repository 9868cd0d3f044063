"""Functions that a law's formula may use besides arithmetic: they take SymPy symbols.

SymPy takes longer to import than all the rest of the package, so that it is imported on the first call.
"""

from __future__ import annotations

from functools import cache
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
    return -least(-x, -y)


def least(x: Any, y: Any) -> Any:
    """The smaller of two; its derivative jumps where they are equal.

    >>> import sympy
    >>> x, y = sympy.symbols("x y")
    >>> least(x, y)
    min(x, y)
    """
    return _minimum()(x, y)


@cache
def _minimum() -> Any:
    """The smaller of two as one function: SymPy is ten times slower with cases inside cases."""
    import sympy

    class Below(sympy.Function):  # type: ignore[misc]  # sympy has no types
        is_real = True

        def fdiff(self, argindex: int = 1) -> Any:
            return sympy.S.Zero

        def _numpycode(self, printer: Any) -> str:
            return f"(1.0 * less({', '.join(map(printer.doprint, self.args))}))"

    class Minimum(sympy.Function):  # type: ignore[misc]
        is_real = True

        def fdiff(self, argindex: int = 1) -> Any:
            below = Below(*self.args)
            return below if argindex == 1 else 1 - below

        def _numpycode(self, printer: Any) -> str:
            return f"minimum({', '.join(map(printer.doprint, self.args))})"

        def _sympystr(self, printer: Any) -> str:
            return f"min({', '.join(map(printer.doprint, self.args))})"

        def _latex(self, printer: Any, exp: Any = None) -> str:
            power = "" if exp is None else f"^{{{exp}}}"
            return rf"\min{power}\left({', '.join(map(printer.doprint, self.args))}\right)"

    return Minimum

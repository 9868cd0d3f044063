"""Laws in which what size and data leave undone adds up."""

from __future__ import annotations

from typing import Any

from allometry.laws.definition import Coefficient, law

# An exponent of exactly 0 turns its term into a second floor; beyond 3 the term is a step.
_EXPONENT_BOUNDS = (1e-4, 3.0)


def _floor(meaning: str) -> Coefficient:
    # Not as a logarithm: runs that show no floor push E to 0 itself, and log E would run away for ever.
    return Coefficient(
        name="E", meaning=meaning, unit="nat/token", low=0.1, high=3.0, positive=False, bounds=(0, 1e9)
    )


def _scale(name: str, meaning: str, unit: str) -> Coefficient:
    return Coefficient(name=name, meaning=meaning, unit=unit, low=1e-2, high=1e6, bounds=(1e-30, 1e60))


def _exponent(name: str, meaning: str) -> Coefficient:
    # Not as a logarithm: log A and alpha trade off along a straight line, log A and log alpha along a curve.
    return Coefficient(
        name=name, meaning=meaning, unit="1", low=0.03, high=1.5, positive=False, bounds=_EXPONENT_BOUNDS
    )


def _constant(name: str, meaning: str, unit: str) -> Coefficient:
    return Coefficient(name=name, meaning=meaning, unit=unit, low=1e6, high=1e18, bounds=(1e-9, 1e60))


@law(
    reads=("params", "tokens"),
    source="Hoffmann et al. 2022, eq. 2, arXiv:2203.15556",
    coefficients=(
        _floor("irreducible loss: what no size and no data removes"),
        _scale("A", "loss owed to finite size at one parameter", "nat/token · parameter^alpha"),
        _scale("B", "loss owed to finite data at one token", "nat/token · token^beta"),
        _exponent("alpha", "how fast size pays: doubling N divides its term by 2^alpha"),
        _exponent("beta", "how fast data pays: doubling D divides its term by 2^beta"),
    ),
)
def chinchilla(N: Any, D: Any, *, E: Any, A: Any, B: Any, alpha: Any, beta: Any) -> Any:
    """Loss above a floor falls as a power of parameters plus a power of tokens.

    Gopher's 280e9 parameters on 300e9 tokens, by the published coefficients:

    >>> published = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    >>> round(float(chinchilla.evaluate({"params": 280e9, "tokens": 300e9}, published)), 3)
    1.993
    """
    return E + A / N**alpha + B / D**beta


@law(
    reads=("x",),
    source="Hestness et al. 2017, section 2, arXiv:1712.00409",
    coefficients=(
        _scale("A", "value at x = 1", "output · x^alpha"),
        _exponent("alpha", "slope in log-log: doubling x divides the value by 2^alpha"),
    ),
)
def power_law(x: Any, *, A: Any, alpha: Any) -> Any:
    """The predicted value falls as a power of one input, towards zero.

    Map the input to a column: `fit("power_law", runs, inputs={"x": "flops"})`.

    >>> float(power_law.evaluate({"x": 4.0}, {"A": 6.0, "alpha": 0.5}))
    3.0
    """
    return A / x**alpha


@law(
    reads=("x",),
    source="Henighan et al. 2020, eq. 1.1, arXiv:2010.14701",
    coefficients=(
        _floor("irreducible value: what no amount of x removes"),
        _scale("A", "value above the floor at x = 1", "output · x^alpha"),
        _exponent("alpha", "doubling x divides the value above the floor by 2^alpha"),
    ),
)
def power_law_with_floor(x: Any, *, E: Any, A: Any, alpha: Any) -> Any:
    """The predicted value falls as a power of one input, towards a floor.

    The law to use when parameters and tokens grow together, so that only compute can be told apart.

    >>> float(power_law_with_floor.evaluate({"x": 4.0}, {"E": 1.5, "A": 6.0, "alpha": 0.5}))
    4.5
    """
    return E + A / x**alpha


@law(
    reads=("params", "tokens"),
    source="Kaplan et al. 2020, eq. 1.5, arXiv:2001.08361",
    coefficients=(
        _constant("Nc", "size at which the loss of unlimited data would be 1 nat/token", "parameter"),
        _constant("Dc", "tokens at which the loss of unlimited size would be 1 nat/token", "token"),
        _exponent("aN", "slope in log-log of the loss in size alone"),
        _exponent("aD", "slope in log-log of the loss in data alone"),
    ),
)
def kaplan(N: Any, D: Any, *, Nc: Any, Dc: Any, aN: Any, aD: Any) -> Any:
    """Loss falls as a power of size or of data, whichever is short, towards zero.

    With the published coefficients, a billion non-embedding parameters on 22e9 tokens:

    >>> published = {"Nc": 6.4e13, "Dc": 1.8e13, "aN": 0.076, "aD": 0.103}
    >>> round(float(kaplan.evaluate({"params": 1e9, "tokens": 22e9}, published)), 2)
    2.37
    """
    return ((Nc / N) ** (aN / aD) + Dc / D) ** aD


# Laws are values, not functions, so the examples in their docstrings are handed to doctest by name.
__test__ = {entry.name: entry.description for entry in (chinchilla, power_law, power_law_with_floor, kaplan)}

"""Laws in which what size and data leave undone adds up."""

from __future__ import annotations

from typing import Any

from allometry.laws.coefficients import exponent, floor, scale
from allometry.laws.definition import Coefficient, law


def _constant(name: str, meaning: str, unit: str, typical: float) -> Coefficient:
    return Coefficient(
        name=name, meaning=meaning, unit=unit, low=1e6, high=1e18, bounds=(1e-9, 1e60), typical=typical
    )


@law(
    reads=("params", "tokens"),
    source="Hoffmann et al. 2022, eq. 2, arXiv:2203.15556",
    coefficients=(
        floor("irreducible loss: what no size and no data removes", typical=1.8172),
        scale(
            "A", "loss owed to finite size at one parameter", "nat/token · parameter^alpha", typical=477.84
        ),
        scale("B", "loss owed to finite data at one token", "nat/token · token^beta", typical=2143.9),
        exponent("alpha", "how fast size pays: doubling N divides its term by 2^alpha", typical=0.3473),
        exponent("beta", "how fast data pays: doubling D divides its term by 2^beta", typical=0.3672),
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
        scale("A", "value at x = 1", "output · x^alpha", typical=20.0),
        exponent("alpha", "slope in log-log: doubling x divides the value by 2^alpha", typical=0.1),
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
        floor("irreducible value: what no amount of x removes", typical=1.7),
        scale("A", "value above the floor at x = 1", "output · x^alpha", typical=60.0),
        exponent("alpha", "doubling x divides the value above the floor by 2^alpha", typical=0.25),
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
        _constant("Nc", "size at which the loss of unlimited data would be 1 nat/token", "parameter", 6.4e13),
        _constant("Dc", "tokens at which the loss of unlimited size would be 1 nat/token", "token", 1.8e13),
        exponent("aN", "slope in log-log of the loss in size alone", typical=0.076),
        exponent("aD", "slope in log-log of the loss in data alone", typical=0.103),
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

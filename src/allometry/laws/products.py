"""Products of powers of any inputs, with or without a floor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from allometry.errors import InputError
from allometry.laws.coefficients import floor, scale
from allometry.laws.definition import Coefficient, Family, Input, Law, law

_FLOOR_WORD = "floor"
_FLOOR = floor("value that no amount of any input removes", unit="output", typical=1.0)
_SCALE = scale("k", "value, above a floor if there is one, where every input is 1", "output", typical=300.0)

# The exponents that have a name of their own; any other column's is a_<column>.
_GREEK = {"params": "alpha", "tokens": "beta", "flops": "gamma"}
_SYMBOLS = {"params": "N", "tokens": "D", "flops": "C", "unique_tokens": "U"}
_TYPICAL = {"params": -0.08, "tokens": -0.1, "flops": -0.02}  # ordinary


def _power(column: str) -> Coefficient:
    return Coefficient(
        name=_GREEK.get(column, f"a_{column}"),
        meaning=f"power of {column}: doubling it multiplies the value by 2 to this, a fall if below 0",
        unit="1",
        low=-1.5,
        high=1.5,
        positive=False,
        bounds=(-10.0, 10.0),
        typical=_TYPICAL.get(column, -0.1),
    )


@law(
    reads=("params", "tokens", "flops"),
    source="Cobb and Douglas 1928; for language models Hernandez et al. 2021, eq. 1.1, arXiv:2102.01293",
    coefficients=(_SCALE, _power("params"), _power("tokens"), _power("flops")),
)
def product(N: Any, D: Any, C: Any, *, k: Any, alpha: Any, beta: Any, gamma: Any) -> Any:
    """The predicted value is a product of powers of size, data and compute: P = k·N^alpha·D^beta·C^gamma.

    A power above 0 is a rise, as of a benchmark's score; below 0 a fall, as of the loss. Where compute was
    6·N·D in all runs the three powers cannot be told apart, and two of them say all there is to say:
    `product(params, tokens)`. Any columns may stand in the brackets, and `floor` adds a floor:
    `product(params, learning_rate, floor)`.

    Doubling all three multiplies the value by 2^(alpha + beta + gamma):

    >>> powers = {"k": 300.0, "alpha": -0.5, "beta": -1.0, "gamma": 0.5}
    >>> twice = {"params": [1, 2], "tokens": [1, 2], "flops": [1, 2]}
    >>> product.evaluate(twice, powers).round(6).tolist()
    [300.0, 150.0]
    """
    return k * N**alpha * D**beta * C**gamma


_KNOWN = {one.name: one for one in product.inputs}

_MEMBER = """The predicted value is a product of powers of {columns}{above}.

>>> from allometry.laws import read_law
>>> read_law("{name}").names
{names!r}
"""


def _member(*words: str) -> Law:
    """The law of these columns, with a floor if that is one of the words."""
    columns = tuple(word for word in words if word != _FLOOR_WORD)
    _refuse(words, columns)
    floors = (_FLOOR,) if _FLOOR_WORD in words else ()
    coefficients = (*floors, _SCALE, *map(_power, columns))
    name = f"product({', '.join((*columns, _FLOOR_WORD) if floors else columns)})"
    names = tuple(one.name for one in coefficients)
    return replace(
        product,
        name=name,
        inputs=tuple(_KNOWN.get(column, Input(name=column, low=1.0, high=1e3)) for column in columns),
        symbols=tuple(_SYMBOLS.get(column, f"x_{column}") for column in columns),
        coefficients=coefficients,
        description=_MEMBER.format(
            columns=", ".join(columns), above=" above a floor" if floors else "", name=name, names=names
        ),
        function=_formula,
    )


def _formula(*inputs: Any, k: Any, E: Any = 0, **powers: Any) -> Any:
    value = k
    for factor, power in zip(inputs, powers.values(), strict=True):
        value = value * factor**power
    return E + value


def _refuse(words: tuple[str, ...], columns: tuple[str, ...]) -> None:
    if not columns or len(set(words)) < len(words):
        raise InputError(
            f"A product needs one or more different columns, not '{', '.join(words)}'; "
            "name them like product(params, tokens) or product(params, tokens, floor)."
        )
    for column in columns:
        if not column.isidentifier():
            raise InputError(
                f"'{column}' cannot name a power in a formula; rename the column with letters, digits and "
                "underscores, as in product(params, learning_rate)."
            )


PRODUCTS = Family(
    name="product", arguments="columns, and floor if there is one: params, tokens, floor", member=_member
)

__test__ = {entry.name: entry.description for entry in (product, _member("params", "width", "floor"))}

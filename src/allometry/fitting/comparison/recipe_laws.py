"""Laws in which recipes share exponents and floor, and each recipe makes more or less of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from allometry.errors import InputError
from allometry.laws import Coefficient, Input, Law
from allometry.laws.mathematics import exp

MOST_RECIPES = 6  # deriving a law takes time that doubles with each of its coefficients
_COMPUTE = ("params", "tokens", "flops")  # columns that a recipe can make more of


@dataclass(frozen=True, kw_only=True)
class RecipeLaw:
    """A law for several recipes.

    Attributes:
        law: Reads what `base` reads, and for each recipe but the reference a column that is 1 in its runs and
            0 in all others.
        efficiencies: (recipe, column) to the coefficient that is the log of how much more of that column the
            reference needs for the same result.
        shifts: (recipe, exponent of `base`) to the coefficient that is their difference; empty where
            exponents are shared.
    """

    base: Law
    law: Law
    recipes: tuple[str, ...]
    efficiencies: dict[tuple[str, str], str]
    shifts: dict[tuple[str, str], str]


def indicator(place: int) -> str:
    """The column that is 1 in the runs of one recipe.

    >>> indicator(0)
    'recipe_1'
    """
    return f"recipe_{place + 1}"


@lru_cache(maxsize=32)  # so that the derivatives of one law are found once
def recipe_law(
    base: Law, columns: tuple[str, ...], recipes: tuple[str, ...], *, own_exponents: bool = False
) -> RecipeLaw:
    """The law of a reference and some other recipes.

    Recipe j with the inputs N, D does what the reference does with N·exp(n_j), D·exp(d_j). As 6ND then grows
    by exp(n_j + d_j), so does the budget: on the compute-optimal frontier, and anywhere else, recipe j spends
    C where the reference spends C·exp(n_j + d_j). That factor is the compute multiplier. It is constant over
    all scales because exponents and floor are shared.

    Args:
        columns: What the base law's inputs stand for, in its order.
        recipes: All but the reference.
        own_exponents: Let each recipe have exponents of its own: coefficients of unit 1 differ too.

    Raises:
        InputError: If no input is one that a recipe can make more of, or there are too many recipes.

    Source:
        Effective size and data: Ho et al. 2024, section 2, arXiv:2403.05812.
    """
    scaled = _scaled(base, columns)
    if not 0 < len(recipes) <= MOST_RECIPES:
        raise InputError(
            f"Compare 2 to {MOST_RECIPES + 1} recipes at once, not {len(recipes) + 1}; "
            "leave some out with runs.where(...)."
        )
    efficiencies = {(r, c): f"{base.symbols[i]}_{j + 1}" for j, r in enumerate(recipes) for i, c in scaled}
    exponents = [c.name for c in base.coefficients if c.unit == "1"] if own_exponents else []
    shifts = {(r, e): f"{e}_{j + 1}" for j, r in enumerate(recipes) for e in exponents}
    law = replace(
        base,
        name=f"{base.name} by recipe",
        inputs=(*base.inputs, *(_zero_or_one(indicator(j)) for j in range(len(recipes)))),
        symbols=(*base.symbols, *(f"z{j + 1}" for j in range(len(recipes)))),
        coefficients=(
            *base.coefficients,
            *(_efficiency(name, *key) for key, name in efficiencies.items()),
            *(_shift(name, *key) for key, name in shifts.items()),
        ),
        source=f"{base.source}; effective inputs: Ho et al. 2024, arXiv:2403.05812",
        description=f"{base.name}, in which each recipe makes more or less of its inputs than the reference.",
        function=_formula(base, [i for i, _ in scaled], len(recipes), exponents),
    )
    return RecipeLaw(base=base, law=law, recipes=recipes, efficiencies=efficiencies, shifts=shifts)


def _scaled(base: Law, columns: Sequence[str]) -> list[tuple[int, str]]:
    """Places and columns of the inputs that a recipe can make more of."""
    found = [(place, column) for place, column in enumerate(columns) if column in _COMPUTE]
    if len(columns) == 1:
        found = [(0, columns[0])]
    if not found or {"flops", "params"} <= set(columns):
        raise InputError(
            f"Law '{base.name}' reads {', '.join(columns)}; a compute multiplier needs one that reads params "
            'and tokens, or flops alone: multiplier(runs, by=..., law="power_law_with_floor").'
        )
    return found


def _formula(base: Law, scaled: list[int], count: int, exponents: list[str]) -> Callable[..., Any]:
    width = len(base.symbols)

    def formula(*inputs: Any, **coefficients: Any) -> Any:
        x, z = list(inputs[:width]), inputs[width:]
        c = {name: coefficients[name] for name in base.names}
        for j in range(count):
            for place in scaled:
                x[place] = x[place] * exp(coefficients[f"{base.symbols[place]}_{j + 1}"] * z[j])
            for name in exponents:
                c[name] = c[name] + coefficients[f"{name}_{j + 1}"] * z[j]
        return base.function(*x, **c)

    return formula


def _zero_or_one(name: str) -> Input:
    return Input(name=name, low=0.0, high=1.0, positive=False)


def _efficiency(name: str, recipe: str, column: str) -> Coefficient:
    return Coefficient(
        name=name,
        meaning=f"log of the {column} that the reference needs where {recipe} needs one",
        unit="e-fold",
        low=-1.0,
        high=1.0,
        positive=False,
        bounds=(-12.0, 12.0),  # a factor of 160,000 either way
        typical=0.2,
    )


def _shift(name: str, recipe: str, exponent: str) -> Coefficient:
    return Coefficient(
        name=name,
        meaning=f"{exponent} of {recipe} minus that of the reference",
        unit="1",
        low=-0.1,
        high=0.1,
        positive=False,
        bounds=(-2.0, 2.0),
        typical=0.01,
    )

"""`multiplier`: how much more compute one recipe needs than another for the same result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import FitError, InputError, TableError, did_you_mean
from allometry.fitting.arguments import refuse_other_than_runs
from allometry.fitting.comparison.across import across_compute
from allometry.fitting.comparison.holdout import with_flops
from allometry.fitting.comparison.power import Precision, detectable, precision, runs_to_detect
from allometry.fitting.comparison.recipe_findings import judge, summarise, verdict
from allometry.fitting.comparison.recipe_laws import RecipeLaw, indicator, recipe_law
from allometry.fitting.noise import noise_of
from allometry.fitting.observations import finished
from allometry.fitting.result import Finding, Fit, middle
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.laws import Law, read_law
from allometry.runs.run import Runs

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Multiplier:
    """Recipes compared with shared exponents and floor, so that one number says how they differ.

    It is the answer to: how many times as much does the reference spend for the same loss? Above 1 the recipe
    is better. It holds for the runs that were made: with the tuning each recipe got, on the held-out text
    that was used, over the range of compute that both cover. It is wrong where recipes change the slope or
    the floor; `slopes` and `across` show what the runs say about the slope. A recipe whose learning rate was
    not tuned is compared with its learning rate.

    Attributes:
        by: Column that names the recipes.
        what: What is multiplied: "compute", or the one column that the law reads.
        table: One row a recipe but the reference: runs, multiplier with low and high, whether the interval
            leaves out 1 (`distinguishable`), and for a law of params and tokens the factor of each alone.
        slopes: One row a recipe and exponent: its difference from the reference's, with low and high, from a
            fit in which exponents are free. Empty where the runs cannot carry that.
        across: One row a recipe and level of compute: the multiplier with free exponents, with low and high.
        fit: The fit with shared exponents, with draws; `free` the one with free exponents.
        noise: Standard deviation of a single run, on the scale of the fit; `noise_from` says how it is known.
        precisions: Recipe to how well this design tells it from the reference.
    """

    by: str
    reference: str
    what: str
    level: float
    table: pd.DataFrame
    slopes: pd.DataFrame = field(repr=False)
    across: pd.DataFrame = field(repr=False)
    fit: Fit = field(repr=False)
    free: Fit | None = field(repr=False)
    noise: float
    noise_from: str
    precisions: Mapping[str, Precision] = field(repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> str:
        """One sentence a recipe: the multiplier, and whether it is distinguishable from no effect."""
        return verdict(self.table, self.reference, self.what, self.level)

    def minimum_detectable(self, runs: int | None = None, *, power: float = 0.8) -> float:
        """The smallest multiplier above 1 that would be seen with a probability of `power`.

        Args:
            runs: Of each recipe, spread over compute as these are; the present design if not given.

        Returns:
            That of the recipe which is hardest to tell apart.
        """
        return float(np.exp(max(self._detectable(one, runs, power) for one in self.precisions.values())))

    def runs_needed(self, effect: float, *, power: float = 0.8) -> int:
        """Runs of each recipe, spread over compute as these are, to see a multiplier of `effect`.

        "To see" is that the interval at the comparison's level leaves out 1, with a probability of `power`.
        It takes the noise as it was estimated here: with few runs that itself is known to a factor.

        Raises:
            InputError: If the effect is 1 or not above zero, or no number of runs would do.
        """
        if not effect > 0:
            raise InputError(f"An effect is a factor above zero, for example 1.1; not {effect}.")
        return max(
            runs_to_detect(one, float(np.log(effect)), self.level, power) for one in self.precisions.values()
        )

    def summary(self) -> str:
        """The verdict, what the runs could have seen, and what was found, in plain text."""
        return summarise(self)

    def _detectable(self, one: Precision, runs: int | None, power: float) -> float:
        if runs is None:
            return detectable(one.error, one.freedom, self.level, power)
        if runs < 2:
            raise InputError(f"A recipe needs 2 runs or more, not {runs}.")
        freedom = max(2 * runs - one.coefficients, 1)
        return detectable(one.error_with(runs), freedom, self.level, power)


def multiplier(
    runs: Runs,
    *,
    by: str,
    law: Law | str = "chinchilla",
    reference: str | None = None,
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
    inputs: Mapping[str, str] | None = None,
    **options: Any,
) -> Multiplier:
    """Fit one law to all recipes at once, in which each makes more or less of its inputs.

    With exponents and floor shared, recipe j at (N, D) does what the reference does at (N·exp(n), D·exp(d)),
    so that the reference spends exp(n + d) times as much compute for the same loss, at any scale. For a law
    of compute alone, L = E + A / (C·exp(m))^alpha, the multiplier is exp(m).

    Args:
        runs: Runs of two or more recipes, over ranges of compute that overlap.
        by: Column that says which recipe a run was made by.
        law: One that reads params and tokens; or one of a single input, which is flops unless `inputs` says
            otherwise. The latter is right where tokens are the same multiple of params in all runs.
        reference: Recipe to compare with; the one with most runs if not given.
        inputs: The law's input name to column, where they differ.
        options: Passed on to `fit`: objective, delta, on, weights, hold, output, starts.

    Raises:
        FitError: If there is one recipe only, or its runs cannot carry the law.

    Source:
        Effective size and data: Ho et al. 2024, section 2, arXiv:2403.05812.

    >>> flops, recipe = np.tile(np.geomspace(1e18, 1e20, 6), 2), np.repeat(["old", "new"], 6)
    >>> loss = 1.7 + 60 * (flops * np.where(recipe == "new", 1.3, 1.0)) ** -0.1
    >>> runs = Runs(pd.DataFrame({"flops": flops, "recipe": recipe, "loss": loss}))
    >>> made = multiplier(runs, by="recipe", law="power_law_with_floor", draws=10)
    >>> made.reference, round(made.table["multiplier"].item(), 3)
    ('old', 1.3)
    """
    refuse_other_than_runs(runs)
    base = read_law(law) if isinstance(law, str) else law
    mapped = dict(inputs or ({"x": "flops"} if base.reads == ("x",) else {}))
    columns = tuple(mapped.get(name, name) for name in base.reads)
    recipes = _recipes(runs, by, reference)
    table = _with_indicators(with_flops(runs)[0], by, recipes[1:])
    shared = recipe_law(base, columns, tuple(recipes[1:]))
    _refuse_thin(shared, table, by)
    made = _fitted(shared, table, mapped, draws, seed, options)
    own = recipe_law(base, columns, tuple(recipes[1:]), own_exponents=True)
    free, because = _free(own, table, mapped, draws, seed, options)
    noise = noise_of(made)
    result = Multiplier(
        by=by,
        reference=recipes[0],
        what="compute" if len(columns) > 1 or columns[0] == "flops" else columns[0],
        level=level,
        table=_table(shared, made, level),
        slopes=_slopes(own, free, level),
        across=pd.DataFrame() if free is None else across_compute(own, free, columns, level),
        fit=made,
        free=free,
        noise=noise.scale,
        noise_from=noise.found,
        precisions=_precisions(shared, made),
    )
    return replace(result, findings=judge(result, shared, own, because))


def _recipes(runs: Runs, by: str, reference: str | None) -> list[str]:
    """Names of the recipes, the reference first."""
    runs.require(by)
    missing = np.flatnonzero(runs.table[by].isna())
    if missing.size:
        raise TableError(
            f"{runs.source}: '{by}' is missing in row {missing[0] + 1}, so its recipe is not known. "
            f'Leave such rows out with runs.where("{by} IS NOT NULL", because=...).'
        )
    counts = finished(runs).table[by].astype(str).value_counts()
    names = [name for name in dict.fromkeys(runs.table[by].astype(str)) if name in counts.index]
    if len(names) < 2:
        raise FitError(
            f"'{by}' names {len(names)} recipe(s) among the runs that are done; a comparison needs two. "
            "Name another column with by=, or add runs of another recipe."
        )
    if reference is not None and reference not in names:
        raise InputError(
            f"No run has {by} '{reference}'.{did_you_mean(reference, names)} There are: {', '.join(names)}."
        )
    first = reference or max(names, key=lambda name: counts[name])
    return [first, *(name for name in names if name != first)]


def _refuse_thin(shared: RecipeLaw, runs: Runs, by: str) -> None:
    """Refuse a recipe of fewer runs than the factors that tell it from the reference."""
    counts = finished(runs).table[by].astype(str).value_counts()
    for recipe in shared.recipes:
        factors = [column for (owner, column) in shared.efficiencies if owner == recipe]
        if counts[recipe] < len(factors):
            were = "run" if counts[recipe] == 1 else "runs"
            raise FitError(
                f"'{recipe}' has {counts[recipe]} {were}, and its factors of {' and '.join(factors)} take "
                f"{len(factors)} at different sizes and tokens. Add runs of it, or ask for compute alone: "
                f'multiplier(runs, by="{by}", law="power_law_with_floor").'
            )


def _with_indicators(runs: Runs, by: str, others: list[str]) -> Runs:
    of = runs.table[by].astype(str)
    ones = {indicator(place): (of == name).astype(float) for place, name in enumerate(others)}
    return replace(runs, table=runs.table.assign(**ones))


def _fitted(
    law: RecipeLaw, runs: Runs, mapped: dict[str, str], draws: int, seed: int, options: Mapping[str, Any]
) -> Fit:
    # The range of an indicator, in decades, is infinite: nothing that a check should warn of.
    with np.errstate(divide="ignore", invalid="ignore"):
        made = fit(law.law, runs, inputs=mapped, seed=seed, **options)
    return bootstrap(made, draws=draws, seed=seed)


def _free(
    own: RecipeLaw, runs: Runs, mapped: dict[str, str], draws: int, seed: int, options: Mapping[str, Any]
) -> tuple[Fit | None, str]:
    """The fit in which exponents are free, or why there is none."""
    try:
        return _fitted(own, runs, mapped, draws, seed, options), ""
    except FitError as error:
        return None, str(error)


def _table(shared: RecipeLaw, made: Fit, level: float) -> pd.DataFrame:
    columns = list(dict.fromkeys(column for _, column in shared.efficiencies))
    rows = []
    for place, recipe in enumerate(shared.recipes):
        logs = {column: shared.efficiencies[recipe, column] for column in columns}
        row: dict[str, Any] = {
            "recipe": recipe,
            "runs": int(made.data.inputs[indicator(place)].sum()),
            **_factor("multiplier", made, list(logs.values()), level, ends=("low", "high")),
        }
        row["distinguishable"] = bool(row["low"] > 1 or row["high"] < 1)
        for column, name in logs.items() if len(logs) > 1 else ():
            row |= _factor(f"{column}_factor", made, [name], level, ends=(f"{column}_low", f"{column}_high"))
        rows.append(row)
    return pd.DataFrame(rows)


def _factor(name: str, made: Fit, logs: list[str], level: float, ends: tuple[str, str]) -> dict[str, float]:
    """A factor, the exponential of a sum of coefficients, with its interval."""
    assert made.draws is not None
    low, high = np.exp(middle(made.draws[logs].sum(axis=1).to_numpy(dtype=np.float64), level))
    value = float(np.exp(sum(made.coefficients[one] for one in logs)))
    return {name: value, ends[0]: float(low), ends[1]: float(high)}


def _slopes(own: RecipeLaw, free: Fit | None, level: float) -> pd.DataFrame:
    if free is None:
        return pd.DataFrame(columns=["recipe", "exponent", "difference", "low", "high"])
    rows = []
    for (recipe, exponent), name in own.shifts.items():
        low, high = free.interval(name, level)
        difference = free.coefficients[name]
        rows.append(
            {"recipe": recipe, "exponent": exponent, "difference": difference, "low": low, "high": high}
        )
    return pd.DataFrame(rows)


def _precisions(shared: RecipeLaw, made: Fit) -> dict[str, Precision]:
    assert made.draws is not None
    of_others = [int(made.data.inputs[indicator(place)].sum()) for place in range(len(shared.recipes))]
    reference = len(made.data) - sum(of_others)
    found = {}
    for recipe, count in zip(shared.recipes, of_others, strict=True):
        logs = [name for (owner, _), name in shared.efficiencies.items() if owner == recipe]
        draws = made.draws[logs].sum(axis=1).to_numpy(dtype=np.float64)
        freedom = max(len(made.data) - len(made.open), 1)
        found[recipe] = precision(draws, (count, reference), freedom, len(made.open))
    return found

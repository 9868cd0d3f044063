"""What a comparison of recipes amounts to, in words, and what to know before believing it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting.allocation import FLOPS_PER_PARAMETER_TOKEN
from allometry.fitting.checks.definition import note, serious, warning, worst_first
from allometry.fitting.comparison.recipe_laws import RecipeLaw, indicator
from allometry.fitting.result import Finding, Fit

if TYPE_CHECKING:
    from allometry.fitting.comparison.recipes import Multiplier

Array = NDArray[np.float64]

_OVERLAP = 0.5  # of the narrower range of compute, below which the exponent carries the comparison
_TANGLED = 0.95  # correlation of two factors' draws, from which only their product is known


def judge(made: Multiplier, shared: RecipeLaw, own: RecipeLaw, because: str) -> tuple[Finding, ...]:
    """Everything a reader should know before using the multiplier, worst first."""
    found = [
        *_ranges(made, shared),
        *_slopes(made, own),
        _free_refused(because),
        _single_seed(made.fit),
        *_tangled(made.fit, shared),
        _several(made),
        *made.fit.findings,
    ]
    return tuple(worst_first(found))


def verdict(table: pd.DataFrame, reference: str, what: str, level: float) -> str:
    """One sentence a recipe."""
    return " ".join(_sentence(row, reference, what, level) for row in table.to_dict("records"))


def summarise(made: Multiplier) -> str:
    """The comparison in plain text; `Multiplier.summary` is the front of this."""
    lines = [
        f"{made.what} multipliers by {made.by}, against '{made.reference}', exponents and floor shared",
        *(
            f"  {_sentence(row, made.reference, made.what, made.level)}"
            for row in made.table.to_dict("records")
        ),
        *(line for row in made.table.to_dict("records") for line in _split(row)),
        *(f"  {_slope(row, made.level)}" for row in made.slopes.to_dict("records")),
        f"  one run: standard deviation {made.noise:.2%} of the {made.fit.output}, from {made.noise_from}",
        f"  these runs see a multiplier of {made.minimum_detectable():.3g} in 80% of such studies",
        *(f"  {finding.severity}: {finding.sentence}" for finding in made.findings),
    ]
    return "\n".join(lines)


def _sentence(row: Mapping[Hashable, Any], reference: str, what: str, level: float) -> str:
    seen = "distinguishable" if row["distinguishable"] else "not distinguishable"
    return (
        f"For what '{row['recipe']}' reaches, '{reference}' takes {row['multiplier']:.3g} times the {what} "
        f"({level:.0%} {row['low']:.3g} to {row['high']:.3g}): {seen} from no effect."
    )


def _split(row: Mapping[Hashable, Any]) -> list[str]:
    factors = [str(name).removesuffix("_factor") for name in row if str(name).endswith("_factor")]
    said = (
        f"{row[f'{c}_factor']:.3g} in {c} ({row[f'{c}_low']:.3g} to {row[f'{c}_high']:.3g})" for c in factors
    )
    return [f"  '{row['recipe']}' split: {', '.join(said)}"] if factors else []


def _slope(row: Mapping[Hashable, Any], level: float) -> str:
    return (
        f"with free exponents, {row['exponent']} of '{row['recipe']}' differs by {row['difference']:+.3g} "
        f"({level:.0%} {row['low']:+.3g} to {row['high']:+.3g})"
    )


def _ranges(made: Multiplier, shared: RecipeLaw) -> list[Finding]:
    spent = _spent(made.fit, shared)
    of = [made.fit.data.inputs[indicator(place)] > 0 for place in range(len(shared.recipes))]
    reference = spent[~np.any(of, axis=0)]
    found = []
    for recipe, rows in zip(shared.recipes, of, strict=True):
        share = _overlap(spent[rows], reference)
        if share >= _OVERLAP:
            continue
        apart = share == 0
        found.append(
            (serious if apart else warning)(
                "ranges_apart" if apart else "ranges_overlap_little",
                f"The runs of '{recipe}' and '{made.reference}' share {share:.0%} of the narrower "
                f"range of {made.what}, so that the shared exponent carries much of the comparison.",
                "Run both recipes at the same sizes and horizons.",
                {"overlap": share},
            )
        )
    return found


def _spent(fit: Fit, shared: RecipeLaw) -> Array:
    columns = list(dict.fromkeys(column for _, column in shared.efficiencies))
    by_column = {fit.inputs[name]: values for name, values in fit.data.inputs.items()}
    values = np.prod([by_column[column] for column in columns], axis=0)
    return np.asarray(np.log(values * (FLOPS_PER_PARAMETER_TOKEN if len(columns) > 1 else 1.0)))


def _overlap(one: Array, other: Array) -> float:
    """Share of the narrower range that both cover."""
    width = min(np.ptp(one), np.ptp(other))
    both = min(one.max(), other.max()) - max(one.min(), other.min())
    if width == 0:
        return float(both >= 0)
    return float(np.clip(both / width, 0, 1))


def _slopes(made: Multiplier, own: RecipeLaw) -> list[Finding]:
    found = []
    for recipe, exponents in _differing(made, own).items():
        along = made.across[made.across["recipe"] == recipe] if len(made.across) else made.across
        found.append(
            warning(
                "slopes_differ",
                f"With free exponents, {', '.join(exponents)} of '{recipe}' differs from that of "
                f"'{made.reference}', so that no one multiplier holds at all scales{_ends(along)}.",
                "Read the multiplier across compute, and do not carry one number to a larger scale.",
                {"recipe": recipe, "exponents": ", ".join(exponents)},
            )
        )
    return found


def _differing(made: Multiplier, own: RecipeLaw) -> dict[str, list[str]]:
    """Recipe to the exponents that differ, at the level for all of them together (Bonferroni)."""
    if made.free is None:
        return {}
    level = 1 - (1 - made.level) / len(own.shifts)
    found: dict[str, list[str]] = {}
    for (recipe, exponent), name in own.shifts.items():
        low, high = made.free.interval(name, level)
        if low > 0 or high < 0:
            found.setdefault(recipe, []).append(exponent)
    return found


def _ends(along: pd.DataFrame) -> str:
    """The multiplier at both ends of the runs, as the end of a sentence."""
    if along.empty:
        return ""
    first, last = along.iloc[0], along.iloc[-1]
    return f": {first['multiplier']:.3g} at {first['x']:.2g}, {last['multiplier']:.3g} at {last['x']:.2g}"


def _free_refused(because: str) -> Finding | None:
    if not because:
        return None
    return warning(
        "slopes_not_checked",
        f"Whether the recipes share their exponents could not be checked: {because}",
        "Add runs of each recipe, at more sizes or horizons.",
    )


def _single_seed(fit: Fit) -> Finding | None:
    if len(np.unique(fit.data.settings)) < len(fit.data):
        return None
    return warning(
        "single_seed",
        "Every setting of every recipe was trained once, so what a seed does is known from the "
        "residuals only, and a recipe's luck that is shared by all its runs is not seen at all.",
        "Repeat a setting or two of each recipe with other seeds.",
        {"settings": len(fit.data)},
    )


def _tangled(fit: Fit, shared: RecipeLaw) -> list[Finding]:
    assert fit.draws is not None
    found = []
    for recipe in shared.recipes:
        names = [name for (owner, _), name in shared.efficiencies.items() if owner == recipe]
        if len(names) < 2 or not (fit.draws[names].std() > 0).all():
            continue
        together = float(fit.draws[names].corr().to_numpy()[0, 1])
        if abs(together) < _TANGLED:
            continue
        found.append(
            note(
                "split_not_determined",
                f"How the multiplier of '{recipe}' divides between params and tokens is not "
                f"determined (correlation {together:.2f} of their logs); their product is.",
                "Use the product, or add runs with few and with many tokens at the same size.",
                {"correlation": together},
            )
        )
    return found


def _several(made: Multiplier) -> Finding | None:
    others = len(made.table)
    if others < 2:
        return None
    return note(
        "several_recipes",
        f"{others} recipes are compared with one: if none had an effect, at least one would still "
        f"look distinguishable in up to {1 - made.level**others:.0%} of such studies.",
        "Ask for a higher level, or confirm the winner with runs of its own.",
        {"recipes": others},
    )

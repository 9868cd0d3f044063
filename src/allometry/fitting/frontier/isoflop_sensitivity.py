"""What approach 2's exponents hang on: single budgets, outliers, flagged runs, the curve, the grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting.frontier.definition import lines
from allometry.fitting.frontier.profile_curves import CURVES, NORMAL_MAD, PARABOLAS, values
from allometry.fitting.frontier.profiles import (
    SIZES_FOR_CURVE,
    BudgetWeights,
    Profile,
    budget_weights,
    refound,
)

OUTLIER = 3.0  # robust standard deviations from the robust parabola of its budget
_ROUNDING = 1e-9  # relative: residuals of this size are arithmetic, not runs gone wrong


def sensitivity(profiles: Sequence[Profile], weights: BudgetWeights) -> pd.DataFrame:
    """The exponents after each change, first without any.

    Returns:
        change in words; kind: "none", "budget", "rows", "curve" or "grid"; budgets and runs that are used;
        params_exponent and tokens_exponent, NaN where fewer than two budgets are left.
    """
    changes = [
        ("as fitted", "none", profiles),
        *_without_budgets(profiles),
        *_without_rows(profiles),
        *_other_curves(profiles),
        *_narrower(profiles),
    ]
    return pd.DataFrame([_row(*change, weights) for change in changes])


def narrowed(profile: Profile) -> Profile:
    """The half of a profile's runs nearest to its minimum, found again; itself where that is too few."""
    if not profile.bracketed:
        return profile
    order = np.argsort(np.abs(profile.x - np.log(profile.best)), kind="stable")
    half = refound(profile, np.sort(order[: max((len(profile) + 1) // 2, SIZES_FOR_CURVE)]))
    return half if half.sizes >= SIZES_FOR_CURVE else profile


def outliers(profile: Profile) -> NDArray[np.bool_]:
    """Runs farther than three robust standard deviations from the robust parabola of their budget."""
    if profile.sizes <= SIZES_FOR_CURVE:
        return np.zeros(len(profile), dtype=np.bool_)
    fitted = values("robust", profile.x, profile.output[None, :], profile.x)[0]
    residuals = np.abs(profile.output / fitted - 1)
    return np.asarray(residuals > max(OUTLIER * NORMAL_MAD * float(np.median(residuals)), _ROUNDING))


_Change = tuple[str, str, Sequence[Profile]]


def _without_budgets(profiles: Sequence[Profile]) -> Iterator[_Change]:
    for profile in profiles:
        if profile.bracketed:
            yield f"without {profile.name()}", "budget", [each for each in profiles if each is not profile]


def _without_rows(profiles: Sequence[Profile]) -> Iterator[_Change]:
    for what, chosen in (
        ("flagged", [profile.flagged for profile in profiles]),
        ("outlying", [outliers(profile) for profile in profiles]),
    ):
        count = sum(int(rows.sum()) for rows in chosen)
        if count:
            kept = [refound(p, np.flatnonzero(~rows)) for p, rows in zip(profiles, chosen, strict=True)]
            yield f"without {count} {what} {'run' if count == 1 else 'runs'}", "rows", kept


def _other_curves(profiles: Sequence[Profile]) -> Iterator[_Change]:
    for curve in CURVES:
        if curve != profiles[0].curve:
            yield f"{curve} curves", "curve", [refound(profile, curve=curve) for profile in profiles]


def _narrower(profiles: Sequence[Profile]) -> Iterator[_Change]:
    if profiles[0].curve in PARABOLAS:
        yield "the half of each grid nearest its minimum", "grid", [narrowed(p) for p in profiles]


def _row(change: str, kind: str, profiles: Sequence[Profile], weights: BudgetWeights) -> dict[str, object]:
    used = [profile for profile in profiles if profile.bracketed]
    exponents = _exponents(used, weights) if len(used) > 1 else (float("nan"), float("nan"))
    return {
        "change": change,
        "kind": kind,
        "budgets": len(used),
        "runs": sum(len(profile) for profile in profiles),
        "params_exponent": exponents[0],
        "tokens_exponent": exponents[1],
    }


def _exponents(used: Sequence[Profile], weights: BudgetWeights) -> tuple[float, float]:
    x = np.log([profile.flops for profile in used])
    best = np.log([(profile.best_params, profile.best_tokens) for profile in used]).T
    slopes = lines(x, best, budget_weights(used, weights))[1]
    return float(slopes[0]), float(slopes[1])

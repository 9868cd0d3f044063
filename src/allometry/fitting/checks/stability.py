"""Checks by refitting: would another run, objective, floor or way of counting say something else?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting import sensitivity
from allometry.fitting.checks.definition import Check, note, warning
from allometry.fitting.likelihood import allowed_rise
from allometry.fitting.result import Finding, Fit

Array = NDArray[np.float64]

MOVED = 0.25  # relative change of an exponent when one run is left out
FAR_AHEAD = 100.0  # times the compute of the largest run: where a floor begins to tell
SHIFTED = 0.02  # relative change of the forecast ten times ahead that matters whatever the interval is
LEAST_FLOOR = 0.02  # a floor below this share of the smallest output is no floor
WIDE = 0.15  # range of floors that the runs allow, relative to the fitted one; sound studies stay below 14%
TIED = 0.99  # correlation of draws above which two coefficients are quoted together only
_FLOORS = 81  # tried from zero to the smallest run
_WORST = 5  # runs left out together, at most,
_FEW = 0.05  # and at most this share of them: a tenth of a small table moves any fit


def _no_floor(fit: Fit) -> Finding | None:
    if "E" not in fit.open or fit.coefficients["E"] > LEAST_FLOOR * fit.data.output.min():
        return None
    return warning(
        "no_floor",
        f"The floor E is {_next_to_nothing(fit.coefficients['E'])} beside the smallest {fit.output} of "
        f"{fit.data.output.min():.4g}: these runs do not reach far enough to see one.",
        "Do not read E as the irreducible loss; hold it at a known value or add larger runs.",
        {"E": fit.coefficients["E"], "smallest": float(fit.data.output.min())},
    )


def _next_to_nothing(floor: float) -> str:
    return f"{floor:.2g}, next to nothing" if floor > 1e-6 else "zero"


def _floor_not_determined(fit: Fit) -> Finding | None:
    """The forecast under each floor that the runs do not rule out."""
    if "E" not in fit.open or len(fit.data) <= len(fit.open) or fit.objective == "lower_envelope":
        return None
    table = sensitivity.by_floor(fit, sensitivity.ahead(fit, FAR_AHEAD), points=_FLOORS)
    allowed = table[table["objective_value"] <= fit.objective_value + allowed_rise(fit)]
    low, high = float(allowed["E"].min()), float(allowed["E"].max())
    least, most = float(allowed["forecast"].min()), float(allowed["forecast"].max())
    if high - low <= WIDE * fit.coefficients["E"]:
        return None
    say = warning if low <= LEAST_FLOOR * fit.data.output.min() else note
    return say(
        "floor_not_determined",
        f"Floors E from {low:.3g} to {high:.3g} describe these runs about equally well (90%); at "
        f"{FAR_AHEAD:g} times the compute of the largest run they forecast {fit.output} from {least:.4g} to "
        f"{most:.4g}.",
        "Show the forecast as a function of E (by_floor; command line: allometry sensitivity FIT --to "
        "floor); add larger runs, or hold E at a value that you can defend.",
        {
            f"forecast if E = {floor:.3g}": float(value)
            for floor, value in table[["E", "forecast"]].to_numpy(dtype=np.float64)[:: _FLOORS // 8]
        },
    )


def _pinned(fit: Fit) -> Finding | None:
    # An exponent of zero only says that its input plays no part.
    absent = [name for name in fit.law.derivation.powers if fit.held.get(name) == 0]
    given = {name: value for name, value in fit.held.items() if name not in absent}
    if not given:
        return None
    said = " and ".join(f"{name} = {value:.4g}" for name, value in given.items())
    one = len(given) == 1
    return note(
        "pinned",
        f"{said} {'was' if one else 'were'} held, not estimated: intervals do not know that "
        f"{'it is' if one else 'they are'} uncertain.",
        "Report what was held as an assumption, and fit once with it open.",
        given,
    )


def _one_run_decides(fit: Fit) -> Finding | None:
    exponents = _exponents(fit)
    if not exponents or len(fit.data) < len(fit.open) + 2:
        return None
    table = sensitivity.influence(fit)
    moved = np.abs(table[exponents].to_numpy() / _values(fit, exponents) - 1)
    run, place = np.unravel_index(np.argmax(moved), moved.shape)
    if moved[run, place] < MOVED:
        return None
    who = fit.data.run_ids[run]
    return warning(
        "one_run_decides",
        f"Without '{who}' alone, {exponents[place]} changes by {moved[run, place]:.0%}.",
        "Look at that run; repeat it with another seed, or add runs near it. influence(fit) lists all "
        "(command line: allometry sensitivity FIT --to run).",
        {"run": who, exponents[place]: fit.coefficients[exponents[place]]},
    )


def _few_runs_decide(fit: Fit) -> Finding | None:
    exponents = _exponents(fit)
    count = min(_WORST, int(_FEW * len(fit.data)))
    if not exponents or count < 2:  # one run alone has a check of its own
        return None
    table = sensitivity.without_worst(fit, most=count)
    last = table.iloc[-1]
    moved = {name: float(last[name] / fit.coefficients[name] - 1) for name in exponents}
    name, change = max(moved.items(), key=lambda pair: abs(pair[1]))
    if abs(change) < MOVED / 2:
        return None
    return warning(
        "few_runs_decide",
        f"Without the {count} runs that lie furthest from the law, {name} is {last[name]:.3g} instead of "
        f"{fit.coefficients[name]:.3g} ({change:+.0%}).",
        "Report both; an outlier left in or out silently is the commonest reason why fits cannot be "
        "repeated.",
        moved,
    )


def _objectives_disagree(fit: Fit) -> Finding | None:
    if fit.objective == "lower_envelope":
        return None  # it is meant to lie below the others
    table = sensitivity.by_objective(fit)
    return _disagreement(
        fit,
        table,
        "objective",
        "objectives_disagree",
        "The residuals are not of one kind (outliers, misfit). Quote the spread with the forecast, or "
        "find the runs that the objectives weigh differently.",
    )


def _conventions_matter(fit: Fit) -> Finding | None:
    table = sensitivity.by_convention(fit)
    exponents = _exponents(fit)
    if len(table) < 2 or not exponents:
        return None
    values = table[exponents].to_numpy(dtype=np.float64)
    spread = values.max(axis=0) / np.maximum(values.min(axis=0), 1e-12) - 1
    place = int(np.argmax(spread))
    if spread[place] < 0.05:
        return None
    name = exponents[place]
    evidence = {str(row["convention"]): float(row[name]) for _, row in table.iterrows()}
    low, high = min(evidence, key=evidence.__getitem__), max(evidence, key=evidence.__getitem__)
    return note(
        "conventions_matter",
        f"{name} is {evidence[low]:.3g} with {low}, and {evidence[high]:.3g} with {high}.",
        "Name the convention with every exponent, and forecast in the one the target is counted in.",
        {f"{name}, {label}": value for label, value in evidence.items()},
    )


def _disagreement(fit: Fit, table: pd.DataFrame, choice: str, code: str, remedy: str) -> Finding | None:
    """A spread of forecasts over choices that is wider than the coefficients' own, or than 2%."""
    values = table["forecast"].to_numpy(dtype=np.float64)
    if not np.isfinite(values).all() or values.min() <= 0:
        return None
    spread = float(values.max() / values.min() - 1)
    if spread < max(SHIFTED, _own_width(fit)):
        return None
    low, high = int(np.argmin(values)), int(np.argmax(values))
    return warning(
        code,
        f"At ten times the compute of the largest run the forecast is {values[low]:.4g} by "
        f"{table[choice].iloc[low]} and {values[high]:.4g} by {table[choice].iloc[high]}: {spread:.1%} "
        f"apart.",
        remedy,
        {str(name): float(value) for name, value in zip(table[choice], values, strict=True)},
    )


def _own_width(fit: Fit) -> float:
    if fit.draws is None:
        return 0.0
    drawn = {name: fit.draws[name].to_numpy(dtype=np.float64) for name in fit.law.names}
    value = np.broadcast_to(fit.law.evaluate(sensitivity.ahead(fit), drawn), (len(fit.draws),))
    low, high = np.quantile(value, (0.05, 0.95))
    return float(high / low - 1) if low > 0 else 0.0


def _tied_coefficients(fit: Fit) -> Finding | None:
    if fit.draws is None:
        return None
    # A scale such as A is tied to its exponent in any unit far from the runs' own: that says nothing of them.
    names = [*_exponents(fit), *(["E"] if "E" in fit.open else [])]
    varied = [name for name in names if fit.draws[name].std() > 0]
    if len(varied) < 2:
        return None
    together = np.corrcoef(fit.draws[varied].to_numpy(dtype=np.float64).T)
    pairs = {
        f"{varied[i]} and {varied[j]}": float(together[i, j])
        for i in range(len(varied))
        for j in range(i)
        if abs(together[i, j]) > TIED
    }
    if not pairs:
        return None
    return note(
        "tied_coefficients",
        f"{', '.join(pairs)} move together over the draws (correlation above {TIED:g}): neither means "
        f"much by itself, and rounding one of them moves every prediction.",
        "Quote predictions and the optimum with their intervals; store coefficients unrounded.",
        pairs,
    )


def _exponents(fit: Fit) -> list[str]:
    return [
        c.name
        for c in fit.law.coefficients
        if c.unit == "1" and c.name in fit.open and fit.coefficients[c.name]
    ]


def _values(fit: Fit, names: list[str]) -> Array:
    return np.array([fit.coefficients[name] for name in names])


CHECKS = (
    Check(
        code="no_floor",
        looks_for=f"A floor E below {LEAST_FLOOR:.0%} of the smallest run.",
        source="Besiroglu et al. 2024, arXiv:2404.10102",
        find=_no_floor,
        quick=True,
    ),
    Check(
        code="pinned",
        looks_for="A coefficient held at a value.",
        source="Li et al. 2025, (Mis)Fitting, arXiv:2502.18969",
        find=_pinned,
        quick=True,
    ),
    Check(
        code="floor_not_determined",
        looks_for=f"Floors that the runs do not rule out at 90% over a range of more than {WIDE:.0%} of the "
        "fitted one, a warning if nearly zero is among them; shows the forecast under each.",
        source="own simulations",
        find=_floor_not_determined,
    ),
    Check(
        code="one_run_decides",
        looks_for=f"An exponent that changes by {MOVED:.0%} when one run is left out.",
        source="Li et al. 2025, (Mis)Fitting, arXiv:2502.18969",
        find=_one_run_decides,
    ),
    Check(
        code="few_runs_decide",
        looks_for=f"An exponent that changes by {MOVED / 2:.1%} without the {_WORST} worst-fitted runs, or "
        f"without {_FEW:.0%} of the runs where these are fewer.",
        source="Besiroglu et al. 2024, arXiv:2404.10102: 5 of 245 runs move beta from .367 to .453",
        find=_few_runs_decide,
    ),
    Check(
        code="objectives_disagree",
        looks_for=f"Forecasts ten times ahead that differ by {SHIFTED:.0%} or more, and more than the "
        f"draws do, over Huber, absolute and squared residuals.",
        source="McLeish et al. 2025 (Gemstones), arXiv:2502.06857",
        find=_objectives_disagree,
    ),
    Check(
        code="conventions_matter",
        looks_for="An exponent that changes by 5% or more with the way parameters or compute are counted.",
        source="Pearce and Song 2024, arXiv:2406.12907; Porian et al. 2024, arXiv:2406.19146",
        find=_conventions_matter,
    ),
    Check(
        code="tied_coefficients",
        looks_for=f"Exponents, or an exponent and the floor, whose draws correlate above {TIED:g}.",
        source="Besiroglu et al. 2024, arXiv:2404.10102",
        find=_tied_coefficients,
    ),
)

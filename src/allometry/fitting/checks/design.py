"""Checks of the design: can these runs carry the law at all?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting.checks.definition import Check, note, warning
from allometry.fitting.dependence import dependence
from allometry.fitting.likelihood import leverage
from allometry.fitting.result import Finding, Fit
from allometry.units import show_count

Array = NDArray[np.float64]

RUNS_PER_COEFFICIENT = 3  # below this an interval is mostly a statement about the few runs
SPARE_RUNS = 2  # runs beyond the coefficients below which the law passes through nearly all of them
COLLINEAR = 0.95  # correlation of log params and log tokens
FEW_DECADES = 1.0  # of compute, or of the one input
FEW_LEVELS = 3  # different values of an input: two say nothing about a bend
SAME_BUDGET = 0.05  # relative difference of compute within one IsoFLOP budget
OTHER_BUDGET = 0.2  # and to the next one: runs without budgets fall close together by chance, but in a crowd
LEVERAGE = 0.5  # from which a run moves its own fitted value more than all others together do,
LEVERAGE_SHARE = 3.0  # and so many times the mean leverage: in a small design all runs have much
BUDGET_SIZES = 4  # sizes from which the least loss of a budget can be bracketed


def _few_runs(fit: Fit) -> Finding | None:
    runs, opened = len(fit.data), len(fit.open)
    if runs >= RUNS_PER_COEFFICIENT * opened:
        return None
    return warning(
        "few_runs",
        f"{runs} runs carry {opened} open coefficients ({runs / opened:.1f} runs each).",
        f"Add runs, to {RUNS_PER_COEFFICIENT * opened} or more, or hold coefficients that are known.",
        {"runs": runs, "open_coefficients": opened},
    )


def _saturated(fit: Fit) -> Finding | None:
    spare = len(fit.data) - len(fit.open)
    if spare > SPARE_RUNS:
        return None
    return warning(
        "saturated",
        f"Only {spare} more run{'s' if spare > 1 else ''} than open coefficients: the law passes near every "
        "run whatever the truth is, so that a small residual (or an R² near 1) says nothing.",
        "Judge the law by a run that it has not seen, or add runs.",
        {"runs": len(fit.data), "open_coefficients": len(fit.open)},
    )


def _few_levels(fit: Fit) -> Finding | None:
    levels = {name: len(np.unique(values)) for name, values in _positive(fit).items()}
    few = {name: count for name, count in levels.items() if count < FEW_LEVELS}
    if not few or len(fit.open) == 1:
        return None
    said = " and ".join(f"{name} takes only {count} value{'s' * (count > 1)}" for name, count in few.items())
    return warning(
        "few_levels",
        f"In these runs {said}: a power law and a floor along it cannot be told apart.",
        f"Vary {' and '.join(few)} over at least {FEW_LEVELS} values, better 5.",
        {name: float(count) for name, count in levels.items()},
    )


def _short_range(fit: Fit) -> Finding | None:
    columns = _positive(fit)
    if {"params", "tokens"} <= columns.keys():
        columns = {"flops": 6 * columns["params"] * columns["tokens"]}
    if not columns:
        return None
    decades = {column: float(np.ptp(np.log10(values))) for column, values in columns.items()}
    column, least = min(decades.items(), key=lambda pair: pair[1])
    if least >= FEW_DECADES:
        return None
    ends = show_count(columns[column].min()), show_count(columns[column].max())
    return warning(
        "short_range",
        f"The runs span {least:.2f} decades of {column} ({ends[0]} to {ends[1]}).",
        "A slope needs a decade or more: add smaller runs, which cost little, or a larger one.",
        decades,
    )


def _collinear(fit: Fit) -> Finding | None:
    columns = {fit.inputs[name]: values for name, values in fit.data.inputs.items()}
    if not {"params", "tokens"} <= columns.keys():
        return None
    logs = np.log(columns["params"]), np.log(columns["tokens"])
    if min(np.ptp(logs[0]), np.ptp(logs[1])) == 0:
        return None
    together = float(np.corrcoef(*logs)[0, 1])
    if abs(together) < COLLINEAR:
        return None
    return warning(
        "collinear",
        f"Parameters and tokens move together (correlation {together:.3f} of the logs), "
        "so what each of them does is hard to tell apart.",
        "Add runs with few and with many tokens at the same size.",
        {"correlation": together},
    )


def _dependent_input(fit: Fit) -> Finding | None:
    found = dependence({fit.inputs[name]: values for name, values in fit.data.inputs.items()})
    if found is None or len(fit.data.inputs) < 2:
        return None
    held = [name for name, power in fit.law.derivation.powers.items() if fit.held.get(name) == 0 and power]
    says = f" {held[0]} is held at 0 and the exponents of the others hold its part." if held else ""
    return warning(
        "dependent_input",
        f"In these runs {found.formula}, so {found.name} says nothing of its own: its exponent cannot be "
        f"told from those of the others.{says}",
        f"Read the sum of the exponents, or vary {found.name} at the same {', '.join(found.powers)}.",
        {"spread of the logarithm": found.spread, **found.powers},
    )


def _single_seed(fit: Fit) -> Finding | None:
    settings = fit.data.settings
    if len(np.unique(settings)) < len(settings):
        return None
    return note(
        "single_seed",
        "Every setting was trained once, so run-to-run noise is known only from the residuals.",
        "Repeat one or two settings with other seeds to measure the noise itself.",
        {"settings": len(settings)},
    )


def _shared_trunk(fit: Fit) -> Finding | None:
    trunks, runs = len(set(fit.data.trunks)), len(set(fit.data.run_ids))
    if trunks == runs or (fit.drawn is not None and fit.drawn.unit == "trunk"):
        return None
    return note(
        "shared_trunk",
        f"{runs} runs are branches of {trunks} trainings: what one training has in luck, all its branches "
        "share, and intervals from runs drawn one by one do not know it.",
        'Compare with bootstrap(fit, unit="trunk"); few trunks make it rough, so repeat a trunk with another '
        "seed where it matters.",
        {"runs": runs, "trunks": trunks},
    )


def _duplicated_runs(fit: Fit) -> Finding | None:
    table = np.column_stack([*fit.data.inputs.values(), fit.data.output])
    extra = int(pd.DataFrame(table).duplicated().sum())  # by hashing: sorting a million rows takes a gigabyte
    if not extra:
        return None
    return warning(
        "duplicated_runs",
        f"{extra} run{'s repeat' if extra > 1 else ' repeats'} another bit for bit, output included: what "
        "counts twice makes every interval too narrow.",
        "Drop the copies; true repeats differ in their seed and in their loss.",
        {"copies": extra},
    )


def _leverage(fit: Fit) -> Finding | None:
    if not fit.open:
        return None
    followed = leverage(fit)
    run = int(np.argmax(followed))
    if followed[run] <= max(LEVERAGE, LEVERAGE_SHARE * len(fit.open) / len(fit.data)):
        return None
    who = fit.data.run_ids[run]
    return note(
        "leverage",
        f"Where the law passes '{who}' is decided to {followed[run]:.0%} by that run alone (its leverage): "
        "hardly any other run could contradict it.",
        "Repeat it with another seed, or add runs between it and the others.",
        {who: float(followed[run])},
    )


def _edge_minimum(fit: Fit) -> Finding | None:
    columns = {fit.inputs[name]: values for name, values in fit.data.inputs.items()}
    if not {"params", "tokens"} <= columns.keys():
        return None
    edges = _unbracketed(columns["params"], columns["tokens"], fit.data.output)
    if not edges:
        return None
    said = ", ".join(show_count(flops) for flops in edges)
    return warning(
        "edge_minimum",
        f"At {said} FLOP the least {fit.output} is that of the smallest or the largest model tried: the "
        "optimum of that budget is outside the runs.",
        "Add a size beyond that edge; until then the optimum there rests on the form of the law alone.",
        {f"{flops:.3g} FLOP": "at the edge" for flops in edges},
    )


def _unbracketed(params: Array, tokens: Array, output: Array) -> list[float]:
    """Budgets with enough sizes whose least output is at the smallest or the largest one."""
    flops = 6 * params * tokens
    order = np.argsort(flops)
    steps = np.diff(np.log(flops[order]))
    groups = np.split(order, np.flatnonzero(steps > SAME_BUDGET) + 1)
    around = pairwise([np.inf, *steps[steps > SAME_BUDGET], np.inf])
    edges = []
    for group, gaps in zip(groups, around, strict=True):
        close = np.ptp(np.log(flops[group])) <= 3 * SAME_BUDGET and min(gaps) > OTHER_BUDGET
        if len(np.unique(params[group])) < BUDGET_SIZES or not close:
            continue
        best = params[group][np.argmin(output[group])]
        if best in (params[group].min(), params[group].max()):
            edges.append(float(np.median(flops[group])))
    return edges


def _positive(fit: Fit) -> dict[str, Array]:
    signs = {one.name: one.positive for one in fit.law.inputs}
    return {fit.inputs[name]: values for name, values in fit.data.inputs.items() if signs[name]}


CHECKS = (
    Check(
        code="few_runs",
        looks_for=f"Fewer than {RUNS_PER_COEFFICIENT} runs for each open coefficient.",
        source="Li et al. 2025, (Mis)Fitting, arXiv:2502.18969",
        find=_few_runs,
        quick=True,
    ),
    Check(
        code="saturated",
        looks_for=f"No more than {SPARE_RUNS} runs beyond the coefficients.",
        source="own simulations",
        find=_saturated,
        quick=True,
    ),
    Check(
        code="few_levels",
        looks_for=f"An input with fewer than {FEW_LEVELS} different values.",
        source="Li et al. 2025, (Mis)Fitting, arXiv:2502.18969",
        find=_few_levels,
        quick=True,
    ),
    Check(
        code="short_range",
        looks_for="Less than one decade of compute, or of the law's only input.",
        source="Choshen et al. 2024, A Hitchhiker's Guide to Scaling Law Estimation, arXiv:2410.11840",
        find=_short_range,
        quick=True,
    ),
    Check(
        code="collinear",
        looks_for=f"Parameters and tokens whose logarithms correlate by {COLLINEAR:g} or more.",
        source="Besiroglu et al. 2024, arXiv:2404.10102",
        find=_collinear,
        quick=True,
    ),
    Check(
        code="dependent_input",
        looks_for="An input that is a product of powers of the others, such as compute of 6 · N · D.",
        source="own simulations",
        find=_dependent_input,
        quick=True,
    ),
    Check(
        code="leverage",
        looks_for=f"A run whose leverage is above {LEVERAGE:g} and above {LEVERAGE_SHARE:g} times the mean.",
        source="Huber 1981, Robust Statistics, section 7.2; Hoaglin and Welsch 1978, Am. Stat. 32(1)",
        find=_leverage,
    ),
    Check(
        code="edge_minimum",
        looks_for="An IsoFLOP budget whose least loss is at its smallest or largest model.",
        source="Porian et al. 2024, arXiv:2406.19146; Czech et al. 2026, arXiv:2603.22339",
        find=_edge_minimum,
        quick=True,
    ),
    Check(
        code="duplicated_runs",
        looks_for="Rows that repeat another bit for bit.",
        source="own simulations",
        find=_duplicated_runs,
        quick=True,
    ),
    Check(
        code="shared_trunk",
        looks_for="Branches of one training drawn as if they were independent.",
        source="own simulations",
        find=_shared_trunk,
    ),
    Check(
        code="single_seed",
        looks_for="No setting trained with more than one seed.",
        source="Choshen et al. 2024, arXiv:2410.11840; Porian et al. 2024, arXiv:2406.19146",
        find=_single_seed,
    ),
)

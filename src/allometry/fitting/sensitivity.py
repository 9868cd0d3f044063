"""What would change the answer: a fit made again with one choice changed at a time.

Every function returns a table with one row a choice, the coefficients as refitted, and, where a place is
asked for, what the law says there. Choices that cannot be fitted are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.engine import Minima, Problem, Samples, improved, minimise
from allometry.fitting.likelihood import leverage
from allometry.fitting.objectives import Objective, ObjectiveName
from allometry.fitting.problems import named, one_sample, pose, working_point
from allometry.fitting.result import Fit, FitData
from allometry.fitting.search import refit

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Place = Mapping[str, float]

OBJECTIVES: tuple[tuple[ObjectiveName, float], ...] = (
    ("least_squares", 1e-3),
    ("huber", 1e-2),
    ("huber", 1e-3),
    ("huber", 1e-4),
    ("lad", 1e-3),
)  # from smooth to kinked: each shows the way to the next
_SHARPER = (1e-2, 1e-4, 1e-6)  # of the mean residual: deltas on the way from Huber to absolute residuals
AHEAD = 10.0  # times the compute of the largest run: the place that checks look at
_LEAST = 1e-300  # in place of zero, which has no logarithm and divides nothing
_ELEMENTS = 4_000_000  # runs left out x runs of all refits for the influence of a run
_AT_ONCE = 250_000  # of them in memory together
_FEW = 16  # floors that are looked for from the fit itself
_ROUNDS = 8  # of looking where neighbours lead
_BENT = 0.25  # of the way between two neighbours: further off their line is not smooth
_FAR = 1.0  # of working coefficients, most of them logarithms: between such a line says nothing
_SAME = 1e-9  # relative difference of two objectives that tells nothing
_STARTS = 4  # of a refit: the fit itself has shown what the valleys look like
PARAMS = ("params", "params_total", "params_matmul", "params_active", "non_embedding")
FLOPS = ("flops", "6ND")


def ahead(fit: Fit, factor: float = AHEAD) -> dict[str, float]:
    """The largest run, scaled up to `factor` times its compute: inputs by the law's names.

    Inputs that a run's compute is made of grow, size and data alike where a law reads both; shares, ratios
    and years stay where they are.
    """
    powers = _growth(fit)
    largest = _largest(fit)
    return {
        name: float(values[largest] * factor ** powers.get(name, 0.0))
        for name, values in fit.data.inputs.items()
    }


def _growth(fit: Fit) -> dict[str, float]:
    """Input to the power of compute with which it grows."""
    columns = set(fit.inputs.values())
    half = 0.5 if columns & set(PARAMS) and "tokens" in columns else 1.0
    powers = dict.fromkeys((*PARAMS, "tokens", "unique_tokens"), half) | {"flops": 1.0, "x": 1.0}
    return {name: powers[column] for name, column in fit.inputs.items() if column in powers}


def _largest(fit: Fit) -> int:
    """The row of the largest run."""
    size = sum((np.log(fit.data.inputs[name]) for name in _growth(fit)), np.zeros(len(fit.data)))
    return int(np.argmax(size))


def by_floor(fit: Fit, at: Place | None = None, *, points: int = 9, name: str = "E") -> pd.DataFrame:
    """The forecast as a function of the floor: each held in turn, all else refitted.

    Args:
        at: Inputs of the forecast; ten times the compute of the largest run if not given.
        points: Floors from zero to just below the smallest run, and the fitted one.

    Returns:
        Columns: the floor, "forecast", "objective_value", and "rise", its relative rise above the best.

    Raises:
        InputError: If the law has no open floor of that name.
    """
    if name not in fit.open:
        raise InputError(
            f"'{name}' is not open in this fit of '{fit.law.name}', so no other floor can be tried."
        )
    most = 0.97 * float(fit.data.output.min())
    floors = np.unique([*np.linspace(0, most, points), fit.coefficients[name]])
    problem = pose(fit.law, fit.data, fit.goal, {**fit.held, name: 0.0})
    starts = np.tile([fit.coefficients[one] for one in fit.law.names], (len(floors), 1))
    place = fit.law.names.index(name)
    starts[:, place] = np.maximum(floors, _LEAST) if problem.logged[place] else floors
    starts = problem.inward(starts)
    own = int(np.searchsorted(floors, fit.coefficients[name]))
    ends = _along(problem, starts, floors, own, one_sample(fit.data, fit.goal))
    table = pd.DataFrame(problem.outward(ends.working), columns=list(fit.law.names))
    table["forecast"] = _said(fit, table, at or ahead(fit))
    table["objective_value"] = ends.value
    with np.errstate(divide="ignore", invalid="ignore"):  # of noiseless runs the best objective may be zero
        return table.assign(rise=ends.value / max(fit.objective_value, _LEAST) - 1)


def _along(problem: Problem, starts: Array, floors: Array, own: int, sample: Samples) -> Minima:
    """Search at each of many floors: at a few, and at the fit's own, from the fit; between them from these.

    Either may lead into another valley: where the line of the ends is not smooth, neighbours and the fit
    itself show other ways, as long as these lead down.
    """
    few = np.unique([*range(0, len(floors), max(1, len(floors) // _FEW)), own, len(floors) - 1])
    known = minimise(problem, starts[few], sample.of_one(len(few))).working
    lines = [np.interp(floors, floors[few], column) for column in known.T]
    between = np.where(problem.fixed, starts, np.stack(lines, axis=1))
    ends = minimise(problem, between, sample.of_one(len(floors)))
    for _ in range(_ROUNDS):
        rows = _bent(floors, ends.working)
        lower = improved(ends, rows, _by_other_ways(problem, starts, ends.working, rows, sample))
        fell, ends = bool((lower.value < ends.value * (1 - _SAME)).any()), lower
        if not fell:
            break
    return ends


def _bent(floors: Array, working: Array) -> Index:
    """Rows that lie off the line between their neighbours, or whose neighbours are far apart; both ends."""
    share = ((floors[1:-1] - floors[:-2]) / (floors[2:] - floors[:-2]))[:, None]
    span = working[2:] - working[:-2]
    miss = np.linalg.norm(working[1:-1] - working[:-2] - share * span, axis=1)
    apart = np.linalg.norm(span, axis=1)
    inside = 1 + np.flatnonzero((miss > _BENT * apart) | (apart > _FAR))
    return np.array([0, *inside, len(floors) - 1], dtype=np.intp)


def _by_other_ways(problem: Problem, starts: Array, working: Array, rows: Index, sample: Samples) -> Minima:
    """Of some rows, the lowest end that both neighbours and the fit itself lead to."""
    beside = working[np.clip(rows[:, None] + (-1, 1), 0, len(working) - 1)]
    ways = np.concatenate([starts[rows, None], np.where(problem.fixed, starts[rows, None], beside)], axis=1)
    found = minimise(problem, ways.reshape(-1, ways.shape[2]), sample.of_one(3 * len(rows)), rivals=3)
    return found.take(3 * np.arange(len(rows)) + found.value.reshape(-1, 3).argmin(axis=1))


def by_objective(fit: Fit, at: Place | None = None) -> pd.DataFrame:
    """The same law under other objectives: its own, squares, Huber of several widths, absolute residuals.

    From squares, looked for from several starts, the objective turns step by step into absolute residuals.
    Each step begins where the one before ended and where the fit itself is, and takes the lower end.
    """
    return _table(fit, _by_objective(fit), at, "objective")


@lru_cache(maxsize=4)  # a report shows what its checks have looked at
def _by_objective(fit: Fit) -> Mapping[str, Mapping[str, float]]:
    rows = {_objective(fit.objective, fit.delta): fit.coefficients}
    here = refit(fit, objective="least_squares", starts=_STARTS).coefficients
    for name, delta in OBJECTIVES:
        goal = Objective(name=name, delta=delta, on=fit.on)
        here = _absolute(fit, here) if name == "lad" else _lower(fit, goal, here)
        rows.setdefault(_objective(name, delta), here)
    return rows


def _absolute(fit: Fit, here: Mapping[str, float]) -> Mapping[str, float]:
    """Least absolute residuals: Huber with a delta that falls to a millionth of the mean residual."""
    size = float(np.abs(replace(fit, coefficients=here).residuals()).mean())
    for share in _SHARPER:
        here = _lower(fit, Objective(delta=max(share * size, _LEAST), on=fit.on), here)
    return here


def _lower(fit: Fit, goal: Objective, here: Mapping[str, float]) -> Mapping[str, float]:
    """The lower of the two ends that the fit itself and another place lead to."""
    problem, sample = pose(fit.law, fit.data, goal, fit.held), one_sample(fit.data, goal)
    starts = np.stack([working_point(problem, place) for place in (fit.coefficients, here)])
    ends = minimise(problem, starts, sample.of_one(2), rivals=2)
    return named(problem, ends.working[ends.value.argmin()])


def by_convention(fit: Fit, at: Place | None = None) -> pd.DataFrame:
    """The same law under each way of counting that the runs allow.

    Parameters: all, without embeddings, in matrix products, active. Compute: as stated, and 6 · N · D.
    Each count is asked about the same run: the place is recounted as the largest run is.
    """
    rows, said = {}, []
    at, largest = at or ahead(fit), _largest(fit)
    for label, data in _counted(fit):
        try:
            found = fit if data is fit.data else refit(fit, data=data, starts=_STARTS)
        except FitError:
            continue
        place = {name: value * _recounted(fit, data, name, largest) for name, value in at.items()}
        rows[label] = found.coefficients
        said.append(float(fit.law.evaluate(place, found.coefficients)))
    return _table(fit, rows, at, "convention").assign(forecast=said)


def _recounted(fit: Fit, data: FitData, name: str, run: int) -> float:
    """What another count makes of one run's input, as a factor; 1 for one that is no count, such as 0."""
    before, after = fit.data.inputs[name][run], data.inputs[name][run]
    return 1.0 if before == after else float(after / before)


def influence(fit: Fit, at: Place | None = None) -> pd.DataFrame:
    """Leave each run out once; one row a run, its identity in "run", in the order of the runs.

    Of a table of more than 2,000 runs only those are left out that pull the coefficients most, fewer the
    larger it is, so that time and memory grow as the table does.
    """
    rows = _most_pulling(fit, max(20, _ELEMENTS // len(fit.data)))
    size = max(1, _AT_ONCE // len(fit.data))
    parts = [_without(fit, rows[at : at + size]) for at in range(0, len(rows), size)]
    table = pd.concat(parts, ignore_index=True)
    table["forecast"] = _said(fit, table, at or ahead(fit))
    return table.assign(run=[fit.data.run_ids[row] for row in rows])


def _without(fit: Fit, rows: Index) -> pd.DataFrame:
    weights = np.tile(fit.data.weights, (len(rows), 1))
    weights[np.arange(len(rows)), rows] = 0.0
    return _reweighted(fit, weights)


def _most_pulling(fit: Fit, count: int) -> Index:
    """The rows that would move the fit most if left out, to first order (Cook 1977), in their own order."""
    if count >= len(fit.data):
        return np.arange(len(fit.data))
    pull = fit.data.weights * np.abs(fit.goal.slope(-fit.residuals()))
    moves = pull * np.sqrt(leverage(fit) / fit.data.weights)
    return np.sort(np.argsort(-moves)[:count])


def without_worst(fit: Fit, at: Place | None = None, *, most: int = 5) -> pd.DataFrame:
    """Leave out none, one, two … of the worst-fitted runs; one row a number of runs, in "left_out"."""
    runs = len(fit.data)
    most = min(most, runs - len(fit.open) - 1)
    order = np.argsort(-np.abs(fit.residuals()) * np.sqrt(fit.data.weights))
    keep = np.ones((most + 1, runs))
    for count in range(1, most + 1):
        keep[count, order[:count]] = 0.0
    table = _reweighted(fit, keep * fit.data.weights)
    table["forecast"] = _said(fit, table, at or ahead(fit))
    return table.assign(left_out=range(most + 1))


def _reweighted(fit: Fit, weights: Array) -> pd.DataFrame:
    problem = pose(fit.law, fit.data, fit.goal, fit.held)
    here = np.broadcast_to(working_point(problem, fit.coefficients), (len(weights), len(fit.law.names)))
    samples = replace(one_sample(fit.data, fit.goal).of_one(len(weights)), weights=weights)
    ends = minimise(problem, here, samples)
    return pd.DataFrame(problem.outward(ends.working), columns=list(fit.law.names))


def _counted(fit: Fit) -> Iterator[tuple[str, FitData]]:
    """The runs with each count that can stand for an input of the law, first as they were fitted."""
    yield ", ".join(fit.inputs.values()) + " as fitted", fit.data
    for name, column in fit.inputs.items():
        ways = PARAMS if column.startswith("params") else FLOPS if column == "flops" else ()
        for way in ways:
            values = _count(fit.data.facts, way)
            if values is not None and not np.allclose(values, fit.data.inputs[name], rtol=1e-3):
                yield way, replace(fit.data, inputs={**fit.data.inputs, name: values})


def _count(facts: pd.DataFrame, way: str) -> Array | None:
    needs = {"6ND": ("params", "tokens"), "non_embedding": ("params_total", "params_embedding")}
    if not set(needs.get(way, (way,))) <= set(facts.columns):
        return None
    columns = [facts[name].to_numpy(dtype=np.float64) for name in needs.get(way, (way,))]
    if way == "6ND":
        values = 6 * columns[0] * columns[1]
    else:
        values = columns[0] - columns[1] if way == "non_embedding" else columns[0]
    return values if np.isfinite(values).all() and (values > 0).all() else None


def _table(fit: Fit, rows: Mapping[str, Mapping[str, float]], at: Place | None, choice: str) -> pd.DataFrame:
    table = pd.DataFrame(list(rows.values()), columns=list(fit.law.names))
    table.insert(0, choice, list(rows))
    return table.assign(forecast=_said(fit, table, at or ahead(fit)))


def _said(fit: Fit, table: pd.DataFrame, at: Place) -> Array:
    drawn = {name: table[name].to_numpy(dtype=np.float64) for name in fit.law.names}
    return np.broadcast_to(fit.law.evaluate(at, drawn), (len(table),))


def _objective(name: str, delta: float) -> str:
    return f"{name} {delta:g}" if name in ("huber", "lower_envelope") else name


CHOICES: Mapping[str, Callable[[Fit, Place | None], pd.DataFrame]] = {
    "floor": by_floor,
    "objective": by_objective,
    "convention": by_convention,
    "run": influence,
    "worst": without_worst,
}

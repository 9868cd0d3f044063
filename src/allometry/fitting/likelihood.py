"""Intervals from the objective itself: how far a number can go before the runs speak against it.

A coefficient, a forecast or a compute-optimal size is held at a value, everything else is refitted, and the
rise of the objective is compared with what noise explains. No resample is drawn, and the interval is as
lopsided as the valley is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from inspect import Parameter, Signature, signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri, ndtri

from allometry.errors import FitError, InputError
from allometry.fitting.engine import Problem, Samples, minimise
from allometry.fitting.noise import residual_noise
from allometry.fitting.objectives import Objective
from allometry.fitting.prediction import by_law
from allometry.fitting.problems import one_sample, pose, working_point
from allometry.fitting.result import Estimate, Fit, tails
from allometry.fitting.scales import derivatives, invert, transform
from allometry.laws import Coefficient, Input, Law
from allometry.laws.mathematics import exp

Array = NDArray[np.float64]
# A value to hold on a working scale -> the least objective of the runs there, and the fitted values of the
# runs on the scale of the fit; it remembers where it was.
Profile = Callable[[float], tuple[float, Array]]

_BINDING = 1e4  # weight of a condition, relative to all runs: it holds to a ten-thousandth of the noise
_ROUNDED = 0.02  # of the noise: how far the kink of absolute residuals is rounded for a search
_FIRST_STEP = 1e-3  # on the working scale
_GROWTH = 2.0
_MOST_STEPS = 60
_FARTHEST = 10.0  # half widths beyond an end that a place is taken to be, where its objective is enormous
_CLOSE = 1e-4  # of the half width: finer than any interval is known
_NODES = 400  # of the integral over normal noise
_MOST_LEVERAGE = 0.9  # a run that decides a coefficient alone says nothing of its own noise
_RUNS_TO_COUNT = 10  # runs a coefficient from which curvature is counted, not calculated for normal noise


def likelihood_interval(
    fit: Fit,
    name: str = "",
    *,
    at: Mapping[str, float] | None = None,
    flops: float | None = None,
    level: float = 0.9,
) -> Estimate:
    """The interval of a coefficient, of the law at a place, or of the optimum of a budget, by its profile.

    Args:
        name: A coefficient; or "params" or "tokens" of the optimum, together with `flops`.
        at: Inputs of the law, by its own names or by column: the interval is that of the curve there, without
            the noise of a single run.
        flops: A budget, of 6 · params · tokens.
        level: Share of studies whose interval is meant to contain the truth.

    Returns:
        Value and interval; an end is infinite (or the law's bound) where the runs never speak against it.

    Raises:
        InputError: If it is none of the three, or the coefficient is not open.
        FitError: If the runs are as few as the coefficients, the law has no optimum, or the fit is a lower
            envelope, whose objective says nothing of how runs scatter.

    Source:
        The likelihood ratio of an M-estimate (Heritier and Ronchetti 1994, J. Am. Stat. Assoc. 89, 897):
        twice the rise times E[psi'] / E[psi²] against F with 1 and n - p degrees of freedom. For least
        squares this is the usual profile of Bates and Watts 1988, chapter 6. With ten runs a coefficient the
        rise is scaled instead by what the runs' own scores say (Kent 1982, Biometrika 69, 19), so that noise
        may differ between runs.

    >>> import pandas as pd
    >>> from allometry.fitting.solve import fit
    >>> from allometry.runs.run import Runs
    >>> flops = np.array([1e18, 3e18, 1e19, 3e19, 1e20, 3e20])
    >>> loss = np.array([3.522, 3.339, 3.154, 3.000, 2.848, 2.725])
    >>> found = fit("power_law_with_floor", Runs(pd.DataFrame({"x": flops, "loss": loss})))
    >>> curve = likelihood_interval(found, at={"x": 1e21})
    >>> curve.low < 2.599 < curve.high
    True
    """
    tails(level)
    allowed = allowed_rise(fit, level)
    chosen = _quantity(fit, name, at, flops)
    ends = [_end(fit, chosen, allowed, level, side) for side in (-1.0, 1.0)]
    low, high = sorted(float(chosen.show(end)) for end in ends)
    return Estimate(value=float(chosen.show(chosen.start)), low=low, high=high, unit=chosen.unit)


def allowed_rise(fit: Fit, level: float = 0.9) -> float:
    """How far the objective may rise when one number is held, before the runs speak against it.

    Raises:
        FitError: If there are no more runs than coefficients, or the fit is a lower envelope.
    """
    if fit.objective == "lower_envelope":
        raise FitError(
            "Runs above a lower envelope do not speak against it, so its objective gives no interval; make "
            "draws with bootstrap(fit)."
        )
    freedom = len(fit.data) - len(fit.open)
    if freedom < 1:
        raise FitError(
            f"{len(fit.data)} runs and {len(fit.open)} coefficients leave nothing to judge noise by."
        )
    squares, curvature = _moments(fit)
    return 0.5 * _quantile(fit, level) * squares / curvature


def _moments(fit: Fit) -> tuple[float, float]:
    """Sums over runs of psi² and psi', as normal noise of the residuals' size would have them."""
    goal, weights = fit.goal, fit.data.weights
    noise = max(residual_noise(fit).scale, 1e-12)
    if goal.name == "lad":  # its curvature is all in one point: spread it over half the noise
        goal = replace(goal, delta=0.5 * noise)
    z = ndtri((np.arange(_NODES) + 0.5) / _NODES)
    # Runs of one weight are alike: most tables know one, and ten thousand rows of nodes take 200 MB.
    kinds, runs = np.unique(weights, return_counts=True)
    size = noise / np.sqrt(kinds / weights.mean())[:, None]
    slope = kinds[:, None] * goal.slope(size * z)
    # Stein's lemma, E[psi'(r)] = E[r psi(r)] / E[r²]: no node may lie within a delta far below the noise.
    curvature = slope * z / size
    return float(runs @ np.mean(slope**2, axis=1)), float(runs @ np.mean(curvature, axis=1))


@dataclass(frozen=True, kw_only=True)
class _Quantity:
    """A number to hold: its fitted value and limits on a working scale, its profile, and how to show it."""

    start: float
    limits: tuple[float, float]
    profile: Callable[[], Profile]
    show: Callable[[float], float]
    unit: str


def _quantity(fit: Fit, name: str, at: Mapping[str, float] | None, flops: float | None) -> _Quantity:
    if at is not None and not name and flops is None:
        return _curve(fit, at)
    if flops is not None and name in ("params", "tokens") and at is None:
        return _optimum(fit, name, flops)
    if name in fit.open and at is None and flops is None:
        return _coefficient(fit, name)
    raise InputError(
        f"Ask for one of the coefficients {', '.join(fit.open)}; for the law at a place, at={{...}}; or for "
        '"params" or "tokens" of the optimum with flops=...'
    )


def _coefficient(fit: Fit, name: str) -> _Quantity:
    problem = pose(fit.law, fit.data, _searched(fit), {**fit.held, name: fit.coefficients[name]})
    place = fit.law.names.index(name)
    here = working_point(problem, fit.coefficients)
    low, high = problem.limits[0][place], problem.limits[1][place]
    return _Quantity(
        start=float(here[place]),
        limits=(float(low), float(high)),
        profile=lambda: _moving(fit, problem, here, place, one_sample(fit.data, fit.goal)),
        show=np.exp if problem.logged[place] else float,
        unit=fit.law.coefficients[place].unit,
    )


def _curve(fit: Fit, at: Mapping[str, float]) -> _Quantity:
    """The law at one place: one more run there, of enormous weight, holds it at a value."""
    place = by_law(fit, at)
    value = transform(fit.on, np.asarray(fit.law.evaluate(place, fit.coefficients)))
    inputs = tuple(np.append(fit.data.inputs[name], place[name]) for name in fit.law.reads)
    problem = Problem(law=fit.law, inputs=inputs, objective=_searched(fit), held=fit.held)
    here = working_point(problem, fit.coefficients)

    def profile() -> Profile:
        end = here.copy()

        def least(held: float) -> tuple[float, Array]:
            end[:] = minimise(problem, end[None], _bound(fit, held)).working[0]
            return _of_runs(fit, problem, end)

        return least

    return _Quantity(
        start=float(value),
        limits=(-np.inf, np.inf),
        profile=profile,
        show=lambda on_scale: float(invert(fit.on, np.asarray(on_scale))),
        unit=fit.unit,
    )


def _optimum(fit: Fit, name: str, flops: float) -> _Quantity:
    """The optimal size: where, along the budget, the law's two slopes balance.

    The size becomes a coefficient of the law, and one more run of enormous weight holds the balance there.
    """
    best = fit.optimum(flops)
    law = _with_balance(fit, flops)
    column = {"params": "params", "tokens": "tokens"}
    names = {col: own for own, col in fit.inputs.items()}
    row = {names["params"]: best.params.value, names["tokens"]: best.tokens.value, _IS_CONDITION: 1.0}
    runs = {**fit.data.inputs, _IS_CONDITION: np.zeros(len(fit.data))}
    inputs = tuple(np.append(runs[one], row[one]) for one in law.reads)
    held = {**fit.held, _SIZE: best.params.value}
    problem = Problem(law=law, inputs=inputs, objective=_searched(fit), held=held)
    here = working_point(problem, {**fit.coefficients, _SIZE: best.params.value})
    balanced = float(transform(fit.on, np.asarray(_BALANCED)))
    return _Quantity(
        start=float(here[-1]),
        limits=(0.0, float(np.log(flops))),
        profile=lambda: _moving(fit, problem, here, len(here) - 1, _bound(fit, balanced)),
        show=(lambda size: float(np.exp(size)))
        if column[name] == "params"
        else (lambda size: float(flops / 6 / np.exp(size))),
        unit="1" if name == "params" else "token",
    )


_SIZE, _IS_CONDITION = "optimal_size", "is_condition"
_BALANCED = 0.5  # a value that every scale has a place for


def _with_balance(fit: Fit, flops: float) -> Law:
    """The law with one more input that turns a row into the condition that a size is optimal."""
    law = fit.law
    places = {column: law.reads.index(name) for name, column in fit.inputs.items()}

    def function(*x: Any, **c: Any) -> Any:
        *own, condition = x
        size = c.pop(_SIZE)
        value: Any = law.function(*own, **c)
        slope: Any = 0
        for column, sign in (("params", 1), ("tokens", -1)):
            symbol = own[places[column]]
            slope = slope + sign * symbol * value.diff(symbol)
        at = {own[places["params"]]: size, own[places["tokens"]]: flops / 6 / size}
        return (1 - condition) * value + condition * _BALANCED * exp(slope.subs(at, simultaneous=True))

    arguments = [*signature(law.function).parameters.values()]
    positional = [p for p in arguments if p.kind is not p.KEYWORD_ONLY]
    opened = [p for p in arguments if p.kind is p.KEYWORD_ONLY]
    extra = Parameter(_IS_CONDITION, positional[0].kind), Parameter(_SIZE, Parameter.KEYWORD_ONLY)
    function.__signature__ = Signature([*positional, extra[0], *opened, extra[1]])  # type: ignore[attr-defined]
    size = Coefficient(name=_SIZE, meaning="the size held", unit="parameter", low=1.0, high=1e15)
    return replace(
        law,
        inputs=(*law.inputs, Input(name=_IS_CONDITION, low=0, high=1, positive=False)),
        symbols=(*law.symbols, _IS_CONDITION),
        coefficients=(*law.coefficients, size),
        function=function,
    )


def _bound(fit: Fit, held: float) -> Samples:
    """The runs, and the condition's row with its target."""
    weight = _BINDING * float(fit.data.weights.sum())
    return Samples(
        weights=np.append(fit.data.weights, weight)[None],
        target=np.append(transform(fit.on, fit.data.output), held)[None],
    )


def _moving(fit: Fit, problem: Problem, here: Array, place: int, samples: Samples) -> Profile:
    end = here.copy()

    def least(held: float) -> tuple[float, Array]:
        end[place] = held
        end[:] = minimise(problem, end[None], samples).working[0]
        return _of_runs(fit, problem, end)

    return least


def _searched(fit: Fit) -> Objective:
    """What a search along the profile minimises: absolute residuals with their kink rounded off a little.

    Exact absolute residuals take a search for each of many smaller roundings; this one takes one, and its
    end lies above the exact one by less than a hundredth of what is allowed.
    """
    if fit.objective != "lad":
        return fit.goal
    return replace(fit.goal, name="huber", delta=max(_ROUNDED * residual_noise(fit).scale, 1e-12))


def _of_runs(fit: Fit, problem: Problem, working: Array) -> tuple[float, Array]:
    """The objective of the runs alone, without a condition's row, and their fitted values."""
    fitted = transform(fit.on, problem.predicted(working[None])[0, : len(fit.data)])
    residuals = fitted - transform(fit.on, fit.data.output)
    return float(fit.goal.total(residuals, fit.data.weights)), fitted


def _end(fit: Fit, quantity: _Quantity, allowed: float, level: float, side: float) -> float:
    """Where the objective has risen by what is allowed; with many runs, by what their own pulls allow."""
    value, fitted = _walk(quantity, fit.objective_value, allowed, side)
    if len(fit.data) < _RUNS_TO_COUNT * len(fit.open) or not np.isfinite(value):
        return value
    # Along the way each run's fitted value moved: how far these moves add up to by chance is what the rise is
    # judged by. The moves are the law's own, not its tangent's, as valleys of scaling laws are bent.
    spread = float(np.sum((_pulls(fit) * (fitted - fit.fitted())) ** 2))
    ratio = _quantile(fit, level) * spread / (4 * allowed)
    return _walk(quantity, fit.objective_value, ratio, side)[0]


def _pulls(fit: Fit) -> Array:
    """The slope of the objective by each run's fitted value; of shape (runs,).

    A run that the law bends towards pulls less than its noise did: each is scaled up by its leverage (the HC3
    of MacKinnon and White 1985).
    """
    goal = replace(fit.goal, delta=1e-12) if fit.objective == "lad" else fit.goal
    pulls = fit.data.weights * goal.slope(-fit.residuals())
    return np.asarray(pulls / (1 - np.minimum(leverage(fit), _MOST_LEVERAGE)))


def leverage(fit: Fit) -> Array:
    """How far each fitted value follows its own run, by the law's tangent; of shape (runs,), p in sum."""
    places = [fit.law.names.index(name) for name in fit.open]
    rate = derivatives(fit.on, np.asarray(invert(fit.on, fit.fitted())))[0]
    tangent = fit.law.gradient(fit.data.inputs, fit.coefficients)[:, places]
    tangent = tangent * (np.sqrt(fit.data.weights) * rate)[:, None]
    size = np.maximum(np.linalg.norm(tangent, axis=0), 1e-300)
    return np.asarray(np.sum(np.linalg.qr(tangent / size)[0] ** 2, axis=1))


def _quantile(fit: Fit, level: float) -> float:
    return float(fdtri(1, len(fit.data) - len(fit.open), level))


def _walk(quantity: _Quantity, best: float, allowed: float, side: float) -> tuple[float, Array]:
    """Walk away from the fit until the objective has risen by what is allowed, then find where it did."""
    profile, limit = quantity.profile(), quantity.limits[int(side > 0)]
    inside, below = quantity.start, -1.0
    step, fitted = _FIRST_STEP * max(1.0, abs(quantity.start) / 10), np.empty(0)
    for _ in range(_MOST_STEPS):
        trial = inside + side * step
        if side * (trial - limit) >= 0:
            trial = limit
        value, fitted = profile(trial)
        above = _beyond(value - best, allowed)
        if above > 0:
            return _crossing(profile, (inside, below), (trial, above), best, allowed)
        if trial == limit:
            return limit, fitted
        inside, below, step = trial, above, step * _GROWTH
    return side * np.inf, fitted


def _beyond(rise: float, allowed: float) -> float:
    """How far beyond the end a place is, as a share of its distance from the fit: exact in a round valley."""
    if not np.isfinite(rise):
        return _FARTHEST
    return float(min(np.sqrt(max(rise, 0.0) / max(allowed, 1e-300)) - 1, _FARTHEST))


def _crossing(
    profile: Profile, inside: tuple[float, float], outside: tuple[float, float], best: float, allowed: float
) -> tuple[float, Array]:
    """Between a place inside and one outside, each with how far beyond the end it is: false position.

    The side that stays has its distance halved (Illinois), so that both close in.
    """
    place, fitted, stayed = inside[0], np.empty(0), 0
    for _ in range(_MOST_STEPS):
        share = inside[1] / (inside[1] - outside[1])
        place = inside[0] + share * (outside[0] - inside[0])
        value, fitted = profile(place)
        beyond = _beyond(value - best, allowed)
        if abs(beyond) <= _CLOSE or place in (inside[0], outside[0]):
            break
        if beyond > 0:
            outside, inside = (place, beyond), (inside[0], inside[1] / (2 if stayed > 0 else 1))
        else:
            inside, outside = (place, beyond), (outside[0], outside[1] / (2 if stayed < 0 else 1))
        stayed = 1 if beyond > 0 else -1
    return place, fitted

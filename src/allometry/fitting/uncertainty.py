"""How sure a fit is: `bootstrap` and `profile`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.engine import Minima, Problem, Samples, minimise
from allometry.fitting.prediction import noise_scale
from allometry.fitting.problems import one_sample, pose, working_point
from allometry.fitting.result import Draws, Fit, Resampling
from allometry.fitting.starting import candidates

Array = NDArray[np.float64]

_UNITS_FOR_PAIRS = 10  # per open coefficient: below that, many resamples hold too few different runs
_OTHERS = 32  # candidates a resample's second start is chosen from
RESAMPLINGS: tuple[Resampling, ...] = ("bayesian", "pairs", "residuals")


def bootstrap(
    fit: Fit, *, draws: int = 1000, unit: str = "run", seed: int = 0, resampling: Resampling | None = None
) -> Fit:
    """Refit many resamples of the runs by the same objective, so that every number gets an interval.

    Each resample is solved from two starts, the fit itself and the best of several hundred candidates under
    the resample's own weights; the lower end is kept.

    Args:
        unit: "run" keeps all rows of one training together; "row" takes each row alone.
        resampling: "residuals" keeps the design and redraws the noise, "pairs" draws units with replacement,
            "bayesian" weights them at random. By default "residuals" below ten units a coefficient, where it
            is the one that covers, else "pairs" (docs/decisions/0003-bootstrap-for-small-ladders.md).

    Returns:
        The same fit with `draws` and `drawn`. Refits without rest are left out and counted.

    Raises:
        FitError: If no refit converged.
    """
    if draws < 2:
        raise InputError(f"Ask for at least 2 draws, not {draws}; 1000 is usual.")
    resampling = resampling or _suited(fit, unit)
    if resampling not in RESAMPLINGS:
        raise InputError(f"There is no resampling '{resampling}'. There are: {', '.join(RESAMPLINGS)}.")
    problem = pose(fit.law, fit.data, fit.goal, fit.held)
    samples = _samples(fit, draws, unit, resampling, np.random.default_rng(seed))
    minima = _refit(problem, fit, samples)
    table = pd.DataFrame(problem.outward(minima.working[minima.converged]), columns=list(fit.law.names))
    table = table.assign(**fit.held)
    if table.empty:
        raise FitError(f"None of {draws} resamples of '{fit.law.name}' could be refitted.")
    how = Draws(resampling=resampling, unit=unit, count=draws, unconverged=draws - len(table), seed=seed)
    return replace(fit, draws=table, drawn=how)


def _suited(fit: Fit, unit: str) -> Resampling:
    # Noise around a lower envelope is not symmetric, so only the runs themselves can say how it is spread.
    many = len(np.unique(_units(fit, unit))) >= _UNITS_FOR_PAIRS * len(fit.open)
    return "pairs" if many or fit.objective == "lower_envelope" else "residuals"


def profile(fit: Fit, name: str, *, points: int = 41, width: float = 0.5) -> pd.DataFrame:
    """The best objective for each value of one coefficient, all others refitted.

    A sharp valley says that the runs determine the coefficient; a flat one that they do not.

    Args:
        points: Values to try, in equal ratios around the fitted one, which is among them if odd.
        width: How far to go each way, as a share of the fitted value.

    Returns:
        One row a value: the coefficients, "objective_value", and "rise", the objective above the fit's own
        as a share of it.

    Raises:
        InputError: If the coefficient is held, unknown, or zero.
    """
    if name not in fit.open or fit.coefficients[name] <= 0 or not 0 < width < 1:
        raise InputError(
            f"Profile one of {', '.join(fit.open)}, fitted above zero, with a width between 0 and 1; "
            f"not '{name}' with {width}."
        )
    reach = np.log1p(width)
    values = fit.coefficients[name] * np.exp(np.linspace(-reach, reach, points))
    problem = pose(fit.law, fit.data, fit.goal, {**fit.held, name: fit.coefficients[name]})
    starts = np.tile(working_point(problem, fit.coefficients), (points, 1))
    place = fit.law.names.index(name)
    starts[:, place] = np.log(values) if problem.logged[place] else values
    # The engine keeps a held coefficient where its start has it, so that each row holds its own value.
    ends = minimise(problem, starts, one_sample(fit.data).of_one(points)).working
    table = pd.DataFrame(problem.outward(ends), columns=list(fit.law.names))
    residuals = problem.residuals(ends, fit.data.output)
    table["objective_value"] = problem.objective.total(residuals, fit.data.weights)
    table["rise"] = table["objective_value"] / fit.objective_value - 1
    return table


def _samples(fit: Fit, draws: int, unit: str, resampling: Resampling, rng: np.random.Generator) -> Samples:
    members = _units(fit, unit)
    count = int(members.max()) + 1
    shape = (draws, len(fit.data))
    if resampling == "residuals":
        output = _simulated(fit, members, draws, rng)
        return Samples(weights=np.broadcast_to(fit.data.weights, shape), output=output)
    if resampling == "pairs":
        shares = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)
    else:
        shares = count * rng.dirichlet(np.ones(count), size=draws)
    return Samples(
        weights=shares[:, members] * fit.data.weights, output=np.broadcast_to(fit.data.output, shape)
    )


def _simulated(fit: Fit, members: NDArray[np.intp], draws: int, rng: np.random.Generator) -> Array:
    """The same designs measured again, if the fit were the truth; of shape (draws, runs)."""
    freedom = max(len(fit.data) - len(fit.open), 1)
    # The size of the noise is itself estimated from few runs: each draw takes another one.
    size = noise_scale(fit) * np.sqrt(freedom / rng.chisquare(freedom, size=(draws, 1)))
    noise = size * rng.standard_normal((draws, int(members.max()) + 1))[:, members]
    noise = noise * np.sqrt(fit.data.weights.mean() / fit.data.weights)
    fitted = fit.law.evaluate(fit.data.inputs, fit.coefficients)
    return np.asarray(fitted * np.exp(noise) if fit.on == "log" else fitted + noise)


def _units(fit: Fit, unit: str) -> NDArray[np.intp]:
    if unit == "row":
        return np.arange(len(fit.data))
    if unit == "run":
        return np.unique(fit.data.run_ids, return_inverse=True)[1]
    raise InputError(f"Resample by 'run' or by 'row', not by '{unit}'.")


def _refit(problem: Problem, fit: Fit, samples: Samples) -> Minima:
    """The lower of two searches for each resample."""
    here = working_point(problem, fit.coefficients)
    tried = candidates(problem, one_sample(fit.data), fit.seed, keep=_OTHERS)
    others = tried[_best_of(problem, tried, samples)]
    starts = np.concatenate([np.broadcast_to(here, others.shape), others])
    return _lower_half(minimise(problem, starts, samples.repeated(2)))


def _best_of(problem: Problem, tried: Array, samples: Samples) -> NDArray[np.intp]:
    """Which candidate has the least objective for each resample."""
    predicted = problem.predicted(tried)
    total = np.empty((len(tried), len(samples.output)))
    for row, values in enumerate(predicted):
        residuals = problem.compare(values, samples.output)
        total[row] = np.einsum("bn,bn->b", problem.objective.penalty(residuals), samples.weights)
    return np.asarray(np.argmin(total, axis=0), dtype=np.intp)


def _lower_half(both: Minima) -> Minima:
    """Of searches that come in two halves, the better one of each pair."""
    half = len(both.value) // 2
    second = both.value[half:] < both.value[:half]
    rows = np.arange(half) + half * second
    return Minima(working=both.working[rows], value=both.value[rows], converged=both.converged[rows])

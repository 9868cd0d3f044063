"""Checks of what the law leaves over: is it noise?"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting.checks.definition import Check, note, warning
from allometry.fitting.noise import repeat_noise, residual_noise
from allometry.fitting.result import Finding, Fit
from allometry.fitting.search import refit

Array = NDArray[np.float64]

PATTERN = 0.6  # rank correlation of residuals with an input
UNEQUAL = 0.5  # rank correlation of the size of residuals with an input
CHANCE = 2.6  # deviations of a rank correlation: chance goes beyond in one of a hundred
ENOUGH = 8  # runs below which a rank correlation says nothing
OUTLYING = 7.0  # times the median size of a residual: normal noise does it in 1 or 2 of 100 small studies
MISFIT = 0.001  # chance that noise alone leaves residuals so much larger than repeats differ


def _residual_pattern(fit: Fit) -> Finding | None:
    """Residuals that rise or fall along an input say that the law bends where the runs do not."""
    residuals = fit.residuals()
    if np.ptp(residuals) < 1e-12 or len(residuals) < ENOUGH:
        return None
    found = _ranked(residuals, _directions(fit))
    if not found:
        return None
    what, worst = max(found.items(), key=lambda pair: abs(pair[1]))
    if abs(worst) < PATTERN:
        return None
    return warning(
        "residual_pattern",
        f"What the law leaves over is not noise: it follows {what} (rank correlation {worst:.2f}).",
        "The form may be wrong for these runs: compare(laws, runs) judges laws by how they forecast the "
        "largest runs.",
        found,
    )


def _unequal_noise(fit: Fit) -> Finding | None:
    size = np.abs(fit.residuals())
    if np.ptp(size) < 1e-12 or len(size) < 2 * ENOUGH:
        return None
    found = _ranked(size, {fit.inputs[name]: values for name, values in fit.data.inputs.items()})
    if not found:
        return None
    what, worst = max(found.items(), key=lambda pair: abs(pair[1]))
    if abs(worst) < _unequal(size) or (fit.drawn is not None and fit.drawn.resampling in ("wild", "pairs")):
        return None
    how = "larger" if worst > 0 else "smaller"
    return note(
        "unequal_noise",
        f"Residuals are {how} where {what} is larger (rank correlation {worst:.2f}), so one size of noise "
        f"for all runs misjudges a forecast at either end.",
        'Use bootstrap(fit, resampling="wild"), and weights of 1 / variance where the noise is known.',
        found,
    )


def _outlying_runs(fit: Fit) -> Finding | None:
    size = np.abs(fit.residuals() * np.sqrt(fit.data.weights / fit.data.weights.mean()))
    # Robust objectives pass through about as many runs as there are coefficients: those say nothing of noise.
    spare = np.sort(size)[len(fit.open) :]
    if len(spare) < ENOUGH or np.median(spare) < 1e-12:
        return None
    far = np.flatnonzero(size > OUTLYING * np.median(spare))
    if not far.size or far.size > 0.2 * len(size):
        return None
    worst = far[np.argsort(-size[far])][:5]
    return warning(
        "outlying_runs",
        f"{far.size} run{'s lie' if far.size > 1 else ' lies'} more than {OUTLYING:g} times as far from "
        f"the law as the median run: {', '.join(fit.data.run_ids[row] for row in worst)}.",
        "Look at each: an undertuned or unstable run, a slip in the table. Leave one out only for a reason "
        "that you can write down (where=, because=).",
        {fit.data.run_ids[row]: float(fit.residuals()[row]) for row in worst},
    )


def _lack_of_fit(fit: Fit) -> Finding | None:
    """Residuals around the law against the differences of repeats (the classical F test for lack of fit)."""
    from scipy.special import fdtrc  # the tail of F, without the half second that scipy.stats takes to load

    again = repeat_noise(fit.data, fit.on)
    if again is None or again.scale == 0 or residual_noise(fit).freedom <= again.freedom:
        return None
    # By least squares: around another estimate the squares are not the least, which would look like misfit.
    around = residual_noise(refit(fit, objective="least_squares", starts=4))
    between = around.freedom - again.freedom
    misfit = (around.scale**2 * around.freedom - again.scale**2 * again.freedom) / between
    chance = float(fdtrc(between, again.freedom, misfit / again.scale**2))
    if chance > MISFIT:
        return None
    return warning(
        "lack_of_fit",
        f"Runs lie {around.scale:.2g} from the law, and repeats of one setting only {again.scale:.2g} "
        f"from each other: the form misses something that is not noise (F test, p {_at(chance)}).",
        "Compare laws by held-out larger runs; a forecast carries this misfit along.",
        {"around the law": around.scale, "between repeats": again.scale, "p": chance},
    )


def _weights_upside_down(fit: Fit) -> Finding | None:
    if np.ptp(np.log(fit.data.weights)) < 0.1 or len(fit.data) < ENOUGH:
        return None
    size = np.abs(fit.residuals())
    if np.ptp(size) < 1e-12:
        return None
    together = _rank_correlation(fit.data.weights, size)
    if together < _unequal(fit.data.weights):
        return None
    return warning(
        "weights_upside_down",
        f"Runs with larger weights lie further from the law (rank correlation {together:.2f}): weights are "
        "inverse variances, and these may be variances or deviations.",
        "Give 1 / variance.",
        {"correlation": together},
    )


def _unequal(values: Array) -> float:
    """The least rank correlation that matters and is not chance."""
    return max(UNEQUAL, CHANCE / float(np.sqrt(len(values) - 1)))


def _at(chance: float) -> str:
    return f"= {chance:.1g}" if chance > 1e-6 else "< 1e-6"


def _ranked(values: Array, directions: dict[str, Array]) -> dict[str, float]:
    return {what: _rank_correlation(values, along) for what, along in directions.items() if np.ptp(along) > 0}


def _rank_correlation(one: Array, other: Array) -> float:
    """Spearman's, with the mean rank for ties; scipy.stats would take a second to load."""
    ranks = np.stack([pd.Series(values).rank().to_numpy() for values in (one, other)])
    return float(np.asarray(np.corrcoef(ranks))[0, 1])


def _directions(fit: Fit) -> dict[str, Array]:
    """What residuals may follow: each input, its distance from the middle, and two inputs together."""
    logs = {
        fit.inputs[name]: np.log(values) if values.min() > 0 else values
        for name, values in fit.data.inputs.items()
    }
    found = dict(logs)
    for column, values in logs.items():
        found[f"distance from the middle {column}"] = np.abs(values - np.median(values))
    for (one, x), (other, y) in combinations(logs.items(), 2):
        # Large in both and small in both against large in one: what a sum of separate terms cannot bend to.
        found[f"{one} and {other} together"] = (x - x.mean()) * (y - y.mean())
    return found


CHECKS = (
    Check(
        code="residual_pattern",
        looks_for=f"A rank correlation of {PATTERN:g} or more between residuals and an input, its "
        f"distance from the middle, or two inputs together.",
        source="Besiroglu et al. 2024, arXiv:2404.10102, figure 3",
        find=_residual_pattern,
    ),
    Check(
        code="lack_of_fit",
        looks_for="Residuals larger than repeated runs differ (F test, 0.1%).",
        source="Fisher's F test for lack of fit, as in Draper and Smith 1998",
        find=_lack_of_fit,
    ),
    Check(
        code="outlying_runs",
        looks_for=f"Runs more than {OUTLYING:g} times as far from the law as the median run.",
        source="Besiroglu et al. 2024, arXiv:2404.10102",
        find=_outlying_runs,
    ),
    Check(
        code="unequal_noise",
        looks_for=f"Residuals whose size follows an input (rank correlation of {UNEQUAL:g} or more, beyond "
        "chance at 1%).",
        source="Porian et al. 2024, arXiv:2406.19146",
        find=_unequal_noise,
    ),
    Check(
        code="weights_upside_down",
        looks_for="Residuals that grow with the weights, which should be inverse variances.",
        source="own reading of published fitting code",
        find=_weights_upside_down,
    ),
)

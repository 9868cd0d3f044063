"""Where the uncertainty of approach 2 comes from: noise of the runs, and scatter between budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.frontier.compute_budgets import Measured
from allometry.fitting.frontier.definition import scatter
from allometry.fitting.frontier.profile_curves import NORMAL_MAD, PARABOLAS, Curve, minima, values
from allometry.fitting.frontier.profiles import BudgetWeights, Profile, budget_weights

Array = NDArray[np.float64]

_PRIOR_FREEDOM = (
    4  # of the pooled noise, in a budget's own: Smyth 2004, section 3, doi:10.2202/1544-6115.1027
)
_REPEATS_FOR_NOISE = 3  # degrees of freedom below which repeated seeds say too little


@dataclass(frozen=True, kw_only=True, eq=False)
class Noise:
    """Noise of single runs.

    Attributes:
        source: "given", "seeds", "residuals" or "none".
        sizes: Standard deviation of log output in each used budget.
        freedom: Degrees of freedom behind the sizes; infinite where they are taken as known.
    """

    source: str
    sizes: Array
    freedom: float = float("inf")


def estimate_noise(
    measured: Measured, member: NDArray[np.intp], used: Sequence[Profile], given: float | None
) -> Noise:
    """The noise that is given, else that of repeated seeds, else the distance of the runs to a parabola."""
    if given is not None:
        return Noise(source="given", sizes=np.full(len(used), given))
    repeated = _between_seeds(measured, member)
    if np.isfinite(repeated):
        return Noise(source="seeds", sizes=np.full(len(used), repeated))
    return _from_residuals(used)


def noisy_minima(used: Sequence[Profile], noise: Noise, draws: int, rng: np.random.Generator) -> Array:
    """Log minima of noisy copies, of shape (draws, used budgets); NaN where one is not inside.

    Budgets are strata: each keeps its runs and its own size of noise.
    """
    # The size of the noise is itself estimated from few runs: each draw takes another one.
    known = np.isinf(noise.freedom)
    unsure = np.ones(draws) if known else np.sqrt(noise.freedom / rng.chisquare(noise.freedom, size=draws))
    columns = [_drawn(profile, size * unsure, rng) for profile, size in zip(used, noise.sizes, strict=True)]
    return np.array(columns).T


def scatter_between(used: Sequence[Profile], weights: BudgetWeights) -> float:
    """Standard deviation of log minima about their power law beyond the noise of the runs."""
    known = [profile for profile in used if np.isfinite(profile.spread)]
    if len(known) < 3:
        return 0.0
    x, places = np.log([(profile.flops, profile.best) for profile in known]).T
    spread = np.array([profile.spread for profile in known])
    return scatter(x, places, spread, budget_weights(known, weights))


def scattered(places: Array, between: float, used: Sequence[Profile], rng: np.random.Generator) -> Array:
    """Log minima with the scatter between budgets added, of the same shape."""
    if not between:
        return places
    within = float(np.nanmean([profile.spread**2 for profile in used]))
    # Satterthwaite: scatter that dwarfs the noise is known from the budgets alone, else mostly from the runs.
    freedom = (places.shape[1] - 2) * (1 + within / between**2) ** 2
    unsure = np.sqrt(freedom / rng.chisquare(freedom, size=(len(places), 1)))
    return np.asarray(places + between * unsure * rng.standard_normal(places.shape))


def _between_seeds(measured: Measured, member: NDArray[np.intp]) -> float:
    """Standard deviation of log output between seeds of one setting; NaN where repeats are too few."""
    settings: dict[tuple[int, float, float], list[int]] = {}
    for row in np.flatnonzero((member >= 0) & np.isfinite(measured.seeds)):
        key = int(member[row]), float(measured.params[row]), float(measured.tokens[row])
        settings.setdefault(key, []).append(int(row))
    repeated = [rows for rows in settings.values() if len(np.unique(measured.seeds[rows])) > 1]
    freedom = sum(len(rows) - 1 for rows in repeated)
    if freedom < _REPEATS_FOR_NOISE:
        return float("nan")
    squares = sum(float(np.sum(_centred(np.log(measured.output[rows])) ** 2)) for rows in repeated)
    return float(np.sqrt(squares / freedom))


def _from_residuals(used: Sequence[Profile]) -> Noise:
    """Relative distance of the runs to their parabola.

    A budget has few sizes, so its own variance is drawn towards that of all budgets.
    """
    residuals = [_residuals(profile) for profile in used]
    freedom = np.array([len(each) - 3.0 for each in residuals])
    variance = np.array([_variance(profile, r) for profile, r in zip(used, residuals, strict=True)])
    pooled = float(freedom @ variance / freedom.sum())
    moderated = (freedom * variance + _PRIOR_FREEDOM * pooled) / (freedom + _PRIOR_FREEDOM)
    return Noise(source="residuals", sizes=np.sqrt(moderated), freedom=float(freedom.sum()))


def _drawn(profile: Profile, sizes: Array, rng: np.random.Generator) -> Array:
    """Log of `along` at the minimum of noisy copies of a profile; NaN where it is not inside.

    Args:
        sizes: Standard deviation of log output in each copy.
    """
    x = profile.x
    # An interpolating curve has no residual to take out first: noise is added to the runs themselves.
    base = profile.fitted(x) if profile.curve in PARABOLAS else profile.output
    noise = sizes[:, None] * rng.standard_normal((len(sizes), len(x)))
    place = minima(profile.curve, x, base * np.exp(noise)).place
    inside = (place > x[0]) & (place < x[-1])
    return np.where(inside, place, np.nan)


def _residuals(profile: Profile) -> Array:
    curve: Curve = "robust" if profile.curve == "robust" else "parabola"
    fitted = values(curve, profile.x, profile.output[None, :], profile.x)[0]
    return np.asarray(profile.output / fitted - 1)


def _variance(profile: Profile, residuals: Array) -> float:
    runs = len(residuals)
    if profile.curve == "robust":
        return float((NORMAL_MAD * np.median(np.abs(residuals))) ** 2 * runs / (runs - 3))
    return float(np.sum(residuals**2) / (runs - 3))


def _centred(logs: Array) -> Array:
    return np.asarray(logs - logs.mean())

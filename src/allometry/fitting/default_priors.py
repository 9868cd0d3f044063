"""What a fit's coefficients are believed to be where nothing is said: weak, stated, overruled by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from allometry.errors import InputError, UnknownName, did_you_mean
from allometry.fitting.priors import LogNormal, LogUniform, Normal, Prior
from allometry.fitting.result import Fit
from allometry.fitting.scales import transform
from allometry.fitting.starting import start_range
from allometry.fitting.wording import coefficient_unit
from allometry.laws import Coefficient

SCALE, DELTA = "noise.scale", "noise.delta"  # no law can have coefficients with a dot in their name
NARROWEST, WIDEST = 1e-6, 10.0  # of the noise, in multiples of the spread of the runs
_TURNS = 1000.0  # times the objective's delta: far beyond any noise, so that the normal law is inside
_MIDDLE = (0.05, 0.95)


def default_priors(fit: Fit) -> dict[str, Prior]:
    """Weakly informative priors for the open coefficients of a fit and for the noise of its runs.

    A coefficient that is estimated as its logarithm is log-normal, any other is normal; either has the law's
    own range of starting values as plus and minus one standard deviation. A fitted value outside of it
    widens it, so that an output of another size than a loss does not fight its prior. The noise is
    log-uniform from a millionth of the spread of the runs to ten times it. Huber's delta, beyond which the
    noise has straight tails, is log-uniform upwards of the objective's own: the runs say whether their noise
    is normal.
    """
    described = {one.name: one for one in fit.law.coefficients}
    found = {name: _by_range(described[name], fit) for name in fit.open}
    return {**found, **_of_noise(fit)}


def with_given(fit: Fit, given: Mapping[str, Prior]) -> dict[str, Prior]:
    """The default priors, with those that were given in their place.

    Raises:
        UnknownName: If there is nothing of that name to be believed.
        InputError: If a number was given instead of a prior.
    """
    priors = default_priors(fit)
    for name, prior in given.items():
        if name in fit.held:
            raise InputError(f"'{name}' is held at {fit.held[name]:g} in this fit, so it has no prior.")
        if name not in priors:
            raise UnknownName(
                f"'{fit.law.name}' has no '{name}' to have a prior.{did_you_mean(name, priors)} "
                f"There are: {', '.join(priors)}."
            )
        if not hasattr(prior, "log_density"):
            raise InputError(
                f"The prior of '{name}' is a distribution such as Normal(1.7, 0.1), not {prior!r}. "
                f'To keep a coefficient at a value, hold it: fit(law, runs, hold={{"{name}": …}}).'
            )
    return {**priors, **given}


def describe_priors(fit: Fit, priors: Mapping[str, Prior] | None = None) -> pd.DataFrame:
    """What `posterior` would believe before it sees the runs, to be read and overruled.

    Returns:
        One row for each open coefficient and for the noise: "prior", the ends "low" and "high" of its middle
        90%, "unit", and "from": "law" where it is the default, "given" where it is not.

    >>> flops = np.array([1e15, 1e16, 1e17, 1e18, 1e19])
    >>> from allometry.fitting.solve import fit
    >>> from allometry.runs.run import Runs
    >>> runs = Runs(pd.DataFrame({"flops": flops, "loss": 2 + 400 * flops**-0.15}))
    >>> found = fit("power_law_with_floor", runs, inputs={"x": "flops"})
    >>> describe_priors(found, {"E": Normal(1.9, 0.2)}).loc["E", "prior"]
    'Normal(mean=1.9, sd=0.2)'
    """
    units = {one.name: coefficient_unit(fit, one.unit) for one in fit.law.coefficients}
    noise = f"{fit.on} {fit.output}"
    rows = {
        name: {
            "prior": str(prior),
            "low": prior.quantile(_MIDDLE[0]),
            "high": prior.quantile(_MIDDLE[1]),
            "unit": units.get(name, noise),
            "from": "given" if name in (priors or {}) else "law" if name in units else "runs",
        }
        for name, prior in with_given(fit, priors or {}).items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _by_range(coefficient: Coefficient, fit: Fit) -> Prior:
    low, high = start_range(fit.law, coefficient, fit.data.inputs)
    value = fit.coefficients[coefficient.name]
    if coefficient.positive:
        low, high = min(low, value), max(high, value)
        return LogNormal(median=_rounded(np.sqrt(low) * np.sqrt(high)), factor=_rounded(np.sqrt(high / low)))
    low, high = min(low, value), max(high, value)
    return Normal(mean=_rounded((low + high) / 2), sd=_rounded((high - low) / 2))


def _of_noise(fit: Fit) -> dict[str, Prior]:
    spread = float(np.std(transform(fit.on, fit.data.output))) or 1.0
    found: dict[str, Prior] = {SCALE: LogUniform(_rounded(NARROWEST * spread), _rounded(WIDEST * spread))}
    return {**found, DELTA: LogUniform(fit.delta, _TURNS * fit.delta)} if fit.objective == "huber" else found


def _rounded(value: float) -> float:
    """Three digits: nobody's belief has more."""
    return float(f"{value:.3g}")

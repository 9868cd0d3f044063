"""A Bayesian posterior of a fit: `posterior`, with priors that are stated and can be overruled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.arguments import refuse_uncountable
from allometry.fitting.checks import quick_findings
from allometry.fitting.default_priors import with_given
from allometry.fitting.ensembles import ENSEMBLES, Chains, walk
from allometry.fitting.posterior_density import Density, curvature, density_of, width_of_priors
from allometry.fitting.posterior_starts import first_point, first_steps, most_probable, steps_along
from allometry.fitting.priors import Prior
from allometry.fitting.problems import named
from allometry.fitting.result import Draws, Finding, Fit, FitStatus, Sampling, Severity

Array = NDArray[np.float64]

_WALKERS = 64  # of each ensemble: few more cost next to nothing, as all are computed together
PRIOR_DECIDES = 0.8  # width of the posterior over that of the prior


def posterior(
    fit: Fit,
    *,
    priors: Mapping[str, Prior] | None = None,
    draws: int = 2000,
    seed: int = 0,
    walkers: int | None = None,
    most_steps: int = 16_000,
) -> Fit:
    """Draw coefficients by how probable the runs and the priors make them.

    The likelihood is the one whose most probable point the objective finds: normal noise for
    "least_squares", Laplace's for "lad", Huber's density for "huber". The size of the noise is sampled too,
    and for "huber" where its straight tails begin, from the objective's delta upwards, so that runs with
    normal noise are not weighed as if they had tails. Weights count as in the objective. Rows are taken to
    be independent.

    The coefficients of the result are the most probable ones where the noise is at its median, on the scale
    the engine works on, and the draws are from the same density: both hold the priors' part.

    Args:
        priors: Coefficient to prior, instead of the default, which `describe_priors` shows; "noise.scale" and
            "noise.delta" stand for the noise.
        draws: Kept of all the points that were seen, evenly likely.
        walkers: In each of two ensembles; eight for each sampled number, and at least 64, if not given.
        most_steps: Of each walker. They go on until the ensembles agree (split R-hat at most 1.01) and are
            worth 1000 independent draws; if that never happens, status and findings say so.

    Raises:
        MissingExtra: If emcee is not installed.
        InputError: If a prior is of no coefficient, or the fit is a lower envelope.
        FitError: If priors and law leave no place to begin.
    """
    refuse_uncountable("seed", seed, 0)
    if draws < 2 or most_steps < 100:
        raise InputError(
            f"Ask for at least 2 draws and 100 steps, not {draws} and {most_steps}; 2000 and 16000 are usual."
        )
    density = density_of(fit, with_given(fit, priors or {}))
    begin = first_point(fit, density)
    # The middle residual, so that a few runs far off do not spread the first steps too widely.
    sharp = curvature(density, begin, max(float(np.median(np.abs(fit.residuals()))), 1e-12))
    centre = most_probable(density, begin, steps_along(sharp))
    count = walkers or max(_WALKERS, 8 * len(centre))
    chains = walk(density, first_steps(density, centre, steps_along(sharp), count, seed), most_steps, seed)
    best = most_probable(density, _typical(density, chains), steps_along(sharp, len(density.open)))
    return _with_draws(fit, density, chains, best, draws, seed)


def _typical(density: Density, chains: Chains) -> Array:
    """The most probable coefficients that were seen, with the noise at its median."""
    # The most probable noise may be a narrow spike that holds next to no probability.
    at, count = chains.best.copy(), len(density.open)
    at[count:] = np.median(chains.flat[:, count:], axis=0)
    return at


def _with_draws(fit: Fit, density: Density, chains: Chains, best: Array, draws: int, seed: int) -> Fit:
    flat = chains.flat
    chosen = np.random.default_rng(seed).choice(len(flat), draws, replace=draws > len(flat))
    table = pd.DataFrame(density.problem.outward(density.working(flat[chosen])), columns=list(fit.law.names))
    coefficients = named(density.problem, density.working(best[None, :])[0])
    result = replace(
        fit,
        coefficients=coefficients,
        objective_value=_objective(fit, coefficients),
        status=_status(fit, density, best),
        draws=table.assign(**fit.held),
        drawn=Draws(
            resampling="posterior",
            unit="row",
            count=draws,
            unconverged=0,
            seed=seed,
            sampling=_sampling(density, chains, flat[chosen]),
        ),
    )
    found = [*quick_findings(result), *_findings(result, density, chains, flat)]
    settled = result if chains.settled else replace(result, status=FitStatus.NOT_CONVERGED)
    return replace(settled, findings=tuple(found))


def _objective(fit: Fit, coefficients: Mapping[str, float]) -> float:
    return float(fit.goal.total(-replace(fit, coefficients=coefficients).residuals(), fit.data.weights))


def _status(fit: Fit, density: Density, best: Array) -> FitStatus:
    low, high = density.limits
    if ((best <= low) | (best >= high)).any():
        return FitStatus.AT_BOUND
    return FitStatus.DOUBTFUL if fit.status is FitStatus.DOUBTFUL else FitStatus.CONVERGED


def _sampling(density: Density, chains: Chains, chosen: Array) -> Sampling:
    middle = density.natural(np.median(chosen, axis=0)[None, :])[0]
    return Sampling(
        priors={name: str(prior) for name, prior in density.priors.items()},
        noise={name: float(middle[k]) for k, name in enumerate(density.names) if "." in name},
        walkers=ENSEMBLES * chains.points.shape[2],
        steps=chains.steps,
        rhat=chains.rhat,
        effective=chains.effective,
    )


def _findings(fit: Fit, density: Density, chains: Chains, flat: Array) -> list[Finding]:
    found = [] if chains.settled else [_unsettled(chains)]
    decided = _decided_by_priors(density, flat)
    if decided:
        found.append(
            Finding(
                code="prior_decides",
                severity=Severity.NOTE,
                sentence=f"These runs say little of {', '.join(decided)}: it is nearly as uncertain after "
                "them as by its prior.",
                evidence=decided,
                remedy="Widen the range of the input it belongs to, or say where its prior comes from.",
            )
        )
    return found


def _unsettled(chains: Chains) -> Finding:
    return Finding(
        code="posterior_not_converged",
        severity=Severity.SERIOUS,
        sentence=f"After {chains.steps} steps the walkers have not settled: split R-hat {chains.rhat:.3f} "
        f"(1.01 at most), {chains.effective:.0f} effective draws (1000 at least).",
        evidence={"steps": chains.steps, "rhat": chains.rhat, "effective": chains.effective},
        remedy=f"Let them walk on: posterior(fit, most_steps={4 * chains.steps}); if that does not help, "
        "give a narrower prior to the coefficient with the widest interval, or hold it.",
    )


def _decided_by_priors(density: Density, flat: Array) -> dict[str, float | str]:
    """Coefficients whose middle two thirds are not much narrower than before the runs."""
    low, high = np.quantile(flat, (1 / 6, 5 / 6), axis=0)
    share = (high - low) / 2 / width_of_priors(density)
    named_shares = zip(density.names[: len(density.open)], share, strict=False)
    return {name: float(one) for name, one in named_shares if one > PRIOR_DECIDES}

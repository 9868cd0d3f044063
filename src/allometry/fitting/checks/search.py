"""Checks of the search: did it find the best description of these runs?"""

from __future__ import annotations

from collections.abc import Mapping

from allometry.fitting.checks.definition import Check, note, serious, warning
from allometry.fitting.result import Finding, Fit, FitStatus

_FAILED_DRAWS = 0.02  # share of refits above which the intervals suffer


def _not_converged(fit: Fit) -> Finding | None:
    sampled = fit.drawn is not None and fit.drawn.sampling is not None  # walkers say it in their own words
    if fit.status is not FitStatus.NOT_CONVERGED or sampled:
        return None
    return serious(
        "not_converged",
        "The best search did not come to rest: a better description of these runs may exist.",
        "Fit with more starts (starts=64), or check the units of the inputs.",
        {"converged": fit.starts.converged, "tried": fit.starts.tried},
    )


def _starts_disagree(fit: Fit) -> Finding | None:
    if fit.starts.agreeing >= min(3, fit.starts.tried) or fit.status is FitStatus.NOT_CONVERGED:
        return None
    return warning(
        "starts_disagree",
        f"Only {fit.starts.agreeing} of {fit.starts.tried} starts reached the best objective.",
        "Fit with more starts (starts=64); if they still disagree, the runs allow several answers.",
        {"agreeing": fit.starts.agreeing, "tried": fit.starts.tried},
    )


def _at_bound(fit: Fit) -> Finding | None:
    ends: dict[str, float] = {}
    for coefficient in fit.law.coefficients:
        value, (low, high) = fit.coefficients[coefficient.name], coefficient.bounds
        near = 1e-9 * abs(value)
        if coefficient.name in fit.open and (value - near <= low or value + near >= high):
            ends[coefficient.name] = value
    if not ends:
        return None
    return serious(
        "at_bound",
        f"{_listed(ends)} ended at the limit that the law allows, so these runs do not determine "
        f"{'it' if len(ends) == 1 else 'them'}.",
        "Widen the range of the inputs, hold the coefficient fixed, or use a law without it.",
        ends,
    )


def _unconverged_draws(fit: Fit) -> Finding | None:
    if fit.drawn is None or fit.drawn.unconverged == 0:
        return None
    say = warning if fit.drawn.unconverged > _FAILED_DRAWS * fit.drawn.count else note
    return say(
        "unconverged_draws",
        f"{fit.drawn.unconverged} of {fit.drawn.count} refits did not converge; without them the intervals "
        "are a little too narrow.",
        "Add runs, or hold the coefficient with the widest interval.",
        {"unconverged": fit.drawn.unconverged, "draws": fit.drawn.count},
    )


def _listed(ends: Mapping[str, float]) -> str:
    return " and ".join(f"{name} = {value:.4g}" for name, value in ends.items())


CHECKS = (
    Check(
        code="not_converged",
        looks_for="A best search without rest.",
        source="Besiroglu et al. 2024, arXiv:2404.10102",
        find=_not_converged,
        quick=True,
    ),
    Check(
        code="starts_disagree",
        looks_for="Fewer than three starts at the best objective.",
        source="Besiroglu et al. 2024, arXiv:2404.10102: 7% of a 4,500-start grid reach the optimum",
        find=_starts_disagree,
        quick=True,
    ),
    Check(
        code="at_bound",
        looks_for="A coefficient at the limit that the law allows.",
        source="own simulations",
        find=_at_bound,
        quick=True,
    ),
    Check(
        code="unconverged_draws",
        looks_for="Resamples that could not be refitted; a warning above 2%.",
        source="Besiroglu et al. 2024, arXiv:2404.10102",
        find=_unconverged_draws,
        quick=True,
    ),
)

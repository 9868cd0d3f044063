"""`iso_flop`: approach 2, the best size of each budget from its own runs, and power laws through these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.arguments import refuse_other_than_runs, refuse_uncountable
from allometry.fitting.frontier.compute_budgets import group, measure
from allometry.fitting.frontier.definition import Frontier, FrontierLaw, frontier_law
from allometry.fitting.frontier.isoflop_checks import isoflop_findings
from allometry.fitting.frontier.isoflop_sensitivity import sensitivity
from allometry.fitting.frontier.minima_noise import estimate_noise, noisy_minima, scatter_between, scattered
from allometry.fitting.frontier.profile_curves import Curve, require_curve
from allometry.fitting.frontier.profiles import (
    Along,
    BudgetWeights,
    Profile,
    budget_weights,
    find_profiles,
)
from allometry.runs.run import Runs

Array = NDArray[np.float64]
LEAST_BUDGETS = 3  # two points make any exponent exact


@dataclass(frozen=True, kw_only=True, eq=False)
class IsoFlopFit(Frontier):
    """Approach 2: profiles, their minima, and the power laws through the bracketed ones.

    Attributes:
        profiles: One a budget, used or not, rising in compute.
        curve, along, weights: How minima were found and joined.
        noise_from: Where the noise of the draws comes from: "given", "seeds" or "residuals".
        noise: Standard deviation of log output in each used budget.
        outside: Runs whose compute is near none of the named budgets.
        scatter: Standard deviation of log `along` of the minima about their power law, beyond their noise:
            recipes or learning rates that differ between budgets, or no one power law. Draws contain it.
    """

    profiles: tuple[Profile, ...]
    curve: Curve
    along: Along
    weights: BudgetWeights
    noise_from: str
    noise: tuple[float, ...]
    outside: int
    scatter: float

    @property
    def used(self) -> tuple[Profile, ...]:
        """The profiles whose minimum is bracketed: those the laws go through."""
        return tuple(profile for profile in self.profiles if profile.bracketed)

    def budgets(self) -> pd.DataFrame:
        """One row a budget: runs, sizes, sampled range, minimum, status, and the reason it is not used."""
        return pd.DataFrame([_budget_row(profile) for profile in self.profiles])

    def summary(self, level: float = 0.9) -> str:
        """The result in plain text: exponents, budgets, findings."""
        from allometry.fitting.frontier.wording import isoflop_summary

        return isoflop_summary(self, level)


def iso_flop(
    runs: Runs,
    *,
    curve: Curve = "parabola",
    along: Along = "params",
    budgets: Sequence[float] | None = None,
    tolerance: float = 0.1,
    output: str = "loss",
    inputs: Mapping[str, str] | None = None,
    flagged: str = "",
    weights: BudgetWeights = "equal",
    noise: float | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> IsoFlopFit:
    """Find the compute-optimal frontier from IsoFLOP profiles (approach 2).

    A budget without a minimum inside its sampled range is not used, and the result says why. With "akima",
    noise from seeds and weights="inverse_variance" this is the treatment of Porian et al. 2024.

    Args:
        curve: "parabola", "robust", "spline" or "akima" (see `allometry.fitting.frontier.profile_curves`).
        along: Whether profiles run along "params" or "tokens"; the same if flops is 6 · params · tokens.
        budgets: Nominal FLOP of the budgets; without them, runs of nearly equal compute are one.
        tolerance: How far a run's compute may be from its budget, as a share of it.
        inputs: "params", "tokens" or "flops" to another column, such as {"params": "params_total"}.
        flagged: A true/false column that marks doubtful runs: `sensitivity` says what they decide.
        weights: How budgets weigh in the power laws: "equal" (as published) or "inverse_variance" of minima.
        noise: Standard deviation of log output between seeds. Without it, from runs repeated under other
            seeds, else from the distance of the runs to their parabola.
        draws: Noisy copies of all profiles; 0 for no intervals.

    Raises:
        FitError: If the runs form no budgets, or fewer than 3 budgets have a minimum inside.

    Source:
        Hoffmann et al. 2022, section 3.2, arXiv:2203.15556; Porian et al. 2024, arXiv:2406.19146.

    >>> from allometry.laws import chinchilla
    >>> size = np.tile(np.geomspace(1 / 4, 4, 9), 3)
    >>> flops = np.repeat([1e18, 1e19, 1e20], 9)
    >>> params = size * np.sqrt(flops / 6)
    >>> law = {"E": 1.7, "A": 400.0, "B": 400.0, "alpha": 0.3, "beta": 0.3}
    >>> loss = chinchilla.evaluate({"params": params, "tokens": flops / 6 / params}, law)
    >>> found = iso_flop(Runs(pd.DataFrame({"flops": flops, "params": params, "loss": loss})), draws=0)
    >>> round(found.params_law.exponent, 2), round(found.tokens_law.exponent, 2)
    (0.5, 0.5)
    """
    refuse_other_than_runs(runs)
    refuse_uncountable("seed", seed, 0)
    require_curve(curve)
    _require_options(along, weights, noise, draws)
    measured = measure(runs, output=output, inputs=inputs, flagged=flagged)
    grouped = group(measured.flops, budgets, tolerance)
    profiles = find_profiles(measured, grouped, curve, along)
    used = [profile for profile in profiles if profile.bracketed]
    _refuse_without_minima(profiles, used)
    runs_noise = estimate_noise(measured, grouped[1], used, noise)
    rng = np.random.default_rng(seed)
    places = noisy_minima(used, runs_noise, draws, rng) if draws else np.empty((0, len(used)))
    profiles = _with_spreads(profiles, places)
    used = [profile for profile in profiles if profile.bracketed]
    between = scatter_between(used, weights) if draws else 0.0
    places = scattered(places, between, used, rng)
    params_law, tokens_law = _laws(used, places, weights)
    result = IsoFlopFit(
        points=_points(used, output),
        params_law=params_law,
        tokens_law=tokens_law,
        profiles=profiles,
        curve=curve,
        along=along,
        weights=weights,
        noise_from=runs_noise.source,
        noise=tuple(runs_noise.sizes.tolist()),
        outside=int((grouped[1] < 0).sum()),
        scatter=between,
        sensitivity=sensitivity(profiles, weights),
        findings=(),
        output=output,
        unit=measured.unit,
        asked=draws,
        seed=seed,
        conventions=measured.conventions,
        filters=measured.filters,
        source=measured.source,
    )
    return replace(result, findings=tuple(isoflop_findings(result)))


def _require_options(along: str, weights: str, noise: float | None, draws: int) -> None:
    if along not in ("params", "tokens"):
        raise InputError(f"Profiles run along 'params' or 'tokens', not '{along}'.")
    if weights not in ("equal", "inverse_variance"):
        raise InputError(f"Budgets weigh 'equal' or by 'inverse_variance', not '{weights}'.")
    if noise is not None and not (np.isfinite(noise) and noise >= 0):
        raise InputError(f"noise is the standard deviation of log output, zero or more; not {noise}.")
    if draws < 0 or (draws == 0 and weights == "inverse_variance"):
        raise InputError(
            f"{draws} draws are too few: 1000 is usual, 0 with equal weights gives no intervals."
        )


def _refuse_without_minima(profiles: Sequence[Profile], used: Sequence[Profile]) -> None:
    if len(used) >= LEAST_BUDGETS:
        return
    lost = [f"{profile.name()}: {profile.reason()}" for profile in profiles if not profile.bracketed]
    why = f" {'; '.join(lost[:6])}{'; …' if len(lost) > 6 else ''}." if lost else ""
    raise FitError(
        f"Approach 2 needs {LEAST_BUDGETS} budgets whose loss has a minimum inside the sampled range; "
        f"{len(used)} of {len(profiles)} have one.{why} A law of params and tokens, such as 'chinchilla', "
        "needs no bracketed minima."
    )


def _with_spreads(profiles: Sequence[Profile], places: Array) -> tuple[Profile, ...]:
    if not len(places):
        return tuple(profiles)
    columns = iter(places.T)
    return tuple(_with_spread(each, next(columns)) if each.bracketed else each for each in profiles)


def _with_spread(profile: Profile, drawn: Array) -> Profile:
    inside = drawn[np.isfinite(drawn)]
    spread = float(np.std(inside)) if inside.size else np.nan
    return replace(profile, spread=spread, bracketed_share=inside.size / drawn.size)


def _laws(used: Sequence[Profile], places: Array, weights: BudgetWeights) -> tuple[FrontierLaw, FrontierLaw]:
    flops = np.array([profile.flops for profile in used])
    best = np.array([(profile.best_params, profile.best_tokens) for profile in used]).T
    drawn = np.array([profile.at(places[:, place]) for place, profile in enumerate(used)]).transpose(1, 2, 0)
    share = budget_weights(used, weights)
    params = frontier_law("params", "1", flops, best[0], drawn[0], share)
    return params, frontier_law("tokens", "token", flops, best[1], drawn[1], share)


def _points(used: Sequence[Profile], output: str) -> pd.DataFrame:
    rows = [(each.flops, each.best_params, each.best_tokens, each.best_output) for each in used]
    return pd.DataFrame(rows, columns=["flops", "params", "tokens", output])


def _budget_row(profile: Profile) -> dict[str, float | int | str]:
    return {
        "flops": profile.flops,
        "runs": len(profile),
        "sizes": profile.sizes,
        "params_low": float(profile.params.min()),
        "params_high": float(profile.params.max()),
        "params": profile.best_params,
        "tokens": profile.best_tokens,
        "output": profile.best_output,
        "spread": profile.spread,
        "bracketed_share": profile.bracketed_share,
        "status": str(profile.status),
        "reason": profile.reason(),
    }

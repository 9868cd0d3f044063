"""What can be wrong with approach 2: each check finds nothing or says it in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.checks.definition import note, serious, warning, worst_first
from allometry.fitting.frontier.checks import SENSITIVE, moving_most, not_6nd, sensitive
from allometry.fitting.frontier.isoflop_sensitivity import narrowed
from allometry.fitting.frontier.profile_curves import PARABOLAS
from allometry.fitting.frontier.profiles import Profile, ProfileStatus
from allometry.fitting.result import Finding

if TYPE_CHECKING:
    from allometry.fitting.frontier.isoflop import IsoFlopFit

Array = NDArray[np.float64]

BUDGETS_FOR_LINE = 4  # below this, one budget decides and nothing shows it
OFF_CENTRE = 0.5  # of half the sampled log range: the minimum is nearer to an end than to the middle
MOVED_MINIMUM = (
    0.03  # relative, when the grid is halved: what ±16 times the optimum does to Hoffmann's surface
)
SCATTERED = 2.0  # times the noise: by chance in 1 of 500 sets of five budgets
LOST_DRAWS = 0.5  # share of the draws in which a budget loses its minimum
SAME_SIZE_APART = 0.1  # relative: losses of one size and budget farther apart than seeds ever are


def isoflop_findings(found: IsoFlopFit) -> list[Finding]:
    """All checks, worst first."""
    counts = ((profile.spent, profile.params, profile.tokens) for profile in found.profiles)
    own = (finding for check in _CHECKS for finding in check(found))
    return worst_first([*own, *not_6nd(counts)])


_CODES = {
    ProfileStatus.AT_LOWER_EDGE: "minimum_at_edge",
    ProfileStatus.AT_UPPER_EDGE: "minimum_at_edge",
    ProfileStatus.OPENS_DOWNWARD: "opens_downward",
    ProfileStatus.FEW_SIZES: "few_sizes",
}


def _dropped(found: IsoFlopFit) -> Iterator[Finding]:
    by_code: dict[str, list[Profile]] = defaultdict(list)
    for profile in found.profiles:
        if not profile.bracketed:
            by_code[_CODES[profile.status]].append(profile)
    for code, lost in by_code.items():
        reasons = "; ".join(f"{profile.name()}: {profile.reason()}" for profile in lost)
        yield warning(
            code,
            f"{len(lost)} of {len(found.profiles)} budgets are not used. {reasons}.",
            "Train the sizes named, or leave these budgets out knowingly.",
            {profile.name(): str(profile.status) for profile in lost},
        )


def _outside(found: IsoFlopFit) -> Iterator[Finding]:
    if found.outside:
        total = found.outside + sum(len(profile) for profile in found.profiles)
        yield note(
            "outside_budgets",
            f"{found.outside} of {total} runs are near none of the named budgets and are not used.",
            "Name their budgets too, or widen tolerance.",
            {"outside": found.outside, "runs": total},
        )


def _few_budgets(found: IsoFlopFit) -> Iterator[Finding]:
    if len(found.used) < BUDGETS_FOR_LINE:
        yield warning(
            "few_budgets",
            f"The power laws go through {len(found.used)} budgets, so one wrong minimum turns them.",
            f"Add budgets, to {BUDGETS_FOR_LINE} or more; small ones cost little.",
            {"budgets": len(found.used)},
        )


def _lost_minima(found: IsoFlopFit) -> Iterator[Finding]:
    lost = {p.name(): p.bracketed_share for p in found.used if p.bracketed_share < LOST_DRAWS}
    if lost:
        yield serious(
            "minimum_lost_in_noise",
            f"In more than half of the noisy copies {', '.join(lost)} has no minimum inside the "
            "sampled range: the noise is as large as the bowl is deep.",
            "Repeat these budgets with other seeds or over a wider range of sizes.",
            lost,
        )


def _two_levels(found: IsoFlopFit) -> Iterator[Finding]:
    """Two readings of one size that differ by far more than seeds do: two metrics or two tokenizers."""
    apart = np.concatenate([_gaps_of_one_size(profile) for profile in found.profiles])
    if apart.size and np.median(apart) > np.log1p(SAME_SIZE_APART):
        yield serious(
            "two_levels",
            f"Runs of one size and budget differ by {np.expm1(np.median(apart)):.0%} in "
            f"{found.output} (median): the table mixes two metrics, tokenizers or data sets.",
            "Fit them apart, with runs.where(...); intervals from such residuals mean nothing.",
            {"pairs": apart.size, "log_difference": float(np.median(apart))},
        )


def _gaps_of_one_size(profile: Profile) -> Array:
    same = np.diff(profile.x) < 1e-9
    return np.abs(np.diff(np.log(profile.output)))[same]


def _off_centre(found: IsoFlopFit) -> Iterator[Finding]:
    offsets = {profile.name(): _offset(profile) for profile in found.used}
    far = {name: offset for name, offset in offsets.items() if abs(offset) > OFF_CENTRE}
    drift = max(offsets.values()) - min(offsets.values())
    if not far and drift <= OFF_CENTRE:
        return
    said = [f"nearer to an end of the grid than to its middle in {len(far)} of {len(offsets)} budgets"]
    said = said * bool(far) + [
        f"at a place in the grid that moves by {drift:.0%} of half its width over the budgets"
    ]
    yield warning(
        "off_centre",
        f"The minimum lies {' and '.join(said)}. A parabola is pulled to the side with more "
        "runs; where that side changes with compute, the exponent is wrong.",
        "Centre each budget's sizes on its expected minimum, or fit a law of params and tokens.",
        {**far, "drift": drift},
    )


def _offset(profile: Profile) -> float:
    """Place of the minimum in the sampled log range: -1 lower end, 0 middle, 1 upper end."""
    low, high = float(profile.x[0]), float(profile.x[-1])
    return (2 * float(np.log(profile.best)) - low - high) / (high - low)


def _grid_width(found: IsoFlopFit) -> Iterator[Finding]:
    """A loss is a parabola of log size only near its minimum: see what half the grid says."""
    if found.curve not in PARABOLAS:
        return
    halves = [narrowed(profile) for profile in found.used]
    moves = [
        float(np.log(half.best_params / whole.best_params))
        for half, whole in zip(halves, found.used, strict=True)
        if half.bracketed and len(half) < len(whole)
    ]
    shift, exponent = float(np.median(moves)) if moves else 0.0, moving_most(found, "grid")[2]
    if abs(shift) <= MOVED_MINIMUM and abs(exponent) <= SENSITIVE:
        return
    width = float(np.median([np.ptp(profile.x) for profile in found.used]) / np.log(10))
    yield warning(
        "wide_grid",
        f"The grids span {width:.2g} decades. From the half of each nearest its minimum the best "
        f"size moves by {np.expm1(shift):+.1%} (median) and the exponent of params by {exponent:+.3f}.",
        "If it is more than the intervals allow, the parabola is biased (arXiv:2603.22339): fit a law "
        'of params and tokens, or use curve="akima".',
        {"decades": width, "params_shift": float(np.expm1(shift)), "exponent_shift": exponent},
    )


def _one_budget(found: IsoFlopFit) -> Iterator[Finding]:
    yield from sensitive(
        found,
        "budget",
        "one_budget_decides",
        "The exponent of params is {here}; {change} alone it is {there}.",
        "Look at that budget's runs; add budgets near it.",
    )


def _rows(found: IsoFlopFit) -> Iterator[Finding]:
    yield from sensitive(
        found,
        "rows",
        "few_runs_decide",
        "The exponent of params is {here} from all runs and {there} {change}.",
        "Report both. Say beforehand which runs are left out and why.",
    )


def _curves(found: IsoFlopFit) -> Iterator[Finding]:
    yield from sensitive(
        found,
        "curve",
        "curves_disagree",
        f"The exponent of params is {{here}} by {found.curve} curves and {{there}} by {{change}}.",
        "Add sizes around the minima, until the curve through them matters no more.",
    )


def _scatter(found: IsoFlopFit) -> Iterator[Finding]:
    """Minima that leave the power law by more than their noise."""
    noise = float(np.median([profile.spread for profile in found.used]))
    if found.asked and found.scatter > SCATTERED * noise:
        yield warning(
            "minima_scatter",
            f"The minima scatter about the power law by {np.expm1(found.scatter):.0%} beyond their "
            f"noise of {np.expm1(noise):.0%}. The intervals contain both.",
            "Look for budgets with another recipe or untuned learning rates; add budgets.",
            {"scatter": found.scatter, "noise": noise},
        )


_CHECKS = (
    _dropped,
    _outside,
    _few_budgets,
    _two_levels,
    _lost_minima,
    _off_centre,
    _grid_width,
    _one_budget,
    _rows,
    _curves,
    _scatter,
)

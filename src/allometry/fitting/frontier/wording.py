"""Approaches 1 and 2 in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allometry.fitting.frontier.definition import Frontier, FrontierLaw
from allometry.fitting.frontier.profiles import Profile
from allometry.fitting.wording import show
from allometry.units import show_count, show_power

if TYPE_CHECKING:
    from allometry.fitting.frontier.envelope import EnvelopeFit
    from allometry.fitting.frontier.isoflop import IsoFlopFit

_NOISE = {
    "given": "noise as given",
    "seeds": "noise from repeated seeds",
    "residuals": "noise from the distance of the runs to their parabola",
}


def frontier_lines(found: Frontier, level: float) -> list[str]:
    """The two power laws with their exponents' ranges."""
    return [
        _law_line("N*", found.params_law, level),
        _law_line("D*", found.tokens_law, level),
    ]


def finding_lines(found: Frontier) -> list[str]:
    """Runs left out, and the findings."""
    lines = [f"  left out    {f.dropped} by not: {f.query} ({f.because})" for f in found.filters]
    return [*lines, *(f"  {finding.severity}: {finding.sentence}" for finding in found.findings)]


def isoflop_summary(found: IsoFlopFit, level: float) -> str:
    """Approach 2 in plain text; `IsoFlopFit.summary` is the front of this."""
    budgets = [f"  {profile.name():>12s}  {_minimum(profile, found.output)}" for profile in found.profiles]
    head = (
        f"approach 2: {found.curve} curves along {found.along}, {len(found.used)} budgets of {found.source}"
    )
    draws = f"{level:.0%}, {found.asked} draws, {_NOISE[found.noise_from]}"
    noise = f"  intervals   {draws if found.asked else 'none: no draws were asked for'}"
    return "\n".join(
        [head, "", *frontier_lines(found, level), "", *budgets, "", noise, *finding_lines(found)]
    )


def _minimum(profile: Profile, output: str) -> str:
    runs = f"{len(profile):3d} runs  "
    if not profile.bracketed:
        return f"{runs}not used: {profile.reason()}"
    best = f"N* {show_count(profile.best_params)}, D* {show_count(profile.best_tokens)}"
    return f"{runs}{best}, {output} {profile.best_output:.4g}"


def _law_line(symbol: str, law: FrontierLaw, level: float) -> str:
    slope = law.slope(level)
    ends = f" ({slope.low:.4f} to {slope.high:.4f})" if np.isfinite(slope.low) else ""
    unit = "" if law.unit == "1" else f" {law.unit}s"
    return f"  {symbol} = {show(law.coefficient)} · C^{law.exponent:.4f}{ends}{unit}"


def envelope_summary(found: EnvelopeFit, level: float) -> str:
    """Approach 1 in plain text; `EnvelopeFit.summary` is the front of this."""
    what = "training curves" if found.from_curves else "final results"
    places = f"{len(found.points)} of {found.places} places of compute"
    head = f"approach 1: lower envelope of {what} of {found.source}, {places}"
    kept = len(found.params_law.draws)
    draws = f"{kept} of {found.asked} resamples of runs" if found.asked else "none: no draws were asked for"
    first = found.points.drop_duplicates("run_id")
    runs = [
        f"  {show_count(size):>7s} params from {show_power(flops)} FLOP: {name}"
        for size, flops, name in zip(first["params"], first["flops"], first["run_id"], strict=True)
    ]
    laws = frontier_lines(found, level)
    return "\n".join([
        head, "", *laws, "", *runs, "", f"  intervals   {level:.0%}, {draws}", *finding_lines(found)
    ])  # fmt: skip

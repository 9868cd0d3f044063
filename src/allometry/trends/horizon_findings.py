"""What to know before using time horizons, and the horizons in plain words."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting.result import Finding, Severity
from allometry.trends.dates import show_date
from allometry.trends.success_curves import Penalty

if TYPE_CHECKING:
    from allometry.trends.horizon import Horizons

Array = NDArray[np.float64]

PENALTIES: tuple[Penalty, ...] = ("firth", "none", "published")
FEW_LONGER = 5  # tasks longer than the horizon, below which single tasks decide its upper end
MOVED = 0.1  # a relative change of p50 by the penalty that is worth a word
FEW_FAMILIES = 10  # equally weighted ones: with fewer the t distribution widens intervals by a tenth or more
LOST = 0.02  # share of draws without a horizon
_NAMED = 3  # agents named in a sentence


def horizon_findings(
    table: pd.DataFrame, penalties: pd.DataFrame, log2_draws: Array, longest: float, families: float
) -> tuple[Finding, ...]:
    """What is doubtful about some agents' horizons."""
    found = [
        *_out_of_range(table, longest),
        *_few_longer(table),
        *_separated(table),
        *_penalised(table, penalties),
        *_few_families(families),
        *_lost_draws(table, log2_draws),
    ]
    return tuple(found)


def show_minutes(minutes: float) -> str:
    """A task length in the unit that reads best.

    >>> show_minutes(0.05), show_minutes(45.2), show_minutes(288.9)
    ('3.0 s', '45 min', '4.8 h')
    """
    if not np.isfinite(minutes):
        return "–"
    for size, unit in ((60.0, "h"), (1.0, "min"), (1 / 60, "s")):
        if minutes >= size * (1.5 if unit == "h" else 1):
            value = minutes / size
            return f"{value:.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"
    return f"{60_000 * minutes:.2g} ms"


def horizon_words(row: Mapping[Hashable, Any], found: Horizons, name: str = "p50") -> str:
    """One horizon with its interval; beyond the suite only the bound that its tasks allow."""
    if row["status"] == "flat":
        return "none, as success does not fall with length"
    shown = [_within(row[end], found) for end in (name, f"{name}_low", f"{name}_high")]
    return f"{shown[0]} ({shown[1]} to {shown[2]})" if np.isfinite(row[f"{name}_low"]) else shown[0]


def summarise(found: Horizons) -> str:
    """One line an agent, then what was found."""
    ordered = found.table.sort_values("year", kind="stable")
    wide = max(len(name) for name in ordered["agent"])
    suite = f"tasks of {show_minutes(found.shortest)} to {show_minutes(found.longest)}"
    lines = [f"Time horizons of {len(ordered)} agents, {suite}, intervals of {found.level:.0%}"]
    for row in ordered.to_dict("records"):
        when = show_date(row["year"]) if np.isfinite(row["year"]) else "no date"
        words = f"50%: {horizon_words(row, found)}, 80%: {horizon_words(row, found, 'p80')}"
        lines.append(f"  {when:10s}  {row['agent']:{wide}s}  {words}")
    lines += penalty_lines(found)
    lines += [f"  {one.severity}: {one.sentence} {one.remedy}" for one in found.findings]
    return "\n".join(lines)


def penalty_lines(found: Horizons) -> Iterator[str]:
    """Each agent's horizons by every way to fit the slope, side by side; a dash where there is no curve."""
    names = list(found.table.sort_values("year", kind="stable")["agent"])
    wide = max(map(len, names))
    yield f"By the penalty on the slope, {', '.join(PENALTIES)} (used here: {found.penalty}):"
    for row in found.penalties.set_index("agent").loc[names].reset_index().to_dict("records"):
        parts = [
            f"{share}%: " + ", ".join(_within(row[f"p{share}_{name}"], found) for name in PENALTIES)
            for share in (50, 80)
        ]
        yield f"  {row['agent']:{wide}s}  {'; '.join(parts)}"


def _within(minutes: float, found: Horizons) -> str:
    """A length that the suite reaches, or on which side of it that is."""
    if minutes > found.longest:
        return f"over {show_minutes(found.longest)}"
    return f"under {show_minutes(found.shortest)}" if minutes < found.shortest else show_minutes(minutes)


def _names(agents: pd.Series) -> str:
    """The first few, and how many more."""
    said = ", ".join(map(str, agents[:_NAMED]))
    return said if len(agents) <= _NAMED else f"{said} and {len(agents) - _NAMED} more"


def _out_of_range(table: pd.DataFrame, longest: float) -> Iterator[Finding]:
    above = table.loc[table["status"] == "above", "agent"]
    if len(above):
        yield Finding(
            code="suite_saturated",
            severity=Severity.WARNING,
            sentence=f"The horizon of {_names(above)} lies beyond the longest task "
            f"({show_minutes(longest)}): the runs only bound it from below.",
            evidence={"agents": len(above), "longest_minutes": longest},
            remedy="Trends take it as that bound; add longer tasks.",
        )
    flat = table.loc[table["status"] == "flat", "agent"]
    if len(flat):
        yield Finding(
            code="no_fall",
            severity=Severity.SERIOUS,
            sentence=f"Success of {_names(flat)} does not fall with task length: there is no horizon.",
            evidence={"agents": len(flat)},
            remedy="Look at its scores by length; leave it out of trends.",
        )


def _few_longer(table: pd.DataFrame) -> Iterator[Finding]:
    few = table[(table["longer"] < FEW_LONGER) & (table["status"] == "measured")]
    if len(few):
        yield Finding(
            code="few_long_tasks",
            severity=Severity.WARNING,
            sentence=f"Fewer than {FEW_LONGER} tasks are longer than the horizon of {_names(few['agent'])}: "
            "single tasks decide its upper end.",
            evidence={"agents": len(few), "fewest": float(few["longer"].min())},
            remedy="Add longer tasks.",
        )


def _separated(table: pd.DataFrame) -> Iterator[Finding]:
    apart = table.loc[table["separated"], "agent"]
    if len(apart):
        yield Finding(
            code="separated",
            severity=Severity.WARNING,
            sentence=f"Successes and failures of {_names(apart)} do not overlap in task length, or there is "
            "one kind only: without a penalty the slope has no end.",
            evidence={"agents": len(apart)},
            remedy="Firth's penalty keeps it finite; its horizon lies between the two, its slope is a guess.",
        )


def _penalised(table: pd.DataFrame, penalties: pd.DataFrame) -> Iterator[Finding]:
    inside = penalties[(table["status"] == "measured").to_numpy()]
    moved = inside["p50_published"] / inside["p50_firth"] - 1
    if not (moved.abs() > MOVED).any():
        return
    place = int(moved.abs().to_numpy().argmax())
    most = inside.iloc[place]
    ends = f"{show_minutes(most['p50_firth'])} to {show_minutes(most['p50_published'])}"
    yield Finding(
        code="penalty_matters",
        severity=Severity.NOTE,
        sentence=f"The published penalty would move horizons by more than {MOVED:.0%} "
        f"({int((moved.abs() > MOVED).sum())} of {len(moved)}); that of {most['agent']} from {ends}.",
        evidence={"largest_change": float(moved.iloc[place])},
        remedy="Say which penalty was used wherever horizons of two sources are compared.",
    )


def _few_families(families: float) -> Iterator[Finding]:
    if families < FEW_FAMILIES:
        yield Finding(
            code="few_families",
            severity=Severity.WARNING,
            sentence=f"Some agent's tasks weigh as much as {families:.1f} equal families: how much families "
            "differ is known from these only.",
            evidence={"families": families},
            remedy="Add families of tasks; more runs or more tasks of the same families do not help.",
        )


def _lost_draws(table: pd.DataFrame, log2_draws: Array) -> Iterator[Finding]:
    if not len(log2_draws):
        return
    lost = np.isnan(log2_draws).mean(axis=0)
    worst = int(lost.argmax())
    if lost[worst] > LOST:
        yield Finding(
            code="draws_without_horizon",
            severity=Severity.WARNING,
            sentence=f"{lost[worst]:.0%} of the draws of {table['agent'].iloc[worst]} have no horizon, as "
            "success does not fall with length in them; its interval leaves them out.",
            evidence={"share": float(lost[worst])},
            remedy="Take its interval as too narrow.",
        )

"""The part of a report on the compute-optimal size: approaches 1, 2 and 3 side by side, and by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from allometry import plots
from allometry.fitting import Estimate, Finding, Fit
from allometry.fitting.frontier.approaches import Approaches
from allometry.fitting.frontier.definition import Frontier
from allometry.fitting.frontier.disagreement import disagreement
from allometry.fitting.frontier.isoflop import IsoFlopFit
from allometry.report.figure import Figure, as_figure
from allometry.report.numbers import MISSING, count, interval, places, power, short
from allometry.report.section import Section
from allometry.report.tables import Table, as_link, number, words

LEVEL = 0.9
_MOVERS = 8  # changes shown of those that were tried


def approaches_section(approaches: Approaches, place: int) -> Section:
    """The approaches at one budget, where they exclude each other, and the charts of approaches 1 and 2.

    Args:
        place: Of these approaches among those of the report, from 1.
    """
    frontiers = [found for found in approaches.fits.values() if isinstance(found, Frontier)]
    refused = tuple(f"These runs cannot carry {name}. {why}" for name, why in approaches.refused.items())
    return Section(
        slug=f"approaches-{place}",
        title="The compute-optimal size by several approaches",
        sentences=(spread_words(approaches), *(exponent_words(found) for found in frontiers), *refused),
        figures=tuple(figure for found in frontiers for figure in _figures(found)),
        tables=(approaches_table(approaches), *(table for found in frontiers for table in _tables(found))),
        findings=(*approaches.findings, *_distinct(frontiers)),
    )


def frontier_section(found: Frontier, place: int) -> Section:
    """One of approaches 1 and 2 by itself.

    Args:
        place: Among the frontiers of the report, from 1.
    """
    return Section(
        slug=f"frontier-{place}",
        title=f"The compute-optimal frontier by {approach_name(found)}",
        sentences=(exponent_words(found),),
        figures=tuple(_figures(found)),
        tables=tuple(_tables(found)),
        findings=found.findings,
    )


def approach_name(found: Frontier) -> str:
    """What the approach is called."""
    return "approach 2 (IsoFLOP)" if isinstance(found, IsoFlopFit) else "approach 1 (envelope)"


def exponent_words(found: Frontier, level: float = LEVEL) -> str:
    """How the best size and tokens grow with compute, with intervals."""
    slopes = found.exponents(level)
    said = " and ".join(
        f"{what} as C^{_slope(slopes[column], level)}"
        for column, what in (("params", "parameters"), ("tokens", "tokens"))
    )
    return f"By {approach_name(found)}, the best number of {said}."


def spread_words(approaches: Approaches) -> str:
    """How far apart the approaches are in the best size."""
    table = approaches.table
    low, high = table["params"].min(), table["params"].max()
    budget = f"At {power(approaches.flops)} FLOP the least loss is predicted at"
    if len(table) == 1:
        row = table.iloc[0]
        ends = interval(row["params_low"], row["params_high"], count)
        return f"{budget} {count(low)} parameters ({ends}), by {row['fit']} alone."
    return (
        f"{budget} {count(low)} to {count(high)} parameters by {len(table)} approaches: "
        f"a factor of {short(high / low)} apart."
    )


def approaches_table(approaches: Approaches) -> Table:
    """One row an approach."""
    units = {found.unit for found in approaches.fits.values() if isinstance(found, Fit | Frontier)}
    headers = (
        words("approach"), number("parameters N*", "1"), number("tokens D*", "token"),
        number("tokens per parameter", "token"), number("least loss", ", ".join(sorted(units))),
    )  # fmt: skip
    table = disagreement(approaches.fits, approaches.flops, level=LEVEL)
    return Table(
        title=f"Compute-optimal at {power(approaches.flops)} FLOP",
        headers=headers,
        rows=tuple(_approach_row(row) for row in table.to_dict("records")),
        note=f"In brackets: {100 * LEVEL:g}% intervals. Each knows the noise of its own approach, not that "
        "it may be biased.",
    )


def budgets_table(found: IsoFlopFit) -> Table:
    """One row a budget of approach 2, used or not."""
    headers = (
        number("budget", "FLOP"), number("runs"), number("sizes sampled", "1"), number("best size N*", "1"),
        number("its tokens D*", "token"), number(f"its {found.output.replace('_', ' ')}", found.unit),
        words("status"), words("why not used"),
    )  # fmt: skip
    rows = tuple(_budget_row(row) for row in found.budgets().to_dict("records"))
    return Table(title="Budgets of approach 2", headers=headers, rows=rows)


def points_table(found: Frontier) -> Table:
    """The points that the power laws go through."""
    headers = (
        number("compute C", "FLOP"), number("parameters N*", "1"), number("tokens D*", "token"),
        number(found.output.replace("_", " "), found.unit),
    )  # fmt: skip
    shown = found.points.iloc[:: max(1, -(-len(found.points) // 12))]
    rows = tuple(
        (power(row["flops"]), count(row["params"]), count(row["tokens"]), places(row[found.output]))
        for row in shown.to_dict("records")
    )
    note = f"{len(shown)} of {len(found.points)} points are shown; the file holds all."
    return Table(
        title=f"Points of {approach_name(found)}", headers=headers, rows=rows, note=note,
        download=as_link(found.points), file="frontier.csv",
    )  # fmt: skip


def sensitivity_table(found: Frontier) -> Table:
    """What the exponents would be with the data or the method changed: the largest changes first."""
    table = found.sensitivity
    moved = (table["params_exponent"] - found.params_law.exponent).abs()
    shown = table.loc[moved.sort_values(ascending=False, kind="stable").index[:_MOVERS]]
    headers = (
        words("changed"), number("points left"), number("exponent of N*", "1"),
        number("exponent of D*", "1"),
    )  # fmt: skip
    rows = tuple(
        (
            row["change"],
            str(row["budgets"]),
            places(row["params_exponent"], 3),
            places(row["tokens_exponent"], 3),
        )
        for row in shown.to_dict("records")
    )
    return Table(
        title=f"What would change {approach_name(found)}", headers=headers, rows=rows,
        note=f"The {len(rows)} largest of {len(table)} changes that were tried; the file holds all.",
        download=as_link(table), file="sensitivity.csv",
    )  # fmt: skip


def _figures(found: Frontier) -> Iterator[Figure]:
    if isinstance(found, IsoFlopFit):
        yield as_figure(plots.iso_flop_profiles(found))
    frontier = as_figure(plots.compute_optimal_frontier(found))
    yield replace(frontier, title=f"{frontier.title} by {approach_name(found)}")


def _tables(found: Frontier) -> Iterator[Table]:
    yield budgets_table(found) if isinstance(found, IsoFlopFit) else points_table(found)
    if len(found.sensitivity):
        yield sensitivity_table(found)


def _distinct(frontiers: list[Frontier]) -> tuple[Finding, ...]:
    """Findings of several results, each sentence once."""
    found = {finding.sentence: finding for one in frontiers for finding in one.findings}
    return tuple(found.values())


def _slope(slope: Estimate, level: float) -> str:
    ends = f" ({100 * level:g}%: {interval(slope.low, slope.high, lambda v: places(v, 3))})"
    return f"{places(slope.value, 3)}{ends if slope.low == slope.low else ', without interval'}"


def _approach_row(row: Mapping[Any, Any]) -> tuple[str, ...]:
    shown = {"params": count, "tokens": count, "tokens_per_param": short, "loss": places}
    cells = [
        _bracketed(show(row[name]), interval(row[f"{name}_low"], row[f"{name}_high"], show))
        for name, show in shown.items()
    ]
    return (str(row["fit"]), *cells)


def _bracketed(value: str, ends: str) -> str:
    return value if ends == MISSING else f"{value} ({ends})"


def _budget_row(row: Mapping[Any, Any]) -> tuple[str, ...]:
    sampled = interval(row["params_low"], row["params_high"], count)
    best = (count(row["params"]), count(row["tokens"]), places(row["output"]))
    return (
        power(row["flops"]),
        str(row["runs"]),
        sampled,
        *best,
        str(row["status"]),
        row["reason"] or MISSING,
    )

"""The part of a report that says how much compute one recipe saves against another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from allometry import plots
from allometry.fitting.comparison.recipes import Multiplier
from allometry.report.figure import Figure, as_figure
from allometry.report.numbers import count, interval, percent, short
from allometry.report.section import Section
from allometry.report.tables import Table, number, words


def multiplier_section(made: Multiplier, place: int) -> Section:
    """The verdict, what these runs could have seen, the multipliers, the slopes, findings.

    Args:
        place: Of this result among those of the report, from 1.
    """
    return Section(
        slug=f"multiplier-{place}",
        title=f"{made.what.capitalize()} multipliers by {made.by}",
        sentences=(made.verdict,),
        notes=(_how(made),),
        figures=tuple(_figures(made)),
        tables=tuple(_tables(made)),
        findings=made.findings,
    )


def multiplier_table(made: Multiplier) -> Table:
    """One row a recipe but the reference."""
    factors = [column for column in made.table.columns if column.endswith("_factor")]
    headers = (
        words("recipe"), number("runs"), number(f"{made.what} multiplier", "1"),
        number(f"{100 * made.level:g}% interval", "1"), words("distinguishable from 1"),
        *(number(f"in {name.removesuffix('_factor')} alone", "1") for name in factors),
    )  # fmt: skip
    rows = tuple(_recipe_row(row, factors) for row in made.table.to_dict("records"))
    note = (
        f"How many times the {made.what} '{made.reference}' takes for the same result: above 1 the recipe is "
        "better. It holds for the runs that were made and the tuning each recipe got."
    )
    return Table(title="Multipliers", headers=headers, rows=rows, note=note)


def slopes_table(made: Multiplier) -> Table:
    """One row a recipe and exponent, where the runs carry free exponents."""
    headers = (
        words("recipe"), words("exponent"), number("difference from the reference", "1"),
        number(f"{100 * made.level:g}% interval", "1"),
    )  # fmt: skip
    rows = tuple(
        (row["recipe"], row["exponent"], short(row["difference"]), interval(row["low"], row["high"], short))
        for row in made.slopes.to_dict("records")
    )
    note = "With exponents free. Where an interval leaves out 0, the multiplier changes with scale."
    return Table(title="Do the slopes differ?", headers=headers, rows=rows, note=note)


def _how(made: Multiplier) -> str:
    output = made.fit.output.replace("_", " ")
    return (
        f"Exponents and floor of the law {made.fit.law.name} are shared by all recipes. One run scatters by "
        f"{percent(made.noise, 2)} of the {output}, known from {made.noise_from}. In 80% of such studies a "
        f"multiplier of {short(made.minimum_detectable())} or more would be seen."
    )


def _figures(made: Multiplier) -> Iterator[Figure]:
    if not made.across.empty:
        yield as_figure(plots.multiplier_against_compute(made))


def _tables(made: Multiplier) -> Iterator[Table]:
    yield multiplier_table(made)
    if len(made.slopes):
        yield slopes_table(made)


def _recipe_row(row: Mapping[Any, Any], factors: list[str]) -> tuple[str, ...]:
    alone = [f"{short(row[name])} ({_between(row, name.removesuffix('_factor'))})" for name in factors]
    seen = "yes" if row["distinguishable"] else "no"
    value = (short(row["multiplier"]), interval(row["low"], row["high"], short))
    return (str(row["recipe"]), count(row["runs"]), *value, seen, *alone)


def _between(row: Mapping[Any, Any], column: str) -> str:
    return interval(row[f"{column}_low"], row[f"{column}_high"], short)

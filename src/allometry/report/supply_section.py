"""The parts of a report on what training takes: prices, growth of inputs, walls, sample efficiency."""

from __future__ import annotations

from allometry import plots
from allometry.report.contents import Supply
from allometry.report.figure import as_figure
from allometry.report.numbers import MISSING, count, interval, percent, places, short
from allometry.report.section import Section
from allometry.report.tables import Table, number, words
from allometry.trends.dates import show_date
from allometry.trends.inputs import Inputs, alternative_words
from allometry.trends.price_words import price_words
from allometry.trends.prices import Prices
from allometry.trends.sample_efficiency import SampleEfficiency
from allometry.trends.trend_words import trend_words
from allometry.trends.wall_words import first_words
from allometry.trends.walls import Walls


def supply_section(made: Supply, place: int) -> Section:
    """The part of one of them.

    Args:
        place: Among those of the report, from 1.
    """
    slug = f"supply-{place}"
    if isinstance(made, Prices):
        return prices_section(made, slug)
    if isinstance(made, Inputs):
        return inputs_section(made, slug)
    return walls_section(made, slug) if isinstance(made, Walls) else samples_section(made, slug)


def prices_section(made: Prices, slug: str) -> Section:
    """The factor a year by which each score gets cheaper."""
    headers = (
        words("score"), number("models"), words("since"), number("cheaper a year", "factor"),
        number(f"{100 * made.level:g}% interval"), number("R²"),
    )  # fmt: skip
    rows = tuple(
        (
            row["name"], str(row["points"]), show_date(row["since"]), short(row["factor"]),
            interval(row["low"], row["high"], short), places(row["r_squared"], 2),
        )
        for row in made.table.to_dict("records")
    )  # fmt: skip
    return Section(
        slug=slug,
        title="What a given score costs",
        sentences=tuple(f"{price_words(one)}." for one in made.trends),
        notes=tuple(f"{name}: {why}" for name, why in made.declined.items()),
        figures=(as_figure(plots.prices_over_time(made)),),
        tables=(Table(title="Prices", headers=headers, rows=rows),),
        findings=made.findings,
    )


def inputs_section(made: Inputs, slug: str) -> Section:
    """The growth of each input, beside growth that levels off."""
    headers = (
        words("input"), number("models"), number("growth a year", "factor"),
        number(f"{100 * made.level:g}% interval"), number("weight of levelling off"),
    )  # fmt: skip
    rows = tuple(
        (
            row["input"], str(row["points"]), short(row["factor"]),
            interval(row["low"], row["high"], short), places(row["levelling"], 2),
        )
        for row in made.table.to_dict("records")
    )  # fmt: skip
    return Section(
        slug=slug,
        title="Growth of the inputs",
        sentences=tuple(trend_words(one.trend) for one in made.accounts.values()),
        notes=tuple(f"{name}: {alternative_words(one.outlook)}" for name, one in made.accounts.items()),
        figures=tuple(
            as_figure(chart)
            for chart in (
                plots.growth_of_inputs(made),
                *(plots.outlook_chart(one.outlook) for one in made.accounts.values()),
            )
        ),
        tables=(Table(title="Inputs", headers=headers, rows=rows),),
        findings=made.findings,
    )


def walls_section(made: Walls, slug: str) -> Section:
    """Doublings to each wall, for each way to grow."""
    headers = (
        words("growth"), words("wall"), number("doublings"), number(f"{100 * made.level:g}% interval"),
        number("year"), number("never"), number("comes first"),
    )  # fmt: skip
    rows = tuple(
        (
            row["growth"], row["constraint"], places(row["doublings"], 1),
            f"{_or_never(row['doublings_low'])} to {_or_never(row['doublings_high'])}",
            places(row["year"], 0), percent(row["never"], 2), percent(row["binds_first"], 2),
        )
        for row in made.table.to_dict("records")
    )  # fmt: skip
    stated = [f"{one.name}: {one.source}" for one in made.constraints if one.source]
    return Section(
        slug=slug,
        title="How far compute can grow",
        sentences=(*(first_words(made, way) for way in made.ways), made.alternative),
        notes=(f"Bounds: {'; '.join(stated)}.",) if stated else (),
        figures=(as_figure(plots.doublings_to_walls(made)),),
        tables=(Table(title="Walls", headers=headers, rows=rows, note=f"{MISSING}: never."),),
        findings=made.findings,
    )


def samples_section(made: SampleEfficiency, slug: str) -> Section:
    """Tokens that each recipe takes."""
    headers = (
        words("recipe"), number("tokens"), number(f"{100 * made.level:g}% interval"),
        number("efficiency", f"of {made.reference}"), number("never"),
    )  # fmt: skip
    rows = tuple(
        (
            row["recipe"], count(row["tokens"]), f"{count(row['low'])} to {count(row['high'])}",
            short(row["multiplier"]), percent(row["never"], 2),
        )
        for row in made.table.to_dict("records")
    )  # fmt: skip
    return Section(
        slug=slug,
        title=f"Tokens to a {made.output} of {made.target:g}",
        sentences=(trend_words(made.trend),) if made.trend is not None else (),
        notes=tuple(f"{name}: {why}" for name, why in made.declined.items()),
        figures=(as_figure(plots.tokens_to_target(made)),),
        tables=(Table(title="Recipes", headers=headers, rows=rows, note=f"{MISSING}: never."),),
        findings=made.findings,
    )


def _or_never(value: float) -> str:
    return "never" if (said := places(value, 1)) == MISSING else said

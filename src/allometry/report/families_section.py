"""The part of a report on models of many families: components, compute and a target score."""

from __future__ import annotations

from collections.abc import Iterator

from allometry.capabilities.families import Families
from allometry.plots.families import component_against_compute, target_by_ends
from allometry.report.figure import Figure, as_figure
from allometry.report.numbers import percent, places, short
from allometry.report.section import Section
from allometry.report.tables import Table, as_link, number, words


def families_section(found: Families, place: int) -> Section:
    """What the components hold, the lines of the families, and both curves to the target.

    Args:
        place: Of this result among those of the report, from 1.
    """
    return Section(
        slug=f"families-{place}",
        title="Capability across model families",
        sentences=tuple(_sentences(found)),
        notes=("No model was trained for this: families differ in more than compute.",),
        figures=tuple(_figures(found)),
        tables=(lines_table(found),),
        findings=found.findings,
    )


def lines_table(found: Families) -> Table:
    """One row a family and component."""
    headers = (
        words("family"), number("component"), number("slope", "per factor e of compute"), number("R²"),
        number("models"), number("largest model", "FLOP"), number("counts as", "FLOP"),
    )  # fmt: skip
    worth = found.worth().set_index("family")
    rows = tuple(
        (
            str(row["family"]),
            str(row["component"]),
            short(row["slope"]),
            places(row["r2"], 2),
            str(row["models"]),
            *(short(worth[name].get(row["family"])) for name in ("largest_flops", "counts_as")),
        )
        for row in found.lines.to_dict("records")
    )
    note = (
        f"Counts as: compute that {found.reference} would need for component 1 of that largest model. "
        "R² needs three models."
    )
    return Table(title="Components against log compute", headers=headers, rows=rows, note=note,
                 download=as_link(found.table), file="models.csv")  # fmt: skip


def _sentences(found: Families) -> Iterator[str]:
    held = ", ".join(percent(share) for share in found.components.shares.cumsum()[:3])
    yield f"The first components together hold {held} of the variance of the benchmarks."
    for end, curve in (("at 1", found.fixed), ("as fitted", found.free)):
        if curve is not None:
            error = found.errors()["fixed" if curve is found.fixed else "free"]
            ended = f"{found.target} with the upper end {end} ({curve.end:.2f})"
            yield f"{ended}: held-out error {places(error, 3)}."


def _figures(found: Families) -> Iterator[Figure]:
    yield as_figure(component_against_compute(found))
    if found.target:
        yield as_figure(target_by_ends(found))

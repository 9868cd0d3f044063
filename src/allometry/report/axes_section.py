"""The parts of a report on other axes than pre-training: scores along any column, data transferred."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allometry.capabilities.along import ScoresAlong
from allometry.capabilities.transfer_law import TransferLaw
from allometry.plots.along import data_transferred, scores_along_axis
from allometry.report.contents import OnAxis
from allometry.report.figure import as_figure
from allometry.report.numbers import count, estimate, interval, places, short
from allometry.report.section import Section
from allometry.report.tables import Table, as_link, number, words


def axis_section(found: OnAxis, place: int) -> Section:
    """One result along an axis of its own.

    Args:
        place: Among those of the report, from 1.
    """
    slug = f"axis-{place}"
    return _transfer(found, slug) if isinstance(found, TransferLaw) else _scores(found, slug)


def _scores(found: ScoresAlong, slug: str) -> Section:
    level = f"{100 * found.level:g}% interval"
    headers = (
        words("recipe"), number("points"), number("up to", found.x), number("upper end"), number(level),
        number("half of the rise", found.x), number(level), number("steepness"),
    )  # fmt: skip
    rows = found.table.to_dict("records")
    table = Table(
        title="Curves", headers=headers, rows=tuple(_score_row(row) for row in rows),
        download=as_link(found.table), file="curves.csv",
    )  # fmt: skip
    return Section(
        slug=slug,
        title=f"{found.score.replace('_', ' ').capitalize()} along {found.x.replace('_', ' ')}",
        sentences=tuple(found.words(row) for row in rows),
        notes=tuple(f"{name}: {why}" for name, why in found.declined.items()),
        figures=(as_figure(scores_along_axis(found)),),
        tables=(table,),
        findings=found.findings,
    )


def _score_row(row: Mapping[Any, Any]) -> tuple[str, ...]:
    return (
        str(row["recipe"]), str(row["points"]), short(row["reached"]), places(row["end"], 3),
        interval(row["end_low"], row["end_high"], lambda end: places(end, 3)), short(row["middle"]),
        interval(row["middle_low"], row["middle_high"], short), short(row["steepness"]),
    )  # fmt: skip


def _transfer(found: TransferLaw, slug: str) -> Section:
    headers = (
        number("parameters"), number("fine-tuned on"), number("loss"), number("transferred"),
        number(f"{100 * found.level:g}% interval"), number("data counts", "times"),
    )  # fmt: skip
    rows = tuple(
        (
            count(row["params"]), count(row["finetuned"]), places(row["loss"], 3), count(row["transferred"]),
            interval(row["low"], row["high"], count), count(row["multiplier"]),
        )
        for row in found.table.to_dict("records")
    )  # fmt: skip
    law = tuple(
        (name, estimate(one, short), one.unit)
        for name, one in (("k", found.k), ("alpha", found.alpha), ("beta", found.beta))
    )
    of_law = (words("coefficient"), number(f"value ({100 * found.level:g}% interval)"), words("unit"))
    return Section(
        slug=slug,
        title="What pre-training is worth in fine-tuning data",
        sentences=(found.summary().splitlines()[0],),
        notes=("Worth: what a model of the size would need more, from scratch, for the same loss.",),
        figures=(as_figure(data_transferred(found)),),
        tables=(
            Table(title="D_T = k · D_F^alpha · N^beta", headers=of_law, rows=law),
            Table(title="Fine-tuned runs", headers=headers, rows=rows, download=as_link(found.table),
                  file="transfer.csv"),
        ),
        findings=found.findings,
    )  # fmt: skip

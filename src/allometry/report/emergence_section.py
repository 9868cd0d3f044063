"""The part of a report on the emergence of one capability: verdict, evidence, chart and points."""

from __future__ import annotations

from allometry.capabilities.emergence import RULE, Emergence
from allometry.capabilities.emergence.result import onset_in_words
from allometry.plots.emergence import emergence_chart
from allometry.report.figure import as_figure
from allometry.report.numbers import places, short
from allometry.report.section import Section
from allometry.report.tables import Table, as_link, number


def emergence_section(found: Emergence, place: int) -> Section:
    """Verdict and onset in words, the chart, the scores, and the findings of the four steps.

    Args:
        place: Of this result among those of the report, from 1.
    """
    onset = onset_in_words(found.onset, found.scale, found.level)
    return Section(
        slug=f"emergence-{place}",
        title=f"Emergence of {found.skill.score}",
        sentences=(
            f"Verdict: {found.verdict.value}, because {found.because}.",
            f"The score {onset}. Emergence score: {short(found.score)}.",
        ),
        notes=(RULE,),
        figures=(as_figure(emergence_chart(found)),),
        tables=(points_table(found),),
        findings=found.findings,
    )


def points_table(found: Emergence) -> Table:
    """One row a point: the score, its interval and what explains it."""
    columns = [name for name in ("score", "low", "high", "continuous", "expected") if name in found.points]
    heads = {
        "low": f"{found.level:.0%} from", "high": "to", "expected": f"smooth law ^ {found.skill.length:g}",
        "continuous": found.skill.continuous,
    }  # fmt: skip
    headers = (number(found.scale), *(number(heads.get(name, name)) for name in columns))
    rows = tuple(
        (short(row["scale"]), *(places(row[name], 3) for name in columns))
        for row in found.points.to_dict("records")
    )
    return Table(
        title="Scores by scale", headers=headers, rows=rows, note="Intervals: Clopper and Pearson.",
        download=as_link(found.points), file="emergence.csv",
    )  # fmt: skip

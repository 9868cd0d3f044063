"""The part of a report that says which law forecast held-out runs best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from allometry import plots
from allometry.errors import FitError, InputError
from allometry.fitting import Forecast
from allometry.fitting.comparison.laws import Comparison
from allometry.fitting.sensitivity import AHEAD, ahead
from allometry.report.figure import Figure, as_figure
from allometry.report.numbers import MISSING, forecast_words, inputs_words, percent, places
from allometry.report.section import Section
from allometry.report.tables import Table, as_link, number, words


def comparison_section(comparison: Comparison, place: int) -> Section:
    """Ranking, fan of laws, held-out errors, findings.

    Args:
        place: Of this comparison among those of the report, from 1.
    """
    return Section(
        slug=f"comparison-{place}",
        title="Laws compared by forecasting held-out runs",
        sentences=tuple(_sentences(comparison)),
        notes=(_how(comparison),),
        figures=tuple(_figures(comparison)),
        tables=(ranking_table(comparison), splits_table(comparison)),
        findings=comparison.findings,
    )


def best_words(comparison: Comparison) -> str:
    """Which forecaster was best, and how far off it was."""
    first = comparison.ranking.iloc[0]
    error = f"{percent(first['error'])} off (root mean square)"
    return f"{first['law']} forecast held-out runs best: {error}, {_held_words(comparison, first)}."


def ahead_of(comparison: Comparison) -> dict[str, float]:
    """The largest run at ten times its compute, in every column that a law reads."""
    found: dict[str, float] = {}
    for fit in comparison.fits.values():
        found |= {fit.inputs[name]: value for name, value in ahead(fit).items()}
    return found


def ranking_table(comparison: Comparison) -> Table:
    """One row a forecaster, best first."""
    headers = (
        number("rank"), words("forecaster"), number("error", "%, root mean square"), number("bias", "%"),
        number("intervals held", f"% of runs, {100 * comparison.level:g}% wanted"),
        number("score (CRPS)", "%"), number("weight"),
    )  # fmt: skip
    rows = tuple(_ranking_row(row) for row in comparison.ranking.to_dict("records"))
    note = (
        "Errors are of the log of the measured value, so that 1% is 1% of it. Bias: above 0 the forecast was "
        "too high. Score: the continuous ranked probability score, which judges median and interval "
        "together; least is best. Weight: share in the joint forecast. The log-log line and “no "
        "change” are baselines that any law should beat."
    )
    return Table(title="Ranking", headers=headers, rows=rows, note=note)


def splits_table(comparison: Comparison) -> Table:
    """One row a forecaster and split."""
    headers = (
        words("learnt from"), words("forecaster"), number("runs learnt from"), number("runs held out"),
        number("distance", "decades, median"), number("error", "%, root mean square"), number("bias", "%"),
        number("intervals held", "% of runs"),
    )  # fmt: skip
    ordered = comparison.table.sort_values("learnt", kind="stable")
    rows = tuple(_split_row(row) for row in ordered.to_dict("records"))
    note = f"Distance: how far beyond the runs learnt from, along {comparison.axis or 'the condition'}."
    link = as_link(comparison.held_out)
    return Table(title="By split", headers=headers, rows=rows, note=note, download=link, file="held_out.csv")


def _sentences(comparison: Comparison) -> Iterator[str]:
    yield best_words(comparison)
    try:
        joint = comparison.predict(comparison.level, **_read(comparison))
    except (FitError, InputError):  # weights on laws that say nothing there
        return
    yield f"All laws together, each with its weight, forecast {forecast_words(joint)}{_where(joint)}."
    shares = ", ".join(f"{percent(share, 2)} {source}" for source, share in joint.width.items())
    if shares:
        yield f"Where the squared width of that interval comes from: {shares}."


def _read(comparison: Comparison) -> dict[str, float]:
    """Where the joint forecast is, in the columns that its laws read."""
    weighted = [comparison.fits[name] for name, weight in comparison.weights.items() if weight > 0]
    columns = {column for fit in weighted for column in fit.inputs.values()}
    return {name: value for name, value in ahead_of(comparison).items() if name in columns}


def _where(forecast: Forecast) -> str:
    return f" for {inputs_words(forecast)}, {AHEAD:g} times the compute of the largest run"


def _how(comparison: Comparison) -> str:
    splits = comparison.table.drop_duplicates("split")
    cuts = "; ".join(
        f"{row['held_out']} runs forecast from {row['learnt']} ({row['split']})"
        for row in splits.to_dict("records")
    )
    return (
        f"Each law was fitted to smaller runs and forecast larger ones that it had not seen, held out by "
        f"{comparison.hold_out.replace('_', ' ')}: {cuts}."
    )


def _held_words(comparison: Comparison, row: Any) -> str:
    if row["coverage"] != row["coverage"]:
        return "without intervals"
    return f"{percent(row['coverage'], 2)} of them inside its {100 * comparison.level:g}% intervals"


def _figures(comparison: Comparison) -> Iterator[Figure]:
    # Held out along a column in which ten times the compute lies within the runs, there is no fan.
    with suppress(InputError):
        yield as_figure(plots.fan_of_laws(comparison, comparison.level, **ahead_of(comparison)))
    yield as_figure(plots.held_out_errors(comparison))


def _ranking_row(row: Mapping[Any, Any]) -> tuple[str, ...]:
    rank = MISSING if row["rank"] != row["rank"] else f"{row['rank']:.0f}"
    errors = (places(100 * row[name], 2) for name in ("error", "bias"))
    judged = (places(100 * row["coverage"], 0), places(100 * row["score"], 2), places(row["weight"], 2))
    return (rank, str(row["law"]), *errors, *judged)


def _split_row(row: Mapping[Any, Any]) -> tuple[str, ...]:
    counts = (str(row["learnt"]), str(row["held_out"]), places(row["decades"], 2))
    error = "refused" if row["refused"] else places(100 * row["rms"], 2)
    judged = (error, places(100 * row["bias"], 2), places(100 * row["coverage"], 0))
    return (row["split"], row["law"], *counts, *judged)

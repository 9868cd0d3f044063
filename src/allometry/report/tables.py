"""The tables of a report: plain text cells, units in the headers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from allometry.fitting import Fit
from allometry.fitting.wording import coefficient_unit, drawing
from allometry.planning.allocation import Plan
from allometry.report.contents import Contents, Stated
from allometry.report.numbers import (
    MISSING,
    coefficient,
    count,
    estimate,
    inputs_words,
    interval,
    places,
    power,
    short,
)
from allometry.runs.run import Runs
from allometry.units import show_seconds

MOST_ROWS = 1000


@dataclass(frozen=True, kw_only=True)
class Header:
    """One column: its words, unit, and whether it holds numbers, which are aligned right."""

    text: str
    unit: str = ""
    number: bool = False


def words(text: str) -> Header:
    """The header of a column of words."""
    return Header(text=text)


def number(text: str, unit: str = "") -> Header:
    """The header of a column of numbers."""
    return Header(text=text, unit=unit, number=True)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as text.

    Attributes:
        download: The whole table, unrounded, as a data: link; empty where there is none.
        file: Name of the download.
    """

    title: str
    headers: tuple[Header, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    download: str = ""
    file: str = "runs.csv"


def coefficients(fit: Fit, level: float = 0.9) -> Table:
    """Every coefficient with value, interval, unit and meaning."""
    headers = (
        words("coefficient"), number("value"),
        number(f"{100 * level:g}% interval"), words("unit"), words("meaning"),
    )  # fmt: skip
    rows = tuple(
        (
            c.name,
            coefficient(fit.coefficients[c.name]),
            _between(fit, c.name, level),
            coefficient_unit(fit, c.unit),
            c.meaning,
        )
        for c in fit.law.coefficients
    )
    return Table(title=f"Coefficients of {fit.law.name}", headers=headers, rows=rows, note=_drawn(fit))


def runs_table(runs: Runs) -> Table:
    """Every run, those that were lost included, ordered by why it was made, size and tokens."""
    table = runs.table
    shown = [column for column in _RUN_COLUMNS if column in table.columns and _says_something(table[column])]
    ordered = _ordered(table)
    rows = tuple(
        tuple(_RUN_COLUMNS[column][1](row[column]) for column in shown)
        for row in ordered.head(MOST_ROWS).to_dict("records")
    )
    left = f" The first {MOST_ROWS} are shown; the file holds all." if len(table) > MOST_ROWS else ""
    return Table(
        title="Runs",
        headers=tuple(_RUN_COLUMNS[column][0] for column in shown),
        rows=rows,
        note=f"{_status_words(table)}{left}",
        download=as_link(ordered),
    )


def forecasts_table(forecasts: tuple[Stated, ...]) -> Table:
    """Every forecast with what came of it, in the order they were stated."""
    loss = _one({stated.forecast.unit for stated in forecasts}, "as stated")
    level = _one({f"{100 * stated.forecast.level:g}% " for stated in forecasts}, "")
    headers = (
        number("no."), words("stated (UTC)"), words("target run"), words("for"), words("law"),
        number("forecast", loss), number(f"{level}interval", loss), number("measured", loss),
        number("error", f"{loss} (%)"), words("inside"), words("counts"), number("CRPS", loss),
    )  # fmt: skip
    note = "Error: forecast minus measured. CRPS: 0 is perfect. Counts: the last stated before its run began."
    return Table(
        title="Forecasts", headers=headers, rows=tuple(_forecast_row(s) for s in forecasts), note=note
    )


def plan_table(plan: Plan) -> Table:
    """A plan, one quantity a row."""
    near, counted = plan.near, plan.conventions.get("params_convention", "as in the runs")
    sizes = interval(near.params_low, near.params_high, count)
    rows = (
        ("budget, counted as 6 · params · tokens", power(plan.flops), "FLOP"),
        (f"parameters, counted: {counted}", estimate(plan.params), "1"),
        ("tokens", estimate(plan.tokens), "token"),
        ("tokens per parameter", estimate(plan.tokens_per_parameter), "token"),
        (f"predicted {plan.output.replace('_', ' ')}", estimate(plan.loss, places), plan.loss.unit),
        (f"sizes within {short(100 * near.tolerance)}% of the least loss", sizes, "1"),
        ("their tokens", interval(near.tokens_low, near.tokens_high, count), "token"),
    )
    headers = (words("quantity"), number(f"value ({100 * plan.level:g}% range)"), words("unit"))
    why = f"No ranges because {plan.no_interval_because}." if plan.no_interval_because else ""
    return Table(title=f"Plan, by {plan.law}", headers=headers, rows=rows, note=why)


def provenance(contents: Contents) -> Table:
    """What reproduces the report: hashes, versions, devices."""
    facts = contents.texts()
    for fit in contents.fits:
        facts.append((f"fit of {fit.law.name}", f"fit {fit.fit_hash}, data {fit.data_hash}, seed {fit.seed}"))
    if contents.runs is not None:
        facts += _run_facts(contents.runs.table)
    headers = (words("what"), words("value"))
    return Table(title="Hashes and versions", headers=headers, rows=tuple(facts))


def _one(found: set[str], otherwise: str) -> str:
    return found.pop() if len(found) == 1 else otherwise


def _between(fit: Fit, name: str, level: float) -> str:
    if name in fit.held:
        return "held, not fitted"
    if fit.draws is None:
        return "none: no draws"
    return interval(*fit.interval(name, level), coefficient)


def _drawn(fit: Fit) -> str:
    if fit.drawn is None:
        return "No intervals because the fit has no draws; make them with bootstrap(fit)."
    return f"Intervals from {drawing(fit.drawn)}."


def _text(value: object) -> str:
    return MISSING if value is None or value != value or value == "" else str(value)


def _seconds(value: Any) -> str:
    return MISSING if value is None or value != value else show_seconds(float(value))


_RUN_COLUMNS: Mapping[str, tuple[Header, Callable[[Any], str]]] = {
    "run_id": (words("run"), _text),
    "design": (words("made as"), lambda value: _text(value).replace("_", " ")),
    "status": (words("status"), _text),
    "params": (number("params N", "1"), count),
    "tokens": (number("tokens D", "token"), count),
    "flops": (number("compute C", "FLOP"), power),
    "loss": (number("loss", "nat/token"), places),
    "bits_per_byte": (number("loss", "bit/byte"), places),
    "learning_rate": (number("learning rate", "1"), short),
    "seconds": (number("time"), _seconds),
    "parent": (words("branched off"), _text),
    "reason": (words("why not done"), lambda value: "" if _text(value) == MISSING else str(value)),
}


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """What is read first comes first: finished runs by size and tokens, then what led to them."""
    by = [column for column in ("params", "tokens", "run_id") if column in table.columns]
    ordered = table.sort_values(by, kind="stable") if by else table
    if "design" not in table.columns:
        return ordered
    late = ordered["design"].map({"target": 1, "learning_rate_check": 2, "trunk": 3}).fillna(0)
    return ordered.iloc[late.argsort(kind="stable")]


def _says_something(values: pd.Series[Any]) -> bool:
    return bool((values.notna() & (values.astype(str) != "")).any())


def _status_words(table: pd.DataFrame) -> str:
    if "status" not in table.columns:
        return f"{len(table)} runs."
    counts = table["status"].value_counts()
    parts = ", ".join(f"{number} {status}" for status, number in counts.items())
    return f"{len(table)} runs: {parts}."


def as_link(table: pd.DataFrame) -> str:
    """A whole table, unrounded, as a link to a CSV file inside the page."""
    return "data:text/csv;base64," + base64.b64encode(table.to_csv(index=False).encode()).decode()


def _forecast_row(stated: Stated) -> tuple[str, ...]:
    forecast, row = stated.forecast, stated.outcome
    known = {} if row is None else row.to_dict()
    when = stated.stated.strftime("%Y-%m-%d %H:%M") if stated.stated else "not registered"
    return (
        str(stated.number) if stated.number else MISSING,
        when,
        stated.target or MISSING,
        inputs_words(forecast),
        forecast.law,
        places(forecast.median),
        interval(forecast.low, forecast.high),
        places(known.get("outcome")) if stated.measured is not None else str(known.get("status", MISSING)),
        _error(known),
        _yes(known.get("inside")),
        _yes(known.get("counts")),
        places(known.get("crps")),
    )


def _error(known: Mapping[Any, Any]) -> str:
    error = places(known.get("error"))
    return error if error == MISSING else f"{error} ({places(known.get('error_percent'), 2)})"


def _yes(value: object) -> str:
    return MISSING if value is None or value is pd.NA else ("yes" if value else "no")


def _run_facts(table: pd.DataFrame) -> list[tuple[str, str]]:
    words = {
        "data_hash": "data of the runs", "allometry_version": "allometry that trained them",
        "torch_version": "PyTorch that trained them", "device": "device", "threads": "threads per run",
    }  # fmt: skip
    facts = []
    for column, what in words.items():
        values = {str(value) for value in table[column].dropna()} if column in table.columns else set()
        if values:
            facts.append((what, ", ".join(sorted(values))))
    if "run_id" in table.columns and "data_hash" in table.columns:
        facts.append(("recipes", "the id of each run is the hash of its recipe: see the table of runs"))
    return facts

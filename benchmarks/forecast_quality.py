"""Public tables, the largest runs held out: what laws and other packages forecast of them from the smaller.

Use: python benchmarks/forecast_quality.py [--full] [--peers FOLDER] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

import allometry as al
from allometry.fitting.comparison.entrants import NO_CHANGE
from benchmarks.parts import rivals
from benchmarks.parts.page import Table, options, peer_option, progress, publish
from benchmarks.parts.peers import CHINCHILLA, SIMPLE, NotRun
from benchmarks.parts.public import TABLES, Absent, PublicTable

HELD_OUT = 0.15  # of the rows, those of the largest runs; runs of equal compute stay together
LAWS = ("chinchilla", "chinchilla_tied", "kaplan", "power_law_with_floor")
MORE_LAWS = {"unique_tokens": ("data_constrained",), "width": ("width_depth",)}  # by a column they read
LEVEL = rivals.LEVEL


@dataclass(frozen=True, kw_only=True)
class Score:
    """Median relative error of the held-out runs, and the share of them inside the 90% interval or NaN."""

    error: float
    coverage: float

    @property
    def cell(self) -> str:
        """Both, as the table shows them."""
        inside = "–" if np.isnan(self.coverage) else f"{self.coverage:.0%}"
        return f"{self.error:.2%}, {inside}"


@dataclass(frozen=True, kw_only=True)
class Split:
    """One public table cut in two."""

    table: PublicTable
    runs: al.Runs
    condition: str

    @classmethod
    def of(cls, table: PublicTable) -> Split:
        """Whole runs are held out, by the compute of their last row."""
        runs = table.runs()
        last = runs.table.groupby("run_id")["flops"].transform("max")
        cut = float(np.quantile(last, 1 - HELD_OUT, method="higher"))
        with_last = runs.table.assign(last_flops=last)
        return cls(
            table=table, runs=al.Runs(with_last, source=table.name), condition=f"last_flops >= {cut!r}"
        )

    @property
    def learnt(self) -> al.Runs:
        """The smaller runs."""
        return self.runs.where(f"NOT ({self.condition})")

    @property
    def held(self) -> al.Runs:
        """The largest runs."""
        return self.runs.where(self.condition)

    @property
    def heading(self) -> str:
        """Of its column."""
        return f"{self.table.name} ({len(self.held)} of {len(self.runs)})"


def by_laws(split: Split, draws: int) -> dict[str, Score | str]:
    """Our laws and the plain line, by `al.compare`; a refusal in its own words."""
    columns = split.runs.table.columns
    laws = [*LAWS, *(law for column, more in MORE_LAWS.items() if column in columns for law in more)]
    found = al.compare(laws, split.runs, hold_out=split.condition, draws=draws, level=LEVEL).table
    scores: dict[str, Score | str] = {}
    for row in found[found["law"] != NO_CHANGE].to_dict("records"):
        name = f"allometry, {row['law']}" if row["law"] in laws else f"plain {row['law']}"
        scores[name] = row["refused"] or Score(error=row["error"], coverage=row["coverage"])
    return scores


def by_rivals(split: Split, some: Mapping[str, rivals.Rival]) -> dict[str, Score | str]:
    """Everyone else."""
    scores: dict[str, Score | str] = {}
    for name, rival in some.items():
        try:
            scores[name] = _score(rival(split.learnt, split.held), split.held.column("loss"))
        except NotRun as reason:
            scores[name] = str(reason)
    return scores


def _score(expected: rivals.Expected, measured: np.ndarray) -> Score:
    error = float(np.median(np.abs(expected.median / measured - 1)))
    inside = (expected.low <= measured) & (measured <= expected.high)
    known = np.isfinite(expected.low).all()
    return Score(error=error, coverage=float(inside.mean()) if known else float("nan"))


def table(splits: list[Split], scores: list[dict[str, Score | str]]) -> Table:
    """One row a way to forecast, one column a table."""
    names = list(dict.fromkeys(name for found in scores for name in found))
    names.sort(key=lambda name: not name.startswith("allometry"))
    notes = [f"{split.table.name}: {split.table.note}." for split in splits if split.table.note]
    return Table(
        name="forecasts",
        title="Forecasts of the largest public runs",
        command="benchmarks/forecast_quality.py --full --peers FOLDER",
        says=f"The {HELD_OUT:.0%} of rows with the most compute are held out, whole runs together, and "
        "forecast from the smaller ones. Each cell: median relative error of the loss, then the share of "
        f"held-out runs inside the {LEVEL:.0%} interval, where one is given. Beside each table: rows held "
        "out of all. One fit forecasts all runs held out of a table: a coverage is one verdict, not many.",
        header=("forecast by", *(split.heading for split in splits)),
        rows=[(name, *(_cell(found.get(name)) for found in scores)) for name in names],
        notes=[*notes, *_reasons(splits, scores)],
    )


def _reasons(splits: list[Split], scores: list[dict[str, Score | str]]) -> list[str]:
    """Why a cell holds no score: each reason once, with the tables it is about."""
    where: dict[str, list[str]] = {}
    for split, found in zip(splits, scores, strict=True):
        for name, score in found.items():
            if isinstance(score, str):
                where.setdefault(f"{name}: {score}", []).append(split.table.name)
    return [f"{reason} ({', '.join(tables)})" for reason, tables in where.items()]


def _cell(score: Score | str | None) -> str:
    if score is None:
        return ""
    return score.cell if isinstance(score, Score) else "none"


def main() -> None:
    """Print one table."""
    chosen = peer_option(options(__doc__)).parse_args()
    starts, draws, levels = (300, 1000, 3) if chosen.full else (20, 200, 2)
    others: dict[str, rivals.Rival] = {
        f"published procedure, {starts} starts": rivals.published_procedure(starts),
        "SciPy curve_fit, least squares": rivals.least_squares,
        f"{CHINCHILLA.name}, {levels**5} starts": rivals.chinchilla_package(chosen.peers, levels),
        SIMPLE.name: rivals.simple_scaling_laws(chosen.peers),
    }
    splits, scores = [], []
    for public in TABLES:
        try:
            split = Split.of(public)
        except Absent as reason:
            sys.stdout.write(f"forecast_quality: not run, {reason}.\n")
            return
        progress(public.name)
        splits.append(split)
        scores.append({**by_laws(split, draws), **by_rivals(split, others)})
    publish(table(splits, scores), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

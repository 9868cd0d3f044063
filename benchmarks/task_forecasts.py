"""Scores of tasks forecast through the loss, against the direct law, "no change" and single-scale ranking.

Use: python benchmarks/task_forecasts.py [--full] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

import allometry as al
from allometry.capabilities.chain_recipes import TaskForecasts, forecast_tasks
from allometry.capabilities.chain_steps import Steps
from allometry.capabilities.chain_tasks import Task
from benchmarks.parts.page import Table, options, progress, publish
from benchmarks.parts.public import FOLDER

LEVEL = 0.9
BRIEF, FULL = 50, 500  # resamples of each step
OLMO = {
    "hellaswag_val": 1 / 4, "arc_challenge_test": 1 / 4, "arc_easy_test": 1 / 4, "piqa_val": 1 / 2,
    "csqa_val": 1 / 5, "socialiqa_val": 1 / 3, "openbookqa_test": 1 / 4, "boolq_val": 1 / 2,
    "winogrande_val": 1 / 2, "mmlu_stem_test": 1 / 4, "mmlu_humanities_test": 1 / 4,
    "mmlu_social_sciences_test": 1 / 4, "mmlu_other_test": 1 / 4,
}  # fmt: skip
# Chance only where the smallest models are near it: others of this table start worse than guessing.
GADRE = {"avg17": None, "avg46": None, "arc_easy": None, "hellaswag_zeroshot": 3 / 4, "piqa": 1 / 2,
         "lambada_openai": None, "winograd": None}  # fmt: skip
TARGETS = {"open_lm_1b 20×": ("open_lm_1b", 20.0), "open_lm_7b 20×": ("open_lm_7b", 20.0)}


def olmo(steps: Steps) -> Iterator[pd.DataFrame]:
    """Runs up to 1B forecast 3B at 5 and 10 times Chinchilla's tokens."""
    last = _ladder(pd.read_csv(FOLDER / "olmo_ladder_runs.csv"))
    tasks = [Task(score=f"acc__{name}", loss=f"bpb__{name}", chance=c) for name, c in OLMO.items()]
    small = al.Runs(last[~last["run"].str.startswith("3B")].reset_index(drop=True), source="OLMo ladder")
    for target in ("3B-5xC", "3B-10xC"):
        progress(f"OLMo {target}")
        (row,) = last[last["run"] == target].to_dict("records")
        made = forecast_tasks(small, tasks, _place(row), level=LEVEL, steps=steps)
        yield _scored(made, {"": row}, "OLMo ladder", target)


def gadre(steps: Steps) -> Iterator[pd.DataFrame]:
    """Runs up to 0.4B forecast 1.4B and 6.9B, for two training sets."""
    table = pd.read_csv(FOLDER / "gadre_overtraining.csv").rename(columns={"name": "run_id"})
    table = table.assign(flops=table["flops"].astype(float))
    tasks = [Task(score=f"error_{name}", chance=chance, falls=True) for name, chance in GADRE.items()]
    small = al.Runs(table[~table["model"].str.startswith("open_lm")].reset_index(drop=True), source="Gadre")
    for name, (model, multiplier) in TARGETS.items():
        progress(f"Gadre {name}")
        rows = table[(table["model"] == model) & (table["token_multiplier"].round() == multiplier)]
        held = {str(row["dataset"]): row for row in rows.to_dict("records")}
        made = forecast_tasks(
            small, tasks, _place(next(iter(held.values()))), by="dataset", level=LEVEL, steps=steps
        )
        yield _scored(made, held, "Gadre", name)


def _ladder(table: pd.DataFrame) -> pd.DataFrame:
    """The last checkpoint of each run; the size of 3B follows from its run of 200 tokens per parameter."""
    last = table.sort_values("step").groupby("run", as_index=False).last()
    tenfold = last[last["run"] == "3B-10xC"]["tokens"].iloc[0] / 200
    return last.assign(params=last["N"].fillna(tenfold), loss=last["c4_loss"])


def _place(row: Mapping[Any, Any]) -> dict[str, float]:
    return {"params": float(row["params"]), "tokens": float(row["tokens"])}


def _scored(
    made: TaskForecasts, held: Mapping[str, Mapping[Any, Any]], table: str, target: str
) -> pd.DataFrame:
    """Errors of every forecaster, and whether the intervals held."""
    rows = made.table.assign(table=table, target=target)
    rows["measured"] = [held[row["recipe"]][row["task"]] for row in rows.to_dict("records")]
    for name in ("forecast", "direct", "largest"):
        rows[f"{name}_error"] = rows[name] - rows["measured"]
    rows["inside"] = (rows["low"] <= rows["measured"]) & (rows["measured"] <= rows["high"])
    direct = (rows["direct_low"] <= rows["measured"]) & (rows["measured"] <= rows["direct_high"])
    return rows.assign(direct_inside=direct, **_orders(made, rows))


def _orders(made: TaskForecasts, rows: pd.DataFrame) -> dict[str, Any]:
    """Whether recipes stand in the measured order, by either ranking; NaN with one recipe."""
    if made.ranking.empty:
        return {"order_by_single_scale": np.nan, "order_by_forecast": np.nan}
    both = rows.merge(made.ranking[["task", "recipe", "single_scale"]], on=["task", "recipe"])
    found = {}
    for column in ("single_scale", "forecast"):
        wide = {
            name: both.pivot(index="task", columns="recipe", values=name) for name in (column, "measured")
        }
        first, second = wide["measured"].columns
        right = {
            task: np.sign(wide[column].loc[task, first] - wide[column].loc[task, second])
            == np.sign(wide["measured"].loc[task, first] - wide["measured"].loc[task, second])
            for task in wide["measured"].index
        }
        found[f"order_by_{column}"] = rows["task"].map(right).astype(float)
    return found


def page_table(rows: pd.DataFrame, draws: int) -> Table:
    """One row a task and target, and what they come to."""
    return Table(
        name="tasks",
        title="Scores of tasks forecast through the loss",
        command=f"benchmarks/task_forecasts.py{' --full' if draws == FULL else ''}",
        says="OLMo ladder: 24 runs of 190M to 1B forecast 3B at 5 and 10 times Chinchilla's tokens, the loss "
        "being the bits per byte of a task's own answers. Gadre: runs up to 0.4B on C4 or RefinedWeb give "
        "1.4B and 6.9B at 20 tokens per parameter, from one loss; its columns are errors. Cells: forecast "
        f"minus measured in points of 100, then whether the {LEVEL:.0%} interval holds the measured value. "
        "No change: the largest small run.",
        header=("table", "target", "task", "rule says", "measured", "chain", "direct law", "no change"),
        rows=[_cells(row) for row in rows.to_dict("records")],
        notes=list(_notes(rows)),
    )


def _cells(row: Mapping[Any, Any]) -> tuple[str, ...]:
    target = f"{row['recipe']} {row['target']}".removesuffix("_original").replace("_original", "").strip()
    task = str(row["task"]).removeprefix("acc__").removeprefix("error_")
    chain = _cell(row["forecast_error"], row["inside"])
    direct = _cell(row["direct_error"], row["direct_inside"])
    unchanged = f"{100 * float(str(row['largest_error'])):+.1f}"
    measured = f"{100 * float(str(row['measured'])):.1f}"
    return (str(row["table"]), target, task, str(row["says"]), measured, chain, direct, unchanged)


def _cell(error: object, inside: object) -> str:
    value = float(str(error))
    return "declined" if np.isnan(value) else f"{100 * value:+.1f}, {'in' if inside else 'out'}"


def _notes(rows: pd.DataFrame) -> Iterator[str]:
    made = rows[rows["forecast"].notna()]
    for (table, says), group in made.groupby(["table", "says"]):
        errors = {
            words: 100 * float(group[f"{column}_error"].abs().mean())
            for words, column in (("chain", "forecast"), ("direct law", "direct"), ("no change", "largest"))
        }
        said = ", ".join(f"{words} {value:.1f}" for words, value in errors.items())
        held = f"chain {group['inside'].mean():.0%}, direct law {group['direct_inside'].mean():.0%}"
        yield f"{table}, {says} ({len(group)} forecasts): mean absolute error {said}; intervals hold {held}."
    ranked = made.dropna(subset=["order_by_single_scale"]).drop_duplicates(["target", "task"])
    if len(ranked):
        single, chain = (ranked[f"order_by_{name}"].mean() for name in ("single_scale", "forecast"))
        yield (
            f"Two recipes (C4, RefinedWeb) in the measured order, of {len(ranked)}: by the largest shared "
            f"small scale {single:.0%}, by the chain {chain:.0%}."
        )
    yield "Forecasts of one table are not independent: each coverage is one verdict, not many."


def main() -> None:
    """Print one table."""
    chosen = options(__doc__).parse_args()
    if not (FOLDER / "olmo_ladder_runs.csv").is_file():
        sys.stdout.write("task_forecasts: not run, the public tables are not here; set ALLOMETRY_DATA.\n")
        return
    draws = FULL if chosen.full else BRIEF
    steps = Steps(draws=draws)
    rows = pd.concat([*olmo(steps), *gadre(steps)], ignore_index=True)
    publish(page_table(rows, draws), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

"""`forecast_tasks`: chains of one or several recipes for one new run, beside ranking at a single scale."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from allometry.capabilities.chain import Chain, chain
from allometry.capabilities.chain_steps import Steps
from allometry.capabilities.chain_tasks import Task
from allometry.capabilities.chain_verdict import RULE
from allometry.errors import InputError
from allometry.fitting.checks.definition import note
from allometry.fitting.result import Finding, tails
from allometry.runs.run import Runs

_IN_WORDS = ["because", "declined", "step_one"]  # columns that the text has below the table
_SAME = 0.01  # relative difference of two places that count as one scale


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskForecasts:
    """What chains, direct laws and the largest small runs say about one new run.

    Attributes:
        inputs: The new run, column to value.
        by: Column that names the recipes; empty where the runs are of one.
        table: One row a recipe and task, as `Chain.forecasts` gives it.
        ranking: One row a task and recipe: score at the largest scale that all recipes share, the forecast,
            and the place by each (1 is best). Ranking by the single scale is hard to beat (Magnusson et al.
            2025, arXiv:2504.11393). Empty with one recipe.
        scale: That scale, on the column that the direct law reads; NaN with one recipe.
        chains: Recipe to its chain; the one of a single recipe is called "".
    """

    inputs: Mapping[str, float]
    level: float
    by: str
    table: pd.DataFrame
    ranking: pd.DataFrame
    scale: float
    chains: Mapping[str, Chain] = field(repr=False)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Tasks that were declined."""
        return tuple(
            note("task_at_chance", f"{why}.", "Measure larger runs, or a loss on the task's answers.")
            for why in self.table["declined"]
            if why
        )

    def facts(self) -> dict[str, object]:
        """The forecasts, verdicts and ranking without the fits behind them."""
        verdicts = [one.verdicts().assign(recipe=name) for name, one in self.chains.items()]
        return {
            "inputs": self.inputs, "level": self.level, "forecasts": self.table,
            "verdicts": pd.concat(verdicts, ignore_index=True), "rule": RULE,
            "ranking": self.ranking, "scale": self.scale,
        }  # fmt: skip

    def summary(self) -> str:
        """The table, the ranking and the rule, in plain text."""
        shown = self.table.drop(columns=[*_IN_WORDS, *([] if self.by else ["recipe"])])
        lines = [shown.to_string(index=False, na_rep="–", float_format="%.3f"), ""]
        lines += [_because(row, self.by) for row in self.table.to_dict("records")]
        lines += [
            f"  intervals hold {self.level:.0%}; largest: score of the largest run, as if nothing changed"
        ]
        if self.by:
            lines += ["", f"Places by the score at {self.scale:.3g} and by the forecast:"]
            lines += [self.ranking.to_string(index=False, na_rep="–", float_format="%.3f")]
        else:
            lines += ["  ranking at a single scale: one recipe, nothing to rank"]
        return "\n".join([*lines, f"  rule: {RULE}"])


def forecast_tasks(
    runs: Runs,
    tasks: Sequence[Task | str],
    inputs: Mapping[str, float],
    *,
    by: str | None = None,
    chance: Mapping[str, float] | None = None,
    level: float = 0.9,
    steps: Steps | None = None,
) -> TaskForecasts:
    """Forecast the scores of a new run by chains from loss to task, with both baselines.

    Args:
        tasks: As `chain` takes them.
        inputs: The new run: column to value, for example {"params": 7e9, "tokens": 1.4e12}.
        by: Column that names the recipe, such as the data a run was trained on; each is fitted by itself.

    Raises:
        InputError: If recipes share no scale, or an input is missing.
        MissingColumn: If a column is not there.
        TableError: If a score is impossible.
        FitError: If the runs of a recipe cannot carry the laws.
    """
    tails(level)
    chains = {
        name: chain(part, tasks, chance=chance, steps=steps) for name, part in _recipes(runs, by).items()
    }
    table = pd.concat(
        [one.forecasts(level, **inputs).assign(recipe=name) for name, one in chains.items()],
        ignore_index=True,
    )
    scale = shared_scale(chains) if len(chains) > 1 else float("nan")
    ranking = _ranking(table, chains, scale) if len(chains) > 1 else pd.DataFrame()
    return TaskForecasts(
        inputs=dict(inputs),
        level=level,
        by=by or "",
        table=table,
        ranking=ranking,
        scale=scale,
        chains=chains,
    )


def shared_scale(chains: Mapping[str, Chain]) -> float:
    """The largest place at which every recipe has a run.

    Raises:
        InputError: If there is none.
    """
    places = [one.runs.column(one.along) for one in chains.values()]
    shared = [
        place for place in places[0] if all(np.isclose(other, place, rtol=_SAME).any() for other in places)
    ]
    if not shared:
        along = next(iter(chains.values())).along
        raise InputError(
            f"The recipes {', '.join(chains)} share no scale: no '{along}' at which each "
            " has a run. Train each once at one scale, or look at the recipes one by one (without by=)."
        )
    return float(max(shared))


def _because(row: Mapping[Hashable, Any], by: str) -> str:
    """What decided on a task, and how much of its width is step one's."""
    if row["declined"]:
        return f"  declined: {row['declined']}"
    name = f"{row['recipe']}, {row['task']}" if by else row["task"]
    known = row["step_one"] == row["step_one"]
    part = f"; step one makes {row['step_one']:.0%} of the squared width" if known else ""
    return f"  {name}: {row['says']}, as {row['because']}{part}"


def _recipes(runs: Runs, by: str | None) -> dict[str, Runs]:
    if by is None:
        return {"": runs}
    runs.require(by)
    names = runs.table[by].dropna().astype(str)
    if names.nunique() < 2:
        raise InputError(
            f"'{by}' holds one recipe only ('{names.iloc[0] if len(names) else ''}'), so there is nothing to "
            "rank. Leave by= away to forecast it alone."
        )
    each = {name: runs.table[runs.table[by].astype(str) == name] for name in sorted(names.unique())}
    return {
        name: replace(runs, table=table.reset_index(drop=True), source=f"{runs.source}, {by} {name}")
        for name, table in each.items()
    }


def _ranking(table: pd.DataFrame, chains: Mapping[str, Chain], scale: float) -> pd.DataFrame:
    """Places of the recipes on each task, by the single scale and by the chains."""
    scores = [_at(chains[row["recipe"]], str(row["task"]), scale) for row in table.to_dict("records")]
    made = table[["task", "recipe", "forecast"]].assign(single_scale=scores)
    falls = {name: one.task.falls for found in chains.values() for name, one in found.tasks.items()}
    rising = np.array([falls[task] for task in made["task"]])
    for column in ("single_scale", "forecast"):
        signed = made[column].where(rising, -made[column])
        made[f"place_by_{column}"] = signed.groupby(made["task"]).rank(method="min")
    return made.sort_values(["task", "recipe"], kind="stable").reset_index(drop=True)


def _at(found: Chain, task: str, scale: float) -> float:
    """The score of a recipe's run at a scale."""
    nearest = np.argmin(np.abs(np.log(found.runs.column(found.along) / scale)))
    return float(found.runs.column(task)[nearest])

"""How often 90% intervals of horizons, doubling times and outlooks hold the truth, and what they cost.

Use: python benchmarks/trend_coverage.py [--full] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from allometry.trends.horizon import time_horizons
from allometry.trends.outlook import outlook
from allometry.trends.series import Series, horizon_series
from allometry.trends.task_runs import TaskRuns
from allometry.trends.trend import exponential_trend
from benchmarks.parts.clock import cpu, shown
from benchmarks.parts.page import Table, goal, options, progress, publish

LEVEL, ALLOWED = 0.9, 0.04
SLOPE, DOUBLINGS = 0.6, 2.0  # log-odds a doubling of length; doublings of the horizon a year
AGENTS, RUNS, DRAWS = 7, 4, 300
MOST_SECONDS = 10.0
WIDER = (
    "Resampling families, then tasks in them, then runs counts the noise of the lower levels at each level "
    "again: intervals come out wider than they need to be, as do the published ones."
)


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A kind of simulated suite: families with tasks, and how much of a task's difficulty its family shares.

    Effects of families and tasks are symmetric, so that the length at which half succeed stays known.
    """

    families: int
    tasks: int
    family_effect: float
    task_effect: float
    scatter: float = 0.0  # of agents about the trend, in doublings

    @property
    def words(self) -> str:
        """What it is, in a cell."""
        effects = f"effects {self.family_effect:g} and {self.task_effect:g}"
        return f"{self.families} families of {self.tasks}, {effects}, scatter {self.scatter:g}"


SUITES = (
    Suite(families=60, tasks=1, family_effect=0.0, task_effect=0.0),
    Suite(families=60, tasks=3, family_effect=0.0, task_effect=0.0),
    Suite(families=60, tasks=3, family_effect=0.7, task_effect=0.7),
    Suite(families=20, tasks=4, family_effect=0.7, task_effect=0.7),
    Suite(families=60, tasks=3, family_effect=0.7, task_effect=0.7, scatter=0.5),
)


def simulated(suite: Suite, seed: int, agents: int = AGENTS, runs: int = RUNS) -> tuple[TaskRuns, np.ndarray]:
    """Runs of agents whose horizon doubles on a known trend, and their true log2 horizons."""
    rng = np.random.default_rng([seed, suite.families, suite.tasks])
    count = suite.families * suite.tasks
    log2_minutes = rng.uniform(-3, 11, count)
    family = np.repeat(np.arange(suite.families), suite.tasks)
    harder = suite.family_effect * rng.standard_normal(suite.families)[family]
    harder = harder + suite.task_effect * rng.standard_normal(count)
    released = 2020 + np.arange(agents) / DOUBLINGS
    horizon = DOUBLINGS * (released - 2020) + 1 + suite.scatter * rng.standard_normal(agents)
    agent, task, _ = (one.ravel() for one in np.indices((agents, count, runs)))
    odds = SLOPE * (horizon[agent] - log2_minutes[task]) - harder[task]
    score = (rng.random(len(agent)) < 1 / (1 + np.exp(-odds))) * 1.0
    given = TaskRuns(
        agents=tuple(f"agent {k}" for k in range(agents)), tasks=tuple(map(str, range(count))),
        released=released, log2_minutes=log2_minutes, family=family, agent=agent, task=task, score=score,
    )  # fmt: skip
    return given, horizon


def study(suite: Suite, seed: int) -> tuple[float, float, float]:
    """Whether intervals hold the truth: share of horizons; doublings a year, models fixed and drawn."""
    given, truth = simulated(suite, seed)
    found = time_horizons(given, draws=DRAWS, level=LEVEL, seed=seed)
    low, high = np.log2(found.table["p50_low"]), np.log2(found.table["p50_high"])
    series = horizon_series(found)
    fixed = exponential_trend(series, models="fixed", level=LEVEL).doublings
    drawn = exponential_trend(series, level=LEVEL, draws=DRAWS).doublings
    held = [float(one.low <= DOUBLINGS <= one.high) for one in (fixed, drawn)]
    return float(np.mean((low <= truth) & (truth <= high))), held[0], held[1]


def coverage(studies: int) -> Table:
    """One row a kind of suite."""
    rows, plain = [], 0.0
    for place, suite in enumerate(SUITES):
        progress(suite.words)
        shares = np.mean([study(suite, seed) for seed in range(studies)], axis=0)
        plain = float(shares[0]) if place == 0 else plain
        rows.append((suite.words, *(f"{share:.1%}" for share in shares)))
    return Table(
        name="horizon-coverage",
        title="Coverage of time horizons and their doubling time",
        command="benchmarks/trend_coverage.py --full",
        says=f"{studies} simulated studies a row: {AGENTS} agents, {RUNS} runs a task, {DRAWS} draws of "
        f"families, tasks and runs, Firth's penalty, {LEVEL:.0%} intervals. Effects are standard deviations "
        "of families and of tasks in log-odds; scatter is that of agents about the trend, in doublings.",
        header=("suite", "horizons (p50)", "doublings a year, models fixed", "models drawn"),
        rows=rows,
        notes=[
            goal(
                f"Horizons of single tasks without effects within {ALLOWED:.0%} of {LEVEL:.0%}",
                abs(plain - LEVEL) <= ALLOWED,
                f"{plain:.1%}",
            ),
            WIDER,
        ],
    )


def outlooks(studies: int) -> Table:
    """Whether outlooks hold a point one and two years ahead."""
    rows = []
    for name in ("exponential", "levelling off", "bent two years ago"):
        held = np.mean([_ahead(name, seed) for seed in range(studies)], axis=0)
        rows.append((name, *(f"{share:.1%}" for share in held)))
    return Table(
        name="outlook-coverage",
        title="Coverage of outlooks",
        command="benchmarks/trend_coverage.py --full",
        says=f"{studies} simulated series a row, 14 points of six years, scatter 0.5 doublings; one new "
        f"point at each distance; {LEVEL:.0%} intervals. One line: of the whole window, exponential.",
        header=("truth", "mixture, 1 year", "mixture, 2 years", "one line, 1 year", "one line, 2 years"),
        rows=rows,
    )


def _ahead(name: str, seed: int) -> list[bool]:
    rng = np.random.default_rng(seed)
    years = np.sort(rng.uniform(2019, 2025, 14))
    truths: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "exponential": lambda y: 1.8 * (y - 2025),
        "levelling off": lambda y: -np.log2(1 + 2 ** (-2 * (y - 2024.5))),
        "bent two years ago": lambda y: np.where(y < 2023, 1.0, 3.0) * (y - 2023),
    }
    truth = truths[name]
    labels = tuple(map(str, range(14)))
    noisy = truth(years) + 0.5 * rng.standard_normal(14)
    series = Series(name="p50", labels=labels, years=years, values=np.exp2(noisy))
    after = np.array([2026.0, 2027.0])
    points = np.exp2(truth(after) + 0.5 * rng.standard_normal(2))
    ways = (outlook(series, level=LEVEL, draws=300), exponential_trend(series, level=LEVEL))
    said = [way.at(year) for way in ways for year in after]
    return [bool(one.low <= point <= one.high) for one, point in zip(said, [*points, *points], strict=True)]


def cost() -> Table:
    """CPU time of the bootstrap that the goal names."""
    suite = Suite(families=50, tasks=4, family_effect=0.0, task_effect=0.0)
    given, _ = simulated(suite, 0, agents=20, runs=6)
    rows, worst = [], 0.0
    for penalty in ("firth", "none", "published"):
        seconds = cpu(lambda penalty=penalty: time_horizons(given, penalty=penalty, draws=1000)).seconds  # type: ignore[misc]
        worst = max(worst, seconds)
        rows.append((penalty, shown(seconds)))
    return Table(
        name="horizon-cost",
        title="1,000 three-level draws of 20 agents and 200 tasks",
        command="benchmarks/trend_coverage.py --full",
        says="CPU time of one thread, six runs of each agent at each task.",
        header=("penalty", "CPU time"),
        rows=rows,
        notes=[goal(f"Below {MOST_SECONDS:g} s", worst < MOST_SECONDS, shown(worst))],
    )


def main() -> None:
    """Print three tables."""
    chosen = options(__doc__).parse_args()
    studies = 400 if chosen.full else 40
    publish(cost(), markdown=chosen.markdown)
    publish(coverage(studies), markdown=chosen.markdown)
    publish(outlooks(studies // 2), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

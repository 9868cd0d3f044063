"""How often 90% intervals of horizons and their doubling time hold the truth, and what they cost.

Use: python benchmarks/trend_coverage.py [--full] [--markdown] [--tables cost horizons]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from allometry.trends.horizon import time_horizons
from allometry.trends.horizon_draws import RESAMPLINGS, Resampling
from allometry.trends.horizon_findings import PENALTIES
from allometry.trends.series import horizon_series
from allometry.trends.task_runs import TaskRuns
from allometry.trends.trend import exponential_trend
from benchmarks.parts.clock import cpu, shown
from benchmarks.parts.coverage import AGAIN, Shares, misses, shares, shares_measured_on, standard_error
from benchmarks.parts.page import Table, goal, options, progress, publish

LEVEL, ALLOWED = 0.9, 0.04
SLOPE, DOUBLINGS = 0.6, 2.0  # log-odds a doubling of length; doublings of the horizon a year
AGENTS, RUNS, DRAWS = 6, 6, 200
PUBLISHED_SHARE = 8  # one study in so many is also drawn as published, which costs more
MOST_SECONDS = 10.0
PUBLISHED = (
    "Published draws count the noise of tasks twice and that of runs three times, which shows most where "
    "families differ little: their intervals are wider than they need to be."
)
DRAWN = (
    "With models fixed an interval says how well these agents were measured, and misses a trend that agents "
    "scatter about (last row); with models drawn it counts that too, and covers more where none is."
)


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A kind of simulated suite: tasks of each family, and how much families and tasks differ in difficulty.

    Effects are symmetric, so that the length at which half succeed stays known.
    """

    name: str
    tasks: tuple[int, ...]
    effects: float  # standard deviation in log-odds, of families and of tasks in them
    scatter: float = 0.0  # of agents about the trend, in doublings


# The uneven suite is like METR's: most families of a task or two, a few that hold half of all tasks.
UNEVEN = (*[1] * 30, *[2] * 6, *[4] * 4, *[8] * 2, 16)
EVEN = (5,) * 20
SUITES = (
    Suite(name="60 of 1, all alike", tasks=(1,) * 60, effects=0.0),
    Suite(name="20 of 5, all alike", tasks=EVEN, effects=0.0),
    Suite(name="20 of 5, effects 0.7", tasks=EVEN, effects=0.7),
    Suite(name="10 of 5, effects 0.7", tasks=(5,) * 10, effects=0.7),
    Suite(name="5 of 10, effects 0.7", tasks=(10,) * 5, effects=0.7),
    Suite(name="43 uneven, all alike", tasks=UNEVEN, effects=0.0),
    Suite(name="43 uneven, effects 0.7", tasks=UNEVEN, effects=0.7),
    Suite(name="43 uneven, effects 0.7, agents scatter 0.5", tasks=UNEVEN, effects=0.7, scatter=0.5),
)


def simulated(suite: Suite, seed: int, agents: int = AGENTS, runs: int = RUNS) -> tuple[TaskRuns, np.ndarray]:
    """Runs of agents whose horizon doubles on a known trend, and their true log2 horizons."""
    rng = np.random.default_rng([seed, len(suite.tasks)])
    family = np.repeat(np.arange(len(suite.tasks)), suite.tasks)
    count = len(family)
    log2_minutes = rng.uniform(-3, 11, count)
    harder = suite.effects * (rng.standard_normal(len(suite.tasks))[family] + rng.standard_normal(count))
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


def study(suite: Suite, seed: int, resampling: Resampling) -> tuple[float, float, float]:
    """Whether intervals hold the truth: share of horizons; doublings a year, models fixed and drawn."""
    given, truth = simulated(suite, seed)
    found = time_horizons(given, resampling=resampling, draws=DRAWS, level=LEVEL, seed=seed)
    low, high = np.log2(found.table["p50_low"]), np.log2(found.table["p50_high"])
    series = horizon_series(found)
    fixed = exponential_trend(series, models="fixed", level=LEVEL).doublings
    drawn = exponential_trend(series, level=LEVEL, draws=DRAWS).doublings
    held = [float(one.low <= DOUBLINGS <= one.high) for one in (fixed, drawn)]
    return float(np.mean((low <= truth) & (truth <= high))), held[0], held[1]


def coverage(studies: int) -> Table:
    """One row a kind of suite."""
    found = {suite: _measured(suite, studies) for suite in SUITES}
    goals = [share for suite, (ours, _) in found.items() for share in ours.held[: _with_goal(suite)]]
    worst = max(goals, key=lambda share: abs(share - LEVEL))
    met = all(
        not misses(share, ours.studies, level=LEVEL, allowed=ALLOWED)
        for suite, (ours, _) in found.items()
        for share in ours.held[: _with_goal(suite)]
    )
    return Table(
        name="horizon-coverage",
        title="Coverage of time horizons and their doubling time",
        command="benchmarks/trend_coverage.py --full",
        says=f"{studies} simulated studies a row (one in {PUBLISHED_SHARE} for published draws), so that a "
        f"coverage of trends has a standard error of {standard_error(LEVEL, studies):.1%}; a row that misses "
        f"the goal is measured on with {AGAIN} times as many more, and all count. {AGENTS} agents, {RUNS} "
        f"runs of each at each task, {DRAWS} draws, Firth's penalty, {LEVEL:.0%} intervals. Suites: families "
        "of so many tasks; effects are standard deviations in log-odds, of families and of tasks in them; "
        "scatter is that of agents about the trend, in doublings.",
        header=(
            "suite",
            "studies",
            "p50",
            "trend, models fixed",
            "trend, drawn",
            "published: p50",
            "published: trend, fixed",
        ),
        rows=[
            (suite.name, str(ours.studies), *(f"{share:.1%}" for share in (*ours.held, *theirs.held[:2])))
            for suite, (ours, theirs) in found.items()
        ],
        notes=[
            goal(
                f"Every p50, and every trend with fixed models on it, within {ALLOWED:.0%} of {LEVEL:.0%}",
                met,
                f"furthest {worst:.1%}",
            ),
            PUBLISHED,
            DRAWN,
        ],
    )


def _measured(suite: Suite, studies: int) -> tuple[Shares, Shares]:
    """Shares by default draws, and by published ones, over fewer studies."""
    progress(suite.name)
    levels = [LEVEL if place < _with_goal(suite) else float("nan") for place in range(3)]
    ours = shares_measured_on(
        partial(study, suite, resampling="families"), studies, levels=levels, allowed=ALLOWED
    )
    seeds = range(0, studies, PUBLISHED_SHARE)
    theirs = shares(lambda place: study(suite, seeds[place], "published"), 0, len(seeds))
    return ours, theirs


def _with_goal(suite: Suite) -> int:
    """How many of the shares have a goal: with scatter, fixed models say nothing of the trend."""
    return 1 if suite.scatter else 2


def cost() -> Table:
    """CPU time of the bootstrap that the goal names."""
    suite = Suite(name="50 of 4", tasks=(4,) * 50, effects=0.0)
    given, _ = simulated(suite, 0, agents=20, runs=6)
    rows, worst = [], 0.0
    for resampling in RESAMPLINGS:
        for penalty in PENALTIES:
            how = partial(time_horizons, given, penalty=penalty, resampling=resampling, draws=1000)
            seconds = cpu(how).seconds
            worst = max(worst, seconds)
            rows.append((resampling, penalty, shown(seconds)))
    return Table(
        name="horizon-cost",
        title="1,000 draws of 20 agents and 200 tasks",
        command="benchmarks/trend_coverage.py --full",
        says="CPU time of one thread, six runs of each agent at each task.",
        header=("draws", "penalty", "CPU time"),
        rows=rows,
        notes=[goal(f"Below {MOST_SECONDS:g} s", worst < MOST_SECONDS, shown(worst))],
    )


def main() -> None:
    """Print two tables."""
    parser = options(__doc__)
    parser.add_argument("--tables", nargs="+", choices=("cost", "horizons"), help="only these")
    chosen = parser.parse_args()
    tables: dict[str, Callable[[], Table]] = {
        "cost": cost,
        "horizons": partial(coverage, 300 if chosen.full else 20),
    }
    for name in chosen.tables or tables:
        publish(tables[name](), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

"""How well pass@10,000 is forecast from 100 attempts a problem: on published counts and on simulated tails.

Use: python benchmarks/attempts_forecasts.py [--full] [--markdown]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks are run from the repository, not installed

from benchmarks.parts.page import Table, goal, options, progress, publish

from allometry.capabilities.attempts import Counts, forecast_pass, read_counts

PUBLIC = Path(__file__).parents[2] / "shared" / "data" / "monkeys_pythia_math_counts.csv"
ATTEMPTS, TARGET, LEVEL, PROBLEMS = 100, 10_000, 0.9, 128
Chances = Callable[[np.random.Generator], np.ndarray]


def beta(a: float, b: float, scale: float = 1.0, never: float = 0.0) -> Chances:
    """Chances of success with a power tail of exponent a, and a share of problems that are never solved."""
    return lambda rng: scale * rng.beta(a, b, PROBLEMS) * (rng.random(PROBLEMS) >= never)


def logit_normal(centre: float, spread: float) -> Chances:
    """Chances of success with a tail lighter than any power."""
    return lambda rng: 1 / (1 + np.exp(-centre - spread * rng.standard_normal(PROBLEMS)))


POWER = {
    "power tail, b = .15": beta(0.15, 3),
    "power tail, b = .2": beta(0.2, 1),
    "power tail, b = .3": beta(0.3, 5),
    "power tail, b = .3, hard": beta(0.3, 50),
    "power tail, b = .5": beta(0.5, 20),
    "power tail, b = .8": beta(0.8, 50),
    "power tail, b = .3, none above .1": beta(0.3, 1, scale=0.1),
}
OTHER = {
    "10% never solved": beta(0.3, 3, never=0.1),
    "20% never solved": beta(0.5, 5, never=0.2),
    "40% never solved": beta(0.4, 10, never=0.4),
    "logit-normal, wide": logit_normal(-6, 3),
    "logit-normal, narrow": logit_normal(-5, 2),
}
OUTSIDE = {  # of every form that the forecast knows
    "two kinds of problems": lambda rng: _mixed(rng, rng.beta(0.3, 300, PROBLEMS)),
    "two kinds far apart": lambda rng: _mixed(rng, 10 ** rng.uniform(-7, -4, PROBLEMS)),
    "log-uniform, none below 1e-6": lambda rng: 10 ** rng.uniform(-6, 0, PROBLEMS),
    "log-uniform, none below 1e-4": lambda rng: 10 ** rng.uniform(-4, 0, PROBLEMS),
}


def _mixed(rng: np.random.Generator, hard: np.ndarray) -> np.ndarray:
    """Half of the problems solved by every fourth attempt or so, half of them hard."""
    return np.where(rng.random(PROBLEMS) < 0.5, rng.beta(2, 6, PROBLEMS), hard)


class Outcome(NamedTuple):
    """One forecast and what came of it: by default, and by its line and best-known form alone."""

    error: float
    inside: bool
    width: float
    line: float
    beta: float
    line_inside: bool


def judged(every: Counts, seed: int) -> Outcome:
    """Forecast from some of the attempts what all of them show."""
    found = forecast_pass(every.thinned(ATTEMPTS, seed), TARGET, level=LEVEL, seed=seed)
    truth, line = every.solved, found.forms["log_log_line"]
    return Outcome(
        error=abs(found.median[0] - truth),
        inside=found.low[0] <= truth <= found.high[0],
        width=found.high[0] - found.low[0],
        line=abs(line.median - truth),
        beta=abs(found.forms["beta"].median - truth),
        line_inside=line.low <= truth <= line.high,
    )


def simulated(chances: Chances, seed: int) -> Counts:
    """All attempts at new problems of one kind."""
    rng = np.random.default_rng([seed, 17])
    return Counts.of(np.full(PROBLEMS, TARGET), rng.binomial(TARGET, chances(rng)), "a simulation")


def published(seeds: int) -> Iterator[tuple[str, list[Outcome]]]:
    """The four models of the public table, if it is here."""
    if not PUBLIC.exists():
        progress(f"{PUBLIC.name} is not here: only simulations are judged")
        return
    table = pd.read_csv(PUBLIC)
    for model in sorted(set(table["model"])):
        every = read_counts(table, where=f"model = '{model}'")
        yield f"published: {model} on MATH", [judged(every, seed) for seed in range(seeds)]


def outcomes(seeds: int) -> dict[str, list[Outcome]]:
    """Every kind, published ones first."""
    found = dict(published(seeds))
    for name, chances in {**POWER, **OTHER, **OUTSIDE}.items():
        progress(name)
        found[name] = [judged(simulated(chances, seed), seed) for seed in range(seeds)]
    return found


def means(found: list[Outcome]) -> Outcome:
    """Each column's mean."""
    return Outcome(*(float(np.mean(column)) for column in zip(*found, strict=True)))  # type: ignore[arg-type]


def cells(name: str, found: list[Outcome]) -> tuple[str, ...]:
    """One row of the table."""
    m = means(found)
    errors = (f"{m.error:.3f}", f"{m.line:.3f}", f"{m.beta:.3f}")
    return (name, *errors, f"{m.inside:.0%}", f"{m.line_inside:.0%}", f"{m.width:.2f}")


def together(found: dict[str, list[Outcome]], chosen: Callable[[str], bool]) -> list[Outcome]:
    """All outcomes of some kinds."""
    return [outcome for name, some in found.items() if chosen(name) for outcome in some]


def notes(found: dict[str, list[Outcome]]) -> list[str]:
    """The goals, and what the simulations say about them."""
    lines = []
    if public := together(found, lambda name: name.startswith("published")):
        m = means(public)
        lines += [
            goal("Published: mean absolute error at most .05", m.error <= 0.05, f"{m.error:.3f}"),
            goal("Published: intervals hold 85% to 95%", 0.85 <= m.inside <= 0.95, f"{m.inside:.1%}"),
        ]
    for says, kinds in (("power tails", POWER), ("other tails", OTHER), ("tails of no known form", OUTSIDE)):
        m = means(together(found, lambda name, kinds=kinds: name in kinds))  # type: ignore[misc]
        line = f"the line alone {m.line_inside:.0%}"
        lines.append(f"Simulated {says}: error {m.error:.3f}, coverage {m.inside:.0%} ({line}).")
    return [
        *lines,
        f"{ATTEMPTS} attempts seldom tell one tail from another: the width is mostly that of the forms' gap.",
        "The four published models share their problems: their coverage is that of few independent cases.",
    ]


def table(found: dict[str, list[Outcome]], seeds: int) -> Table:
    """One row a kind."""
    return Table(
        name="attempts",
        title="pass@10,000 forecast from 100 attempts",
        command="benchmarks/attempts_forecasts.py --full",
        says=f"{PROBLEMS} problems, {seeds} draws of {ATTEMPTS} out of {TARGET:,} attempts a row. Absolute "
        f"error of the default (median of a pool of the log-log line and four distributions), of the line "
        f"and of the beta-binomial alone; coverage of {LEVEL:.0%} intervals of the default (over those of "
        "all forms that the counts do not speak against) and of the line alone.",
        header=("kind", "error", "line", "beta", "coverage", "line's", "width"),
        rows=[cells(name, some) for name, some in found.items()],
        notes=notes(found),
    )


def main() -> None:
    """Print one table."""
    chosen = options(__doc__).parse_args()
    seeds = 20 if chosen.full else 4
    publish(table(outcomes(seeds), seeds), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

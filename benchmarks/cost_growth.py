"""How cost grows: rows of a fit, draws of a bootstrap, and the first use of each law.

Use: python benchmarks/cost_growth.py [--full] [--markdown]
Each measurement is taken in a process of its own, which is this file again with --one.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

import json
import resource
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

import allometry as al
from allometry.laws import LAWS, read_law
from benchmarks.parts.clock import cpu, shown
from benchmarks.parts.page import Table, goal, options, progress, publish

ROWS, MORE_ROWS = (100, 1000, 10_000), (100_000, 1_000_000)
DRAWS, MORE_DRAWS = (100, 300, 1000), (3000, 10_000)
RUNS = 240  # of the table that is resampled
NOISE = 0.005
LINEAR = 1.1  # slope in log-log up to which growth counts as linear
MOST_MEBIBYTES = 1000  # a bound that a laptop has, whatever the size
COMMAND = "benchmarks/cost_growth.py --full"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one piece of work took: CPU seconds, those of a second time, memory beyond what was held."""

    seconds: float
    again: float
    mebibytes: float


def fit_rows(size: str) -> Cost:
    """One fit of a table of `size` rows."""
    al.fit("chinchilla", simulated(100))  # derives the law, imports what a fit needs
    runs = simulated(int(size))
    return measured(lambda: al.fit("chinchilla", runs))


def draw(size: str) -> Cost:
    """`size` refits of one table."""
    fitted = al.fit("chinchilla", simulated(RUNS))
    al.bootstrap(fitted, draws=2, resampling="pairs")
    return measured(lambda: al.bootstrap(fitted, draws=int(size), resampling="pairs"))


def derive(name: str) -> Cost:
    """The derivatives of one law, SymPy not yet imported."""
    return measured(lambda: read_law(name).derivation.second_order)


KINDS: dict[str, Callable[[str], Cost]] = {"rows": fit_rows, "draws": draw, "law": derive}


def measured(work: Callable[[], object]) -> Cost:
    """The same work twice; the peak of memory is that of the first."""
    before = _peak_mebibytes()
    first = cpu(work).seconds
    peak = _peak_mebibytes()
    return Cost(seconds=first, again=cpu(work).seconds, mebibytes=peak - before)


def simulated(rows: int) -> al.Runs:
    """Runs of Chinchilla's law with its typical coefficients and noise of the log loss."""
    rng = np.random.default_rng(rows)
    params = 10 ** rng.uniform(7, 10, rows)
    inputs = {"params": params, "tokens": params * 10 ** rng.uniform(0.5, 2.5, rows)}
    loss = al.laws.chinchilla.evaluate(inputs, al.laws.chinchilla.typical)
    return al.Runs(pd.DataFrame({**inputs, "loss": loss * np.exp(NOISE * rng.standard_normal(rows))}))


def apart(kind: str, size: str) -> Cost:
    """One measurement in a process of its own."""
    progress(f"{kind} {size}")
    command = [sys.executable, __file__, "--one", kind, size]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Cost(**json.loads(done.stdout))


def growth(kind: str, sizes: Sequence[int], title: str, says: str) -> Table:
    """Cost at each size, and the slope over all but the smallest, which is mostly what any call costs."""
    costs = [apart(kind, str(size)) for size in sizes]
    seconds = [min(cost.seconds, cost.again) for cost in costs]
    slope = float(np.polyfit(np.log(sizes[1:]), np.log(seconds[1:]), 1)[0])
    most = max(cost.mebibytes for cost in costs)
    return Table(
        name=f"growth-{kind}",
        title=title,
        command=COMMAND,
        says=says,
        header=(kind, "CPU time", "CPU time each", "memory, MiB"),
        rows=[
            (f"{size:,}", shown(time), f"{1e6 * time / size:.1f} µs", f"{cost.mebibytes:.0f}")
            for size, time, cost in zip(sizes, seconds, costs, strict=True)
        ],
        notes=[
            goal(f"Slope of log time in log {kind} at most {LINEAR}", slope <= LINEAR, f"{slope:.2f}"),
            goal(f"Memory below {MOST_MEBIBYTES} MiB at every size", most < MOST_MEBIBYTES, f"{most:.0f}"),
        ],
    )


def first_uses() -> Table:
    """Seconds that each law takes to derive."""
    costs = {name: apart("law", name) for name in LAWS}
    slowest = max(costs, key=lambda name: costs[name].seconds)
    return Table(
        name="derivation",
        title="The first use of a law",
        command=COMMAND,
        says="CPU time of deriving code and exact derivatives from the formula, each law in a fresh process. "
        "That holds the import of SymPy, which a process pays once.",
        header=("law", "first use", "afterwards"),
        rows=[
            (name, shown(cost.seconds), f"{1e6 * cost.again:.0f} µs") for name, cost in sorted(costs.items())
        ],
        notes=[
            goal(
                "Every law below 1 s, SymPy's import included",
                costs[slowest].seconds < 1,
                f"{slowest} {costs[slowest].seconds:.2f} s",
            )
        ],
    )


def _peak_mebibytes() -> float:
    """Most memory this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Print three tables."""
    parser = options(__doc__)
    parser.add_argument("--one", nargs=2, metavar=("KIND", "SIZE"), help="one measurement, as JSON")
    chosen = parser.parse_args()
    if chosen.one:
        kind, size = chosen.one
        sys.stdout.write(json.dumps(asdict(KINDS[kind](size))))
        return
    rows, draws = (ROWS + MORE_ROWS, DRAWS + MORE_DRAWS) if chosen.full else (ROWS, DRAWS)
    says = "Simulated runs of Chinchilla's law, each size in a fresh process; memory is the rise of its peak."
    publish(growth("rows", rows, "One fit of more and more rows", says), markdown=chosen.markdown)
    says = f"Resamples of {RUNS} simulated runs, each number in a fresh process."
    publish(growth("draws", draws, "More and more draws", says), markdown=chosen.markdown)
    publish(first_uses(), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

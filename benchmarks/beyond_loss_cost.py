"""What the verbs of capabilities and trends cost at the public tables' sizes, and how that grows.

Use: python benchmarks/beyond_loss_cost.py [--full] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

import subprocess

import numpy as np

from benchmarks.parts.beyond_loss import VERBS
from benchmarks.parts.clock import cpu, shown
from benchmarks.parts.page import Table, goal, options, progress, publish

FACTORS = (1, 4, 16)
MOST_SECONDS, MOST_HORIZON_SECONDS = 2.0, 10.0
LINEAR = 1.1  # slope in log-log up to which growth counts as linear
LEAST_JUDGED = 0.05  # seconds at the largest size, below which a slope is the clock's noise
HORIZON = "trend horizon, 1,000 draws"


def first_use(verb: str) -> float:
    """CPU time of the first call in a process of its own: laws are derived, tables of likelihoods filled."""
    command = [sys.executable, __file__, "--one", verb]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def later_uses(verb: str, factors: tuple[int, ...]) -> list[float]:
    """CPU time at each size, the better of two."""
    return [min(cpu(VERBS[verb](factor)).seconds for _ in range(2)) for factor in factors]


def table(factors: tuple[int, ...]) -> Table:
    """One row a verb."""
    rows, slow, steep = [], [], []
    for verb, makes in VERBS.items():
        progress(verb)
        first, times = first_use(verb), later_uses(verb, factors)
        slope = float(np.polyfit(np.log(factors[-2:]), np.log(times[-2:]), 1)[0]) if len(times) > 1 else 0.0
        slow += [verb] if first > (MOST_HORIZON_SECONDS if verb == HORIZON else MOST_SECONDS) else []
        steep += [verb] if slope > LINEAR and times[-1] >= LEAST_JUDGED else []
        said = (makes.__doc__ or "").rstrip(".")
        rows.append((verb, said, shown(first), *map(shown, times), f"{slope:.2f}"))
    return Table(
        name="beyond-loss-cost",
        title="What capabilities and trends cost",
        command="benchmarks/beyond_loss_cost.py --full",
        says="CPU time of one thread by default settings, on simulated tables of the public ones' sizes: the "
        "first use, in a process of its own (modules loaded), then later ones, the better of two, also with "
        "4 and 16 times the rows. Growth: slope of log time in log rows over the last two sizes; below 1 "
        "where most is what any call costs. It is judged where the largest size takes "
        f"{shown(LEAST_JUDGED)} or more: below that it is the noise of the clock.",
        header=("verb", "what", "first use", *(f"{factor} x" for factor in factors), "growth"),
        rows=rows,
        notes=[
            goal(f"{HORIZON}, below {MOST_HORIZON_SECONDS:g} s, all else below {MOST_SECONDS:g} s",
                 not slow, ", ".join(slow) or "all"),
            goal(f"Growth at most {LINEAR} where it is judged", not steep, ", ".join(steep) or "all"),
        ],
    )  # fmt: skip


def main() -> None:
    """Print one table."""
    parser = options(__doc__)
    parser.add_argument("--one", metavar="VERB", help="the first use of one verb, in seconds")
    chosen = parser.parse_args()
    if chosen.one:
        sys.stdout.write(str(cpu(VERBS[chosen.one](1)).seconds))
        return
    publish(table(FACTORS if chosen.full else FACTORS[:1]), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

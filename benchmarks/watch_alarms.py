"""How often `allometry watch` calls off what is on forecast, and how soon it sees what is not.

Use: python benchmarks/watch_alarms.py [--full] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

import numpy as np
from numpy.typing import NDArray

from allometry.sweeps.alarms import LOOKS, band, rise, shifts
from benchmarks.parts.page import Table, goal, options, publish

Array = NDArray[np.float64]

ALARMS = 0.05
SEED_SD, PART_SD, LAW_SD = 0.005, 0.003, 0.01  # of log losses: seeds, parts of a curve, the law
LINE_SD, LINES = 0.08, 200  # nat/token: of one line of a curve, and how many it has
OFF = (0.0, 0.03, 0.1)  # how far off a run or a rung is


def curves_called_off(references: int, off: float, studies: int) -> float:
    """Share of runs called off at some look."""
    rng = np.random.default_rng([references, round(1000 * off)])
    return float(np.mean([_off_once(rng, references, off) for _ in range(studies)]))


def _off_once(rng: np.random.Generator, references: int, off: float) -> bool:
    shape, count = np.linspace(0.3, 0.0, LOOKS), references + 1
    luck, scatter = rng.standard_normal((count, 1)), rng.standard_normal((count, LOOKS))
    runs = shape + SEED_SD * luck + PART_SD * scatter
    law = np.full(LOOKS, LAW_SD * rng.standard_normal())
    limits = band(law, np.full(LOOKS, LAW_SD), runs[:-1], ALARMS)
    return bool(limits.off(runs[-1] + off).any())


def rises_seen(per_line: float, curves: int) -> float:
    """Share of curves that seem to rise at some line; half of each is level, the rest rises."""
    rng = np.random.default_rng(round(1e4 * per_line))
    ramp = per_line * np.maximum(0, np.arange(LINES) - LINES // 2)
    made = (3 + ramp + LINE_SD * rng.standard_normal(LINES) for _ in range(curves))
    ends = range(32, LINES + 1)
    return float(np.mean([any(rise(one[:end], ALARMS).warns for end in ends) for one in made]))


def rungs_called_off(rungs: int, off: float, studies: int) -> float:
    """Share of studies with a rung called off; of four runs each on one trunk."""
    rng = np.random.default_rng([rungs, round(1000 * off)])
    rung = np.repeat(np.arange(rungs), 4)
    found = 0
    for _ in range(studies):
        residuals = SEED_SD * rng.standard_normal(rungs)[rung] + PART_SD * rng.standard_normal(len(rung))
        found += any(one.warns for one in shifts(residuals + off * (rung == rungs // 2), rung, ALARMS))
    return found / studies


def table(studies: int) -> Table:
    """One row a rule and size of study; the first column of shares is of false alarms."""
    measured = [
        *((f"curve, {n} references", [curves_called_off(n, o, studies) for o in OFF]) for n in (3, 4, 6, 12)),
        *((f"rung, {n} rungs", [rungs_called_off(n, o, studies) for o in OFF]) for n in (4, 6, 10)),
        ("rise", [rises_seen(per_line, 2 * studies // 5) for per_line in (0.0, 0.003, 0.01)]),
    ]
    worst = max(shares[0] for _, shares in measured)
    most = ALARMS + 3 * (ALARMS * (1 - ALARMS) / studies) ** 0.5
    return Table(
        name="watch-alarms",
        title="False alarms of watch",
        command="benchmarks/watch_alarms.py --full",
        says=f"Share of {studies:,} simulated runs (curve), studies (rung) or {2 * studies // 5:,} curves "
        f"(rise) that are called off, at a stated {ALARMS:.0%} of false alarms. Seeds differ by "
        f"{SEED_SD:.1%}, parts of a curve by {PART_SD:.1%}, the law is off by {LAW_SD:.0%} as its draws say, "
        f"and a line of a curve by {LINE_SD:g} nat. Columns: nothing off; off by 3%, or rising by 0.003 nat "
        f"a line over {LINES // 2} lines; off by 10%, or by 0.01 nat a line.",
        header=("rule", "nothing off: false alarms", "3% or 0.3 nat: seen", "10% or 1 nat: seen"),
        rows=[(name, *(f"{share:.1%}" for share in shares)) for name, shares in measured],
        notes=[
            goal("As seldom as stated, within three standard errors", worst <= most, f"at most {worst:.1%}")
        ],
    )


def main() -> None:
    """Print one table."""
    chosen = options(__doc__).parse_args()
    publish(table(1000 if chosen.full else 100), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

"""How much compute a design needs to forecast a larger run as sharply: chosen runs, a grid, a ladder.

Use: python benchmarks/design_efficiency.py [--full] [--studies N] [--processes N] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from benchmarks.parts.page import Table, goal, options, progress, publish
from benchmarks.parts.simulated_designs import TRUTHS, Interval, Setting, chosen_runs, iso_flop_grid, ladder

BEYOND = (10.0, 30.0, 100.0)  # compute of the target over that of the largest run that may be made
NOISE = 0.003  # standard deviation of the log loss between seeds
LEVEL, ALLOWED = 0.9, 0.04
GOAL = 1 / 3
DESIGNS = {"IsoFLOP grid": iso_flop_grid, "ladder": ladder}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One study: a fixed design, and chosen runs until their interval is as narrow.

    Attributes:
        width: Median of the design's over all studies; that of one is as much its luck with the noise.
        fixed, chosen: What each ended with; the chosen runs may have come to their end without the width.
    """

    setting: Setting
    design: str
    width: float
    fixed: Interval
    chosen: Interval

    @property
    def ratio(self) -> float:
        """Compute of the chosen runs over that of the design; infinite if they did not reach its width."""
        return self.chosen.flops / self.fixed.flops if self.chosen.width <= self.width else np.inf


def outcomes(studies: int, draws: int, processes: int) -> list[Outcome]:
    """Every truth, distance and design, each study with noise of its own."""
    cells = product(reversed(list(TRUTHS)), BEYOND, DESIGNS)  # those that take longest first
    asked = [
        (Setting(truth=truth, beyond=beyond, noise=NOISE, draws=draws, level=LEVEL), design, studies)
        for truth, beyond, design in cells
    ]
    if processes == 1:
        made = [studied(*one) for one in asked]
    else:
        with ProcessPoolExecutor(processes) as pool:
            made = list(pool.map(studied, *zip(*asked, strict=True)))
    return [one for cell in made for one in cell]


def studied(setting: Setting, design: str, studies: int) -> list[Outcome]:
    """The studies of one row of the table."""
    progress(f"{setting.truth}, {setting.beyond:g} times beyond, against the {design}")
    made = [DESIGNS[design](setting, seed) for seed in range(studies)]
    width = float(np.median([one.width for one in made]))
    chosen = [chosen_runs(setting, seed, width) for seed in range(studies)]
    return [
        Outcome(setting=setting, design=design, width=width, fixed=one, chosen=other)
        for one, other in zip(made, chosen, strict=True)
    ]


def table(found: list[Outcome], studies: int, draws: int) -> Table:
    """One row a truth, distance and design."""
    frame = pd.DataFrame([_row(one) for one in found])
    grouped = frame.groupby(["truth", "beyond", "design"], sort=False)
    return Table(
        name="design-efficiency",
        title="Compute for a forecast as sharp",
        command="benchmarks/design_efficiency.py --full",
        says=f"{studies} simulated studies a row, noise of a run {NOISE:.1%}, {draws} draws a fit, each "
        "resample searched from one start, all else by default. Designs are run and fitted, and the median "
        "width of their interval for one run at so many times the compute of the largest is noted; runs are "
        "chosen by `informative`, in rounds, until their interval is as narrow. No chosen run is larger than "
        "the design's largest or smaller than its smallest, and all that was spent on the way counts: the "
        "first runs, the seeds that measure noise. Runs of one size and seed share a trunk, which is trained "
        "as far as they need and gone on with in later rounds; those on repeated data share none. What is "
        "believed before the first run is a law with exponents off by some 20% and terms off by some 40%. "
        "The ratio is of FLOP, chosen over design.",
        header=("truth", "beyond", "design", "ratio: median", "90% below", "largest", "chosen runs",
                "design's runs", "width", "chosen covers", "design covers"),
        rows=[_cells(rows) for _, rows in grouped],
        notes=_notes(frame),
    )  # fmt: skip


def _row(one: Outcome) -> dict[str, object]:
    return {
        "truth": one.setting.truth, "beyond": one.setting.beyond, "design": one.design, "ratio": one.ratio,
        "chosen": one.chosen.runs, "fixed": one.fixed.runs, "width": one.width,
        "covers": one.chosen.holds, "fixed_covers": one.fixed.holds,
    }  # fmt: skip


def _cells(rows: pd.DataFrame) -> tuple[str, ...]:
    ratio, one = rows["ratio"], rows.iloc[0]
    return (
        one["truth"], f"{one['beyond']:g}", one["design"],
        f"{ratio.median():.2f}", f"{ratio.quantile(0.9, 'higher'):.2f}", f"{ratio.max():.2f}",
        f"{rows['chosen'].median():.0f}", f"{rows['fixed'].median():.0f}", f"{rows['width'].median():.2%}",
        f"{rows['covers'].mean():.0%}", f"{rows['fixed_covers'].mean():.0%}",
    )  # fmt: skip


def _notes(frame: pd.DataFrame) -> list[str]:
    median, above = float(frame["ratio"].median()), int((frame["ratio"] > 1).sum())
    share, error = float(frame["covers"].mean()), float((LEVEL * (1 - LEVEL) / len(frame)) ** 0.5)
    return [
        goal(f"At most {GOAL:.2f} in the median of all studies", median <= GOAL, f"{median:.2f}"),
        goal("Never above 1", above == 0, f"{above} of {len(frame)} studies above"),
        goal(
            f"Intervals of chosen runs hold {LEVEL:.0%} ± {ALLOWED:.0%}",
            abs(share - LEVEL) <= ALLOWED,
            f"{share:.1%}, standard error {error:.1%}; the designs' {frame['fixed_covers'].mean():.1%}",
        ),
    ]


def main() -> None:
    """Print one table."""
    parser = options(__doc__)
    parser.add_argument("--studies", type=int, help="a row; 12 with --full, else 3")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--processes", type=int, default=1, help="rows at a time; the figures are the same")
    chosen = parser.parse_args()
    studies = chosen.studies or (12 if chosen.full else 3)
    found = outcomes(studies, chosen.draws, chosen.processes)
    publish(table(found, studies, chosen.draws), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

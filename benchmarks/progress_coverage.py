"""How often 90% intervals of the halving time of compute hold the truth.

Use: python benchmarks/progress_coverage.py [--full] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from allometry.laws import LAWS
from allometry.runs.run import Runs
from allometry.trends.efficiency import LAW, algorithmic_progress
from benchmarks.parts.coverage import AGAIN, shares_measured_on, misses, standard_error
from benchmarks.parts.page import Table, goal, options, progress, publish

LEVEL, ALLOWED = 0.9, 0.04
FIRST, LAST = 2014.0, 2023.0
TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37, "a": 0.3, "b": 0.6}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Which tables one row is about.

    Attributes:
        larger: Growth of params and of tokens with the year, in powers of ten; what is left is at random.
        instead: Coefficients that are not those of `TRUTH`.
    """

    name: str
    runs: int = 36
    noise: float = 0.01  # standard deviation of the log loss
    larger: float = 0.0
    instead: Mapping[str, float] = field(default_factory=dict)

    @property
    def truth(self) -> dict[str, float]:
        """Coefficients that the tables are drawn from."""
        return TRUTH | dict(self.instead)


KINDS = (
    Kind(name="both, 36 models, noise 3%", noise=0.03),
    Kind(name="both, 120 models, noise 3%, larger by the year", runs=120, noise=0.03, larger=2.0),
    Kind(name="data alone, 36 models, noise 1%", instead={"a": 0.0, "b": 0.9}),
)


def simulated(kind: Kind, seed: int) -> Runs:
    """Models of nine years, with the noise of each by itself."""
    rng = np.random.default_rng([seed, kind.runs])
    year = rng.uniform(FIRST, LAST, kind.runs)
    grown = kind.larger * ((year - FIRST) / (LAST - FIRST) - 0.5)
    inputs = {
        "params": 10 ** (rng.uniform(7, 10, kind.runs) + grown),
        "tokens": 10 ** (rng.uniform(9, 11, kind.runs) + grown),
        "year": year,
    }
    noise = np.exp(kind.noise * rng.standard_normal(kind.runs))
    return Runs(pd.DataFrame({**inputs, "loss": LAWS[LAW].evaluate(inputs, kind.truth) * noise}))


def study(kind: Kind, seed: int) -> list[float]:
    """Whether the interval over all forms holds the truth; its width in parts of the truth; and the form's
    that the runs were made by."""
    found = algorithmic_progress(simulated(kind, seed), level=LEVEL, seed=seed)
    truth = 12 * np.log(2) / (kind.truth["a"] + kind.truth["b"])
    whole = found.halving_months
    row = found.table.set_index("form").loc["parameters and data"]
    width = (min(whole.high, 100 * truth) - whole.low) / truth
    return [whole.low <= truth <= whole.high, row["low"] <= truth <= row["high"], width]


def table(studies: int) -> Table:
    """One row a kind of table of runs."""
    rows, worst = [], LEVEL
    levels = (LEVEL, float("nan"), float("nan"))
    for kind in KINDS:
        progress(kind.name)
        found = shares_measured_on(partial(study, kind), studies, levels=levels, allowed=ALLOWED)
        mixed, alone, width = found.held
        worst = max(worst, mixed, key=lambda share: abs(share - LEVEL))
        rows.append((kind.name, str(found.studies), f"{mixed:.1%}", f"{alone:.1%}", f"{width:.2f}"))
        progress(str(rows[-1]))
    return Table(
        name="progress-coverage",
        title="Coverage of the halving time of compute",
        command="benchmarks/progress_coverage.py --full",
        says=f"{studies} simulated tables a row (standard error {standard_error(LEVEL, studies):.1%}), "
        f"default settings, {LEVEL:.0%} intervals; a row that misses the goal is measured on with {AGAIN} "
        "times as many more, and all count. Models of nine years, 10M to 10B parameters, 1B to 100B tokens, "
        "compute for a loss halves every 9.2 months, by progress in parameters and data or in data alone. "
        "Width: mean, in parts of the truth.",
        header=("table", "studies", "over all forms", "of the form with both", "width"),
        rows=rows,
        notes=[
            goal(
                f"Intervals over all forms within {ALLOWED:.0%} of {LEVEL:.0%}",
                not misses(worst, AGAIN * studies, level=LEVEL, allowed=ALLOWED),
                f"furthest {worst:.1%}",
            )
        ],
    )


def main() -> None:
    """Print one table."""
    parser = options(__doc__)
    parser.add_argument("--studies", type=int, help="of each kind; 300 with --full, else 6")
    chosen = parser.parse_args()
    publish(table(chosen.studies or (300 if chosen.full else 6)), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

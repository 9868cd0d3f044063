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
from benchmarks.parts.coverage import Shares, misses, shares, standard_error
from benchmarks.parts.page import Table, goal, options, progress, publish

LEVEL, ALLOWED = 0.9, 0.04
WIDER = (
    "The interval over all forms counts that the runs may have been made by another one, and so holds the "
    "truth more often than it says where it was the first of them that made them."
)
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


KINDS = (Kind(name="36 models, noise 3%", noise=0.03),)


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
    """Whether the interval over all forms holds the truth, and that of the true form; the width of either.

    Widths are in parts of the truth; an end that is infinite counts as a hundred times the truth.
    """
    found = algorithmic_progress(simulated(kind, seed), seed=seed)
    truth = 12 * np.log(2) / (kind.truth["a"] + kind.truth["b"])
    row = found.table.set_index("form").loc["parameters and data"]
    ends = [(found.halving_months.low, found.halving_months.high), (row["low"], row["high"])]
    held = [float(low <= truth <= high) for low, high in ends]
    return [*held, *((min(high, 100 * truth) - low) / truth for low, high in ends)]


def table(studies: int) -> Table:
    """One row a kind of table of runs."""
    found = {kind.name: _measured(kind, studies) for kind in KINDS}
    worst = max((one.held[0] for one in found.values()), key=lambda share: abs(share - LEVEL))
    return Table(
        name="progress-coverage",
        title="Coverage of the halving time of compute",
        command="benchmarks/progress_coverage.py --full",
        says=f"{studies} simulated tables a row (standard error {standard_error(LEVEL, studies):.1%}), "
        f"default settings, {LEVEL:.0%} intervals. Models of nine years, 10M to 10B parameters, 1B to 100B "
        "tokens; compute for a loss halves every 9.2 months, by progress in parameters and data. Beside the "
        "interval over all forms, that of the form which the tables were made by; widths are means, in parts "
        "of the truth.",
        header=("table", "over all forms", "by the true form", "width", "by the true form"),
        rows=[
            (name, *(f"{share:.1%}" for share in one.held[:2]), *(f"{width:.2f}" for width in one.held[2:]))
            for name, one in found.items()
        ],
        notes=[
            goal(f"Intervals over all forms within {ALLOWED:.0%} of {LEVEL:.0%}",
                 not misses(worst, studies, level=LEVEL, allowed=ALLOWED), f"furthest {worst:.1%}"),
            WIDER,
        ],
    )  # fmt: skip


def _measured(kind: Kind, studies: int) -> Shares:
    progress(kind.name)
    return shares(partial(study, kind), 0, studies)


def main() -> None:
    """Print one table."""
    chosen = options(__doc__).parse_args()
    publish(table(300 if chosen.full else 6), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

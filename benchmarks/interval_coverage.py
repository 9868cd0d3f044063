"""How often a 90% interval holds the truth, over simulated studies.

Use: python benchmarks/interval_coverage.py [--full] [--keep FILE] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import norm

import allometry as al
from allometry.errors import FitError
from allometry.fitting.result import Severity
from allometry.laws import LAWS, Law
from benchmarks.parts.coverage import AGAIN, measured_on, misses, standard_error
from benchmarks.parts.page import Table, goal, options, progress, publish

TRUTHS = {
    "chinchilla": {"E": 1.817, "A": 477.8, "B": 2143.0, "alpha": 0.3473, "beta": 0.3672},  # Besiroglu 2024
    "power_law_with_floor": {"E": 1.7, "A": 740.0, "alpha": 0.155},  # 1.2 above the floor at 1e18 FLOP
    "kaplan": {"Nc": 8.8e13, "Dc": 5.4e13, "aN": 0.076, "aD": 0.095},  # Kaplan et al. 2020, table 1
}
NOISES = (0.001, 0.005, 0.02)  # standard deviation of the log loss
RUNS = (10, 25, 60, 200)
LEVEL = 0.9
ALLOWED = 0.03
AMPLE = 5  # runs a coefficient from which the goal applies
FARTHER = 10.0  # times the compute of the largest run
CHECKED = 25  # studies of each kind in which `check` is asked as well
SIZES, RATIOS = (1e7, 1e9), (5.0, 100.0)  # of the runs: parameters, tokens per parameter


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Which studies one row of the table is about."""

    law: str
    noise: float
    runs: int

    @property
    def ample(self) -> bool:
        """Whether there are enough runs for the goal to apply."""
        return self.runs >= AMPLE * len(TRUTHS[self.law])


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one study: whether the interval of the forecast, and of each exponent, held the truth."""

    forecast: bool
    exponents: dict[str, bool]
    width: float
    warned: float  # 1 if `check` found a warning or worse, 0 if not, NaN where it was not asked


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Shares over the studies of one kind; the median width is relative to the forecast."""

    law: str
    noise: float
    runs: int
    first: int  # seed of the first study
    studies: int
    draws: int
    refused: int
    forecast: float
    exponents: dict[str, float]
    width: float
    warned: float

    @property
    def kind(self) -> Kind:
        """What it is about."""
        return Kind(law=self.law, noise=self.noise, runs=self.runs)

    @property
    def missed(self) -> tuple[str, ...]:
        """Which intervals miss the level by more than is allowed."""
        shares = {"forecast": self.forecast, **self.exponents}
        return tuple(
            name
            for name, share in shares.items()
            if misses(share, self.studies, level=LEVEL, allowed=ALLOWED)
        )

    @property
    def verdict(self) -> str:
        """Whether the goal is met, where there are runs and studies enough to say so."""
        if not self.kind.ample:
            return "few runs"
        if standard_error(LEVEL, self.studies) > ALLOWED / 2:
            return "few studies"
        return f"MISSED by {', '.join(self.missed)}" if self.missed else "met"

    @property
    def row(self) -> tuple[str, ...]:
        """Cells of the table."""
        exponents = ", ".join(f"{name} {share:.1%}" for name, share in self.exponents.items())
        shares = (f"{self.forecast:.1%}", exponents, f"{self.width:.2%}", f"{self.warned:.0%}")
        return (self.law, f"{self.noise:.1%}", str(self.runs), str(self.studies), *shares, self.verdict)

    def and_(self, more: Coverage) -> Coverage:
        """The same kind over both sets of studies; the width and the warnings stay those of the first."""
        total = self.studies + more.studies

        def over_both(share: float, other: float) -> float:
            return (share * self.studies + other * more.studies) / total

        return replace(
            self,
            studies=total,
            refused=self.refused + more.refused,
            forecast=over_both(self.forecast, more.forecast),
            exponents={
                name: over_both(share, more.exponents[name]) for name, share in self.exponents.items()
            },
        )


def study(kind: Kind, seed: int, draws: int) -> Outcome:
    """Simulate one study, fit it with default settings, and look whether its intervals hold the truth.

    Raises:
        FitError: If the law refuses the runs.
    """
    law, truth = LAWS[kind.law], TRUTHS[kind.law]
    rng = np.random.default_rng([seed, kind.runs, round(1e4 * kind.noise), len(truth)])
    columns = {"x": "flops"} if law.reads == ("x",) else {}
    runs = _simulated(law, kind, columns, rng)
    at = _target(law, runs, columns)
    measured = float(law.evaluate(at, truth)) * np.exp(kind.noise * rng.standard_normal())
    fitted = al.bootstrap(al.fit(law, runs, inputs=columns), draws=draws, seed=seed)
    forecast = fitted.predict(level=LEVEL, **at)
    held = {name: fitted.interval(name, LEVEL) for name in _exponents(law)}
    return Outcome(
        forecast=bool(forecast.low <= measured <= forecast.high),
        exponents={name: bool(low <= truth[name] <= high) for name, (low, high) in held.items()},
        width=(forecast.high - forecast.low) / forecast.median,
        warned=_warned(fitted) if seed < CHECKED else float("nan"),
    )


def _simulated(law: Law, kind: Kind, columns: dict[str, str], rng: np.random.Generator) -> al.Runs:
    """Sizes and horizons at random, evenly in the log; every run measured once."""
    params, ratio = (a * (b / a) ** rng.random(kind.runs) for a, b in (SIZES, RATIOS))
    table = pd.DataFrame({"params": params, "tokens": params * ratio, "flops": 6 * params**2 * ratio})
    inputs = {name: table[columns.get(name, name)].to_numpy() for name in law.reads}
    noise = kind.noise * rng.standard_normal(kind.runs)
    return al.Runs(table.assign(loss=law.evaluate(inputs, TRUTHS[kind.law]) * np.exp(noise)))


def _target(law: Law, runs: al.Runs, columns: dict[str, str]) -> dict[str, float]:
    """A run of ten times the compute of the largest, at its tokens per parameter."""
    largest = int(np.argmax(runs.column("flops")))
    grown = {"params": FARTHER**0.5, "tokens": FARTHER**0.5, "flops": FARTHER}
    return {n: float(runs.column(columns.get(n, n))[largest]) * grown[columns.get(n, n)] for n in law.reads}


def _exponents(law: Law) -> tuple[str, ...]:
    return tuple(one.name for one in law.coefficients if one.unit == "1")


def _warned(fitted: al.Fit) -> float:
    return float(any(found.severity is not Severity.NOTE for found in al.check(fitted)))


def covered(kind: Kind, first: int, studies: int, draws: int) -> Coverage:
    """Some studies of one kind."""
    outcomes, refused = [], 0
    for seed in range(first, first + studies):
        try:
            outcomes.append(study(kind, seed, draws))
        except FitError:
            refused += 1
    table = pd.DataFrame([asdict(outcome) for outcome in outcomes])
    exponents = pd.DataFrame(list(table["exponents"])).mean().to_dict()
    return Coverage(
        **asdict(kind),
        first=first,
        studies=studies,
        draws=draws,
        refused=refused,
        forecast=float(table["forecast"].mean()),
        exponents={str(name): float(share) for name, share in exponents.items()},
        width=float(table["width"].median()),
        warned=float(table["warned"].mean()),
    )


class Ledger:
    """What was measured, kept in a file if there is one, so that a run can be taken up again."""

    def __init__(self, keep: Path | None, draws: int) -> None:
        lines = keep.read_text().splitlines() if keep is not None and keep.exists() else []
        found = [Coverage(**json.loads(line)) for line in lines]
        self.keep, self.draws = keep, draws
        self.known = {(one.kind, one.first, one.studies): one for one in found if one.draws == draws}

    def measured(self, kind: Kind, first: int, studies: int) -> Coverage:
        """Some studies of one kind, measured now unless they were before."""
        key = (kind, first, studies)
        if key not in self.known:
            progress(f"{kind.law}, noise {kind.noise:.1%}, {kind.runs} runs, studies from {first}")
            self.known[key] = covered(kind, first, studies, self.draws)
            if self.keep is not None:
                with self.keep.open("a") as lines:
                    lines.write(json.dumps(asdict(self.known[key])) + "\n")
        return self.known[key]


def coverages(studies: int, ledger: Ledger) -> Iterator[Coverage]:
    """Every kind; what misses the goal is measured on."""
    for law, noise, runs in product(TRUTHS, NOISES, RUNS):
        kind = Kind(law=law, noise=noise, runs=runs)
        yield measured_on(
            partial(ledger.measured, kind),
            studies,
            missed=lambda one: one.verdict.startswith("MISSED"),
            both=Coverage.and_,
        )


def table(found: list[Coverage]) -> Table:
    """One row a kind of study."""
    one = min(found, key=lambda one: one.studies)
    return Table(
        name="coverage",
        title=f"Coverage of {LEVEL:.0%} intervals",
        command="benchmarks/interval_coverage.py --full",
        says=f"{one.studies} simulated studies a row, {one.draws} draws each, all else by default; a row "
        f"that misses the goal is measured on with {AGAIN} times as many more, and all count. Sizes of "
        f"{SIZES[0]:.0e} to {SIZES[1]:.0e} parameters and {RATIOS[0]:g} to {RATIOS[1]:g} tokens each, at "
        f"random. The forecast is of one new run at {FARTHER:g} times the compute of the largest, noise "
        f"included; width is that of its interval. The goal, {LEVEL:.0%} ± {ALLOWED:.0%} for the forecast "
        f"and every exponent, applies from {AMPLE} runs a coefficient. The share before it is of studies in "
        "which `check` warned.",
        header=("law", "noise", "runs", "studies", "forecast", "exponents", "width", "check warned", "goal"),
        rows=[one.row for one in found],
        notes=[*_notes(found), *(f"{one.kind}: {one.refused} refused." for one in found if one.refused)],
    )


def _notes(found: list[Coverage]) -> list[str]:
    studies = min(one.studies for one in found)
    error = standard_error(LEVEL, studies)
    ample = [one for one in found if one.kind.ample]
    count = sum(1 + len(one.exponents) for one in ample)
    missed = sum(len(one.missed) for one in ample)
    chance = count * 2 * norm.sf(ALLOWED / error)
    expected = f"of {count} right intervals with ample runs {chance:.0f} would miss the goal by chance"
    return [
        f"The standard error of a share of {studies} is {error:.1%}: {expected}, before any is measured on.",
        goal(f"All {count} within {ALLOWED:.0%}", missed == 0, f"{count - missed} of {count}"),
        *_side(ample),
    ]


def _side(ample: list[Coverage]) -> list[str]:
    """Whether what misses is too wide or too narrow."""
    if not any(one.missed for one in ample):
        return []
    shares = [share for one in ample for share in (one.forecast, *one.exponents.values())]
    if min(shares) >= LEVEL - ALLOWED:
        return [f"None below {LEVEL - ALLOWED:.0%}: intervals that miss hold the truth too often."]
    return [f"Some lie below {LEVEL - ALLOWED:.0%}: those intervals are too narrow."]


def main() -> None:
    """Print one table."""
    parser = options(__doc__)
    parser.add_argument("--studies", type=int, help="of each kind; 500 with --full, else 10")
    parser.add_argument("--draws", type=int, help="of each study; 400 with --full, else 200")
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="write rows here as they are done, reuse them"
    )
    chosen = parser.parse_args()
    studies = chosen.studies or (500 if chosen.full else 10)
    found = list(coverages(studies, Ledger(chosen.keep, chosen.draws or (400 if chosen.full else 200))))
    publish(table(found), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

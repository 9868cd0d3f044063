"""Other packages on their own objective and defaults, and our engine on the same objective and table.

Use: python benchmarks/package_speed.py --peers FOLDER [--full] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import allometry as al
from benchmarks.parts import asymmetric
from benchmarks.parts.clock import cpu, shown
from benchmarks.parts.page import Table, goal, options, peer_option, progress, publish
from benchmarks.parts.peers import CHINCHILLA, SIMPLE, NotRun, ask
from benchmarks.parts.public import HOFFMANN, Absent

REPEATS = 3


@dataclass(frozen=True, kw_only=True)
class Duel:
    """One package beside ours on its own objective: CPU seconds and the objective reached."""

    package: str
    task: str
    seconds: float
    value: float
    our_seconds: float
    our_value: float

    @property
    def row(self) -> tuple[str, ...]:
        """Cells of the table."""
        times = (shown(self.seconds), shown(self.our_seconds))
        return (self.package, self.task, *times, f"{self.value:.9f}", f"{self.our_value:.9f}")

    @property
    def note(self) -> str:
        """Whether ours is faster and no worse."""
        won = self.our_seconds < self.seconds and self.our_value <= self.value * (1 + 1e-9)
        ratio, lower = self.seconds / self.our_seconds, 1 - self.our_value / self.value
        return goal(
            f"Faster than {self.package} and no worse an objective",
            won,
            f"{ratio:,.0f} times less CPU, objective {lower:.2g} of itself lower",
        )


def chinchilla(runs: al.Runs, peers: Path | None, levels: int) -> Duel:
    """`chinchilla`: a mean over runs of a tilted absolute error, BFGS from a grid."""
    progress(f"chinchilla from {levels**5} starts")
    theirs = ask(CHINCHILLA, peers, {**_columns(runs), "levels": levels})
    ours = cpu(lambda: asymmetric.fitted(runs), repeats=REPEATS)
    return Duel(
        package=CHINCHILLA.name,
        task=f"fit, its asymmetric error, {levels**5} starts",
        seconds=theirs["seconds"],
        value=asymmetric.mean_error(runs, theirs["coefficients"]),
        our_seconds=ours.seconds,
        our_value=asymmetric.mean_error(runs, ours.result),
    )


def simple_scaling_laws(runs: al.Runs, peers: Path | None) -> Duel:
    """`simple-scaling-laws`: least squares of the raw loss, with 1,000 draws."""
    progress("simple-scaling-laws with 1,000 draws")
    question = {**_columns(runs), "run_id": runs.table["run_id"].tolist(), "at_params": []}
    theirs = ask(SIMPLE, peers, question)

    def ours() -> al.Fit:
        return al.bootstrap(al.fit("chinchilla", runs, objective="least_squares", on="raw"), draws=1000)

    measured = cpu(ours, repeats=REPEATS)
    return Duel(
        package=SIMPLE.name,
        task="fit, least squares, 1,000 draws",
        seconds=theirs["seconds"],
        value=_squares(runs, _in_our_units(runs, theirs["coefficients"])),
        our_seconds=measured.seconds,
        our_value=measured.result.objective_value,
    )


def _columns(runs: al.Runs) -> dict[str, list[float]]:
    return {name: runs.column(name).tolist() for name in ("params", "tokens", "loss")}


def _in_our_units(runs: al.Runs, theirs: dict[str, float]) -> dict[str, float]:
    """Its scales hold at the geometric mean of the inputs, ours at one parameter and one token."""
    middle = {name: np.exp(np.log(runs.column(name)).mean()) for name in ("params", "tokens")}
    scaled = {"A": middle["params"] ** theirs["alpha"], "B": middle["tokens"] ** theirs["beta"]}
    return {name: value * scaled.get(name, 1.0) for name, value in theirs.items()}


def _squares(runs: al.Runs, coefficients: dict[str, float]) -> float:
    inputs = {name: runs.column(name) for name in ("params", "tokens")}
    r = al.laws.chinchilla.evaluate(inputs, coefficients) - runs.column("loss")
    return float(r @ r)


def main() -> None:
    """Print one table."""
    chosen = peer_option(options(__doc__)).parse_args()
    try:
        runs = HOFFMANN.runs()
    except Absent as reason:
        sys.stdout.write(f"package_speed: not run, {reason}.\n")
        return
    al.fit("chinchilla", runs)
    duels, missing = [], []
    fights: dict[str, Callable[[], Duel]] = {
        CHINCHILLA.name: lambda: chinchilla(runs, chosen.peers, 5 if chosen.full else 3),
        SIMPLE.name: lambda: simple_scaling_laws(runs, chosen.peers),
    }
    for name, fight in fights.items():
        try:
            duels.append(fight())
        except NotRun as reason:
            missing.append(f"{name}: {reason}.")
    table = Table(
        name="packages",
        title="Other packages on their own objective",
        command="benchmarks/package_speed.py --full --peers FOLDER",
        says="The same 240 rows. Each package in its own process with its defaults, its objective computed "
        "from the coefficients that it reports; all its processes counted, imports and plots not.",
        header=("package", "task", "its CPU time", "ours", "its objective", "ours"),
        rows=[duel.row for duel in duels],
        notes=[*(duel.note for duel in duels), *missing],
    )
    publish(table, markdown=chosen.markdown)


if __name__ == "__main__":
    main()

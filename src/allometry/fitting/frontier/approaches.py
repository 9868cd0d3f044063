"""Approaches 1, 2 and 3 to the compute-optimal size, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from allometry.errors import FitError
from allometry.fitting.arguments import refuse_other_than_runs
from allometry.fitting.comparison.holdout import with_flops
from allometry.fitting.frontier.disagreement import HasOptimum, check_disagreement, disagreement
from allometry.fitting.frontier.envelope import envelope
from allometry.fitting.frontier.isoflop import iso_flop
from allometry.fitting.result import Finding, Severity
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.laws import Law
from allometry.runs.run import Runs

_AHEAD = 10.0  # times the largest run's compute


@dataclass(frozen=True, kw_only=True, eq=False)
class Approaches:
    """The approaches that these runs can carry.

    Attributes:
        flops: The budget they are compared at.
        fits: Approach to its result: an EnvelopeFit, an IsoFlopFit, a Fit.
        refused: Approach to the reason why these runs cannot carry it.
        table: One row an approach: optimal params, tokens and tokens per parameter, with intervals.
        findings: Where their intervals exclude each other.
    """

    flops: float
    fits: Mapping[str, HasOptimum]
    refused: Mapping[str, str]
    table: pd.DataFrame
    findings: tuple[Finding, ...]

    def summary(self) -> str:
        """The table, the refusals, where approaches disagree, and what is doubtful about each."""
        lines = [f"Compute-optimal at {self.flops:.3g} FLOP:", self.table.to_string(float_format="%.4g")]
        lines += [f"{name} refused: {why}" for name, why in self.refused.items()]
        lines += [f"{finding.severity}: {finding.sentence}" for finding in self.findings]
        lines += [
            f"{name}: {finding.severity}: {finding.sentence}"
            for name, found in self.fits.items()
            for finding in found.findings
            if finding.severity is not Severity.NOTE
        ]
        return "\n".join(lines)


def three_approaches(
    runs: Runs,
    *,
    flops: float | None = None,
    law: Law | str = "chinchilla",
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
) -> Approaches:
    """Find the optimum by the lower envelope, by IsoFLOP profiles and by a law, as far as the runs allow.

    Args:
        flops: The budget to compare at; ten times the largest run's compute if not given.
        law: Of approach 3; it reads params and tokens.

    Raises:
        FitError: If no approach can be carried.

    Source:
        Hoffmann et al. 2022, sections 3.1 to 3.3, arXiv:2203.15556.
    """
    refuse_other_than_runs(runs)
    counted = with_flops(runs)[0]
    makers: dict[str, Callable[[], HasOptimum]] = {
        "approach 1 (envelope)": lambda: envelope(counted, draws=draws, seed=seed),
        "approach 2 (IsoFLOP)": lambda: iso_flop(counted, draws=draws, seed=seed),
        "approach 3 (law)": lambda: bootstrap(fit(law, runs, seed=seed), draws=draws, seed=seed),
    }
    fits: dict[str, HasOptimum] = {}
    refused: dict[str, str] = {}
    for name, make in makers.items():
        try:
            fits[name] = make()
        except FitError as error:
            refused[name] = str(error)
    if not fits:
        raise FitError("No approach can be carried: " + " ".join(refused.values()))
    budget = flops or _AHEAD * float(np.nanmax(counted.column("flops")))
    table = disagreement(fits, budget, level=level)
    found = tuple(check_disagreement(table))
    return Approaches(flops=budget, fits=fits, refused=refused, table=table, findings=found)

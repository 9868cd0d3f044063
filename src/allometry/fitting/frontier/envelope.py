"""`envelope`: approach 1, the least loss any run has at each compute, and power laws through those runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.arguments import refuse_other_than_runs, refuse_uncountable
from allometry.fitting.frontier.candidates import (
    Candidates,
    Envelope,
    from_curves,
    from_results,
    lower_envelope,
)
from allometry.fitting.frontier.compute_budgets import measure
from allometry.fitting.frontier.definition import Frontier, FrontierLaw, frontier_law, lines
from allometry.fitting.frontier.envelope_checks import envelope_findings
from allometry.runs.run import Runs

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_SIZES = 3  # on the frontier: fewer give an exponent of two steps


@dataclass(frozen=True, kw_only=True, eq=False)
class EnvelopeFit(Frontier):
    """Approach 1: the runs of least loss and the power laws through them.

    `points` has a column `run_id` more. With training curves the loss has no interval: neighbouring points
    are of one run.

    Attributes:
        from_curves: Whether the rows were points of training curves.
        places: Places of compute that had a run; those at an edge or beaten by less compute have no point.
    """

    from_curves: bool
    places: int

    @property
    def loss_draws(self) -> int:
        """Draws of the loss along the frontier; none from training curves."""
        return 0 if self.from_curves else self.asked

    def summary(self, level: float = 0.9) -> str:
        """The result in plain text: exponents, the runs on the frontier, findings."""
        from allometry.fitting.frontier.wording import envelope_summary

        return envelope_summary(self, level)


def envelope(
    runs: Runs,
    *,
    output: str = "loss",
    inputs: Mapping[str, str] | None = None,
    points: int = 500,
    bins_per_decade: float = 3,
    draws: int = 1000,
    seed: int = 0,
) -> EnvelopeFit:
    """Find the compute-optimal frontier as the lower envelope of runs (approach 1).

    Rows that share a run_id are one training curve: each is interpolated, and all are compared at `points`
    places of compute. Rows of their own are final results: the best of each bin of compute is a point. A
    place whose best run is the smallest or the largest there is no point, because the best size may lie
    beyond.

    Args:
        inputs: "params", "tokens" or "flops" to another column.
        draws: Resamples of whole runs; 0 for no intervals.

    Raises:
        FitError: If fewer than 3 sizes are on the frontier.

    Source:
        Hoffmann et al. 2022, section 3.1, arXiv:2203.15556.

    >>> from allometry.laws import chinchilla
    >>> tokens = np.tile(np.geomspace(1e8, 1e11, 60), 9)
    >>> params = np.repeat(np.geomspace(1e7, 3e9, 9), 60)
    >>> law = {"E": 1.7, "A": 400.0, "B": 400.0, "alpha": 0.3, "beta": 0.3}
    >>> loss = chinchilla.evaluate({"params": params, "tokens": tokens}, law)
    >>> names = [f"{size:.0f}" for size in params]
    >>> table = pd.DataFrame({"run_id": names, "params": params, "tokens": tokens, "loss": loss})
    >>> found = envelope(Runs(table), draws=0)
    >>> round(found.params_law.exponent, 1), found.findings[0].code
    (0.5, 'undecayed_points')
    """
    refuse_other_than_runs(runs)
    refuse_uncountable("seed", seed, 0)
    _require_options(points, bins_per_decade, draws)
    curves = "run_id" in runs.table.columns and bool(runs.table["run_id"].dropna().duplicated().any())
    measured = measure(runs, output=output, inputs=inputs, curves=curves)
    rivals = from_curves(measured, points) if curves else from_results(measured, bins_per_decade)
    everyone = np.ones(len(rivals.run_ids), dtype=np.bool_)
    best = lower_envelope(rivals, everyone)
    _refuse_few_sizes(rivals, best)
    params_law, tokens_law = _laws(rivals, best, draws, seed)
    result = EnvelopeFit(
        points=_points(rivals, best, output),
        params_law=params_law,
        tokens_law=tokens_law,
        findings=(),
        sensitivity=_sensitivity(rivals, best),
        output=output,
        unit=measured.unit,
        asked=draws,
        seed=seed,
        conventions=measured.conventions,
        filters=measured.filters,
        source=measured.source,
        from_curves=curves,
        places=int((best.kept | best.at_edge).sum()),
    )
    counts = measured.flops, measured.params, measured.tokens
    return replace(result, findings=tuple(envelope_findings(result, counts)))


def _require_options(points: int, bins_per_decade: float, draws: int) -> None:
    if points < LEAST_SIZES or draws < 0 or not bins_per_decade > 0:
        raise InputError(
            f"An envelope needs {LEAST_SIZES} points or more, bins above zero and draws not below zero; not "
            f"points={points}, bins_per_decade={bins_per_decade}, draws={draws}."
        )


def _refuse_few_sizes(rivals: Candidates, best: Envelope) -> None:
    sizes = len(np.unique(rivals.params[best.run[best.kept]]))
    if sizes >= LEAST_SIZES:
        return
    edges = int(best.at_edge.sum())
    raise FitError(
        f"Approach 1 needs {LEAST_SIZES} sizes on the lower envelope with smaller and larger ones beside "
        f"them; these runs have {sizes}. At {edges} of {edges + int(best.kept.sum())} places of compute the "
        "best size is the smallest or largest there: add sizes below and above at the same compute, or fit a "
        "law of params and tokens, such as 'chinchilla'."
    )


def _laws(rivals: Candidates, best: Envelope, draws: int, seed: int) -> tuple[FrontierLaw, FrontierLaw]:
    """Power laws through the envelope, and through those of resampled runs."""
    flops, params, tokens = _coordinates(rivals, best)
    slopes = _drawn_laws(rivals, draws, np.random.default_rng(seed))
    found = []
    for column, unit, values, drawn in (
        ("params", "1", params, slopes[0]),
        ("tokens", "token", tokens, slopes[1]),
    ):
        law = frontier_law(column, unit, flops, values, np.empty((0, len(flops))), np.ones(len(flops)))
        found.append(replace(law, draws=drawn))
    return found[0], found[1]


def _drawn_laws(
    rivals: Candidates, draws: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    runs = len(rivals.run_ids)
    rows = []
    for _ in range(draws):
        present = np.bincount(rng.integers(runs, size=runs), minlength=runs) > 0
        best = lower_envelope(rivals, present)
        if len(np.unique(rivals.params[best.run[best.kept]])) >= LEAST_SIZES:
            rows.append(_lines(rivals, best))
    table = np.array(rows).reshape(-1, 2, 2)
    first, second = (
        pd.DataFrame({"coefficient": np.exp(table[:, place, 0]), "exponent": table[:, place, 1]})
        for place in (0, 1)
    )
    return first, second


def _coordinates(rivals: Candidates, best: Envelope) -> tuple[Array, Array, Array]:
    at = best.run[best.kept], np.flatnonzero(best.kept)
    return rivals.flops[at], rivals.params[at[0]], rivals.tokens[at]


def _lines(rivals: Candidates, best: Envelope) -> Array:
    """Intercept and slope of log params, then of log tokens, against log compute."""
    flops, params, tokens = _coordinates(rivals, best)
    return np.stack(lines(np.log(flops), np.log([params, tokens]), np.ones(len(flops))), axis=1)


def _points(rivals: Candidates, best: Envelope, output: str) -> pd.DataFrame:
    flops, params, tokens = _coordinates(rivals, best)
    rows = best.run[best.kept]
    loss = rivals.output[rows, np.flatnonzero(best.kept)]
    columns = {"flops": flops, "params": params, "tokens": tokens, output: loss}
    return pd.DataFrame({**columns, "run_id": [rivals.run_ids[row] for row in rows]})


def _sensitivity(rivals: Candidates, best: Envelope) -> pd.DataFrame:
    """The exponents without each run that is on the envelope."""
    runs = len(rivals.run_ids)
    changes = [("as fitted", "none", np.ones(runs, dtype=np.bool_))]
    for row in np.unique(best.run[best.kept]):
        changes.append((f"without '{rivals.run_ids[row]}'", "run", np.arange(runs) != row))
    return pd.DataFrame([_row(rivals, *change) for change in changes])


def _row(rivals: Candidates, change: str, kind: str, present: Mask) -> dict[str, object]:
    best = lower_envelope(rivals, present)
    enough = len(np.unique(rivals.params[best.run[best.kept]])) > 1
    slopes = _lines(rivals, best)[:, 1] if enough else np.full(2, np.nan)
    return {
        "change": change,
        "kind": kind,
        "budgets": int(best.kept.sum()),
        "runs": int(present.sum()),
        "params_exponent": float(slopes[0]),
        "tokens_exponent": float(slopes[1]),
    }

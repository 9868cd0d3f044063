"""How fast and how low: one fit and 4,000 refits of the Hoffmann table, beside the published procedure.

Use: python benchmarks/fit_speed.py [--full] [--peers FOLDER] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

import time
from collections.abc import Sequence

import numpy as np

import allometry as al
from benchmarks.parts import published
from benchmarks.parts.baselines import DRAWS, SEED, Baseline, Workload, lean, notebook
from benchmarks.parts.clock import Timed, cpu, shown
from benchmarks.parts.page import Table, goal, options, peer_option, progress, publish
from benchmarks.parts.peers import NotRun
from benchmarks.parts.public import HOFFMANN, Absent

BEST_KNOWN = 0.001018274018  # objective; Besiroglu et al. 2024 reached 0.0010182740346
TOLERANCE = 1e-12
EQUAL = 1e-9  # relative: an objective no higher by more than this is as low
COMMAND = "benchmarks/fit_speed.py --full --peers FOLDER"


def point_fit(ours: Timed[al.Fit], baselines: Sequence[Baseline], measured: int) -> Table:
    """One fit, ours and the published one."""
    starts, value = ours.result.starts, ours.result.objective_value
    theirs = [(b.name, "4500", shown(b.fit_seconds), f"{b.fit_value:.15f}") for b in baselines]
    return Table(
        name="point-fit",
        title="One fit of the Hoffmann table",
        command=COMMAND,
        says=f"Chinchilla's law on {len(ours.result.data)} rows, Huber's penalty (delta 1e-3) of the log "
        f"residual, summed. Of the published grid {measured} starts were measured and scaled to its 4,500; "
        "our time is the median of nine fits.",
        header=("procedure", "starts", "CPU time", "objective"),
        rows=[("allometry", str(starts.tried), shown(ours.seconds), f"{value:.15f}"), *theirs],
        notes=[
            *(_ratio(b.name, b.fit_seconds / ours.seconds, 1000) for b in baselines),
            goal(
                f"Objective at most {BEST_KNOWN} + {TOLERANCE:g}",
                value <= BEST_KNOWN + TOLERANCE,
                f"{value:.15f}",
            ),
            f"{starts.agreeing} of our {starts.tried} starts end at that objective.",
        ],
    )


def refits(ours: Timed[al.Fit], on_two: float, baselines: Sequence[Baseline], work: Workload) -> Table:
    """Thousands of refits, and the objective on the same resamples by the published search."""
    assert ours.result.drawn is not None
    lost = ours.result.drawn.unconverged
    theirs = [(b.name, "1", shown(b.refit_seconds), "not reported") for b in baselines]
    return Table(
        name="refits",
        title=f"{DRAWS:,} bootstrap refits of the Hoffmann table",
        command=COMMAND,
        says="Rows drawn with replacement. The published bootstrap searches once a resample, from the "
        f"coefficients of Hoffmann et al.; {len(work.counts)} of its refits were measured, on the resamples "
        "that ours begin with, and scaled. Our time is the median of three.",
        header=("procedure", "starts a resample", "CPU time", "unconverged"),
        rows=[("allometry", "2", shown(ours.seconds), str(lost)), *theirs],
        notes=[
            goal("Below 5 s on one core", ours.seconds < 5, f"{ours.seconds:.2f} s"),
            goal("Below 3 s by the clock with two workers", on_two < 3, f"{on_two:.2f} s"),
            *(_ratio(b.name, b.refit_seconds / ours.seconds, 100) for b in baselines),
            *(_as_low(b, ours.result, work) for b in baselines),
            goal("No refit unconverged", lost == 0, str(lost)),
        ],
    )


def _ratio(name: str, ratio: float, least: int) -> str:
    return goal(f"At least {least:,} times less CPU than {name}", ratio >= least, f"{ratio:,.0f} times")


def _as_low(baseline: Baseline, ours: al.Fit, work: Workload) -> str:
    """On how many resamples our coefficients have an objective no higher, by the same formula."""
    assert ours.draws is not None
    places = ours.draws[list(published.NAMES)].to_numpy(dtype=np.float64)[: len(work.counts)]
    places = np.column_stack([np.log(np.maximum(places[:, :3], 1e-300)), places[:, 3:]])
    pairs = zip(places, work.counts, strict=True)
    values = np.array([published.objective(at, *work.data(held)) for at, held in pairs])
    share = float(np.mean(values <= baseline.refit_values * (1 + EQUAL)))
    higher = float(np.median(baseline.refit_values / values)) - 1
    return goal(
        f"Objective lower or equal on 99.9% of resamples than {baseline.name}",
        share >= 0.999,
        f"{share:.1%} of {len(values)}, where the median of theirs is {higher:.2g} higher",
    )


def _baselines(work: Workload, peers: Path | None) -> list[Baseline]:
    try:
        return [notebook(work, peers), lean(work)]
    except NotRun as reason:
        progress(f"published notebook's way: {reason}")
        return [lean(work)]


def _clock_of_two_workers(fitted: al.Fit) -> float:
    begun = time.perf_counter()
    al.bootstrap(fitted, draws=DRAWS, unit="row", resampling="pairs", seed=SEED, workers=2)
    return time.perf_counter() - begun


def main() -> None:
    """Print both tables."""
    chosen = peer_option(options(__doc__)).parse_args()
    starts, refitted = (300, 1000) if chosen.full else (60, 100)
    try:
        runs = HOFFMANN.runs()
    except Absent as reason:
        sys.stdout.write(f"fit_speed: not run, {reason}.\n")
        return
    fitted = al.fit("chinchilla", runs)  # deriving the law is measured by benchmarks/cost_growth.py
    work = Workload.of(fitted, runs, starts, refitted)
    baselines = _baselines(work, chosen.peers)
    ours = cpu(lambda: al.fit("chinchilla", runs), repeats=9)
    publish(point_fit(ours, baselines, starts), markdown=chosen.markdown)
    drawn = cpu(
        lambda: al.bootstrap(fitted, draws=DRAWS, unit="row", resampling="pairs", seed=SEED), repeats=3
    )
    publish(refits(drawn, _clock_of_two_workers(fitted), baselines, work), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

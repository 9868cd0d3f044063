"""How fast the lab trains small models: beside a plain loop, as a share of the machine's peak, in replicas.

Use: python benchmarks/training_throughput.py [--full] [--only steps] [--device cuda] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

import os
import platform
import time
from collections.abc import Sequence
from statistics import median

import torch

from benchmarks.parts import on_gpu
from benchmarks.parts.clock import shown
from benchmarks.parts.occupancy import sweep_table
from benchmarks.parts.page import Table, goal, options, progress, publish
from benchmarks.parts.replicas import SIBLINGS, pair, replicas_table
from benchmarks.parts.training import CONTEXT, SIZES, VOCAB, Race, race

COMMAND = "benchmarks/training_throughput.py --full"


def steps_table(races: Sequence[Race], busy: str) -> Table:
    """Our step beside the plain loop's and the peak."""
    peak = max(found for one in races for found in one.peaks)
    return Table(
        name="training-steps",
        title="Training steps on one thread",
        command=COMMAND,
        says=f"The lab's own loop with the default transformer, beside a plain GPT-2-style loop of the same "
        f"shape, batch and tokens; {VOCAB} tokens in the vocabulary, {CONTEXT} of context. Turn about, eight "
        "steps each, each loop in its own process, ours started as a sweep's workers are; CPU time, medians "
        f"of {len(races[0].ours)} rounds. The peak is the best fp32 matrix product between the rounds: "
        f"{peak / 1e9:.0f} GFLOP/s of one thread of {cpu_model()}. {busy}",
        header=("parameters", "sequences", "our step", "plain step", "ratio", "tokens/s", "GFLOP/s", "share"),
        rows=[_row(one, peak) for one in races],
        notes=[line for one in races for line in _goals(one, peak)],
    )


def _row(one: Race, peak: float) -> tuple[str, ...]:
    return (
        one.size.name,
        str(one.size.sequences),
        shown(median(one.ours)),
        shown(median(one.plain)),
        f"{one.ratio:.2f}",
        f"{one.tokens_per_second:,.0f}",
        f"{one.flops_per_second / 1e9:.1f}",
        f"{one.flops_per_second / peak:.0%}",
    )


def _goals(one: Race, peak: float) -> list[str]:
    share = one.flops_per_second / peak
    name, least, ratio = one.size.name, one.size.share, one.size.ratio
    return [
        goal(f"{name}: at least {least:.0%} of the peak", share >= least, f"{share:.0%}"),
        goal(
            f"{name}: at least {ratio:g} times as fast as the plain loop",
            one.ratio >= ratio,
            f"{one.ratio:.2f}",
        ),
    ]


def cpu_model() -> str:
    """The processor's name, as it calls itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _busy(begun: tuple[float, float]) -> str:
    """What other work there was."""
    got = (_cpu_seconds() - begun[0]) / (time.perf_counter() - begun[1])
    wanting = os.getloadavg()[1] if hasattr(os, "getloadavg") else 1 / got
    if got > 0.9:
        return "The machine was quiet." if wanting < 1.5 else "Other work kept the rest of it busy."
    return f"The machine was busy: the race got {got:.0%} of a core, {wanting:.0f} wanted one."


def _cpu_seconds() -> float:
    """Of this process and of those it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _steps(*, full: bool) -> Table:
    begun = _cpu_seconds(), time.perf_counter()
    races = []
    for size in SIZES if full else SIZES[:3]:
        progress(f"steps of {size.name}")
        races.append(race(size, rounds=9 if full else 3))
    return steps_table(races, _busy(begun))


def _replicas(*, full: bool) -> Table:
    progress("replicas")
    siblings = SIBLINGS if full else SIBLINGS[:2]
    pairs = [pair(one, steps=96 if full else 16, rounds=5 if full else 3) for one in siblings]
    return replicas_table(pairs, COMMAND)


def _sweep(*, full: bool) -> Table:
    progress("a sweep")
    return sweep_table(COMMAND, tokens=512 * 1024 if full else 64 * 1024)


_TABLES = {"steps": _steps, "replicas": _replicas, "sweep": _sweep}


def main() -> None:
    """Print the tables."""
    parser = options(__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: the table of a GPU")
    parser.add_argument("--only", choices=tuple(_TABLES), help="one of the tables of the CPU")
    chosen = parser.parse_args()
    if chosen.device == "cpu":
        torch.set_num_threads(1)
        for name in [chosen.only] if chosen.only else _TABLES:
            publish(_TABLES[name](full=chosen.full), markdown=chosen.markdown)
    elif not torch.cuda.is_available():
        sys.stdout.write("training_throughput: not run on a GPU, there is none here.\n")
    else:
        speeds = [on_gpu.measure(size) for size in on_gpu.SIZES]
        publish(on_gpu.gpu_table(speeds, f"{COMMAND} --device cuda"), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

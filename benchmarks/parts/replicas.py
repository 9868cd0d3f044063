"""Replicas trained together beside the same runs one after another."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from statistics import median

import torch
from benchmarks.parts.clock import shown
from benchmarks.parts.page import Table, goal
from benchmarks.parts.training import VOCAB, cpu_seconds, environment, gemm_peak

from allometry.architectures import Transformer
from allometry.lab.loop import Sitting, train
from allometry.lab.replicas import train_replicas
from allometry.lab.tokens import prepare_tokens
from allometry.recipe import AdamW, Bpe, Data, Recipe, StandardLibrary, Wsd
from allometry.sweeps.executors.working import SETTINGS

CONTEXT = 128
REPLICAS = 8
LEAST = 1.4  # times as fast
_QUIETLY = replace(Sitting(), checkpoint_seconds=math.inf)


@dataclass(frozen=True, kw_only=True)
class Siblings:
    """Runs that differ in their seed.

    Attributes:
        width, layers: Of the model.
        sequences: Of a batch.
    """

    name: str
    width: int
    layers: int
    sequences: int

    def recipes(self, steps: int) -> list[Recipe]:
        """One for each seed."""
        batch_tokens = self.sequences * CONTEXT
        recipe = Recipe(
            architecture=Transformer(
                vocab=VOCAB, context=CONTEXT, width=self.width, layers=self.layers, heads=self.width // 16
            ),
            optimizer=AdamW(learning_rate=3e-3),
            schedule=Wsd(),
            data=Data(
                corpus=StandardLibrary(bytes=2_000_000), tokenizer=Bpe(vocab=VOCAB), held_out_tokens=1024
            ),
            tokens=steps * batch_tokens,
            batch_tokens=batch_tokens,
        )
        return [replace(recipe, seed=seed) for seed in range(REPLICAS)]


SIBLINGS = (
    Siblings(name="25k", width=32, layers=2, sequences=2),
    Siblings(name="25k", width=32, layers=2, sequences=4),
    Siblings(name="3k", width=16, layers=1, sequences=2),
    Siblings(name="3k", width=16, layers=1, sequences=4),
    Siblings(name="100k", width=64, layers=2, sequences=2),
    Siblings(name="100k", width=64, layers=2, sequences=4),
)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """CPU seconds of a step of one replica, and how far apart the losses end.

    Attributes:
        at_peak: Share of the step alone that its arithmetic would take at the machine's peak: no sharing of
            passes can save it.
    """

    siblings: Siblings
    alone: float
    together: float
    ratio: float
    difference: float
    at_peak: float


def pair(siblings: Siblings, *, steps: int, rounds: int) -> Pair:
    """Train turn about: all one after another, then all together; in a process like a sweep's workers."""
    with (
        environment(SETTINGS),
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), torch.set_num_threads, (1,)) as worker,
    ):
        return worker.submit(_pair, siblings, steps, rounds).result()


def _pair(siblings: Siblings, steps: int, rounds: int) -> Pair:
    recipes = siblings.recipes(steps)
    text = prepare_tokens(recipes[0].data)
    losses: dict[str, list[float]] = {}

    def alone() -> None:
        losses["alone"] = [train(recipe, sitting=_QUIETLY, text=text).values["loss"] for recipe in recipes]

    def together() -> None:
        losses["together"] = [
            run.values["loss"] for run in train_replicas(recipes, sitting=_QUIETLY, text=text)
        ]

    together()  # the first is not counted: caches are cold
    times = [(cpu_seconds(alone), cpu_seconds(together)) for _ in range(rounds)]
    taken = REPLICAS * steps
    seconds_alone = median(one for one, _ in times) / taken
    flops = recipes[0].architecture.flops_per_token("with_attention") * recipes[0].batch_tokens
    return Pair(
        siblings=siblings,
        alone=seconds_alone,
        together=median(other for _, other in times) / taken,
        ratio=median(one / other for one, other in times),
        at_peak=flops / gemm_peak() / seconds_alone,
        difference=max(abs(a / b - 1) for a, b in zip(losses["alone"], losses["together"], strict=True)),
    )


def replicas_table(pairs: Sequence[Pair], command: str) -> Table:
    """How much a shared pass saves."""
    return Table(
        name="replicas",
        title="Replicas in one pass",
        command=command,
        says=f"{REPLICAS} runs of one shape with different seeds, batches of sequences of {CONTEXT} tokens: "
        "`train` one after another, beside `train_replicas`, in a process like a sweep's workers. CPU time "
        "of a replica's step, with all that "
        "belongs to a run but the text: set-up, held-out loss, checkpoint. Arithmetic: the share of the step "
        "alone that its FLOP would take at the peak of a matrix product, which no shared pass can save.",
        header=(
            "parameters",
            "sequences",
            "one after another",
            "arithmetic",
            "together",
            "ratio",
            "largest difference of held-out losses",
        ),
        rows=[
            (
                one.siblings.name,
                str(one.siblings.sequences),
                shown(one.alone),
                f"{one.at_peak:.0%}",
                shown(one.together),
                f"{one.ratio:.2f}",
                f"{one.difference:.1e}",
            )
            for one in pairs
        ],
        notes=[
            goal(
                f"{one.siblings.name}, {one.siblings.sequences} sequences: at least {LEAST} times as fast",
                one.ratio >= LEAST,
                f"{one.ratio:.2f}",
            )
            for one in pairs
        ],
    )

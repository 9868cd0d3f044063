"""How often emergence verdicts are right on simulated outputs, and what they say of the public tasks.

Thresholds were set on seeds 0 to 39; the tables are of seeds from 1,000 on.

Use: python benchmarks/emergence_verdicts.py [--full] [--markdown]
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks are run from the repository, not installed

from benchmarks.parts.page import Table, goal, options, progress, publish

from allometry.capabilities.emergence import Skill, Verdict, judge_all, judge_emergence
from allometry.capabilities.emergence.result import scale_in_words
from allometry.runs.run import Runs

LENGTH, FIRST_SEED = 5, 1000
SKILL = Skill(score="score", continuous="token", length=LENGTH)
PUBLIC = Path(__file__).parents[2] / "shared" / "data"
TASKS = "obs_base_llm_emergent_capability_eval.csv"
MODELS = "obs_base_llm_benchmark_eval.csv"


class Kind(NamedTuple):
    """A kind of simulation: the range of scales and of items, and how much steeper the break is."""

    scales: tuple[int, int]
    items: tuple[int, int]
    times: float = 1.0
    decades: float = 6.0


SMOOTH = "smooth per token, exact match of 5"
BROKEN = "slope x 5 at a break"
KINDS = {
    SMOOTH: Kind((8, 14), (500, 1000)),
    BROKEN: Kind((8, 14), (500, 1000), 5.0),
    "slope x 3 at a break": Kind((8, 14), (500, 1000), 3.0),
    "too little, smooth: 5 or 6 scales": Kind((5, 6), (500, 1000)),
    "too little, slope x 5: 5 or 6 scales": Kind((5, 6), (500, 1000), 5.0),
    "too little, smooth: 10 to 20 items": Kind((8, 14), (10, 20)),
    "too little, slope x 5: 10 to 20 items": Kind((8, 14), (10, 20), 5.0),
}


def outputs(kind: Kind, seed: int) -> tuple[Runs, int]:
    """Answers of models at evenly spaced scales, each token right by itself, and the items behind a score.

    -ln of a token's probability p is a power of compute, with p from .15 to .4 at the smallest scale and from
    .9 to .985 at the largest, with a sharp break anywhere in the middle third if there is one.
    """
    rng = np.random.default_rng([seed, 29])
    count, items = (int(rng.integers(low, high + 1)) for low, high in (kind.scales, kind.items))
    flops = np.geomspace(1e18, 1e18 * 10**kind.decades, count)
    place = np.log(flops / flops[0])
    way = place + (kind.times - 1) * np.maximum(place - rng.uniform(1 / 3, 2 / 3) * place[-1], 0)
    first, last = np.log(-np.log([rng.uniform(0.15, 0.4), rng.uniform(0.9, 0.985)]))
    token = np.exp(-np.exp(first + (last - first) * way / way[-1]))
    right = rng.random((count, items, LENGTH)) < token[:, None, None]
    scores = {"score": right.all(axis=2).mean(axis=1), "token": right.mean(axis=(1, 2))}
    return Runs(pd.DataFrame({"flops": flops, **scores}), source="a simulation"), items


def verdicts(kind: Kind, seeds: Sequence[int]) -> tuple[Counter[Verdict], float]:
    """How often each was given, and CPU seconds a verdict."""
    begun, found = time.process_time(), Counter[Verdict]()
    for seed in seeds:
        runs, items = outputs(kind, seed)
        found[judge_emergence(runs, SKILL, items=items, draws=100).verdict] += 1
    return found, (time.process_time() - begun) / len(seeds)


def simulated(seeds: int) -> dict[str, Counter[Verdict]]:
    """Every kind."""
    made = {}
    for name, kind in KINDS.items():
        made[name], seconds = verdicts(kind, range(FIRST_SEED, FIRST_SEED + seeds))
        progress(f"{name}: {seconds:.2f} s of CPU a verdict")
    return made


def table(found: dict[str, Counter[Verdict]], seeds: int) -> Table:
    """One row a kind."""
    little = [counts for name, counts in found.items() if name.startswith("too little")]
    shares = (found[SMOOTH][Verdict.ARTEFACT] / seeds, found[BROKEN][Verdict.BREAK] / seeds)
    undecided = sum(counts[Verdict.UNDECIDED] for counts in little) / (seeds * len(little))
    return Table(
        name="emergence",
        title="Emergence: verdicts on simulated outputs",
        command="benchmarks/emergence_verdicts.py --full",
        says=f"{seeds} seeds a row, none of which set a threshold. 8 to 14 scales over six decades, 500 to "
        "1,000 items of five tokens, each right by itself, scored by exact match and by the share of right "
        "tokens; the break lies anywhere in the middle third.",
        header=("kind", *(verdict.value for verdict in Verdict)),
        rows=[
            (name, *(f"{counts[verdict] / seeds:.1%}" for verdict in Verdict))
            for name, counts in found.items()
        ],
        notes=[
            goal(
                "Smooth per token called an artefact in at least 95%", shares[0] >= 0.95, f"{shares[0]:.1%}"
            ),
            goal("A break of slope x 5 called genuine in at least 80%", shares[1] >= 0.8, f"{shares[1]:.1%}"),
            f"Too little data, both kinds together: {undecided:.1%} undecided.",
        ],
    )


def public_tasks() -> Runs:
    """The public table of tasks, joined with the compute of the models."""
    models = pd.read_csv(PUBLIC / MODELS).rename(columns={"FLOPs (1E21)": "flops"})
    joined = pd.read_csv(PUBLIC / TASKS).merge(models[["Model", "flops"]], on="Model")
    joined["ipa_transliterate_2_bleu"] /= 100
    return Runs(joined.assign(flops=joined["flops"] * 1e21), source=TASKS)


PUBLIC_SKILLS = (
    Skill(score="ipa_transliterate_2_exact_match", continuous="ipa_transliterate_2_bleu"),
    Skill(score="word_unscrambling_2_exact_match"),
    Skill(score="parsinlu_qa_2_acc", chance=0.25),
    *(Skill(score=f"arithmetic_{kind}_2_acc") for kind in ("2da", "2dm", "3da", "3ds")),
)


def public_table() -> Table:
    """One verdict a task."""
    found = judge_all(public_tasks(), PUBLIC_SKILLS)
    rows = [
        (
            one.skill.score, str(one.steps.scales), one.verdict.value, one.because, f"{one.score:.1f}",
            scale_in_words(one.onset.quantile(0.5), 2), f"{one.onset.beyond:.0%}",
        )
        for one in found
    ]  # fmt: skip
    return Table(
        name="emergence-public",
        title="Emergence: the public table of tasks called emergent",
        command="benchmarks/emergence_verdicts.py --full",
        says="Ruan et al. 2024 (arXiv:2405.10938): open models of many families against their training "
        "compute. The numbers of items are not given, so noise is judged by the scatter of the models. "
        "Onset: the FLOP at which the score is half of the way from guessing to 1.",
        header=("task", "scales", "verdict", "because", "emergence score", "onset, FLOP", "not in the range"),
        rows=rows,
    )


def main() -> None:
    """Print both tables."""
    chosen = options(__doc__).parse_args()
    seeds = 200 if chosen.full else 20
    publish(table(simulated(seeds), seeds), markdown=chosen.markdown)
    if (PUBLIC / TASKS).exists():
        publish(public_table(), markdown=chosen.markdown)
    else:
        progress(f"{TASKS} is not here: only simulations are judged")


if __name__ == "__main__":
    main()

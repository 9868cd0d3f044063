"""A small real sweep: how busy its workers were, and what trunks and branches saved."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from benchmarks.parts.page import Table, goal
from benchmarks.parts.training import SIZES

from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.designs import Ladder, Planned, Size
from allometry.sweeps.running import run_sweep

LEAST_BUSY = 0.95
WORKERS = 2


def sweep_table(command: str, *, tokens: int) -> Table:
    """Run a ladder of three sizes and three horizons on two workers.

    Args:
        tokens: Of the longest horizon.
    """
    ladder = _ladder(tokens)
    with tempfile.TemporaryDirectory() as folder:
        study = Study.create(Path(folder), "")
        run_sweep(ladder, study, workers=WORKERS)
        busy, seconds = _busy_share(study)
        planned = ladder.recipes(study.runs())
        spent = sum(_spent(one.recipe, study) for one in planned)
    return _table(command, planned, busy, seconds, spent)


def _ladder(tokens: int) -> Ladder:
    base = SIZES[0].recipe(steps=8, sequences=4)
    step = base.batch_tokens
    horizons = tuple(share * tokens // (4 * step) * step for share in (1, 2, 4))
    return Ladder(
        base=base,
        sizes=(
            Size(width=16, layers=1, heads=1),
            Size(width=32, layers=2, heads=2),
            Size(width=48, layers=2, heads=3),
        ),
        horizons=horizons,
        check_tokens=horizons[0],
    )


def _busy_share(study: Study) -> tuple[float, float]:
    """Share of the workers' time that runs took, and the seconds from the first beginning to the last end."""
    table = study.runs().table
    begun = [datetime.fromisoformat(text).timestamp() for text in table["started"]]
    seconds = table["seconds"].tolist()
    span = max(start + took for start, took in zip(begun, seconds, strict=True)) - min(begun)
    return sum(seconds) / (WORKERS * span), span


def _spent(recipe: Recipe, study: Study) -> float:
    """FLOP of the steps that a run took itself, not those of the trunk whose checkpoint it began from."""
    part = study.run_folder(recipe.parent or "-") / "checkpoints" / f"step-{recipe.trunk_steps:08d}"
    own = recipe.steps - (recipe.trunk_steps if part.exists() else 0)
    return recipe.flops() * own / recipe.steps


def _table(command: str, planned: Sequence[Planned], busy: float, seconds: float, spent: float) -> Table:
    ends = [one.recipe for one in planned if one.design != "trunk"]
    straight = sum(recipe.flops() for recipe in ends)
    should = sum(_should(one.recipe) for one in planned)
    return Table(
        name="sweep",
        title="A sweep on two workers",
        command=command,
        says=f"A ladder of three sizes and three horizons with learning-rate checks: {len(planned)} runs in "
        f"{seconds:.0f} s. Busy is the time that runs took, over that of both workers from the first run's "
        "beginning to the last one's end.",
        header=("what", "FLOP", "share"),
        rows=[
            ("every run trained straight", f"{straight:.3e}", "100%"),
            ("planned, branches off trunks", f"{should:.3e}", f"{should / straight:.1%}"),
            ("spent", f"{spent:.3e}", f"{spent / straight:.1%}"),
        ],
        notes=[
            goal(f"Workers busy at least {LEAST_BUSY:.0%} of the time", busy >= LEAST_BUSY, f"{busy:.1%}"),
            goal("Spent what was planned", abs(spent / should - 1) < 1e-9, f"{spent / should:.1%}"),
        ],
    )


def _should(recipe: Recipe) -> float:
    own = recipe.steps - (recipe.trunk_steps if recipe.parent else 0)
    return recipe.flops() * own / recipe.steps

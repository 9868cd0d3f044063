"""Whether the best learning rate moves with the width: the standard parametrization and muP, on real text.

Use: python benchmarks/rate_transfer.py [--full] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import torch

from allometry.architectures import Transformer
from allometry.fitting.learning_rates import best_rates, mean_losses, rate_drift
from allometry.lab.rate_transfer import learning_rate_transfer
from allometry.lab.tokens import prepare_tokens
from allometry.recipe import AdamW, Bpe, Data, MuP, Parametrization, Recipe, StandardLibrary, Standard, Wsd
from allometry.units import show_count
from benchmarks.parts.page import Table, goal, options, progress, publish

BASE_WIDTH = 32
RATES = [0.00125 * 2**step for step in range(9)]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one parametrization came to."""

    name: str
    losses: pd.DataFrame
    best: pd.DataFrame

    @property
    def drift(self) -> float:
        """The power of the width that the best rate follows."""
        return rate_drift(self.best)


def base(tokens: int) -> Recipe:
    """Two layers on bytes of Python's standard library, heads of 16."""
    return Recipe(
        architecture=Transformer(vocab=512, context=64, width=BASE_WIDTH, layers=2, heads=2),
        optimizer=AdamW(learning_rate=0.01),
        schedule=Wsd(warmup_fraction=0.1),
        data=Data(corpus=StandardLibrary(bytes=1_000_000), tokenizer=Bpe(vocab=512), held_out_tokens=16_384),
        tokens=tokens,
        batch_tokens=512,
    )


def measure(name: str, parametrization: Parametrization, recipe: Recipe, widths: list[int]) -> Outcome:
    """All rates at all widths."""
    progress(f"{name}: {len(widths)} widths, {len(RATES)} rates")
    chosen = replace(recipe, parametrization=parametrization)
    runs = learning_rate_transfer(chosen, widths, RATES, text=prepare_tokens(recipe.data))
    return Outcome(name=name, losses=mean_losses(runs), best=best_rates(runs))


def losses_table(outcomes: list[Outcome], recipe: Recipe, command: str) -> Table:
    """Losses by width and rate, and where the lowest are."""
    standard, mup = outcomes
    return Table(
        name="rate-transfer",
        title="The best learning rate across widths",
        command=command,
        says=f"Held-out nat/token of transformers of two layers with heads of 16, trained with AdamW on "
        f"{show_count(recipe.tokens)} tokens of the standard library; base width {BASE_WIDTH}, one seed. "
        "Best: the parabola through the lowest and its neighbours, in the interval that these leave open.",
        header=("parametrization", "width", *(f"{rate:g}" for rate in RATES), "best", "between"),
        rows=[row for outcome in outcomes for row in _rows(outcome)],
        notes=[
            *(f"{one.name}: the best rate goes as width^{one.drift:.2f}." for one in outcomes),
            goal(
                "The best rate moves less under muP",
                abs(mup.drift) < abs(standard.drift),
                f"{mup.drift:.2f} against {standard.drift:.2f}",
            ),
        ],
    )


def _rows(outcome: Outcome) -> list[list[str]]:
    return [
        [outcome.name, f"{one['width']}", *_losses(outcome.losses, one["width"]), *_place(one)]
        for one in outcome.best.to_dict("records")
    ]


def _losses(losses: pd.DataFrame, width: int) -> list[str]:
    found = losses[losses["width"] == width]["loss"]
    return ["diverged" if math.isnan(loss) else f"{loss:.3f}" for loss in found]


def _place(one: dict[Hashable, Any]) -> tuple[str, str]:
    between = "at an edge" if one["edge"] else f"{one['low']:g} to {one['high']:g}"
    return f"{one['learning_rate']:.3g}", between


def main() -> None:
    """Print the table."""
    chosen = options(__doc__).parse_args()
    torch.set_num_threads(1)
    recipe = base(131_072 if chosen.full else 32_768)
    widths = [16, 32, 64, 128] if chosen.full else [16, 64]
    outcomes = [
        measure("standard", Standard(), recipe, widths),
        measure("muP", MuP(base_width=BASE_WIDTH), recipe, widths),
    ]
    command = "benchmarks/rate_transfer.py" + (" --full" if chosen.full else "")
    publish(losses_table(outcomes, recipe, command), markdown=chosen.markdown)


if __name__ == "__main__":
    main()

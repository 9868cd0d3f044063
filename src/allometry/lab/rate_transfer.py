"""Learning-rate transfer: the same recipe at several widths and rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from allometry.errors import InputError
from allometry.lab.loop import Sitting, train
from allometry.lab.parametrization import at_width
from allometry.lab.tokens import TokenData, prepare_tokens
from allometry.recipe import Recipe, at_rate
from allometry.runs.run import Runs
from allometry.runs.study import Study

DESIGN = "learning_rate_transfer"


def learning_rate_transfer(
    recipe: Recipe,
    widths: Sequence[int],
    rates: Sequence[float],
    *,
    seeds: int = 1,
    study: Study | None = None,
    text: TokenData | None = None,
) -> Runs:
    """Train a recipe at every width and peak learning rate.

    `fitting.learning_rates.best_rates` says where the minima lie, `plots.learning_rate_transfer` draws them.

    Args:
        widths: Heads are added with the width, or widened where `base_head_width` is stated.
        rates: Peak learning rates as the recipe writes them; the rates of Muon's others keep their ratio.
        seeds: Runs of each, from the recipe's seed on.
        study: Where the runs are kept and taken up again; nowhere if None.
        text: The recipe's text, if it is at hand already.

    Returns:
        One row a run; one that diverged has no loss.

    Raises:
        InputError: If there is no width, rate or seed, or a width is no legal one.
    """
    if not widths or not rates or seeds < 1:
        raise InputError(
            f"Learning-rate transfer needs a width, a rate and a seed at least, not {len(widths)} widths, "
            f"{len(rates)} rates and {seeds} seeds."
        )
    planned = [
        replace(at_width(recipe, width), optimizer=at_rate(recipe.optimizer, rate), seed=recipe.seed + seed)
        for width in widths
        for rate in rates
        for seed in range(seeds)
    ]
    data = text or prepare_tokens(recipe.data)
    sitting = Sitting(design=DESIGN)
    return Runs.of(
        (train(one, study=study, sitting=sitting, text=data) for one in planned), "learning-rate transfer"
    )

"""Commands on other axes than pre-training: a score along any column, pre-training's worth in data."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from allometry.cli.application import EVERYTHING, Flag, Quantity, Selection, chosen_runs
from allometry.cli.capability import capability
from allometry.cli.experiments import Picture


@capability.command
def along(
    source: str,
    score: str,
    x: str,
    *,
    by: str | None = None,
    chance: float | None = None,
    at: Annotated[Quantity | None, Parameter(show_default=False)] = None,
    selection: Selection = EVERYTHING,
    level: float = 0.9,
    draws: int = 300,
    seed: int = 0,
    plot: Picture | None = None,
    json: Flag = False,
) -> int:
    """Say where a score ends along any axis, such as reinforcement-learning compute, recipe by recipe.

    Parameters
    ----------
    source
        A table of measurements.
    score
        Its column of scores, shares from 0 to 1 that rise.
    x
        Its column of what the score rises with: rl_flops, images, examples.
    by
        The column of recipes, each with a curve of its own.
    chance
        The score of guessing, or before any of x; fitted if not given.
    at
        A place on the axis to forecast a new measurement at, for example 3e23.
    level
        Of the intervals.
    draws
        Resamples of each recipe.
    seed
        Of starts and resamples.
    plot
        Where to save the curves as a picture: a .svg or .png file.
    json
        Print curves and findings as JSON.
    """
    from allometry.capabilities.along import scores_along
    from allometry.plots import save_picture, scores_along_axis
    from allometry.report.terminal import show

    runs = chosen_runs(source, selection)
    made = scores_along(runs, score, x, by=by, chance=chance, at=at, level=level, draws=draws, seed=seed)
    if plot:
        save_picture(scores_along_axis(made), plot)
    return show(made.facts(), made.summary(), json)


@capability.command
def transfer(
    source: str,
    scratch: str,
    *,
    finetuned: str = "finetune_tokens",
    data: str = "tokens",
    loss: str = "loss",
    selection: Selection = EVERYTHING,
    level: float = 0.9,
    draws: int = 200,
    seed: int = 0,
    plot: Picture | None = None,
    json: Flag = False,
) -> int:
    """Say what pre-training is worth in data of the fine-tuning, by size and amount, and fit its law.

    Parameters
    ----------
    source
        A table of fine-tuned models: params, the data fine-tuned on, the loss on it.
    scratch
        A table of models of the same sizes trained on that data from scratch: params, data, loss.
    finetuned
        The column of data fine-tuned on.
    data
        The column of data trained on from scratch, in the same unit.
    loss
        The column of the loss, in both tables.
    level
        Of the intervals.
    draws
        Resamples of the curves from scratch.
    seed
        Of the resamples.
    plot
        Where to save the worth against the data as a picture: a .svg or .png file.
    json
        Print every run, the law and the findings as JSON.
    """
    import allometry as al
    from allometry.capabilities.transfer_law import effective_data
    from allometry.plots import data_transferred, save_picture
    from allometry.report.terminal import show

    made = effective_data(
        chosen_runs(source, selection), al.read_runs(scratch), finetuned=finetuned, data=data, loss=loss,
        level=level, draws=draws, seed=seed,
    )  # fmt: skip
    if plot:
        save_picture(data_transferred(made), plot)
    return show(made.facts(), made.summary(), json)

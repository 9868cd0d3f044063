"""Commands on what models can do: scores on tasks, by loss, by compute and across model families."""

from __future__ import annotations

import math

from cyclopts import App

import allometry as al
from allometry.cli.application import EVERYTHING, Flag, Selection, Words, app, chosen_runs
from allometry.cli.experiments import Picture
from allometry.units import read_quantity

capability = App(
    name="capability",
    help="Forecast and explain scores on tasks; every command below can print --json.",
    sort_key=9.2,
)
app.command(capability)


@capability.command
def chain(
    source: str,
    *,
    task: Words,
    at: Words,
    chance: Words = (),
    by: str | None = None,
    law: str = "chinchilla_tied",
    task_law: str = "task_sigmoid",
    errors: Flag = False,
    inputs: Words = (),
    along: str = "flops",
    selection: Selection = EVERYTHING,
    level: float = 0.9,
    draws: int = 200,
    seed: int = 0,
    plot: Picture | None = None,
    json: Flag = False,
) -> int:
    """Forecast scores on tasks through the loss, beside the direct law and ranking at a single scale.

    Parameters
    ----------
    source
        A table of runs, the folder of a study, or another source.
    task
        Column of a score, or score=loss with the column of the loss that explains it; may be repeated.
    at
        The new run, column=value, for example params=7B; may be repeated.
    chance
        The score of guessing, score=0.25; may be repeated.
    by
        The column that says by which recipe a run was made, to rank recipes.
    law
        Step one: from size and data to the loss.
    task_law
        Step two: from the loss to the score.
    errors
        The columns are errors, which fall as models get better.
    inputs
        An input of step one = column; may be repeated.
    along
        What the direct law reads.
    level
        Of the intervals.
    draws
        Resamples of each step.
    seed
        Of starts and resamples.
    plot
        Where to save the forecasts as a picture: a .svg or .png file.
    json
        Print forecasts, verdicts and ranking as JSON.
    """
    from allometry.capabilities.chain_recipes import forecast_tasks
    from allometry.capabilities.chain_steps import Steps
    from allometry.capabilities.chain_tasks import read_tasks
    from allometry.plots import save_picture, task_forecasts
    from allometry.report.terminal import pairs, show

    place, guessing = ({n: read_quantity(v) for n, v in pairs(words).items()} for words in (at, chance))
    steps = Steps(loss_law=law, task_law=task_law, inputs=pairs(inputs), along=along, draws=draws, seed=seed)
    tasks = read_tasks(task, guessing, falls=errors)
    made = forecast_tasks(chosen_runs(source, selection), tasks, place, by=by, level=level, steps=steps)
    if plot:
        save_picture(task_forecasts(made), plot)
    return show(made.facts(), made.summary(), json)


@capability.command
def reach(
    source: str,
    score: float,
    *,
    task: str,
    chance: float = 0.0,
    law: str = "chinchilla_tied",
    task_law: str = "task_sigmoid",
    errors: Flag = False,
    selection: Selection = EVERYTHING,
    level: float = 0.9,
    draws: int = 200,
    seed: int = 0,
    json: Flag = False,
) -> int:
    """Say which loss a target score takes, and the least size, data and compute of that loss.

    Parameters
    ----------
    source
        A table of runs, the folder of a study, or another source.
    score
        The target, between 0 and 1.
    task
        Column of a score, or score=loss with the column of the loss that explains it.
    chance
        The score of guessing.
    law
        Step one: from size and data to the loss.
    task_law
        Step two: from the loss to the score.
    errors
        The column is an error, which falls as models get better.
    level
        Of the ranges.
    draws
        Resamples of each step.
    seed
        Of starts and resamples.
    json
        Print the loss and the plan as JSON.
    """
    from allometry.capabilities.chain import chain as chain_of
    from allometry.capabilities.chain_steps import Steps
    from allometry.capabilities.chain_targets import loss_for
    from allometry.capabilities.chain_tasks import read_tasks
    from allometry.report.terminal import show

    tasks = read_tasks((task,), {task.partition("=")[0]: chance}, falls=errors)
    steps = Steps(loss_law=law, task_law=task_law, draws=draws, seed=seed)
    (made,) = chain_of(chosen_runs(source, selection), tasks, steps=steps).tasks.values()
    wanted = loss_for(made, score, level=level)
    beyond = math.isnan(wanted.loss.value)
    plan = None if beyond else al.allocate(made.loss, loss=wanted.loss.value, level=level)
    said = wanted.summary() if plan is None else f"{wanted.summary()}\n{plan.summary()}"
    return show({"target": wanted, "plan": plan}, said, json)


@capability.command
def families(
    source: str,
    *,
    metric: Words,
    family: str = "family",
    target: str | None = None,
    train: str | None = None,
    components: int = 3,
    reference: str | None = None,
    chance: float = 0.0,
    selection: Selection = EVERYTHING,
    level: float = 0.9,
    draws: int = 100,
    seed: int = 0,
    plot: Picture | None = None,
    json: Flag = False,
) -> int:
    """Relate scores of models of many families to compute and to a target score, without training any.

    Parameters
    ----------
    source
        A table of models, such as published:obs_scaling.
    metric
        Column of a benchmark's score; may be repeated.
    family
        The column that names a model's family.
    target
        Column of the score to forecast.
    train
        SQL condition for the models to learn from, for example "flops <= 8.4e22"; all if not given.
    components
        How many principal components to use.
    reference
        The family in whose compute others are expressed; that with most models if not given.
    chance
        The score of guessing on the target.
    level
        Of the intervals.
    draws
        Resamples of the families.
    seed
        Of the resamples.
    plot
        Where to save the target's curves, or without a target the components, as a picture: .svg or .png.
    json
        Print components, lines, models and findings as JSON.
    """
    from allometry.capabilities.families import observe_families
    from allometry.plots import component_against_compute, save_picture, target_by_ends
    from allometry.report.terminal import show

    runs = chosen_runs(source, selection)
    made = observe_families(
        runs, metric, family=family, target=target, train=train, components=components, reference=reference,
        chance=chance, level=level, draws=draws, seed=seed,
    )  # fmt: skip
    if plot:
        save_picture(target_by_ends(made) if target else component_against_compute(made), plot)
    return show(made.facts(), made.summary(), json)

"""The two steps of a chain, loss by size and data and score by loss, and the direct law beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from allometry.capabilities.chain_tasks import Task
from allometry.errors import FitError, MissingColumn
from allometry.fitting.noise import noise_of
from allometry.fitting.objectives import ObjectiveName
from allometry.fitting.result import Fit
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.laws import Law, read_law, saturating
from allometry.runs.run import Runs

Array = NDArray[np.float64]
_LEAST_RISE = 0.02  # of the direct law's search, from guessing


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Which laws a chain is made of.

    Attributes:
        loss_law: Step one, from `inputs` to the loss; by default one exponent for size and data, as a ladder
            of some twenty runs carries.
        objective: Of step one.
        task_law: Step two, from the loss to the score: task_sigmoid, task_exponential, or one of your own.
        hold: Coefficients of step two kept at a value; None for the default, see `held_ends`.
        inputs: The names of step one's inputs to columns, where they differ.
        along: The column that the direct law reads.
        draws: Resamples of each step.
    """

    loss_law: Law | str = "chinchilla_tied"
    objective: ObjectiveName = "least_squares"
    task_law: Law | str = "task_sigmoid"
    hold: Mapping[str, float] | None = None
    inputs: Mapping[str, str] | None = None
    along: str = "flops"
    draws: int = 200
    seed: int = 0


def held_ends(law: Law, task: Task, hold: Mapping[str, float] | None) -> dict[str, float]:
    """What step two does not fit: by default the upper end of a sigmoid, a perfect score.

    Runs that end in the middle of the rise do not say where it ends. Holding it forecast larger held-out
    runs better than leaving it free; holding the lower end at chance too forecast them worse
    (docs/capabilities/loss-to-task.md).
    """
    if hold is not None:
        return dict(hold)
    return {"b": task.best} if law.name == "task_sigmoid" else {}


def loss_step(runs: Runs, column: str, steps: Steps) -> Fit:
    """Step one, without draws."""
    return fit(
        steps.loss_law, runs, objective=steps.objective, inputs=steps.inputs, output=column, seed=steps.seed
    )


def score_step(runs: Runs, task: Task, steps: Steps) -> Fit:
    """Step two, without draws: least squares of the raw score, whose noise is that of counting answers."""
    law = read_law(steps.task_law) if isinstance(steps.task_law, str) else steps.task_law
    return fit(
        law, runs, objective="least_squares", on="raw", hold=held_ends(law, task, steps.hold),
        inputs={law.reads[0]: task.loss}, output=task.score, seed=steps.seed,
    )  # fmt: skip


def direct_step(runs: Runs, task: Task, steps: Steps) -> Fit:
    """The direct law, without draws: a sigmoid in the logarithm of compute, from chance to a free end.

    Its upper end is fitted, and at most a perfect score.
    """
    hold = {} if task.chance is None else {"b": task.chance}
    return fit(
        _direct_law(task), runs, objective="least_squares", on="raw", hold=hold, inputs={"x": steps.along},
        output=task.score, seed=steps.seed,
    )  # fmt: skip


def _direct_law(task: Task) -> Law:
    """`saturating` with a rise that ends at a perfect score at the latest."""
    rise = task.best - (1.0 - task.best if task.chance is None else task.chance)
    low, high = sorted((0.0, rise))
    seen = sorted((_LEAST_RISE * rise, rise))
    coefficients = tuple(
        replace(one, bounds=(low, high), low=seen[0], high=seen[1]) if one.name == "a" else one
        for one in saturating.coefficients
    )
    return replace(saturating, coefficients=coefficients)


def drawn_pair(loss: Fit, score: Fit, steps: Steps) -> tuple[Fit, Fit]:
    """Both steps with draws that belong together, the first of one with the first of the other.

    Where runs are resampled, both steps see the same resample. Where noise is redrawn, the two noises are
    independent: the score's is what is left once the loss is known.
    """
    first = bootstrap(loss, draws=steps.draws, seed=steps.seed)
    drawn = first.drawn
    shared = drawn is not None and drawn.resampling in ("pairs", "bayesian")
    second = bootstrap(
        score, draws=steps.draws, seed=steps.seed if shared else steps.seed + 1,
        resampling=drawn.resampling if drawn is not None and shared else "residuals",
    )  # fmt: skip
    return first, second


def with_along(runs: Runs, along: str) -> Runs:
    """The runs with the column that the direct law reads; flops are 6 · params · tokens where they lack."""
    if along in runs.table.columns and np.isfinite(runs.column(along)).all():
        return runs
    if along != "flops" or not {"params", "tokens"} <= set(runs.table.columns):
        raise MissingColumn(
            f"{runs.source} has no '{along}' in each row, which the direct law reads beside the chain. Give "
            'flops, or params and tokens, or name another column, along="images" (command line: --along).'
        )
    flops = 6 * runs.column("params") * runs.column("tokens")
    return replace(runs, table=runs.table.assign(flops=flops))


def signal_to_noise(score: Fit) -> float:
    """Rise of the fitted score over the runs, in standard deviations of one run."""
    fitted = score.fitted()
    noise = noise_of(score).scale
    return float(np.ptp(fitted) / noise) if noise > 0 else float("inf")


def through(loss: Fit, score: Fit, inputs: Mapping[str, Array]) -> Array:
    """The score by both steps as fitted, at places given by step one's own names."""
    losses = loss.law.evaluate(inputs, loss.coefficients)
    return np.asarray(score.law.evaluate({score.law.reads[0]: losses}, score.coefficients))


def backtest(runs: Runs, task: Task, steps: Steps, loss: Fit, share: float) -> float:
    """Mean absolute error on the runs of least expected loss, by a chain fitted to the others.

    NaN where the others cannot carry the chain.
    """
    expected = loss.law.evaluate(loss.data.inputs, loss.coefficients)
    count = max(2, round(share * len(runs)))
    held = np.isin(np.arange(len(runs)), np.argsort(expected, kind="stable")[:count])
    learnt = replace(runs, table=runs.table[~held].reset_index(drop=True))
    try:
        chain = loss_step(learnt, task.loss, steps), score_step(learnt, task, steps)
    except FitError:
        return float("nan")
    places = {name: values[held] for name, values in loss.data.inputs.items()}
    measured = runs.column(task.score)[held]
    return float(np.mean(np.abs(through(*chain, places) - measured)))

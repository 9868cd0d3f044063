"""The two steps of a chain, loss by size and data and score by loss, and the direct law beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from allometry.capabilities.chain_tasks import Task
from allometry.capabilities.chain_verdict import BACKTEST_SHARE
from allometry.errors import FitError, MissingColumn
from allometry.fitting.engine import Samples, minimise
from allometry.fitting.identifiability import refuse_unidentifiable
from allometry.fitting.noise import noise_of
from allometry.fitting.objectives import ObjectiveName
from allometry.fitting.problems import named, one_sample, pose, working_point
from allometry.fitting.result import Fit, Resampling
from allometry.fitting.solve import fit
from allometry.fitting.starting import candidates
from allometry.fitting.uncertainty import bootstrap
from allometry.laws import Law, read_law, saturating
from allometry.runs.run import Runs

Array = NDArray[np.float64]
_OF_RUNS: Mapping[str, Resampling] = {"pairs": "pairs", "bayesian": "bayesian"}  # the others redraw noise
_LEAST_RISE = 0.02  # of the direct law's search, from guessing
_OTHERS = 3  # searches of a back-test beside that from the fit
_STARTS = 6  # of the several hundred places that a fit looks at; on the public tables four agree with sixteen


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


@dataclass(frozen=True, kw_only=True, eq=False)
class LossStep:
    """Step one, for all tasks that the same loss of the same runs explains.

    Attributes:
        point: The fit, without draws.
    """

    point: Fit
    steps: Steps

    @cached_property
    def drawn(self) -> Fit:
        """The fit with draws. Each resample is searched from the fit alone: where that comes to rest, a
        second search never ended lower on the public tables."""
        return bootstrap(self.point, draws=self.steps.draws, seed=self.steps.seed, starts=1)

    @cached_property
    def held(self) -> NDArray[np.bool_]:
        """The runs of least expected loss, which a back-test leaves out."""
        expected = self.point.fitted()
        count = max(2, round(BACKTEST_SHARE * len(expected)))
        return np.isin(np.arange(len(expected)), np.argsort(expected, kind="stable")[:count])

    @cached_property
    def learnt(self) -> dict[str, float]:
        """The coefficients by the other runs.

        Raises:
            FitError: If they cannot carry the law.
        """
        return without(self.point, self.held)


def loss_step(runs: Runs, column: str, steps: Steps) -> LossStep:
    """Step one."""
    found = fit(
        steps.loss_law, runs, objective=steps.objective, inputs=steps.inputs, output=column,
        starts=_STARTS, seed=steps.seed,
    )  # fmt: skip
    return LossStep(point=found, steps=steps)


def score_step(runs: Runs, task: Task, steps: Steps) -> Fit:
    """Step two, without draws: least squares of the raw score, whose noise is that of counting answers."""
    law = read_law(steps.task_law) if isinstance(steps.task_law, str) else steps.task_law
    return fit(
        law, runs, objective="least_squares", on="raw", hold=held_ends(law, task, steps.hold),
        inputs={law.reads[0]: task.loss}, output=task.score, starts=_STARTS, seed=steps.seed,
    )  # fmt: skip


def direct_step(runs: Runs, task: Task, steps: Steps) -> Fit:
    """The direct law, without draws: a sigmoid in the logarithm of compute, from chance to a free end.

    Its upper end is fitted, and at most a perfect score.
    """
    hold = {} if task.chance is None else {"b": task.chance}
    law = rising_within(task.best, 1.0 - task.best if task.chance is None else task.chance)
    return fit(
        law, runs, objective="least_squares", on="raw", hold=hold, inputs={"x": steps.along},
        output=task.score, starts=_STARTS, seed=steps.seed,
    )  # fmt: skip


@lru_cache(maxsize=64)  # a law is derived anew each time that it is made
def rising_within(best: float, chance: float) -> Law:
    """`saturating` with a rise from chance that ends at a perfect score, `best`, at the latest."""
    rise = best - chance
    low, high = sorted((0.0, rise))
    seen = sorted((_LEAST_RISE * rise, rise))
    coefficients = tuple(
        replace(one, bounds=(low, high), low=seen[0], high=seen[1]) if one.name == "a" else one
        for one in saturating.coefficients
    )
    return replace(saturating, coefficients=coefficients)


def drawn_score(loss: Fit, score: Fit, steps: Steps) -> Fit:
    """Step two with draws that belong to those of step one, the first to the first.

    Where runs are resampled, both steps see the same resample. Where noise is redrawn, the two noises are
    independent: the score's is what is left once the loss is known.
    """
    shared = None if loss.drawn is None else _OF_RUNS.get(loss.drawn.resampling)
    seed = steps.seed + 1 if shared is None else steps.seed
    return bootstrap(score, draws=steps.draws, seed=seed, starts=1, resampling=shared or "residuals")


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


def backtest(loss: LossStep, score: Fit) -> float:
    """Mean absolute error on the runs of least expected loss, by a chain fitted to the others.

    NaN where the others cannot carry the chain.
    """
    try:
        first, second = loss.learnt, without(score, loss.held)
    except FitError:
        return float("nan")
    places = {name: values[loss.held] for name, values in loss.point.data.inputs.items()}
    losses = loss.point.law.evaluate(places, first)
    forecast = score.law.evaluate({score.law.reads[0]: losses}, second)
    return float(np.mean(np.abs(forecast - score.data.output[loss.held])))


def without(found: Fit, held: NDArray[np.bool_]) -> dict[str, float]:
    """The coefficients by the other runs, searched from the fit and from a few places more.

    Raises:
        FitError: If they cannot carry the law.
    """
    whole, sample = pose(found.law, found.data, found.goal, found.held), one_sample(found.data, found.goal)
    problem = replace(whole, inputs=tuple(values[~held] for values in whole.inputs))
    refuse_unidentifiable(problem, found.inputs)
    others = Samples(weights=sample.weights[:, ~held], target=sample.target[:, ~held])
    starts = np.vstack(
        [working_point(problem, found.coefficients), candidates(problem, others, found.seed, keep=_OTHERS)]
    )
    ends = minimise(problem, starts, others.of_one(len(starts)), rivals=len(starts), retries=1)
    return named(problem, ends.working[np.argmin(ends.value)])

"""`judge_emergence`: is a jump in a score real, and at which scale does the capability appear?"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.capabilities.emergence.bends import Bend, Measured, Shape, find_bend
from allometry.capabilities.emergence.evidence import evidence
from allometry.capabilities.emergence.jumps import emergence_score, find_jump
from allometry.capabilities.emergence.lengths import LengthTest, compare_length
from allometry.capabilities.emergence.onset import find_onset
from allometry.capabilities.emergence.resolution import Resolution, resolve
from allometry.capabilities.emergence.result import Emergence
from allometry.capabilities.emergence.scores import Scores, Skill, read_scores
from allometry.capabilities.emergence.verdict import Steps, decide
from allometry.errors import InputError
from allometry.fitting.result import tails
from allometry.runs.run import Runs

Array = NDArray[np.float64]


def judge_emergence(
    runs: Runs,
    skill: Skill,
    *,
    scale: str = "flops",
    items: str | float | None = None,
    threshold: float | None = None,
    level: float = 0.95,
    draws: int = 400,
    seed: int = 0,
) -> Emergence:
    """Judge one task in four steps, and say at which scale its score crosses a threshold.

    1. Resolution: can low scores be told from guessing with this many items (Clopper-Pearson)?
    2. Does a continuous metric of the same outputs follow one smooth law?
    3. Does that law, to the power of the answer's length, explain the score?
    4. Only then: does a law with a break beat it, at scales left out too?

    Args:
        runs: One row a model and scale; several at a scale are fine.
        scale: Column of the scale: compute, size or data.
        items: Column with the number of problems behind each score, or that number; the column documents by
            default. Without it, step 1 is skipped and noise is judged by the scatter.
        threshold: Score of the onset; half of the way from guessing to 1 by default.
        level: Of intervals.
        draws: Curves that the onset is read from.

    Raises:
        MissingColumn: If a column is not there.
        TableError: If a share lies outside [0, 1], or a score below guessing by more than its noise.
        FitError: If there are fewer than five scales.

    Source:
        Schaeffer et al. 2023, arXiv:2304.15004; the rule is `RULE`.

    >>> token = np.exp(-(np.geomspace(1, 1e4, 9) ** -0.45))
    >>> table = pd.DataFrame({"flops": np.geomspace(1e18, 1e22, 9), "p": token, "score": token**5})
    >>> judge_emergence(Runs(table), Skill(score="score", continuous="p", length=5), items=1000).verdict.value
    'artefact of the metric'
    """
    tails(level)
    data = read_scores(runs, skill, scale, items)
    crossed = _threshold(skill, threshold)
    own = find_bend(data.score)
    steps = _steps(data, own, level)
    verdict, because = decide(steps)
    return Emergence(
        skill=skill, scale=scale, verdict=verdict, because=because, steps=steps,
        points=_points(data, steps), turned=data.token is not None and data.falls, items=items_behind(data),
        score=emergence_score(_by_scale(data.score)),
        onset=find_onset(data.score, own, crossed, draws, seed), level=level,
        findings=evidence(data, steps),
    )  # fmt: skip


def judge_all(
    runs: Runs,
    skills: Iterable[Skill],
    *,
    scale: str = "flops",
    items: str | float | None = None,
    threshold: float | None = None,
    level: float = 0.95,
    draws: int = 400,
    seed: int = 0,
) -> list[Emergence]:
    """Judge several tasks of one table alike; arguments as in `judge_emergence`."""
    return [
        judge_emergence(
            runs, skill, scale=scale, items=items, threshold=threshold, level=level, draws=draws, seed=seed
        )
        for skill in skills
    ]


def items_behind(data: Scores) -> float:
    """The middle number of items behind a score; NaN if it is not known."""
    return float(np.median(data.score.counts)) if data.known_items else float("nan")


def _threshold(skill: Skill, asked: float | None) -> float:
    if asked is None:
        return (1 + skill.chance) / 2
    if not skill.chance < asked < 1:
        raise InputError(
            f"The threshold of '{skill.score}' lies between guessing ({skill.chance:g}) and 1; "
            f"{asked:g} does not."
        )
    return asked


def _steps(data: Scores, own: Bend, level: float) -> Steps:
    beneath = None if data.token is None else find_bend(data.token)
    return Steps(
        scales=len(data.score.scales),
        resolution=resolve(data.score, level) if data.known_items else None,
        signal=own.signal, jump=find_jump(data.score), own=own, continuous=beneath,
        length=_length(data, beneath),
    )  # fmt: skip


def _length(data: Scores, beneath: Bend | None) -> LengthTest | None:
    if data.token is None or beneath is None or not data.skill.length:
        return None
    broken = beneath.curve(data.token.t) if beneath.shape is Shape.BROKEN else None
    return compare_length(data.score, data.token.share, beneath.smooth, data.skill.length, broken)


def _by_scale(score: Measured) -> Array:
    return np.array([score.share[score.x == scale].mean() for scale in score.scales])


def _points(data: Scores, steps: Steps) -> pd.DataFrame:
    """One row a point: what was measured, and the curves there."""
    table = pd.DataFrame({"scale": data.score.x, "score": data.score.share})
    resolution: Resolution | None = steps.resolution
    table["items"] = data.score.counts if resolution is not None else np.nan
    table["low"] = np.nan if resolution is None else resolution.low
    table["high"] = np.nan if resolution is None else resolution.high
    table["fitted"] = steps.own.curve(data.score.t)
    if data.token is not None and steps.continuous is not None:
        table["continuous"] = data.token.share
        table["continuous_smooth"] = steps.continuous.smooth
    if steps.length is not None:
        table["expected"], table["token_power"] = steps.length.expected, steps.length.measured
    return table

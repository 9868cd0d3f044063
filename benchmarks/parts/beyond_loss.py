"""Simulated tables like the public ones, of any size, and what each verb beyond the loss does with them.

A work is made from a factor: once, four or sixteen times the rows of the public table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd

import allometry as al
from allometry.capabilities.along import scores_along
from allometry.capabilities.attempts import Counts, forecast_pass, pass_curve
from allometry.capabilities.chain_recipes import forecast_tasks
from allometry.capabilities.chain_tasks import Task
from allometry.capabilities.emergence import Skill, judge_emergence
from allometry.capabilities.exchange import Workload, exchange
from allometry.capabilities.families import observe_families
from allometry.capabilities.joint import joint_optimum
from allometry.capabilities.loss_to_pass import LossToPass, fit_loss_to_pass
from allometry.capabilities.thinking import fit_thinking
from allometry.capabilities.transfer_law import effective_data
from allometry.capabilities.verifiers import verifier_curve
from allometry.capabilities.voting import ballots_from_chances, vote
from allometry.laws import LAWS
from allometry.trends.efficiency import algorithmic_progress
from allometry.trends.horizon import time_horizons
from allometry.trends.inputs import input_growth
from allometry.trends.intelligence import intelligence_per
from allometry.trends.outlook import outlook
from allometry.trends.prices import price_trends
from allometry.trends.sample_efficiency import tokens_to_reach
from allometry.trends.series import Series
from allometry.trends.task_runs import TaskRuns
from allometry.trends.trend import exponential_trend
from allometry.trends.wall_bounds import Constraint, Range
from allometry.trends.walls import doublings_left

Work = Callable[[], object]
SERVED = Workload(queries=1e6, tokens=500)


def _counts(problems: int, seed: int = 0, hard: float = 5.0) -> Counts:
    rng = np.random.default_rng(seed)
    return Counts.of(np.full(problems, 1000), rng.binomial(1000, rng.beta(0.3, hard, problems)))


def counted(factor: int) -> Work:
    """pass@k of 128 problems."""
    return partial(pass_curve, _counts(128 * factor))


def attempted(factor: int) -> Work:
    """The forecast of pass@10,000."""
    return partial(forecast_pass, _counts(128 * factor), [2000, 10_000])


def voted(factor: int) -> Work:
    """A vote among the answers to 128 problems."""
    chances = np.random.default_rng(0).beta(0.5, 1, 128 * factor)
    return partial(vote, ballots_from_chances(chances, np.full(5, 0.2)), [1, 10, 100])


def verified(factor: int) -> Work:
    """The best of so many by a verifier that errs."""
    return partial(verifier_curve, 0.2, list(range(1, 10 * factor + 1)), auc=0.8)


def thought(factor: int) -> Work:
    """19 measurements of accuracy against tokens."""
    rng = np.random.default_rng(0)
    tokens = 2 ** rng.uniform(8, 14, 19 * factor)
    accuracy = 0.05 * np.log2(tokens) + 0.02 * rng.standard_normal(len(tokens))
    return partial(fit_thinking, tokens, accuracy)


def _passes(problems: int) -> LossToPass:
    losses = [2.2, 2.5, 2.8, 3.1]
    counts = [_counts(problems, seed, hard) for seed, hard in enumerate((2.0, 4.0, 8.0, 16.0))]
    return fit_loss_to_pass(losses, counts)


def passes(factor: int) -> Work:
    """pass@k by loss, from four models at 128 problems."""
    return partial(_passes, 128 * factor)


def _law() -> al.Fit:
    return al.bootstrap(al.fit("chinchilla", _sized(36, al.laws.chinchilla.typical)), draws=200)


def split(factor: int) -> Work:
    """The joint optimum, of 200 draws; its cost is of draws, not of problems."""
    return partial(joint_optimum, _law(), _passes(128 * factor), SERVED, flops=1e21)


def exchanged(factor: int) -> Work:
    """Training against attempts, of 200 draws."""
    return partial(exchange, _law(), _passes(128 * factor), SERVED, score=0.4, ks=[1, 10, 100, 1000])


def _sized(rows: int, truth: Mapping[str, float], law: str = "chinchilla") -> al.Runs:
    rng = np.random.default_rng(rows)
    inputs = {
        "params": 10 ** rng.uniform(7, 10, rows),
        "tokens": 10 ** rng.uniform(9, 11, rows),
        "year": rng.uniform(2014, 2023, rows),
    }
    loss = LAWS[law].evaluate({name: inputs[name] for name in LAWS[law].reads}, truth)
    table = pd.DataFrame({**inputs, "loss": loss * np.exp(0.01 * rng.standard_normal(rows))})
    return al.Runs(table.assign(flops=6 * table["params"] * table["tokens"]))


def chained(factor: int) -> Work:
    """13 tasks of 24 runs."""
    runs = _sized(24 * factor, al.laws.chinchilla.typical)
    rng, loss = np.random.default_rng(0), runs.column("loss")
    columns = {
        f"task{place}": 0.25 + 0.6 / (1 + np.exp(4 * (loss - 2.6 - 0.03 * place))) for place in range(13)
    }
    noisy = {name: score + 0.005 * rng.standard_normal(len(score)) for name, score in columns.items()}
    tasks = [Task(score=name, chance=0.25) for name in columns]
    given = al.Runs(runs.table.assign(**noisy))
    return partial(forecast_tasks, given, tasks, {"params": 3e10, "tokens": 3e11})


def emerged(factor: int) -> Work:
    """One task at 68 scales."""
    scales = np.geomspace(1e18, 1e24, 68 * factor)
    token = np.exp(-((scales / 1e18) ** -0.2))
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"flops": scales, "token": token, "score": rng.binomial(1000, token**5) / 1000})
    skill = Skill(score="score", continuous="token", length=5)
    return partial(judge_emergence, al.Runs(table), skill, items=1000)


def observed(factor: int) -> Work:
    """107 models of 20 families at 6 benchmarks, with a target."""
    rng, rows = np.random.default_rng(0), 108 * factor
    flops, family = 10 ** rng.uniform(20, 25, rows), np.arange(rows) % 20
    able = 0.09 * np.log(flops / 1e20) + 0.05 * rng.standard_normal(20)[family]
    scores = {f"bench{place}": 0.1 + 0.5 * able + 0.02 * rng.standard_normal(rows) for place in range(6)}
    target = 1 / (1 + np.exp(-8 * (able - 0.6))) + 0.01 * rng.standard_normal(rows)
    columns = {name: np.clip(score, 0, 1) for name, score in {**scores, "target": target}.items()}
    table = pd.DataFrame({"family": family.astype(str), "flops": flops, **columns})
    return partial(observe_families, al.Runs(table), list(scores), target="target", train="flops < 1e24")


def along(factor: int) -> Work:
    """Three recipes of 12 measurements."""
    rows = 12 * factor
    x = np.tile(np.geomspace(1e19, 1e23, rows), 3)
    noise = 0.01 * np.random.default_rng(0).standard_normal(3 * rows)
    table = pd.DataFrame({"recipe": np.repeat(list("abc"), rows), "x": x, "y": 0.2 + 0.5 / (1 + 1e21 / x)})
    return partial(scores_along, al.Runs(table.assign(y=table["y"] + noise)), "y", "x", by="recipe")


def transferred(factor: int) -> Work:
    """Four sizes of 6 runs from scratch and 5 fine-tuned."""
    rng, sizes = np.random.default_rng(0), np.geomspace(1e7, 1e9, 4)
    size, data = np.repeat(sizes, 6 * factor), np.tile(np.geomspace(1e6, 1e10, 6 * factor), 4)
    noise = np.exp(0.003 * rng.standard_normal(len(size)))
    scratch = pd.DataFrame({"params": size, "tokens": data, "loss": (1 + 100 * data**-0.3) * noise})
    size, used = np.repeat(sizes, 5 * factor), np.tile(np.geomspace(1e5, 1e8, 5 * factor), 4)
    loss = 1 + 100 * (used + 1e3 * used**0.2 * size**0.3) ** -0.3
    tuned = pd.DataFrame({"params": size, "finetune_tokens": used, "loss": loss})
    return partial(effective_data, al.Runs(tuned), al.Runs(scratch))


def timed(factor: int, agents: int = 20, runs: int = 6, draws: int = 1000) -> Work:
    """Horizons of 20 agents at 200 tasks in 50 families."""
    rng, count = np.random.default_rng(0), 200 * factor
    minutes = rng.uniform(-3, 11, count)
    agent, task, _ = (one.ravel() for one in np.indices((agents, count, runs)))
    odds = 0.6 * (0.5 * agent + 1 - minutes[task])
    given = TaskRuns(
        agents=tuple(map(str, range(agents))), tasks=tuple(map(str, range(count))),
        released=2020 + np.arange(agents) / 4, log2_minutes=minutes, family=np.arange(count) // 4,
        agent=agent, task=task, score=(rng.random(len(agent)) < 1 / (1 + np.exp(-odds))) * 1.0,
    )  # fmt: skip
    return partial(time_horizons, given, draws=draws)


def _series(points: int, since: float = 2012.0) -> Series:
    rng = np.random.default_rng(points)
    years = np.sort(rng.uniform(since, 2025, points))
    values = np.exp2(2.2 * (years - 2025) + rng.standard_normal(points))
    return Series(name="flops", labels=tuple(map(str, range(points))), years=years, values=values)


def line(factor: int) -> Work:
    """A line through 33 horizons."""
    return partial(exponential_trend, _series(33 * factor))


def mixed(factor: int) -> Work:
    """The outlook of 33 horizons."""
    return partial(outlook, _series(33 * factor))


def progressed(factor: int) -> Work:
    """Algorithmic progress of 230 models."""
    truth = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37, "a": 0.3, "b": 0.6}
    return partial(algorithmic_progress, _sized(230 * factor, truth, "algorithmic_progress"))


def _models(rows: int) -> al.Runs:
    rng = np.random.default_rng(0)
    year = rng.uniform(2012, 2025, rows)
    flops = 10 ** (19 + 0.5 * (year - 2012) + rng.standard_normal(rows))
    return al.Runs(pd.DataFrame({"name": np.arange(rows).astype(str), "year": year, "flops": flops}))


def grown(factor: int) -> Work:
    """Growth of compute over 428 models."""
    return partial(input_growth, _models(428 * factor), ["flops"])


def largest(factor: int) -> Work:
    """The same of the ten largest at release, out of 1,400."""
    return partial(input_growth, _models(1400 * factor), ["flops"], largest=10)


def walled(factor: int) -> Work:
    """Walls by a history of 428 models."""
    chips = Constraint(name="chips", now=Range.exactly(1.0), bound=Range(500.0, 2000.0))
    power = Constraint(name="power", now=Range(1e8, 2e8), bound=Range(1e9, 2e10), share=Range(0.4, 0.6))
    return partial(doublings_left, [chips, power], history=_series(428 * factor))


def priced(factor: int) -> Work:
    """Prices of 45 models at three scores."""
    rng, rows = np.random.default_rng(0), 45 * factor
    year, score = rng.uniform(2021, 2025, rows), rng.uniform(30, 90, rows)
    usd = 10 ** (1 - (year - 2021) + 0.03 * (score - 60) + 0.2 * rng.standard_normal(rows))
    table = pd.DataFrame({"name": np.arange(rows).astype(str), "year": year, "score": score, "usd": usd})
    return partial(price_trends, al.Runs(table), price="usd", score="score", thresholds=[40, 50, 60])


def reached(factor: int) -> Work:
    """Tokens to a loss of four recipes of 12 runs."""
    rows = 12 * factor
    tokens = np.tile(np.geomspace(1e8, 1e10, rows), 4)
    noise = np.exp(0.005 * np.random.default_rng(0).standard_normal(4 * rows))
    table = pd.DataFrame({"recipe": np.repeat(list("abcd"), rows), "tokens": tokens})
    return partial(tokens_to_reach, al.Runs(table.assign(loss=(2 + 400 * tokens**-0.3) * noise)), 2.6)


def bought(factor: int) -> Work:
    """What a watt buys, over 50 devices."""
    rng, rows = np.random.default_rng(0), 50 * factor
    year = rng.uniform(2012, 2025, rows)
    speed = np.exp2(0.5 * (year - 2012) + 0.3 * rng.standard_normal(rows))
    table = pd.DataFrame({"name": np.arange(rows).astype(str), "year": year, "speed": speed, "watts": 300.0})
    return partial(intelligence_per, al.Runs(table), "speed", per="watts")


# Command to work, and what is not the rows of a table.
VERBS: dict[str, Callable[[int], Work]] = {
    "attempts pass": counted, "attempts forecast": attempted, "attempts vote": voted,
    "attempts verifier": verified, "attempts thinking": thought, "pass@k by loss": passes,
    "attempts optimum": split, "attempts optimum --score": exchanged, "capability chain": chained,
    "capability emergence": emerged, "capability families": observed, "capability along": along,
    "capability transfer": transferred, "trend horizon, 1,000 draws": timed, "trend, one line": line,
    "trend, outlook": mixed, "trend efficiency": progressed, "trend growth": grown,
    "trend growth --largest 10": largest, "trend walls --history": walled, "trend prices": priced,
    "trend sample-efficiency": reached, "trend intelligence": bought,
}  # fmt: skip

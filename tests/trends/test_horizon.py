"""Time horizons of simulated agents, their draws, and what is said where the suite does not reach."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from allometry.errors import InputError
from allometry.runs.run import Runs
from allometry.trends.horizon import Horizons, time_horizons
from allometry.trends.horizon_draws import Resampling, drawn_tasks, effective_clusters, resampled, widened
from allometry.trends.horizon_findings import show_minutes
from allometry.trends.success_curves import success_curves
from allometry.trends.task_runs import TaskRuns, read_task_runs


def codes(found: Horizons) -> set[str]:
    return {one.code for one in found.findings}


def agent_of(shares: list[float], minutes: list[float], runs: int = 20) -> Runs:
    """One agent that succeeds at these shares of its runs at tasks of these lengths."""
    score = np.concatenate([(np.arange(runs) < round(share * runs)) * 1.0 for share in shares])
    long = np.repeat(minutes, runs)
    return Runs(pd.DataFrame({"agent": "a", "task": long.astype(str), "minutes": long, "score": score}))


def test_horizons_double_from_agent_to_agent_as_they_were_made(horizons: Horizons) -> None:
    # An agent's log2 horizon is known to about 1/4 here, half of which all agents share.
    assert np.log2(horizons.table["p50"].to_numpy()) == pytest.approx(np.arange(6), abs=0.8)
    assert np.diff(np.log2(horizons.table["p50"])).mean() == pytest.approx(1, abs=0.15)


def test_intervals_hold_the_truth_and_their_own_estimate(horizons: Horizons) -> None:
    table = horizons.table
    inside = (table["p50_low"] < 2.0 ** np.arange(6)) & (2.0 ** np.arange(6) < table["p50_high"])

    assert inside.sum() >= 4
    assert ((table["p50_low"] < table["p50"]) & (table["p50"] < table["p50_high"])).all()
    assert (table["p80"] < table["p50"]).all()


def test_80_percent_lies_ln_4_over_the_slope_below_50_percent(horizons: Horizons) -> None:
    gap = np.log2(horizons.table["p50"] / horizons.table["p80"])

    assert np.array(gap) == pytest.approx(-np.log(4) / np.array(horizons.table["slope"]), rel=1e-9)


def scored_mean(given: TaskRuns, resampling: Resampling) -> np.ndarray:
    """The one agent's mean score in each of many draws."""
    blocks = resampled(given, 4000, 0, resampling)
    return np.concatenate([(tasks * shares[:, 0]).mean(axis=1) for tasks, shares in blocks])


def test_whole_families_have_the_variance_of_a_mean_of_families_and_published_draws_that_of_each_level_again(
    runs: Runs,
) -> None:
    given = read_task_runs(runs.where("agent = 'agent 2'"))
    tasks = given.shares[0].reshape(20, 4)  # of three runs each
    families = tasks.mean(axis=1)
    again = tasks.var(axis=1).mean() / 80 + (tasks * (1 - tasks)).mean() / 240

    assert scored_mean(given, "families").mean() == pytest.approx(tasks.mean(), rel=0.01)
    assert scored_mean(given, "families").var() == pytest.approx(families.var(ddof=1) / 20, rel=0.07)
    assert scored_mean(given, "published").var() == pytest.approx(families.var() / 20 + again, rel=0.07)
    assert again > 0.3 * families.var() / 20


def test_draws_are_as_far_from_the_estimate_as_by_the_t_distribution_of_few_families() -> None:
    rng = np.random.default_rng(0)
    drawn = 3 + rng.standard_normal((20_000, 2))

    wide = widened(drawn, np.array([3.0, np.nan]), np.array([6.0, 6.0]), rng)

    five_degrees = 2.0150
    assert np.quantile(wide[:, 0], 0.05) == pytest.approx(3 - five_degrees, abs=0.1)
    assert np.quantile(wide[:, 0], 0.95) == pytest.approx(3 + five_degrees, abs=0.1)
    assert wide[:, 1].tolist() == drawn[:, 1].tolist()  # there is no estimate to be far from


@pytest.mark.parametrize(("resampling", "moved"), [("families", True), ("published", False)])
def test_all_agents_of_a_draw_are_moved_alike_and_none_as_published(
    runs: Runs, resampling: Resampling, moved: bool
) -> None:
    given = read_task_runs(runs)
    found = time_horizons(given, resampling=resampling, draws=10, seed=5)
    ((tasks, shares),) = resampled(given, 10, 5, resampling)
    trials = 80 * given.weights * tasks[:, None, :]

    as_drawn = success_curves(given.log2_minutes, trials.reshape(60, 80), shares.reshape(60, 80))
    best = np.log2(found.table["p50"].to_numpy())
    factor = (np.log2(found.draws[0.5]) - best) / (as_drawn.log2_horizon().reshape(10, 6) - best)
    assert factor == pytest.approx(np.repeat(factor[:, :1], 6, axis=1), rel=1e-4)
    assert (factor.std() > 0.05) == moved
    assert moved or factor == pytest.approx(np.ones((10, 6)), rel=1e-4)


def test_a_large_family_counts_for_more_than_one_and_less_than_its_tasks(runs: Runs) -> None:
    family = np.repeat(np.arange(5), [64, 4, 4, 4, 4])
    uneven = dataclasses.replace(read_task_runs(runs), family=family)

    # A family weighs the root of its size: 8, 2, 2, 2, 2 of 16.
    assert effective_clusters(uneven) == pytest.approx(1 / (1 / 4 + 4 / 64))
    assert "few_families" in codes(time_horizons(uneven, draws=0))


def test_of_one_family_tasks_are_drawn_and_it_is_said_that_there_is_one(runs: Runs) -> None:
    one = dataclasses.replace(read_task_runs(runs), family=np.zeros(80, dtype=np.intp))
    found = time_horizons(one, draws=20)

    assert (found.table["p50_high"] > 1.1 * found.table["p50_low"]).all()
    assert "1.0 equal families" in found.summary()


def test_tasks_are_drawn_within_families_that_are_drawn_themselves(runs: Runs) -> None:
    given = read_task_runs(runs)
    drawn = drawn_tasks(given, 4000, np.random.default_rng(0))
    families = drawn @ (given.family[:, None] == np.arange(20))

    assert (drawn.sum(axis=1) == 80).all()
    assert (families % 4 == 0).all()
    # A family is drawn with variance 1 - 1/20; a task then as the sum of copies of it, each drawn with 3/4.
    assert (families / 4).var(axis=0).mean() == pytest.approx(0.95, rel=0.05)
    assert drawn.var(axis=0).mean() == pytest.approx(0.95 + 0.75, rel=0.05)


def test_runs_of_a_task_are_drawn_as_often_as_the_task(runs: Runs) -> None:
    given = read_task_runs(runs)
    half = dataclasses.replace(given, score=np.where(given.score > 0, 0.5, given.score))

    whole = np.concatenate([shares for _, shares in resampled(given, 400, 1, "published")])
    partial = np.concatenate([shares for _, shares in resampled(half, 400, 1, "published")])

    assert whole.std() > 0.1
    assert partial.std(axis=0).mean() == pytest.approx(whole.std(axis=0).mean() / 2, rel=0.02)
    assert partial.mean(axis=0) == pytest.approx(whole.mean(axis=0) / 2, abs=0.1)


def test_the_same_seed_gives_the_same_bits(runs: Runs) -> None:
    one, same = (time_horizons(runs, draws=20, seed=3).draws[0.5] for _ in range(2))

    assert one.tobytes() == same.tobytes()


def test_beyond_the_longest_task_the_horizon_is_a_bound_with_a_warning() -> None:
    found = time_horizons(agent_of([1, 1, 0.95, 0.8], [1, 4, 16, 64]), draws=50)

    assert found.table["status"].tolist() == ["above"]
    assert found.table["p50"][0] > 64
    assert "suite_saturated" in codes(found)
    assert "50%: over 64 min" in found.summary()


def test_an_agent_without_successes_is_below_the_suite_and_without_failures_above() -> None:
    lengths = [1.0, 2, 4, 8, 16, 32, 64]
    never = time_horizons(agent_of([0.0] * 7, lengths), draws=20)
    always = time_horizons(agent_of([1.0] * 7, lengths), draws=20)

    for found in (never, always):
        assert found.table["status"][0] != "measured"
        assert "separated" in codes(found)


def test_an_agent_that_is_better_at_long_tasks_has_no_horizon() -> None:
    found = time_horizons(agent_of([0.1, 0.3, 0.7, 0.9], [1, 4, 16, 64]), draws=0)

    assert found.table["status"].tolist() == ["flat"]
    assert np.isnan(found.table["p50"][0])
    assert "success does not fall with length" in found.summary()


def test_the_published_penalty_is_shown_beside_the_default(horizons: Horizons) -> None:
    shown = horizons.penalties

    assert shown["p50_firth"].tolist() == horizons.table["p50"].tolist()
    # A flatter curve puts the horizons of weak agents lower and of strong ones higher than they are at 80%.
    assert (shown["p80_published"] < shown["p80_none"]).all()
    assert (shown["p50_none"] / shown["p50_firth"] - 1).abs().max() < 0.05


def test_every_agent_is_said_by_each_penalty(horizons: Horizons) -> None:
    _, said = horizons.summary().split(
        "By the penalty on the slope, firth, none, published (used here: firth):"
    )

    for (agent, row), line in zip(
        horizons.penalties.set_index("agent").iterrows(), said.splitlines()[1:], strict=False
    ):
        shown = (show_minutes(row[f"p50_{name}"]) for name in ("firth", "none", "published"))
        assert line.startswith(f"  {agent}  50%: {', '.join(shown)}; 80%: ")


def test_a_separated_agent_has_a_dash_where_there_is_no_penalty() -> None:
    said = time_horizons(agent_of([1, 1, 0, 0], [1, 4, 16, 64]), draws=0).summary()

    assert re.search(r"  a  50%: [\d.]+ min, –, [\d.]+ min; ", said)


def test_an_unknown_penalty_resampling_or_level_is_refused(runs: Runs) -> None:
    with pytest.raises(InputError, match=r"no resampling 'runs'\. There are: families, published"):
        time_horizons(runs, resampling="runs", draws=0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"no penalty 'l1'\. There are: firth, none, published"):
        time_horizons(runs, penalty="l1", draws=0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"between 0 and 1, for example 0\.9; not 90"):
        time_horizons(runs, level=90, draws=0)


def test_arrays_that_were_read_once_give_the_same_horizons(runs: Runs) -> None:
    read: TaskRuns = read_task_runs(runs)

    assert time_horizons(read, draws=0).table.equals(time_horizons(runs, draws=0).table)

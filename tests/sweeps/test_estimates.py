"""What a design takes is said before it runs."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from allometry.cli import run
from allometry.errors import InputError
from allometry.plots import planned_runs
from allometry.recipe import Recipe
from allometry.runs.run import Runs
from allometry.sweeps.designs import IsoFlop, Ladder, Size
from allometry.sweeps.estimates import estimate, measured_speed
from allometry.sweeps.leftovers import Asked
from allometry.sweeps.spec import quickstart_path


def timed(**columns: list[float]) -> Runs:
    return Runs(pd.DataFrame({**columns, "status": "done"}))


def test_a_ladder_takes_its_checks_its_trunks_once_and_its_decays(checked: Ladder) -> None:
    found = estimate(checked, flops_per_second=1e9).runs

    # Per size 3 checks of 16 steps, a trunk of 33, decays of 7 and 11, of 64 tokens each.
    steps = found.groupby("params")["own_flops"].sum() / (6 * found.groupby("params")["params"].first() * 64)
    assert steps.tolist() == pytest.approx([3 * 16 + 33 + 7 + 11] * 2)


def test_hours_are_compute_with_attention_over_the_stated_speed(ladder: Ladder) -> None:
    found = estimate(ladder, flops_per_second=1e9, usd_per_hour=3.0)

    trunk = ladder.outline()[0].recipe
    hours = trunk.architecture.flops_per_token("with_attention") * 33 * 64 / 1e9 / 3600
    assert found.runs["hours"][0] == pytest.approx(hours)
    assert found.runs["usd"].sum() == pytest.approx(3.0 * found.runs["hours"].sum())
    assert "at the stated 1e9 FLOP/s" in found.describe()


def test_earlier_runs_say_how_fast_each_size_is(ladder: Ladder) -> None:
    runs = timed(params=[1e4, 1e4, 1e4, 1e6], flops_per_second=[1e9, 2e9, 9e9, 8e9])
    speed = measured_speed(runs)

    assert speed is not None
    assert speed.at(1e4) == pytest.approx(2e9)  # the median
    assert speed.at(1e5) == pytest.approx(4e9)  # between, a power law
    assert speed.at(1e8) == pytest.approx(8e9)
    assert "as fast as 4 earlier runs" in estimate(ladder, runs).describe()


def test_without_a_speed_there_are_no_hours_and_no_price(ladder: Ladder) -> None:
    found = estimate(ladder, timed(params=[1e4], loss=[3.0]))

    assert found.runs["hours"].isna().all()
    assert "hours unknown: no run of the study has been timed" in found.describe()
    with pytest.raises(InputError, match="A price per hour needs hours"):
        estimate(ladder, usd_per_hour=1.0)
    with pytest.raises(InputError, match="flops_per_second must be above zero"):
        estimate(ladder, flops_per_second=-1.0)


def test_a_branch_without_its_trunk_takes_all_of_its_tokens(ladder: Ladder) -> None:
    trunk, branch, *_ = ladder.outline()
    made = Runs(pd.DataFrame([{"run_id": trunk.recipe.run_id, "loss": 3.0}]))

    alone, beside, after = (
        estimate(Asked(asked), runs).runs.set_index("run_id").loc[branch.recipe.run_id]
        for asked, runs in (([branch], None), ([trunk, branch], None), ([branch], made))
    )

    assert alone["own_flops"] == alone["flops"] == branch.recipe.flops()
    assert beside["own_flops"] == after["own_flops"] == branch.own_flops < branch.recipe.flops()


def test_what_a_budget_has_no_run_for_is_listed(tiny: Recipe) -> None:
    sizes = tuple(Size(width=width, layers=1, heads=1) for width in (32, 64, 96, 128, 512))
    found = estimate(IsoFlop(base=tiny, budgets=(1e12,), sizes=sizes))

    assert len(found.dropped) + len(found.runs) == 5
    assert found.describe().count("Dropped: ") == len(found.dropped) >= 1


def test_the_picture_has_every_run_on_lines_of_equal_compute(checked: Ladder) -> None:
    found = estimate(checked)
    drawn = planned_runs(found).to_dict()
    lines, labels, dots = (drawn["datasets"][layer["data"]["name"]] for layer in drawn["layer"])

    assert len(dots) == len(found.runs)
    assert {label["series"] for label in labels} == {row["series"] for row in lines}
    for row in lines:
        assert 6 * row["x"] * row["value"] == pytest.approx(float(row["series"].split()[0]), rel=1e-9)
    assert not any(math.isnan(row["value"]) for row in lines)


def test_a_dry_run_says_what_it_takes_and_draws_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = tmp_path / "design.svg"
    rates = ["--flops-per-second", "2e10", "--usd-per-hour", "0.5", "--plot", str(drawn)]

    assert run(["sweep", str(quickstart_path()), "--dry-run", *rates]) == 0

    said = capsys.readouterr().out
    assert "32 runs; " in said  # 12 checks, 4 trunks and 16 branches
    assert "on one worker (at the stated 2e10 FLOP/s)" in said
    assert drawn.read_text().startswith("<svg")


def test_a_price_without_a_speed_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sweep", str(quickstart_path()), "--dry-run", "--usd-per-hour", "1"]) == 2

    assert "so state flops_per_second too" in capsys.readouterr().err

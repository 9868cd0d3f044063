"""What a sweep says of its own forecast: silent by the right law, a warning by a wrong one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from allometry.fitting.result import Fit
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.report.sweeping import show_rounds
from allometry.runs.run import Runs
from allometry.sweeps.closing import Closing, HeldOut, closing, compute_of, largest
from allometry.sweeps.round_files import Round

NOISE, TARGET = 0.003, {"flops": 1e15, "params": 1e5, "tokens": 1e9}


def obeyed(flops: np.ndarray) -> np.ndarray:
    """A power law."""
    return np.asarray(20 * flops**-0.05)


def bent(flops: np.ndarray) -> np.ndarray:
    """A power law above a floor, so that it falls ever more slowly."""
    return np.asarray(2.5 + 30 * flops**-0.12)


def fitted(loss: Callable[[np.ndarray], np.ndarray], seed: int = 0, runs: int = 15) -> Fit:
    flops = np.geomspace(1e11, 1e14, runs)
    noise = np.exp(NOISE * np.random.default_rng(seed).standard_normal(runs))
    table = pd.DataFrame({"run_id": [f"r{n:02d}" for n in range(runs)], "flops": flops})
    made = fit("power_law", Runs(table.assign(loss=loss(flops) * noise)), inputs={"x": "flops"})
    return bootstrap(made, draws=40, starts=1)


@pytest.fixture(scope="module")
def right() -> Fit:
    return fitted(obeyed)


@pytest.fixture(scope="module")
def wrong() -> Fit:
    return fitted(bent)


def test_the_right_law_is_not_warned_of_and_how_far_it_reaches_is_said(right: Fit) -> None:
    found = closing([right], TARGET, level=0.9)

    assert not found.warns
    assert found.beyond == pytest.approx(10)
    assert found.describe().startswith(
        "The target takes 10 times the compute of the largest run; 'power_law' ho"
    )
    assert found.held_out is not None
    assert found.describe().endswith(f"checks it {found.held_out.beyond:.2g} times beyond runs, not 10.")
    assert replace(found, larger="run x").describe().endswith("not 10; run x would check more.")


def test_a_wrong_law_is_warned_of_with_the_run_to_add(wrong: Fit) -> None:
    found = closing([wrong], TARGET, level=0.9, larger="abc (1M parameters)")

    assert found.held_out is not None
    assert found.held_out.miss > found.held_out.high  # a floor: measured above the forecast
    assert found.warns
    assert found.describe().startswith("Warning: ")
    assert "too low" in found.describe()
    assert "train abc (1M parameters), or fit a second law" in found.describe()
    assert "give the design larger sizes" in replace(found, larger="").describe()


def test_the_largest_runs_are_held_out_whole_settings_and_few(right: Fit) -> None:
    compute = compute_of(right)
    held = largest(right, compute)

    assert held.tolist() == sorted(held.tolist())  # the runs are in the order of their compute
    assert 1 <= held.sum() <= 5
    assert compute[held].min() >= compute.max() / 4 > compute[~held].max()
    found = closing([right], TARGET, level=0.9).held_out
    assert found is not None
    assert found.runs == right.data.run_ids[-int(held.sum()) :]
    assert found.beyond > 1


def test_what_chance_does_to_held_out_runs_lies_evenly_around_their_forecast(right: Fit) -> None:
    held = closing([right], TARGET, level=0.9).held_out

    assert held is not None
    assert held.high == pytest.approx(-held.low, rel=0.12)


def test_at_most_a_third_of_the_runs_is_held_out_however_many_are_large(right: Fit) -> None:
    compute = np.array([1e11, 2e11, 3e11, 4e11, 5e11, 6e11, 7e11, *np.linspace(6e13, 1e14, 8)])

    assert largest(right, compute).sum() == 5


def test_held_out_runs_of_one_trunk_may_miss_by_more_as_they_share_its_luck(right: Fit) -> None:
    apart = closing([right], TARGET, level=0.9).held_out
    trunks = right.data.facts.assign(parent=["" if n < 10 else "trunk" for n in range(len(right.data))])
    together = closing([replace(right, data=replace(right.data, facts=trunks))], TARGET, level=0.9).held_out

    assert apart is not None
    assert together is not None
    assert together.runs == apart.runs
    assert together.high > 1.2 * apart.high


def test_a_forecast_that_was_too_high_is_held_against_what_chance_may_lower() -> None:
    held = HeldOut(runs=("a",), beyond=2.0, miss=-0.02, low=-0.01, high=0.03, level=0.95)

    assert held.describe().endswith("the largest 2.00% too high (chance alone: up to 1.00%)")
    assert held.outside


def test_too_few_runs_to_hold_out_is_said_and_is_no_warning() -> None:
    found = closing([fitted(obeyed, runs=4)], TARGET, level=0.9)

    assert found.held_out is None
    assert not found.warns
    assert "is not known: 4 runs are too few" in found.describe()


def test_laws_further_apart_than_the_interval_is_wide_are_a_warning(right: Fit) -> None:
    other = replace(right, coefficients={**right.coefficients, "alpha": right.coefficients["alpha"] * 0.9})
    assert right.draws is not None
    moved = replace(other, draws=right.draws.assign(alpha=right.draws["alpha"] * 0.9))

    found = closing([right, replace(moved, objective="lad")], TARGET, level=0.9)

    assert list(found.laws) == ["power_law by huber", "power_law by lad"]
    assert found.apart == pytest.approx(10 ** (15 * 0.1 * right.coefficients["alpha"]) - 1, rel=0.1)
    assert found.warns
    assert "second law" not in found.describe()


def test_few_of_right_laws_are_warned_of_and_most_of_wrong_ones() -> None:
    warned = {
        loss: sum(closing([fitted(loss, seed)], TARGET, level=0.9).warns for seed in range(8))
        for loss in (obeyed, bent)
    }

    assert warned[obeyed] <= 2
    assert warned[bent] >= 6


@pytest.mark.parametrize("as_json", [True, False])
def test_the_sentence_stands_under_the_rounds(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    held = HeldOut(runs=("a",), beyond=2.0, miss=0.03, low=-0.01, high=0.01, level=0.9)
    judged = Closing(law="kaplan", width=0.02, beyond=6.9, held_out=held, laws={"kaplan": 3.0})
    last = Round(number=1, runs=(), flops=0.0, width=0.02, expected=None, because="Done: narrow.")

    assert show_rounds([last], judged, as_json) == 0

    shown = capsys.readouterr().out
    if as_json:
        (said,) = json.loads(shown)
        assert said["because"] == "Done: narrow."
        assert said["forecast"]["warns"] is True
        assert said["forecast"]["beyond"] == 6.9
        assert said["forecast"]["sentence"] == judged.describe()
    else:
        assert shown.endswith(judged.describe() + "\n")
        assert "Warning: The target takes 6.9 times" in shown

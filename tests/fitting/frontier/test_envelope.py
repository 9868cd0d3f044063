"""Approach 1 finds known optima from curves and from final runs, and says what it cannot know."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from allometry.errors import FitError, InputError
from allometry.fitting.frontier.candidates import Candidates, lower_envelope
from allometry.fitting.frontier.envelope import EnvelopeFit, envelope
from allometry.laws import chinchilla
from allometry.runs.run import Runs

LAW = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
EXPONENT = 0.28 / 0.62  # Hoffmann et al. 2022, equation 4


def curves(*, sizes: int = 25, steps: int = 80, noise: float = 0.0) -> Runs:
    """Loss along training, each point as if its run ended there."""
    params, tokens = (
        axis.ravel()
        for axis in np.meshgrid(np.geomspace(1e7, 1e10, sizes), np.geomspace(1e8, 1e12, steps), indexing="ij")
    )
    rng = np.random.default_rng(0)
    loss = chinchilla.evaluate({"params": params, "tokens": tokens}, LAW)
    loss = loss * np.exp(noise * rng.standard_normal(len(loss)))
    names = [f"n{size:.3g}" for size in params]
    return Runs(pd.DataFrame({"run_id": names, "params": params, "tokens": tokens, "loss": loss}))


def finals(noise: float = 0.001, seed: int = 0, count: int = 400) -> Runs:
    """Runs of their own at random sizes and compute."""
    rng = np.random.default_rng(seed)
    flops = 10 ** rng.uniform(18, 21, count)
    params = np.sqrt(flops / 6) / 3 * np.exp(rng.uniform(-1.5, 1.5, count))
    table = pd.DataFrame({"params": params, "tokens": flops / 6 / params})
    loss = chinchilla.evaluate({"params": params, "tokens": flops / 6 / params}, LAW)
    return Runs(table.assign(loss=loss * np.exp(noise * rng.standard_normal(count))))


def codes(found: EnvelopeFit) -> set[str]:
    return {finding.code for finding in found.findings}


def test_curves_give_the_exponents_of_the_surface() -> None:
    found = envelope(curves(), draws=0)

    assert found.params_law.exponent == pytest.approx(EXPONENT, abs=0.01)  # sizes are a factor 1.33 apart
    assert found.params_law.exponent + found.tokens_law.exponent == pytest.approx(1, abs=1e-9)
    scale = (0.34 * 406.4 / (0.28 * 410.7)) ** (1 / 0.62)
    assert found.params_law.at(1e21).value == pytest.approx(scale * (1e21 / 6) ** EXPONENT, rel=0.05)


def test_the_loss_of_the_envelope_is_the_least_of_the_surface() -> None:
    best = envelope(curves(), draws=0).optimum(1e21)

    inputs = {"params": np.array([best.params.value]), "tokens": np.array([best.tokens.value])}
    assert best.loss.value == pytest.approx(float(chinchilla.evaluate(inputs, LAW)[0]), rel=0.005)


def test_points_of_curves_are_called_undecayed_and_get_no_interval_of_the_loss() -> None:
    found = envelope(curves(), draws=20)

    assert found.findings[0].code == "undecayed_points"
    assert np.isnan(found.optimum(1e21).loss.low)
    assert found.optimum(1e21).params.low < found.optimum(1e21).params.high


def test_final_runs_give_the_exponent_within_its_interval() -> None:
    found = envelope(finals(), draws=200)

    slope = found.exponents()["params"]
    assert slope.low < EXPONENT < slope.high
    assert "undecayed_points" not in codes(found)
    assert set(found.points["run_id"]) <= {f"row {row + 1}" for row in range(400)}


def test_a_best_run_that_is_the_largest_there_is_no_point() -> None:
    small = curves().where("params < 3e8")

    found = envelope(small, draws=0)

    assert found.points["params"].max() < small.column("params").max()
    assert found.points["params"].min() > small.column("params").min()
    assert found.params_law.exponent == pytest.approx(EXPONENT, abs=0.03)
    assert "edge_of_sizes" in codes(found)


def test_a_worse_run_of_more_compute_is_no_point() -> None:
    output = np.array([[3.2, 3.1, 2.9], [3.0, 3.05, 2.8], [3.3, 3.2, 3.0]])  # of three sizes at three places
    flops = np.tile([1e18, 1e19, 1e20], (3, 1))
    rivals = Candidates(
        run_ids=("small", "middle", "large"), params=np.array([1e7, 1e8, 1e9]), flops=flops, tokens=flops,
        output=output,
    )  # fmt: skip

    found = lower_envelope(rivals, np.ones(3, dtype=np.bool_))

    assert found.run.tolist() == [1, 1, 1]
    assert found.kept.tolist() == [True, False, True]


def test_fewer_than_three_sizes_are_refused_with_the_way_out() -> None:
    with pytest.raises(FitError, match="add sizes below and above at the same compute"):
        envelope(curves(sizes=4))


def test_one_lucky_run_that_turns_the_frontier_is_named() -> None:
    table = finals(noise=0.0).table.copy()
    lucky = int((table["params"] * table["tokens"] - 7e20 / 6).abs().to_numpy().argmin())
    table["params"] = table["params"].where(table.index != lucky, table["params"] * 2.5)
    table["tokens"] = table["tokens"].where(table.index != lucky, table["tokens"] / 2.5)
    table["loss"] = table["loss"].where(table.index != lucky, table["loss"] * 0.95)

    finding = next(f for f in envelope(Runs(table), draws=0).findings if f.code == "one_run_decides")

    assert f"'row {lucky + 1}'" in finding.sentence


def test_the_same_seed_gives_the_same_draws() -> None:
    first, second = (envelope(finals(), draws=20, seed=3).params_law.draws for _ in range(2))

    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize("options", [{"points": 1}, {"bins_per_decade": 0.0}, {"draws": -1}])
def test_options_that_mean_nothing_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError):
        envelope(finals(), **options)  # type: ignore[arg-type]


def test_the_summary_names_the_runs_on_the_frontier() -> None:
    text = envelope(finals(), draws=10).summary()

    assert "approach 1: lower envelope of final results" in text
    assert "of 10 resamples of runs" in text
    assert "FLOP: row " in text

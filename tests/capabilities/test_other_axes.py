"""The same tools along any column: fine-tuning data, reinforcement-learning compute."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest

from allometry.capabilities.along import ScoresAlong, scores_along
from allometry.capabilities.transfer import transferred_data
from allometry.capabilities.transfer_law import TransferLaw, effective_data
from allometry.errors import FitError, InputError, TableError
from allometry.fitting import Fit, fit
from allometry.laws import saturating, transfer
from allometry.plots.along import data_transferred, scores_along_axis
from allometry.report.contents import gather
from allometry.report.sections import sections
from allometry.runs.run import Runs

TRUTH = {"k": 1.9e4, "alpha": 0.18, "beta": 0.38}  # Hernandez et al. 2021, table 1


@pytest.fixture(scope="module")
def scratch() -> Fit:
    """Loss by data from scratch: 1 + 100 / D^0.3."""
    tokens = np.geomspace(1e6, 1e10, 6)
    table = pd.DataFrame({"tokens": tokens, "loss": 1 + 100 / tokens**0.3})
    return fit("power_law_with_floor", Runs(table), inputs={"x": "tokens"})


def test_data_transferred_is_what_scratch_would_have_needed_beyond_the_fine_tuning(scratch: Fit) -> None:
    used, worth = np.array([1e6, 1e7]), np.array([5e8, 8e8])
    tuned = Runs(pd.DataFrame({"finetune_tokens": used, "loss": 1 + 100 / (used + worth) ** 0.3}))

    found = transferred_data(scratch, tuned).column("transferred_tokens")

    np.testing.assert_allclose(found, worth, rtol=1e-4)


def test_a_loss_below_the_floor_from_scratch_has_no_worth(scratch: Fit) -> None:
    found = transferred_data(scratch, Runs(pd.DataFrame({"finetune_tokens": [1e6], "loss": [0.9]})))

    assert np.isnan(found.column("transferred_tokens")).all()


def test_a_law_of_two_inputs_is_no_law_of_data() -> None:
    sizes, tokens = np.repeat([1e7, 1e8, 1e9], 3), np.tile([1e9, 1e10, 1e11], 3)
    loss = 2 + 100 / sizes**0.3 + 100 / tokens**0.3
    both = fit("chinchilla", Runs(pd.DataFrame({"params": sizes, "tokens": tokens, "loss": loss})))

    with pytest.raises(InputError, match="a law of data alone"):
        transferred_data(both, Runs(pd.DataFrame({"finetune_tokens": [1e6], "loss": [2.5]})))


def test_the_law_of_transfer_is_found_in_characters_of_fine_tuning() -> None:
    sizes, used = np.repeat([1e7, 1e8, 1e9], 3), np.tile([1e5, 1e6, 1e7], 3)
    worth = transfer.evaluate({"params": sizes, "finetune_tokens": used}, TRUTH)
    runs = Runs(pd.DataFrame({"params": sizes, "characters": used, "transferred_tokens": worth}))

    found = fit("transfer", runs, inputs={"finetune_tokens": "characters"})

    assert found.coefficients == pytest.approx(TRUTH, rel=1e-4)


def test_a_score_along_reinforcement_compute_ends_where_it_was_made_to() -> None:
    truth = {"a": 0.4, "k": 1.0, "x_0": 1e21, "b": 0.2}
    flops = np.geomspace(1e19, 1e23, 9)
    runs = Runs(pd.DataFrame({"rl_flops": flops, "score": saturating.evaluate({"x": flops}, truth)}))

    found = fit("saturating", runs, inputs={"x": "rl_flops"}, objective="least_squares")

    assert found.coefficients == pytest.approx(truth, rel=1e-3)


EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "16_other_axes.py"))


def rows_of(chart: alt.LayerChart, *fields: str) -> list[dict[str, Any]]:
    spec = chart.to_dict()
    return [row for rows in spec["datasets"].values() for row in rows if set(fields) <= row.keys()]


@pytest.fixture(scope="module")
def rising() -> ScoresAlong:
    """Two recipes, of which the one that ends higher begins lower, and one of three points."""
    runs = EXAMPLE["reinforced"]().table
    short = pd.DataFrame({"recipe": "new", "rl_flops": [1e20, 1e21, 1e22], "passed": [0.2, 0.3, 0.4]})
    table = pd.concat([runs, short], ignore_index=True)
    return scores_along(Runs(table), "passed", "rl_flops", by="recipe", at=3e23, draws=40)


def test_scores_far_below_guessing_and_a_chance_in_percent_are_refused() -> None:
    runs = Runs(pd.DataFrame({"x": np.geomspace(1, 1e4, 6), "s": [0.1, 0.24, 0.3, 0.4, 0.5, 0.6]}))

    with pytest.raises(TableError, match=r"'s' is 0.1 in row 1; guessing scores 0.25"):
        scores_along(runs, "s", "x", chance=0.25)
    with pytest.raises(InputError, match="Divide percentages by 100"):
        scores_along(runs, "s", "x", chance=25)


@pytest.fixture(scope="module")
def worth() -> TransferLaw:
    return effective_data(EXAMPLE["finetuned"](), EXAMPLE["scratch"](), draws=30)


def test_each_recipe_ends_where_it_was_made_to_and_too_short_ones_are_declined(rising: ScoresAlong) -> None:
    table = rising.table.set_index("recipe")

    for name, end in EXAMPLE["ENDS"].items():
        assert table.loc[name, "end_low"] < end < table.loc[name, "end_high"]
        assert table.loc[name, "middle"] == pytest.approx(EXAMPLE["HALF"][name], rel=0.2)
    assert list(rising.declined) == ["new"]
    assert not rising.findings


def test_from_points_below_the_middle_no_recipe_is_ranked() -> None:
    early = EXAMPLE["reinforced"]().where("rl_flops < 1e21")

    found = scores_along(early, "passed", "rl_flops", by="recipe", draws=30)

    codes = [one.code for one in found.findings]
    assert found.table["end_high"].max() <= 1.0  # a share
    assert codes[:2] == ["end_open_short answers", "end_open_long answers"]
    assert codes[2].startswith("ends_not_apart")


def test_checkpoints_of_one_training_are_said_to_share_its_luck() -> None:
    runs = EXAMPLE["reinforced"]().where("recipe = 'short answers'")
    one = Runs(runs.table.assign(run_id="only"))

    made = scores_along(one, "passed", "rl_flops", chance=0.2, draws=10)

    assert "few_trainings_passed" in [finding.code for finding in made.findings]


@pytest.mark.parametrize(
    ("scores", "error", "words"),
    [
        ([0.2, 0.3, 71.0, 0.4, 0.5], TableError, "Divide percentages by 100"),
        ([0.6, 0.5, 0.4, 0.3, 0.2], FitError, "give 1 less it"),
    ],
)
def test_scores_that_are_no_rising_shares_are_refused(
    scores: list[float], error: type[Exception], words: str
) -> None:
    runs = Runs(pd.DataFrame({"images": np.geomspace(1e6, 1e9, 5), "top1": scores}))

    with pytest.raises(error, match=words):
        scores_along(runs, "top1", "images")


def test_the_worth_of_pre_training_follows_the_law_it_was_made_by(worth: TransferLaw) -> None:
    truth = EXAMPLE["TRANSFER"]
    found = {"k": worth.k, "alpha": worth.alpha, "beta": worth.beta}

    assert all(found[name].low < value < found[name].high for name, value in truth.items())
    made = truth["k"] * worth.table["finetuned"] ** truth["alpha"] * worth.table["params"] ** truth["beta"]
    np.testing.assert_allclose(worth.table["transferred"], made, rtol=0.25)  # noise of .3% in both losses
    assert ((worth.table["low"] < worth.table["transferred"]) & (worth.table["low"] > 0)).all()


def test_one_size_leaves_beta_at_zero_and_a_loss_below_the_floor_is_left_out() -> None:
    tuned, scratch = (EXAMPLE[name]().where("params = 1e9") for name in ("finetuned", "scratch"))
    more = tuned.table.assign(finetune_tokens=tuned.table["finetune_tokens"] * 1.5)
    below = tuned.table.head(1).assign(loss=0.5)
    runs = Runs(pd.concat([tuned.table, more, below], ignore_index=True))

    made = effective_data(runs, scratch, draws=10)

    assert made.beta.value == made.beta.high == 0
    assert [one.code for one in made.findings] == ["no_worth", "one_size"]
    assert np.isnan(made.table["transferred"].iloc[-1])


def exact_scratch() -> Runs:
    size, data = np.repeat([1e7, 1e9], 6), np.tile(np.geomspace(1e6, 1e10, 6), 2)
    return Runs(pd.DataFrame({"params": size, "tokens": data, "loss": 1 + 100 / data**0.3}))


def test_scatter_about_the_law_of_transfer_widens_its_exponents_as_in_a_regression() -> None:
    size, used = np.repeat([1e7, 1e9], 6), np.tile(np.geomspace(1e4, 1e6, 6), 2)
    scatter = 0.3 * np.random.default_rng(0).standard_normal(12)
    worth = 1e3 * used**0.2 * size**0.3 * np.exp(scatter)
    tuned = pd.DataFrame({"params": size, "finetune_tokens": used, "loss": 1 + 100 / (used + worth) ** 0.3})

    alpha = effective_data(Runs(tuned), exact_scratch(), draws=200).alpha

    x = np.log(used) - np.log(used).mean()
    by_formula = 2 * 1.645 * 0.3 / np.sqrt((x**2).sum())
    assert alpha.high - alpha.low == pytest.approx(by_formula, rel=0.5)


def test_a_loss_near_the_floor_is_said_to_have_a_worth_in_some_draws_only() -> None:
    near = pd.DataFrame({"params": [4e7], "finetune_tokens": [3e7], "loss": [0.96]})
    tuned = pd.concat([EXAMPLE["finetuned"]().table, near], ignore_index=True)
    noise = np.exp(0.02 * np.random.default_rng(0).standard_normal(18))
    table = EXAMPLE["scratch"]().table
    made = effective_data(Runs(tuned), Runs(table.assign(loss=table["loss"] * noise)), draws=30)

    assert "worth_in_some_draws" in {one.code for one in made.findings}


def test_sizes_without_runs_from_scratch_are_refused() -> None:
    with pytest.raises(FitError, match="No size of the fine-tuned runs has a curve"):
        effective_data(EXAMPLE["finetuned"](), EXAMPLE["scratch"]().where("params > 1e12"))


def test_the_charts_show_the_fits_own_numbers(rising: ScoresAlong, worth: TransferLaw) -> None:
    new = [row for row in rows_of(scores_along_axis(rising), "series", "low") if row["x"] == 3e23]
    assert {row["value"] for row in new} >= set(rising.table["forecast"])

    dots = rows_of(data_transferred(worth), "multiplier")
    assert sorted({row["value"] for row in dots}) == sorted(worth.table["transferred"])


def test_the_report_has_a_part_for_either(rising: ScoresAlong, worth: TransferLaw) -> None:
    first, second = sections(gather([rising, worth]))

    assert first.title == "Passed along rl flops"
    assert first.notes[0].startswith("new: ")
    assert [row[0] for row in second.tables[0].rows] == ["k", "alpha", "beta"]
    assert len(second.tables[1].rows) == 9


@pytest.mark.slow  # sixty studies
def test_intervals_of_ends_and_exponents_hold_the_truth_as_often_as_they_say() -> None:
    held = [_held(seed) for seed in range(60)]

    assert all(0.8 <= share <= 1.0 for share in np.mean(held, axis=0))  # 90% less three standard errors


def _held(seed: int) -> list[bool]:
    """Whether alpha, beta and the higher end lie in their 90% intervals, with noise of this seed."""
    rng, table = np.random.default_rng(100 + seed), EXAMPLE["reinforced"]().table
    size, used = np.repeat([4e7, 2e8, 1e9], 3), np.tile([3e5, 3e6, 3e7], 3)
    data = EXAMPLE["scratch"]().table["tokens"].to_numpy()
    whole = used + transfer.evaluate({"params": size, "finetune_tokens": used}, TRUTH)
    losses = [
        EXAMPLE["_loss"](some) * np.exp(0.003 * rng.standard_normal(len(some))) for some in (whole, data)
    ]
    tuned = Runs(pd.DataFrame({"params": size, "finetune_tokens": used, "loss": losses[0]}))
    scratch = Runs(pd.DataFrame({"params": np.repeat([4e7, 2e8, 1e9], 6), "tokens": data, "loss": losses[1]}))
    law = effective_data(tuned, scratch, draws=60, seed=seed)
    flops = table["rl_flops"].head(12).to_numpy()
    passed = 0.2 + 0.52 / (1 + 1.5e21 / flops) + 0.008 * rng.standard_normal(12)
    runs = Runs(pd.DataFrame({"rl_flops": flops, "passed": passed}))
    row = scores_along(runs, "passed", "rl_flops", draws=60, seed=seed).table.iloc[0]
    return [
        law.alpha.low < TRUTH["alpha"] < law.alpha.high,
        law.beta.low < TRUTH["beta"] < law.beta.high,
        row["end_low"] < 0.72 < row["end_high"],
    ]

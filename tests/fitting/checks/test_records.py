"""Checks of what the runs record of themselves."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from allometry.fitting import Finding, Fit, Severity, fit
from allometry.fitting.checks import CHECKS
from allometry.runs.run import Filter, Runs

Ladder = Callable[..., Runs]
Find = Callable[[str, Fit], Finding]
Record = Callable[..., Fit]


@pytest.mark.parametrize(("column", "unit"), [("params", 1e6), ("tokens", 1e9), ("tokens", 1e-9)])
def test_counts_in_another_unit_are_noticed(ladder: Ladder, finding: Find, column: str, unit: float) -> None:
    runs = ladder(0.002)
    other = fit("chinchilla", Runs(runs.table.assign(**{column: runs.column(column) / unit})))

    found = finding("odd_units", other)

    assert f'columns={{"theirs": "{column} * 1e6"}}' in found.remedy
    assert set(found.evidence) == {column}


def test_rows_counted_in_two_ways_are_serious(sound: Fit, finding: Find) -> None:
    mixed = finding("mixed_conventions", replace(sound, conventions={"params_convention": "mixed"}))

    assert mixed.severity is Severity.SERIOUS
    assert "params_convention" in mixed.sentence


def test_losses_of_two_tokenizers_are_serious_and_bits_per_byte_are_not(
    with_facts: Record, finding: Find
) -> None:
    found = with_facts(tokenizer=["gpt2", "llama"] * 20, vocab=[50257.0, 32000.0] * 20, metric="loss")

    mixed = finding("mixed_measures", found)

    assert mixed.severity is Severity.SERIOUS
    assert "2 values of tokenizer, 2 values of vocab" in mixed.sentence
    assert CHECKS["mixed_measures"].find(replace(found, output="bits_per_byte")) is None


def test_two_held_out_sets_are_serious_in_any_unit(with_facts: Record, finding: Find) -> None:
    found = replace(with_facts(dataset=["c4", "pile"] * 20), output="bits_per_byte")

    assert finding("mixed_measures", found).evidence == {"dataset": 2}


def test_runs_left_out_by_two_filters_of_one_name_are_all_counted(sound: Fit, finding: Find) -> None:
    out = Filter(query="loss < 4", because="", kept=0, dropped=3)

    left = finding("runs_left_out", replace(sound, filters=(out, out)))

    assert left.sentence.startswith("6 of 46 runs were left out: 3 by the filter loss < 4, 3 by")


def test_many_points_of_one_training_are_mid_schedule_unless_each_was_decayed(
    with_facts: Record, finding: Find
) -> None:
    ids = tuple(f"run {row // 8}" for row in range(40))

    points = finding("mid_schedule", with_facts(run_ids=ids))

    assert "'run 0' gives 8 points of one training" in points.sentence
    assert CHECKS["mid_schedule"].find(with_facts(run_ids=ids, decayed=True)) is None


@pytest.mark.parametrize(("long", "words"), [(1, "1 run spent"), (2, "2 runs spent")])
def test_warmups_of_more_than_a_fifth_of_the_steps_are_counted(
    long: int, words: str, with_facts: Record, finding: Find
) -> None:
    steps = [1000.0] * long + [100_000.0] * (38 - long) + [0.0, np.nan]

    found = finding("long_warmup", with_facts(warmup_steps=300.0, steps=steps))

    assert words in found.sentence
    assert found.evidence["largest share"] == pytest.approx(0.3)


def test_an_accuracy_fitted_without_ends_is_reported_and_a_learning_rate_is_none(
    ladder: Ladder, changed: Ladder, finding: Find
) -> None:
    size = ladder().column("params")
    runs = changed(ladder(), accuracy=0.9 * (size / 3e7) ** 0.1, learning_rate=(size / 3e7) ** -0.5 * 1e-3)
    score, rate = (
        fit("power_law", runs, inputs={"x": "params"}, output=output)
        for output in ("accuracy", "learning_rate")
    )

    found = finding("bounded_output", score)

    assert found.evidence["highest"] == pytest.approx(0.9)
    assert CHECKS["bounded_output"].find(replace(score, on="logit")) is None
    assert CHECKS["bounded_output"].find(rate) is None


def test_stated_compute_above_six_n_d_is_noted_with_both_ends(
    ladder: Ladder, changed: Ladder, finding: Find
) -> None:
    runs = ladder(0.002)
    six = 6 * runs.column("params") * runs.column("tokens")
    more = np.geomspace(1.5, 1.1, 20)

    varied, constant = (
        finding(
            "flops_differ",
            fit("power_law_with_floor", changed(runs, flops=factor * six), inputs={"x": "flops"}),
        )
        for factor in (more, 1.2)
    )

    assert "1.1 to 1.5 times 6 · params · tokens" in varied.sentence
    assert "is 1.2 times 6" in constant.sentence


def test_a_table_without_a_known_count_finds_no_difference(with_facts: Record) -> None:
    unknown = with_facts(
        flops=np.nan, params_total=np.nan, params_embedding=np.nan, steps=np.nan, warmup_steps=1.0
    )

    flops = replace(unknown, inputs={"N": "flops", "D": "tokens"})
    assert [CHECKS[code].find(flops) for code in ("flops_differ", "mostly_embedding", "long_warmup")] == [
        None
    ] * 3


def test_models_that_are_mostly_embedding_are_noted(with_facts: Record, finding: Find) -> None:
    counts = pd.DataFrame({"params_total": [1e6, 1e8] * 20, "params_embedding": [5e5, 1e6] * 20})

    found = finding("mostly_embedding", with_facts(**counts, params_head=[1e5, 1e6] * 20))

    assert found.evidence == pytest.approx({"largest share": 0.6, "least share": 0.02})

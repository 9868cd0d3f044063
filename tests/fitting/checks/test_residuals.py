"""Checks of what the law leaves over: is it noise?"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from allometry.fitting import Finding, Fit, fit
from allometry.fitting.checks import CHECKS
from allometry.runs.run import Runs

Ladder = Callable[..., Runs]
Find = Callable[[str, Fit], Finding]
Measure = Callable[..., Fit]


def test_residuals_that_rise_with_size_are_a_pattern(
    sound: Fit, with_residuals: Measure, finding: Find
) -> None:
    found = finding("residual_pattern", with_residuals(0.01 * np.log(sound.data.inputs["params"] / 1e7)))

    assert found.evidence["params"] == pytest.approx(1)
    assert "follows params (rank correlation 1.00)" in found.sentence


def test_sizes_that_gain_differently_from_data_are_a_pattern(
    sound: Fit, with_residuals: Measure, finding: Find
) -> None:
    params, tokens = np.log(sound.data.inputs["params"] / 7e6), np.log(sound.data.inputs["tokens"] / 1e8)

    found = finding("residual_pattern", with_residuals(-0.02 * params * tokens))

    assert "params and tokens together" in found.sentence


def test_noise_that_falls_with_size_is_noted_until_signs_are_turned(
    sound_drawn: Fit, with_residuals: Measure, finding: Find
) -> None:
    params = sound_drawn.data.inputs["params"]
    signs = np.resize([1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0], 40)
    found = with_residuals(signs * 0.01 * (params / 1e7) ** -0.5)

    assert (
        "smaller where params is larger (rank correlation -1.00)" in finding("unequal_noise", found).sentence
    )
    assert sound_drawn.drawn is not None
    turned = replace(found, drawn=replace(sound_drawn.drawn, resampling="wild"))
    assert CHECKS["unequal_noise"].find(turned) is None


def test_one_run_far_from_the_law_is_named(sound: Fit, with_residuals: Measure, finding: Find) -> None:
    residuals = sound.residuals().copy()
    residuals[7] = 0.05  # 25 times the noise

    found = finding("outlying_runs", with_residuals(residuals))

    assert list(found.evidence) == ["row 8"]
    assert found.sentence.startswith("1 run lies more than 7 times")


def test_runs_that_the_law_passes_through_make_no_outlier_of_the_others(sound: Fit) -> None:
    """Absolute residuals pass through five runs: the median of all is that of noise only without them."""
    through = np.array([0.0] * 5 + [1, -1, 1, -2, 7, -7, 7, -7.5]) * 1e-3
    inputs = {name: values[:13] for name, values in sound.data.inputs.items()}
    data = replace(
        sound.data, inputs=inputs, output=np.ones(13), weights=np.ones(13), run_ids=tuple("abcdefghijklm")
    )
    few = replace(sound, data=data)

    close = replace(few, data=replace(data, output=np.exp(few.fitted() + through)))

    assert np.abs(through).max() > 7 * np.median(np.abs(through))
    assert CHECKS["outlying_runs"].find(close) is None


def test_misfit_beyond_what_repeats_differ_by_is_the_classical_f_test(
    ladder: Ladder, changed: Ladder, finding: Find
) -> None:
    x, bend = np.geomspace(1e15, 1e20, 20), 2 + 50 * np.geomspace(1e15, 1e20, 20) ** -0.12
    rng = np.random.default_rng(0)
    tables = [
        pd.DataFrame({"x": x, "loss": bend * np.exp(0.002 * rng.standard_normal(20))}) for _ in range(2)
    ]
    runs = Runs(pd.concat(tables, ignore_index=True))

    found = finding("lack_of_fit", fit("power_law", runs))

    logs = np.log(runs.column("loss")).reshape(2, 20)
    line = stats.linregress(np.log(runs.column("x")), logs.ravel())
    around = np.sum((logs.ravel() - line.intercept - line.slope * np.log(runs.column("x"))) ** 2)
    pure = np.sum((logs - logs.mean(axis=0)) ** 2)
    chance = stats.f.sf((around - pure) / 18 / (pure / 20), 18, 20)
    assert np.log(float(found.evidence["p"])) == pytest.approx(np.log(chance))
    assert found.evidence["between repeats"] == pytest.approx(np.sqrt(pure / 20))
    assert "p < 1e-6" in found.sentence


def test_weights_that_are_variances_are_upside_down(
    sound: Fit, with_residuals: Measure, finding: Find
) -> None:
    deviation = np.geomspace(1e-3, 1e-2, 40)
    residuals = deviation * np.resize([1.0, -1.0], 40)

    wrong = with_residuals(residuals, weights=deviation**2)

    assert "(rank correlation 1.00)" in finding("weights_upside_down", wrong).sentence
    assert CHECKS["weights_upside_down"].find(with_residuals(residuals, weights=deviation**-2)) is None

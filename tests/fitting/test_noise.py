"""The noise of a single run: which of two estimates is taken, and in which words."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from allometry.fitting import Fit, bootstrap, fit
from allometry.fitting.noise import noise_of, repeat_noise, residual_noise
from allometry.fitting.prediction import noise_points
from allometry.runs.run import Runs

MakeRuns = Callable[..., Runs]

NOISE = 0.01
FLOPS = np.repeat([1e15, 1e16, 1e17, 1e18, 1e19], [1, 1, 2, 3, 4])


def power_law(between_seeds: float, between_settings: float = 0.0) -> Fit:
    rng = np.random.default_rng(4)
    bent = between_settings * np.repeat(rng.standard_normal(5), [1, 1, 2, 3, 4])
    loss = 300 * FLOPS**-0.12 * np.exp(bent + between_seeds * rng.standard_normal(11))
    return fit(
        "power_law", Runs(pd.DataFrame({"x": FLOPS, "loss": loss})), objective="least_squares", starts=2
    )


def test_repeats_have_the_pooled_deviation_of_the_textbook() -> None:
    found = power_law(NOISE)

    logs = np.log(found.data.output)
    groups = [logs[2:4], logs[4:7], logs[7:]]
    pooled = np.sqrt(sum((len(g) - 1) * np.var(g, ddof=1) for g in groups) / 6)  # 1 + 2 + 3 degrees
    again = repeat_noise(found.data, "log")
    assert again is not None
    assert again.scale == pytest.approx(pooled)
    assert again.freedom == 6
    assert again.found == "9 runs of 3 repeated settings"


def test_on_the_raw_scale_repeats_differ_by_the_raw_loss() -> None:
    found = power_law(NOISE)
    pair = replace(
        found.data,
        inputs={"x": FLOPS[2:4]},
        output=found.data.output[2:4],
        weights=np.ones(2),
        run_ids=("a", "b"),
    )

    again = repeat_noise(pair, "raw")

    assert again is not None
    assert again.scale == pytest.approx(np.abs(np.diff(pair.output))[0] / np.sqrt(2))
    assert again.found == "2 runs of 1 repeated setting"


def test_repeats_of_unequal_weight_are_the_standard_error_of_weighted_regression() -> None:
    weights = np.resize([1.0, 2.0, 5.0], 11)
    found = power_law(NOISE)
    again = repeat_noise(replace(found.data, weights=weights), "log")

    design = (FLOPS[:, None] == np.unique(FLOPS)) * np.sqrt(weights)[:, None]
    left = np.log(found.data.output) * np.sqrt(weights)
    left = left - design @ np.linalg.lstsq(design, left, rcond=None)[0]
    assert again is not None
    assert again.scale == pytest.approx(np.sqrt(left @ left / 6 / weights.mean()))


def test_residuals_are_scaled_up_by_what_the_law_has_bent_towards_them() -> None:
    found = power_law(NOISE)

    line = stats.linregress(np.log(FLOPS), np.log(found.data.output))
    left = np.log(found.data.output) - line.intercept - line.slope * np.log(FLOPS)
    around = residual_noise(found)
    assert around.scale == pytest.approx(np.sqrt(left @ left / 9))
    assert around.freedom == 9


def test_without_repeats_the_residuals_are_all_there_is(ladder: MakeRuns) -> None:
    found = fit("chinchilla", ladder(NOISE), starts=4)

    assert repeat_noise(found.data, "log") is None
    assert noise_of(found) == residual_noise(found)
    assert noise_of(found).found == "residuals of the law, as no setting was repeated"


def test_a_misfit_beyond_the_repeats_is_carried_along() -> None:
    found = power_law(between_seeds=0.001, between_settings=0.05)
    again, around = repeat_noise(found.data, "log"), residual_noise(found)

    taken = noise_of(found)

    assert again is not None
    assert (taken.scale, taken.freedom) == (around.scale, around.freedom)
    assert taken.found == f"residuals of the law; {again.found} alone differ by {again.scale:.2g}"


def test_repeats_are_taken_where_the_law_lies_closer_to_the_runs_than_they_to_each_other() -> None:
    """Two seeds a setting, each pair the same distance apart and the law in the middle."""
    flops = np.repeat(np.geomspace(1e15, 1e19, 5), 2)
    runs = Runs(
        pd.DataFrame({"x": flops, "loss": 300 * flops**-0.12 * np.exp(np.resize([NOISE, -NOISE], 10))})
    )
    found = fit("power_law", runs, objective="least_squares", starts=2)

    taken = noise_of(found)

    # Sum of squares 10 NOISE² over 5 degrees between seeds, over 8 around the law.
    assert taken.scale == pytest.approx(NOISE * np.sqrt(2))
    assert residual_noise(found).scale == pytest.approx(NOISE * np.sqrt(10 / 8))
    forecast = bootstrap(found, draws=20).predict(x=1e20)
    assert forecast.noise_from == "10 runs of 5 repeated settings"


def test_a_new_run_scatters_as_students_t(ladder: MakeRuns) -> None:
    found = fit("chinchilla", ladder(NOISE), starts=4)
    noise = residual_noise(found)

    points = noise_points(found)

    assert len(points) == 200
    assert points[190] == pytest.approx(noise.scale * stats.t.ppf(190.5 / 200, 20 - 5))
    assert points.mean() == pytest.approx(0, abs=1e-12)


def test_around_a_lower_envelope_the_residuals_are_the_noise(ladder: MakeRuns) -> None:
    found = fit("chinchilla", ladder(NOISE), objective="lower_envelope", starts=4)

    points = noise_points(found)

    assert points.min() >= found.residuals().min()
    assert np.median(points) == pytest.approx(np.median(found.residuals()), rel=0.05)

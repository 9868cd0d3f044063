"""The catalog of checks: what a check finds is in tests/fitting/checks; here, that it finds nothing else."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from allometry.fitting import Fit, FitStatus, Severity, bootstrap, check, check_forecast, fit
from allometry.fitting.checks import CHECKS, quick_findings
from allometry.laws import chinchilla
from allometry.runs.run import Runs

MakeRuns = Callable[..., Runs]

HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
CRIES_WOLF = 0.05  # share of sound studies in which a check may fire; each was below 2% in 200
STUDIES = 60
OF_DRAWS = {"unconverged_draws", "tied_coefficients"}


@pytest.fixture(scope="module")
def sound(ladder: MakeRuns) -> Fit:
    tables = [ladder(0.002, seed=seed).table for seed in (1, 2)]
    return bootstrap(fit("chinchilla", Runs(pd.concat(tables, ignore_index=True))), draws=100)


@pytest.mark.parametrize("code", CHECKS)
def test_a_sound_ladder_with_repeats_has_no_finding(code: str, sound: Fit) -> None:
    found = sound if code in OF_DRAWS else replace(sound, draws=None, drawn=None)

    assert CHECKS[code].find(found) is None


@pytest.mark.parametrize("one", CHECKS.values(), ids=lambda one: str(one.code))
def test_a_check_says_what_it_looks_for_and_who_showed_that_it_matters(one: object) -> None:
    from allometry.fitting.checks.definition import Check

    assert isinstance(one, Check)
    assert one.looks_for.endswith(".")
    assert re.search(r"arXiv:\d{4}\.\d{5}|(19|20)\d\d|^own ", one.source)


def test_findings_come_worst_first(sound: Fit) -> None:
    bad = replace(
        sound, status=FitStatus.NOT_CONVERGED, held={"E": 1.8}, conventions={"params_convention": "mixed"}
    )

    order = [Severity.SERIOUS, Severity.WARNING, Severity.NOTE]
    places = [order.index(finding.severity) for finding in check(bad)]
    assert places == sorted(places)
    assert len(set(places)) > 1


def test_a_fit_carries_what_the_quick_checks_find(ladder: MakeRuns) -> None:
    found = fit("chinchilla", ladder(noise=0.002, sizes=4, horizons=3))

    assert list(found.findings) == quick_findings(found)
    assert {finding.code for finding in found.findings} <= {one.code for one in CHECKS.values() if one.quick}
    assert "few_runs" in {finding.code for finding in found.findings}


def test_a_far_forecast_is_reported_and_a_near_one_is_not(sound: Fit) -> None:
    assert check_forecast(sound.predict(params=6e7, tokens=3e9)) == []
    far = check_forecast(sound.predict(params=3e9, tokens=1.8e10))

    assert [finding.code for finding in far] == ["far_forecast"]
    # 3e9 x 1.8e10 over 3e7 x 1.8e9
    assert far[0].sentence.startswith("This forecast is at 1e+03 times the largest flops")


def test_a_forecast_without_draws_has_no_interval_and_says_why(sound: Fit) -> None:
    found = check_forecast(replace(sound, draws=None).predict(params=3e7, tokens=1e9))

    assert [finding.code for finding in found] == ["no_interval"]
    assert "bootstrap(fit)" in found[0].sentence


def sound_study(seed: int) -> Runs:
    """25 settings of two seeds each, noise of half a percent."""
    params, ratio = (a.ravel() for a in np.meshgrid(np.geomspace(5e7, 1e9, 5), np.geomspace(5, 100, 5)))
    params, tokens = np.tile(params, 2), np.tile(params * ratio, 2)
    noise = 0.005 * np.random.default_rng(seed).standard_normal(50)
    loss = chinchilla.evaluate({"params": params, "tokens": tokens}, HOFFMANN) * np.exp(noise)
    return Runs(pd.DataFrame({"params": params, "tokens": tokens, "loss": loss}))


@pytest.mark.slow
def test_no_check_cries_wolf_over_sound_studies() -> None:
    fired = Counter(
        code
        for seed in range(STUDIES)
        for found in [fit("chinchilla", sound_study(seed))]
        for code, one in CHECKS.items()
        if one.find(found) is not None
    )

    assert {code: count for code, count in fired.items() if count > CRIES_WOLF * STUDIES} == {}

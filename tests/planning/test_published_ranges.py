"""Ranges of a published law: those that its source states, and those that its runs would give."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from allometry import read_runs
from allometry.errors import InputError
from allometry.fitting import Fit, bootstrap, fit
from allometry.planning.allocation import allocate
from allometry.planning.published import PublishedFit, published_fit
from allometry.planning.published_ranges import StatedIntervals

LAW = published_fit("besiroglu_2024")
RUNS = Path(__file__).parents[3] / "shared" / "data" / "hoffmann_chinchilla_epoch.csv"


def stated() -> StatedIntervals:
    assert LAW.ranges is not None
    return LAW.ranges


@pytest.mark.parametrize("name", ["E", "A", "B", "alpha", "beta"])
def test_draws_have_the_width_that_the_source_states(name: str) -> None:
    drawn, scale = LAW.sets()[name][1:], np.log if name in "AB" else np.asarray

    low, high = np.quantile(scale(drawn), (0.025, 0.975))
    below, above = scale(np.array(stated().ends[name]))
    assert high - low == pytest.approx(above - below, rel=0.1)  # 500 draws know a width to about 5%


def test_tokens_per_parameter_keep_their_published_interval() -> None:
    params, tokens = LAW.surface().best(stated().flops)

    low, high = np.quantile((tokens / params)[1:], (0.025, 0.975))
    assert math.log(high / low) == pytest.approx(math.log(35.9 / 7.6), rel=0.1)
    assert stated().ratio == (7.6, 35.9)


def test_the_middle_of_the_draws_is_the_fitted_law() -> None:
    for name, values in LAW.sets().items():
        drawn = np.log(values) if name in "AB" else values
        assert drawn[1:].mean() == pytest.approx(drawn[0], rel=1e-12)


def test_the_correlation_gives_the_published_width_to_first_order() -> None:
    """By finite differences of the closed form, Hoffmann et al. 2022, equation 4."""
    c, close, wide = dict(LAW.coefficients), stated().together(LAW.coefficients), 2 * 1.959964

    def size(**moved: float) -> float:
        return math.log(replace(LAW, coefficients={**c, **moved}, ranges=None).optimum(5.88e23).params)

    def moved(name: str) -> float:
        low, high = stated().ends[name]
        if name in "AB":
            step = math.log(high / low) / wide
            return (size(**{name: c[name] * 1.0001}) - size()) / math.log(1.0001) * step
        return (size(**{name: c[name] + 1e-6}) - size()) / 1e-6 * (high - low) / wide

    pairs = [(moved("A"), moved("alpha")), (moved("B"), moved("beta"))]
    variance = sum(a * a + b * b + 2 * close * a * b for a, b in pairs)
    assert 2 * math.sqrt(variance) == pytest.approx(math.log(35.9 / 7.6) / wide, rel=1e-3)


def test_intervals_that_no_correlation_explains_are_refused() -> None:
    with pytest.raises(InputError, match="No correlation fits the intervals of"):
        replace(stated(), ratio=(19.9, 20.1)).together(LAW.coefficients)


@pytest.mark.parametrize(
    "law", ["hoffmann_2022", "muennighoff_2023", "gadre_2024_c4", "gadre_2024_refinedweb", "kaplan_2020"]
)
def test_a_law_whose_source_gives_no_intervals_gets_none(law: str) -> None:
    plan = allocate(law, flops=1e21)

    assert math.isnan(plan.params.low)
    assert plan.no_interval_because.startswith(f"the source of {law} gives none")
    assert "In place of a range" in plan.notes[-1]


@pytest.fixture(scope="module")
def refit() -> Fit:
    if not RUNS.exists():
        pytest.skip(f"the public tables are not at {RUNS.parent}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALLOMETRY_DATA", str(RUNS.parent))
        runs = read_runs("published:hoffmann2022")
    kept = runs.where("NOT excluded_in_published_fit", because="dropped by the replication")
    return bootstrap(fit("chinchilla", kept, objective="lad"), draws=200)


@pytest.mark.slow
@pytest.mark.public_data
@pytest.mark.parametrize("flops", [1e22, 1e24])
def test_ranges_of_size_are_those_of_a_refit_and_that_of_the_loss_is_wider(refit: Fit, flops: float) -> None:
    own, published = allocate(refit, flops=flops), allocate(LAW, flops=flops)

    widths = [math.log(one.params.high / one.params.low) for one in (own, published)]
    assert widths[1] == pytest.approx(widths[0], rel=0.25)  # 200 draws, and skewed ones
    assert published.loss.high - published.loss.low > own.loss.high - own.loss.low


def test_a_fit_keeps_its_draws_from_call_to_call() -> None:
    one, other = PublishedFit.sets(LAW), PublishedFit.sets(LAW)

    assert all((one[name] == other[name]).all() for name in one)

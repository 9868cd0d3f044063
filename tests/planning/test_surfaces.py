"""A fit as five numbers and their draws: the same losses and optima as the fit itself gives."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from allometry.errors import FitError
from allometry.fitting.result import Fit
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.laws import LAWS
from allometry.planning.surfaces import Surface
from allometry.runs.run import Runs

SIZES = {"params": np.array([3e8, 7e9]), "tokens": np.array([2e10, 1e12])}


@cache
def fitted(law: str) -> Fit:
    params, tokens = map(np.ravel, np.meshgrid(np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e12, 5)))
    columns = {"params": params, "tokens": tokens}
    noise = np.exp(0.003 * np.random.default_rng(0).standard_normal(len(params)))
    loss = LAWS[law].evaluate(columns, LAWS[law].typical) * noise
    found = fit(law, Runs(pd.DataFrame({**columns, "loss": loss})))
    return bootstrap(found, draws=40)


@pytest.mark.parametrize("law", ["chinchilla", "chinchilla_tied"])
def test_a_surface_gives_the_losses_of_its_law_for_the_fit_and_every_draw(law: str) -> None:
    one, surface = fitted(law), Surface.of(fitted(law))
    assert one.draws is not None
    sets = pd.concat([pd.DataFrame([one.coefficients]), one.draws])

    for params, tokens in zip(*SIZES.values(), strict=True):
        expected = one.law.evaluate(
            {"params": params, "tokens": tokens}, {name: sets[name].to_numpy() for name in one.law.names}
        )
        np.testing.assert_allclose(surface.loss(params, tokens), expected, rtol=1e-12)


@pytest.mark.parametrize("law", ["chinchilla", "chinchilla_tied"])
def test_its_compute_optimal_point_and_range_are_those_of_the_fit(law: str) -> None:
    one, surface = fitted(law), Surface.of(fitted(law))

    size = surface.estimate(surface.best(1e22)[0], "1", 0.9)

    expected = one.optimum(1e22, level=0.9).params
    assert (size.value, size.low, size.high) == pytest.approx(
        (expected.value, expected.low, expected.high), rel=1e-6
    )


def test_the_cheapest_point_at_a_loss_is_the_best_of_its_own_budget() -> None:
    surface = Surface.of(fitted("chinchilla"))
    params, tokens = surface.cheapest(2.2)

    np.testing.assert_allclose(surface.loss(params, tokens), 2.2, rtol=1e-12)
    np.testing.assert_allclose(surface.best(6 * params * tokens)[0], params, rtol=1e-9)


def test_a_size_without_tokens_enough_needs_endless_ones() -> None:
    law = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    surface = Surface.from_coefficients(law)

    assert surface.tokens_for(2.0, 1e7) == [np.inf]
    assert surface.params_for(2.0, 1e7) == [np.inf]
    assert np.isnan(surface.tokens_for(1.6, 1e12)).all()


def test_a_law_of_another_shape_is_refused_with_laws_that_would_do() -> None:
    with pytest.raises(FitError, match="fit 'chinchilla'"):
        Surface.of(fitted("kaplan"))

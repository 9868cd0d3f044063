"""The bands of a whole surface are those of its points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.result import middle
from allometry.planning.surfaces import Surface, loss_bands


def test_every_point_of_a_surface_has_the_loss_and_the_band_of_that_point_alone() -> None:
    rng = np.random.default_rng(0)

    def draws(value: float) -> NDArray[np.float64]:
        return np.asarray(value * np.exp(0.01 * rng.standard_normal(41)))

    surface = Surface(E=draws(1.8), A=draws(480), B=draws(2085), alpha=draws(0.35), beta=draws(0.37))
    sizes, tokens = np.array([1e8, 1e9, 1e10]), np.array([1e10, 1e12])

    found = loss_bands(surface, sizes, tokens, level=0.8)

    for i, size in enumerate(sizes):
        for j, data in enumerate(tokens):
            alone = surface.loss(size, data)
            np.testing.assert_allclose(found.loss[i, j], alone[0], rtol=1e-14)
            np.testing.assert_allclose(
                (found.low[i, j], found.high[i, j]), middle(alone[1:], 0.8), rtol=1e-12
            )


def test_a_surface_without_draws_has_no_bands() -> None:
    law = {"E": 1.8, "A": 480.0, "B": 2085.0, "alpha": 0.35, "beta": 0.37}

    found = loss_bands(Surface.from_coefficients(law), np.array([1e9]), np.array([1e10, 1e11]))

    assert found.loss.shape == (1, 2)
    assert np.isnan(found.low).all()

"""One fit with draws, made once."""

import pytest
from tests.fitting.ladders import ladder

from allometry.fitting import Fit, bootstrap, fit


@pytest.fixture(scope="session")
def drawn() -> Fit:
    return bootstrap(fit("chinchilla", ladder(noise=0.005)), draws=200)

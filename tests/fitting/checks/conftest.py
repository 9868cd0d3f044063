"""Fits to find faults in: a sound one, what is changed in it, and the finding of one check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from allometry.fitting import Finding, Fit, bootstrap, fit
from allometry.fitting.checks import CHECKS
from allometry.runs.run import Runs

Ladder = Callable[..., Runs]


@pytest.fixture(scope="session")
def sound(ladder: Ladder) -> Fit:
    """Five sizes, four horizons, two seeds, noise of 0.2%."""
    tables = [ladder(0.002, seed=seed).table for seed in (1, 2)]
    return fit("chinchilla", Runs(pd.concat(tables, ignore_index=True)))


@pytest.fixture(scope="session")
def sound_drawn(sound: Fit) -> Fit:
    return bootstrap(sound, draws=100)


@pytest.fixture(scope="session")
def finding() -> Callable[[str, Fit], Finding]:
    """What one check finds; it must find something, under its own code."""

    def find(code: str, found: Fit) -> Finding:
        one = CHECKS[code].find(found)
        assert one is not None, f"{code} found nothing"
        assert one.code == code
        assert one.remedy
        return one

    return find


@pytest.fixture(scope="session")
def with_facts(sound: Fit) -> Callable[..., Fit]:
    """The sound fit, its runs recording more of themselves."""

    def record(*, run_ids: tuple[str, ...] | None = None, **columns: Any) -> Fit:
        facts = sound.data.facts.assign(**columns)
        return replace(sound, data=replace(sound.data, facts=facts, run_ids=run_ids or sound.data.run_ids))

    return record


@pytest.fixture(scope="session")
def with_residuals(sound: Fit) -> Callable[..., Fit]:
    """The sound fit around other runs, which lie off the law by these differences of the logarithm."""

    def measure(residuals: Any, **changes: Any) -> Fit:
        output = np.exp(sound.fitted() + residuals)
        return replace(sound, data=replace(sound.data, output=output, **changes))

    return measure

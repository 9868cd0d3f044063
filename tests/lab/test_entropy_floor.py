"""The floor that a sweep and a fit find together is the one that is known."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from allometry.lab.synthetic import recipe_floor

EXAMPLE = Path(__file__).parents[2] / "examples" / "11_known_entropy.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("known_entropy", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_sweep_recovers_a_known_entropy_rate_inside_the_interval_of_the_floor(
    example: ModuleType, tmp_path: Path
) -> None:
    fit = example.measure(tmp_path / "study")

    low, high = fit.interval("E", level=0.9)
    truth = recipe_floor(example.design().base)
    assert low <= truth <= high
    assert high - low < 0.25  # an interval from 0 to anything would hold the truth as well

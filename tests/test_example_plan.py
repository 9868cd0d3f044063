"""The example that plans a budget answers its question, and says what changes the answer."""

from __future__ import annotations

import runpy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "03_plan_a_budget.py"


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    """What the example defines; its plans are made once."""
    defined: dict[str, Any] = runpy.run_path(str(EXAMPLE))["main"].__globals__
    defined |= {part: cache(defined[part]) for part in ("steps", "spread")}
    return defined


def test_the_example_prints_plan_costs_shape_and_the_spread_of_laws(
    example: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    example["main"]()

    said = capsys.readouterr().out
    for words in (
        "Plan for 30 days on 8 devices",
        "The cost sheet",
        "A run that can be trained",
        "gadre_2024_c4",
    ):
        assert words in said
    assert "14.4k USD" in said  # 8 devices · 720 hours · 2.50 USD


def test_serving_asks_for_a_smaller_model_and_scarce_data_for_fewer_tokens(example: dict[str, Any]) -> None:
    plans = dict(example["steps"]())
    size = {name: plan.params.value for name, plan in plans.items()}

    assert size["with serving"] < size["training alone"] / 2
    assert size["with serving"] < size["with both"]  # repeats are worth less, so there are fewer of them
    assert size["with unique data"] == pytest.approx(size["training alone"], rel=1e-4)  # less than one epoch
    assert {plan.flops for plan in plans.values()} == {plans["with both"].flops}


def test_the_demand_moves_the_size_further_than_the_choice_of_law(example: dict[str, Any]) -> None:
    sizes = {part: [plan.params.value for _, plan in example[part]()] for part in ("steps", "spread")}
    factor = {part: max(found) / min(found) for part, found in sizes.items()}

    assert 1.2 < factor["spread"] < factor["steps"]
    assert (
        f"factor of {factor['steps']:.1f}, the choice of law by {factor['spread']:.1f}"
        in example["verdict"]()
    )

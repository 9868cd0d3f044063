"""What a run costs is measured or modelled, labelled, and added up over its sittings."""

from __future__ import annotations

import math
from itertools import count
from pathlib import Path

import pytest
import torch

from allometry.lab.costs import Costs
from allometry.lab.devices import matmul_peak
from allometry.lab.energy import EnergyMeter, NoMeter, open_meter
from allometry.lab.loop import Sitting, train
from allometry.lab.measures import peak_memory, throughput
from allometry.lab.precision import Arithmetic
from allometry.recipe import Recipe
from allometry.runs.study import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.create(tmp_path / "study", "")


def test_a_run_says_how_fast_it_was_and_what_it_cost(tiny: Recipe) -> None:
    values = train(tiny).values

    per_token = tiny.architecture.flops_per_token("with_attention")
    assert values["flops_per_second"] == pytest.approx(values["tokens_per_second"] * per_token)
    assert values["peak_share"] == pytest.approx(values["flops_per_second"] / values["peak_flops_per_second"])
    assert 0 < values["peak_share"] < 1
    assert values["tokens_per_second"] >= tiny.tokens / values["seconds"]
    assert values["energy_method"] in ("measured", "modelled")
    assert 0 < values["energy_joules_low"] <= values["energy_joules"] <= values["energy_joules_high"]
    assert values["peak_memory_bytes"] > 1e7  # torch alone is larger
    assert values["peak_memory_how"].startswith("measured")


def test_energy_adds_up_over_sittings(tiny: Recipe, study: Study) -> None:
    asked = count(1)
    stopped = train(tiny, study=study, sitting=Sitting(should_stop=lambda: next(asked) == 3))

    done = train(tiny, study=study)

    assert done.values["energy_joules"] > stopped.values["energy_joules"] > 0


def test_energy_that_nothing_can_tell_is_unavailable_and_no_number() -> None:
    facts = Costs(EnergyMeter((NoMeter("GPU: no meter"),))).facts()

    assert facts["energy_method"] == "unavailable"
    assert facts["energy_how"] == "GPU: no meter"
    assert not [name for name in facts if "joules" in name]


def test_time_aside_is_no_training() -> None:
    costs = Costs(open_meter())
    with costs.aside():
        begun = costs.training_seconds()
        while costs.sitting_seconds() < 0.02:
            pass

    assert begun < 0.02 <= costs.sitting_seconds()
    assert costs.training_seconds() < 0.01 + begun


def test_a_sitting_without_a_step_has_no_speed(tiny: Recipe) -> None:
    assert throughput(tiny, Arithmetic(), steps=0, seconds=1.0) == {}


def test_the_peak_is_measured_once_and_is_what_a_large_product_reaches() -> None:
    device = torch.device("cpu")

    peak = matmul_peak(device)

    assert matmul_peak(device) == peak
    assert 1e8 < peak < 1e14
    assert math.isfinite(matmul_peak(device, "bf16"))


def test_memory_is_labelled_with_how_it_was_measured() -> None:
    assert peak_memory(torch.device("cpu"))["peak_memory_how"].endswith("since its start")

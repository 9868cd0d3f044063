"""Under muP no activation drifts with the width; in the standard parametrization one does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from allometry.architectures import ARCHITECTURES
from allometry.architectures.dials import shape
from allometry.lab.coordinate_check import GROWTH, CoordinateCheck, coordinate_check
from allometry.lab.tokens import prepare_tokens
from allometry.recipe import AdamW, Muon, MuP, Optimizer, Parametrization, Recipe, Sgd, Standard

pytestmark = pytest.mark.usefixtures("one_thread")
WIDTHS = (32, 128)
OPTIMIZERS: dict[str, Optimizer] = {
    "adamw": AdamW(learning_rate=0.004),
    "sgd": Sgd(learning_rate=0.5, clip=0),
    "muon": Muon(learning_rate=0.02, others=AdamW(learning_rate=0.004)),
}


def check(tiny: Recipe, kind: str, optimizer: str, parametrization: Parametrization) -> CoordinateCheck:
    architecture: Any = shape(kind, depth=1, width=32, vocab=300, context=16)
    recipe = replace(
        tiny,
        architecture=architecture,
        optimizer=OPTIMIZERS[optimizer],
        parametrization=parametrization,
        batch_tokens=128,
        tokens=128 * 8,
    )
    return coordinate_check(recipe, WIDTHS, steps=3, text=prepare_tokens(tiny.data))


CASES = [
    pytest.param(kind, optimizer, marks=[pytest.mark.slow] if optimizer != "adamw" else [])
    for kind in ARCHITECTURES
    for optimizer in OPTIMIZERS
]


@pytest.mark.parametrize(("kind", "optimizer"), CASES)
def test_no_activation_drifts_under_mup(tiny: Recipe, kind: str, optimizer: str) -> None:
    made = check(tiny, kind, optimizer, MuP(base_width=32))

    assert made.drifting() == [], made.slopes()


@pytest.mark.parametrize(("kind", "optimizer"), CASES)
def test_some_activation_grows_in_the_standard_parametrization(
    tiny: Recipe, kind: str, optimizer: str
) -> None:
    made = check(tiny, kind, optimizer, Standard())

    assert made.drifting() != [], made.slopes()
    assert made.slopes()["slope"].iloc[0] > GROWTH

"""Every optimizer trains, is taken up again to the last bit, and a branch equals the run trained straight."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch

from allometry.lab.checkpoints import load_checkpoint
from allometry.lab.loop import Sitting, train
from allometry.lab.tokens import TokenData, prepare_tokens
from allometry.recipe import AdamW, Linear, Muon, MuP, Recipe, Sgd, Wsd
from allometry.runs.study import Study

CHANGES = {
    "sgd": {"optimizer": Sgd(learning_rate=0.5, momentum=0.9, weight_decay=0.01)},
    "muon": {"optimizer": Muon(learning_rate=0.02, others=AdamW(learning_rate=0.01))},
    "independent decay": {
        "optimizer": AdamW(learning_rate=0.01, weight_decay=1e-3, weight_decay_convention="independent")
    },
    "linear": {"schedule": Linear(warmup_fraction=0.1)},
    "mup": {"parametrization": MuP(base_width=8)},
}


@pytest.fixture(scope="module")
def data(tiny: Recipe) -> TokenData:
    return prepare_tokens(tiny.data)


def weights(study: Study, recipe: Recipe) -> dict[str, torch.Tensor]:
    folder = study.run_folder(recipe.run_id) / "checkpoints"
    return dict(load_checkpoint(folder, recipe.steps).tensors)


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_learns_and_is_the_same_after_a_stop(
    tiny: Recipe, tmp_path: Path, data: TokenData, change: str
) -> None:
    recipe = replace(tiny, **CHANGES[change])  # type: ignore[arg-type]
    straight, stopped = (Study.create(tmp_path / name, "") for name in ("straight", "stopped"))
    lines = count(1)

    run = train(recipe, study=straight, text=data)
    halfway = train(recipe, study=stopped, sitting=Sitting(should_stop=lambda: next(lines) == 2), text=data)
    train(recipe, study=stopped, text=data)

    assert (run.status, halfway.status) == ("done", "stopped")
    assert run.values["loss"] < math.log(300) - 0.1
    assert_same(weights(straight, recipe), weights(stopped, recipe))


def test_a_branch_whose_warmup_is_a_share_of_the_run_equals_the_run_trained_straight(
    tiny: Recipe, tmp_path: Path, data: TokenData
) -> None:
    recipe = replace(tiny, schedule=Wsd(warmup_fraction=0.2), **CHANGES["muon"])  # type: ignore[arg-type]
    branch = replace(recipe, parent=recipe.trunk().run_id)
    study = Study.create(tmp_path / "study", "")

    train(recipe, study=study, text=data)
    train(recipe.trunk(), study=study, sitting=Sitting(keep_steps=[recipe.trunk_steps]), text=data)
    train(branch, study=study, text=data)

    assert_same(weights(study, recipe), weights(study, branch))
    history = (study.run_folder(branch.run_id) / "history.jsonl").read_text().splitlines()
    assert json.loads(history[0])["learning_rate"] == pytest.approx(0.02 * 8 / 9)  # step 8 of a warmup of 9

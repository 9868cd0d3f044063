"""What is measured along the way changes no bit, and is the same however a run is interrupted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from allometry.lab import training
from allometry.lab.checkpoints import load_checkpoint
from allometry.lab.evaluations import is_evaluated
from allometry.lab.loop import Sitting, train
from allometry.lab.meters import Meter, Moment
from allometry.recipe import Recipe
from allometry.runs.study import Study


class Norms(Meter):
    """The gradient before clipping, the update, and how many lines were measured in all."""

    def __init__(self) -> None:
        self.head = torch.zeros(())
        self.lines = 0

    def before(self, moment: Moment) -> None:
        self.head = moment.model.head.weight.detach().clone()

    def after(self, moment: Moment) -> Mapping[str, float | Tensor]:
        assert moment.gradient_norm is not None
        self.lines += 1
        moved = (moment.model.head.weight.detach() - self.head).norm()
        return {"gradient_norm": moment.gradient_norm, "head_update": moved, "lines": self.lines}

    def totals(self) -> Mapping[str, Any]:
        return {"lines": self.lines}

    def notes(self) -> Mapping[str, Any]:
        return {"lines": self.lines}

    def take_up(self, notes: Mapping[str, Any]) -> None:
        self.lines = notes["lines"]


def curve(study: Study, recipe: Recipe) -> list[dict[str, Any]]:
    text = (study.run_folder(recipe.run_id) / "history.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def stop_at_line(number: int) -> Sitting:
    asked = count(1)
    return Sitting(meters=(Norms,), should_stop=lambda: next(asked) == number)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.create(tmp_path / "study", "")


@pytest.fixture
def other(tmp_path: Path) -> Study:
    return Study.create(tmp_path / "other", "")


def test_a_meter_adds_to_each_line_and_to_the_run_and_changes_no_bit(
    tiny: Recipe, study: Study, other: Study
) -> None:
    measured = train(tiny, study=study, sitting=Sitting(meters=(Norms,)))
    plain = train(tiny, study=other)

    lines = curve(study, tiny)
    assert [line["lines"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert all(0 < line["head_update"] < 1 and line["gradient_norm"] > 0 for line in lines)
    assert measured.values["lines"] == 6
    assert [{key: line[key] for key in ("step", "loss")} for line in lines] == [
        {key: line[key] for key in ("step", "loss")} for line in curve(other, tiny)
    ]
    assert measured.values["loss"] == plain.values["loss"]


@pytest.mark.parametrize("stops", [[1], [2, 1], [5]], ids=str)
def test_a_resumed_run_has_the_measured_curve_of_the_straight_one(
    tiny: Recipe, study: Study, other: Study, stops: list[int]
) -> None:
    train(tiny, study=study, sitting=Sitting(meters=(Norms,)))
    for line in stops:
        train(tiny, study=other, sitting=stop_at_line(line))

    run = train(tiny, study=other, sitting=Sitting(meters=(Norms,)))

    assert curve(other, tiny) == curve(study, tiny)
    assert run.values["lines"] == 6


def test_a_run_killed_before_its_last_line_was_whole_measures_it_no_second_time(
    tiny: Recipe, study: Study
) -> None:
    train(tiny, study=study, sitting=Sitting(meters=(Norms,)))
    expected = curve(study, tiny)
    folder = study.run_folder(tiny.run_id)
    (folder / "run.json").unlink()
    lines = (folder / "history.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "history.jsonl").write_bytes(b"".join(lines[:-1]))

    train(tiny, study=study, sitting=Sitting(meters=(Norms,)))

    assert curve(study, tiny) == expected


def test_held_out_losses_stand_at_even_spaces_of_the_logarithm(tiny: Recipe, study: Study) -> None:
    recipe = replace(tiny, evaluations=2)

    run = train(recipe, study=study)

    table = study.history(recipe.run_id).set_index("step")
    scored = table["held_out_loss"].dropna()
    assert list(scored.index) == [8, 16, 24, 32]
    assert scored.is_monotonic_decreasing
    assert run.values["loss"] < scored.iloc[-1]
    ratio = table["held_out_bits_per_byte"] / table["held_out_loss"]
    assert ratio.dropna().to_numpy() == pytest.approx(run.values["bits_per_byte"] / run.values["loss"])


def test_evaluations_change_no_bit_of_the_training(tiny: Recipe, study: Study) -> None:
    often = replace(tiny, evaluations=8)
    train(tiny, study=study)
    train(often, study=study)

    first, second = (
        load_checkpoint(study.run_folder(recipe.run_id) / "checkpoints", 44).tensors
        for recipe in (tiny, often)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_branch_has_the_evaluations_of_its_trunk(tiny: Recipe, study: Study, other: Study) -> None:
    straight = replace(tiny, evaluations=1)
    train(straight, study=study)
    train(straight.trunk(), study=other)
    branch = replace(straight, parent=straight.trunk().run_id)

    train(branch, study=other)

    assert curve(other, branch) == curve(study, straight)


def test_a_point_of_the_curve_that_is_also_the_end_is_scored_once(
    tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(tiny, evaluations=1, tokens=32 * 64)
    scored: list[int] = []
    evaluate = training.evaluate  # type: ignore[attr-defined]

    def counted(*inputs: Any) -> Any:
        scored.append(1)
        return evaluate(*inputs)

    monkeypatch.setattr(training, "evaluate", counted)
    run = train(recipe, study=study)

    assert len(scored) == 3  # after 8, 16 and 32 steps
    assert curve(study, recipe)[-1]["held_out_loss"] == run.values["loss"]


@pytest.mark.parametrize("per_doubling", [1, 2, 4])
def test_points_are_as_dense_as_asked_far_out(per_doubling: int) -> None:
    steps = [step for step in range(1024, 4097) if is_evaluated(step, per_doubling)]

    assert len(steps) == 2 * per_doubling + 1
    ratios = [later / earlier for earlier, later in pairwise(steps)]
    assert ratios == pytest.approx([2 ** (1 / per_doubling)] * len(ratios), rel=0.01)


def test_no_point_is_asked_for_by_default() -> None:
    assert not any(is_evaluated(step, 0) for step in range(200))

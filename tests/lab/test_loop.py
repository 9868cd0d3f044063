"""A run is its recipe: however it is interrupted or branched off, it comes out the same to the last bit."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from allometry.errors import CorruptFile, InputError, RecipeError, StudyError
from allometry.lab import costs, steps, training
from allometry.lab.checkpoints import load_checkpoint, saved_steps
from allometry.lab.curve import LOG_STEPS
from allometry.lab.evaluate import HeldOut
from allometry.lab.loop import Progress, Sitting, train
from allometry.lab.losses import head_loss
from allometry.lab.schedules import rate_at
from allometry.recipe import Data, Recipe, TextFiles, Wsd
from allometry.runs.run import Run
from allometry.runs.study import Study


@dataclass(frozen=True)
class Outcome:
    """What must not depend on how a run was made."""

    history: bytes
    weights: dict[str, torch.Tensor]
    loss: float
    bits_per_byte: float


def outcome(study: Study, recipe: Recipe) -> Outcome:
    run = study.run(recipe.run_id)
    assert run is not None
    assert run.status == "done", run.reason
    folder = study.run_folder(recipe.run_id)
    return Outcome(
        history=(folder / "history.jsonl").read_bytes(),
        weights=dict(load_checkpoint(folder / "checkpoints", recipe.steps).tensors),
        loss=run.values["loss"],
        bits_per_byte=run.values["bits_per_byte"],
    )


def assert_bit_identical(study: Study, recipe: Recipe, expected: Outcome) -> None:
    found = outcome(study, recipe)
    assert found.history == expected.history
    assert found.weights.keys() == expected.weights.keys()
    assert all(torch.equal(found.weights[name], expected.weights[name]) for name in expected.weights)
    assert (found.loss, found.bits_per_byte) == (expected.loss, expected.bits_per_byte)


def new_study(folder: Path) -> Study:
    return Study.create(folder / "study", 'name = "tiny"')


def stop_at_line(number: int) -> Callable[[], bool]:
    asked = count(1)
    return lambda: next(asked) == number


class Killed(BaseException):
    """Stands for a process that ends without a word."""


def kill_at_line(number: int) -> Callable[[], bool]:
    asked = count(1)

    def should_stop() -> bool:
        if next(asked) == number:
            raise Killed
        return False

    return should_stop


@pytest.fixture(scope="module")
def straight(tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The run in one sitting."""
    study = new_study(tmp_path_factory.mktemp("straight"))
    train(tiny, study=study)
    return outcome(study, tiny)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return new_study(tmp_path)


def test_a_run_learns(tiny: Recipe, straight: Outcome) -> None:
    losses = [json.loads(line)["loss"] for line in straight.history.splitlines()]

    assert losses[-1] < losses[0] < math.log(300)
    assert straight.loss == pytest.approx(losses[-1], abs=0.3)  # made-up words: nothing to learn by heart


def test_the_curve_has_a_line_every_few_steps_and_one_at_the_end(tiny: Recipe, straight: Outcome) -> None:
    lines = [json.loads(line) for line in straight.history.splitlines()]

    assert [line["step"] for line in lines] == [8, 16, 24, 32, 40, 44]
    assert [line["tokens"] for line in lines] == [64 * line["step"] for line in lines]


@pytest.mark.parametrize("stops", [[1], [2, 1], [1, 1, 1, 1, 1], [5]], ids=str)
def test_a_run_that_was_stopped_and_resumed_equals_the_straight_one(
    tiny: Recipe, straight: Outcome, study: Study, stops: list[int]
) -> None:
    for line in stops:
        stopped = train(tiny, study=study, sitting=Sitting(should_stop=stop_at_line(line)))
        assert stopped.status == "stopped"

    train(tiny, study=study)

    assert_bit_identical(study, tiny, straight)


@pytest.mark.parametrize("kept", [3, 13, 23, 41])
def test_a_checkpoint_between_two_lines_of_the_curve_carries_the_losses_so_far(
    tiny: Recipe, straight: Outcome, study: Study, kept: int
) -> None:
    line = math.ceil(kept / LOG_STEPS)
    sitting = Sitting(keep_steps=[kept], should_stop=kill_at_line(line))
    if line <= tiny.steps // LOG_STEPS:
        with pytest.raises(Killed):
            train(tiny, study=study, sitting=sitting)
        assert saved_steps(study.run_folder(tiny.run_id) / "checkpoints")[-1] == kept

    train(tiny, study=study, sitting=Sitting(keep_steps=[kept]))

    assert_bit_identical(study, tiny, straight)


def test_a_run_killed_before_its_first_checkpoint_starts_again(
    tiny: Recipe, straight: Outcome, study: Study
) -> None:
    with pytest.raises(Killed):
        train(tiny, study=study, sitting=Sitting(should_stop=kill_at_line(2)))

    train(tiny, study=study)

    assert_bit_identical(study, tiny, straight)


def test_a_run_killed_while_it_was_evaluated_is_not_trained_again(
    tiny: Recipe, straight: Outcome, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tiny, study=study)
    folder = study.run_folder(tiny.run_id)
    (folder / "run.json").unlink()
    lines = (folder / "history.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "history.jsonl").write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    monkeypatch.setattr(steps, "head_loss", None)

    train(tiny, study=study)

    assert_bit_identical(study, tiny, straight)


def test_a_torn_line_of_the_curve_is_written_again(tiny: Recipe, straight: Outcome, study: Study) -> None:
    train(tiny, study=study, sitting=Sitting(should_stop=stop_at_line(3)))
    with (study.run_folder(tiny.run_id) / "history.jsonl").open("a") as file:
        file.write('{"step": 32, "tok')

    train(tiny, study=study)

    assert_bit_identical(study, tiny, straight)


def test_checkpoints_by_the_clock_change_nothing(tiny: Recipe, straight: Outcome, study: Study) -> None:
    train(tiny, study=study, sitting=Sitting(checkpoint_seconds=0.0))

    assert_bit_identical(study, tiny, straight)


def short(tiny: Recipe) -> Recipe:
    """The same with 28 steps: its decay begins after 21, which is not at a line of the curve."""
    return replace(tiny, tokens=28 * 64)


def grow_branches(study: Study, recipes: Iterable[Recipe]) -> list[Recipe]:
    recipes = list(recipes)
    trunk = max(recipes, key=lambda recipe: recipe.tokens).trunk()
    train(trunk, study=study, sitting=Sitting(keep_steps=[r.trunk_steps for r in recipes]))
    branches = [replace(recipe, parent=trunk.run_id) for recipe in recipes]
    for branch in branches:
        train(branch, study=study)
    return branches


def test_a_branch_equals_the_run_trained_straight(tiny: Recipe, straight: Outcome, study: Study) -> None:
    straight_short = train(short(tiny), study=study)
    expected = outcome(study, short(tiny))

    short_branch, long_branch = grow_branches(study, [short(tiny), tiny])

    assert straight_short.status == "done"
    assert_bit_identical(study, short_branch, expected)
    assert_bit_identical(study, long_branch, straight)


def test_a_trunk_trained_in_parts_is_trained_once_and_gives_the_same_branches(
    tiny: Recipe, straight: Outcome, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    trunk, taken = tiny.trunk(), list[int]()
    branches = [replace(recipe, parent=trunk.run_id) for recipe in (short(tiny), tiny)]
    partings = [branch.trunk_steps for branch in branches]

    def noted(recipe: Recipe, step: int) -> float:
        taken.append(step)
        return rate_at(recipe, step)

    monkeypatch.setattr(steps, "rate_at", noted)
    for branch in branches:
        sitting = Sitting(keep_steps=partings, stop_after=branch.trunk_steps)
        assert train(trunk, study=study, sitting=sitting).status != "diverged"
        train(branch, study=study)

    assert sorted(taken) == sorted([*range(44), *range(21, 28)])  # one trunk of 33 steps, two decays
    assert_bit_identical(study, branches[1], straight)
    train(short(tiny), study=study)
    assert_bit_identical(study, branches[0], outcome(study, short(tiny)))


def test_a_trunk_that_came_as_far_as_it_is_needed_says_so_and_trains_no_further(
    tiny: Recipe, study: Study
) -> None:
    sitting = Sitting(keep_steps=[21], stop_after=21)

    first, again = (train(tiny.trunk(), study=study, sitting=sitting) for _ in range(2))

    assert first.status == again.status == "stopped"
    assert first.values["last_good_step"] == again.values["last_good_step"] == 21
    assert first.reason.startswith("trained as far as its branches need")


def test_a_branch_trains_only_its_own_part(
    tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    trunk = tiny.trunk()
    train(trunk, study=study)
    taken: list[int] = []
    branch = replace(tiny, parent=trunk.run_id)

    def noted(recipe: Recipe, step: int) -> float:
        taken.append(step)
        return rate_at(recipe, step)

    monkeypatch.setattr(steps, "rate_at", noted)
    train(branch, study=study)

    assert set(taken) == set(range(tiny.trunk_steps, tiny.steps))


def test_a_branch_leaves_its_trunk_as_it_was(tiny: Recipe, study: Study) -> None:
    train(tiny.trunk(), study=study, sitting=Sitting(keep_steps=[tiny.trunk_steps]))
    trunk = study.run_folder(tiny.trunk().run_id)
    before = {path: path.read_bytes() for path in trunk.rglob("*") if path.is_file()}

    train(replace(tiny, parent=tiny.trunk().run_id), study=study)

    assert {path: path.read_bytes() for path in trunk.rglob("*") if path.is_file()} == before


def test_a_branch_without_its_trunk_is_trained_straight(
    tiny: Recipe, straight: Outcome, study: Study
) -> None:
    branch = replace(tiny, parent=tiny.trunk().run_id)

    train(branch, study=study)

    assert_bit_identical(study, branch, straight)


def test_a_branch_resumed_in_the_middle_equals_the_straight_run(
    tiny: Recipe, straight: Outcome, study: Study
) -> None:
    train(tiny.trunk(), study=study)
    branch = replace(tiny, parent=tiny.trunk().run_id)
    train(branch, study=study, sitting=Sitting(should_stop=stop_at_line(1)))

    train(branch, study=study)

    assert_bit_identical(study, branch, straight)


def test_a_trunk_that_differs_in_more_than_its_length_is_refused(tiny: Recipe, study: Study) -> None:
    other = replace(tiny, optimizer=replace(tiny.optimizer, learning_rate=0.02)).trunk()
    train(other, study=study)

    with pytest.raises(RecipeError, match="is not a trunk of run"):
        train(replace(tiny, parent=other.run_id), study=study)


def test_an_absurd_learning_rate_is_a_diverged_run_and_not_an_error(tiny: Recipe, study: Study) -> None:
    absurd = replace(tiny, optimizer=replace(tiny.optimizer, learning_rate=1e4))

    run = train(absurd, study=study)

    assert run == study.run(absurd.run_id)
    assert run.status == "diverged"
    assert run.values["last_good_step"] == 0
    assert "loss" not in run.values
    assert f"at step {LOG_STEPS} of 44" in run.reason


@pytest.mark.parametrize(("bad_step", "last_good"), [(0, 0), (12, 8), (39, 32), (43, 40)])
def test_a_loss_that_is_not_finite_ends_the_run_at_the_next_line(
    tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch, bad_step: int, last_good: int
) -> None:
    numbers = count()

    def broken(*inputs: torch.Tensor) -> torch.Tensor:
        return head_loss(*inputs) * (math.nan if next(numbers) == bad_step else 1.0)

    monkeypatch.setattr(steps, "head_loss", broken)

    run = train(tiny, study=study)

    assert (run.status, run.values["last_good_step"]) == ("diverged", last_good)


def test_a_last_update_that_ruins_the_weights_is_a_divergence(
    tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    ruined = HeldOut(loss=math.nan, bits_per_byte=math.nan, tokens=1)
    monkeypatch.setattr(training, "evaluate", lambda *_: ruined)

    run = train(tiny, study=study)

    assert (run.status, run.values["last_good_step"]) == ("diverged", 40)


def test_a_run_tells_where_it_is(tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Progress] = []
    clock = count(math.ceil(time.perf_counter()) + 1000)  # a second passes between any two looks
    for module in (training, costs):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: float(next(clock))))

    train(tiny, study=study, sitting=Sitting(on_progress=told.append))

    assert [progress.step for progress in told] == [8, 16, 24, 32, 40]
    assert all(progress.tokens == 64 * progress.step for progress in told)
    assert all(progress.tokens_per_second > 0 and progress.steps == 44 for progress in told)


def test_seconds_add_up_over_sittings(tiny: Recipe, study: Study) -> None:
    first = train(tiny, study=study, sitting=Sitting(should_stop=stop_at_line(2)))

    second = train(tiny, study=study)

    assert second.values["seconds"] > first.values["seconds"] > 0
    assert second.values["started"] == first.values["started"]


def test_a_finished_run_says_what_it_was(tiny: Recipe, straight: Outcome, study: Study) -> None:
    run = train(tiny, study=study, sitting=Sitting(design="grid"))

    assert run.values["flops"] == 6 * run.values["params"] * run.values["tokens"]
    assert run.values["params_total"] == sum(
        tensor.numel() for name, tensor in straight.weights.items() if name.startswith("model.")
    )
    assert run.values["epochs"] * run.values["unique_tokens"] == run.values["tokens"]
    assert (run.values["design"], run.values["decayed"], run.values["threads"]) == ("grid", True, 1)


def test_a_damaged_checkpoint_is_named_with_the_way_out(tiny: Recipe, study: Study) -> None:
    train(tiny, study=study, sitting=Sitting(should_stop=stop_at_line(2)))
    state = study.run_folder(tiny.run_id) / "checkpoints" / "step-00000016" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-1])

    with pytest.raises(CorruptFile, match=r"step-00000016 does not match its checksum\. Delete that folder"):
        train(tiny, study=study)


def test_deleting_a_damaged_checkpoint_lets_the_run_go_on_from_the_one_before(
    tiny: Recipe, straight: Outcome, study: Study
) -> None:
    sitting = Sitting(keep_steps=[5], should_stop=stop_at_line(2))
    train(tiny, study=study, sitting=sitting)
    place = study.run_folder(tiny.run_id) / "checkpoints" / "step-00000016"
    for path in place.iterdir():
        path.unlink()
    place.rmdir()

    train(tiny, study=study)

    assert_bit_identical(study, tiny, straight)


def own_recipe(tiny: Recipe, folder: Path) -> Recipe:
    return replace(tiny, data=replace(tiny.data, corpus=TextFiles(paths=(f"{folder}/*.txt",))))


def test_a_run_is_not_resumed_on_other_text(tiny: Recipe, study: Study, own_text: Path) -> None:
    recipe = own_recipe(tiny, own_text)
    train(recipe, study=study, sitting=Sitting(should_stop=stop_at_line(1)))
    (own_text / "text000.txt").write_text("something else\n")

    with pytest.raises(StudyError, match="begun with other text"):
        train(recipe, study=study)


def least_share(folder: Path) -> float:
    """A share that holds out just one document: splits go by the first 13 digits of the name's hash."""
    names = (f"{folder.name}/{path.name}" for path in folder.glob("*.txt"))
    return min(int(hashlib.sha256(name.encode()).hexdigest()[:13], 16) / 16**13 for name in names) + 1e-9


def test_held_out_text_that_is_too_short_is_refused_before_training(
    tiny: Recipe, study: Study, own_text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = replace(own_recipe(tiny, own_text).data, held_out=least_share(own_text))
    long = replace(tiny.architecture, context=4096)
    recipe = replace(tiny, architecture=long, data=data, tokens=4096, batch_tokens=4096)
    monkeypatch.setattr(steps, "head_loss", None)

    with pytest.raises(InputError, match="less than one window of 4097"):
        train(recipe, study=study)


def test_a_run_needs_no_study(tiny: Recipe, straight: Outcome) -> None:
    run = train(tiny)

    assert isinstance(run, Run)
    assert run.values["loss"] == straight.loss


def test_a_seed_changes_the_run(tiny: Recipe, straight: Outcome) -> None:
    assert train(replace(tiny, seed=1)).values["loss"] != straight.loss


def test_the_data_may_be_scored_on_fewer_tokens(tiny: Recipe) -> None:
    few: Data = replace(tiny.data, held_out_tokens=32)

    assert train(replace(tiny, data=few, schedule=Wsd())).values["held_out_tokens"] == 32

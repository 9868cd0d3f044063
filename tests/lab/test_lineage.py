"""A run may begin where another one ended, or learn from it; what does not fit is refused beforehand."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from allometry.errors import CorruptFile, RecipeError
from allometry.lab import feeding, loop, training
from allometry.lab.checkpoints import load_checkpoint, saved_steps
from allometry.lab.loop import Sitting, train
from allometry.recipe import Constant, Continue, Data, Distill, FineTune, Recipe, Sgd, TextFiles, Utf8Bytes
from allometry.runs.run import Run
from allometry.runs.study import Study


def on(text: Path, tiny: Recipe) -> Recipe:
    """The recipe over bytes of some text, which mean the same on any other."""
    data = Data(
        corpus=TextFiles(paths=(f"{text}/*.txt",)), tokenizer=Utf8Bytes(), held_out=0.2, held_out_tokens=512
    )
    return replace(tiny, architecture=replace(tiny.architecture, vocab=257), data=data)


@pytest.fixture(scope="module")
def parent(tiny: Recipe, text: Path) -> Recipe:
    return on(text, tiny)


@pytest.fixture(scope="module")
def trained(parent: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study with the parent; read-only."""
    study = Study.create(tmp_path_factory.mktemp("parent") / "study", "")
    train(parent, study=study)
    return study


@pytest.fixture
def study(trained: Study, tmp_path: Path) -> Study:
    shutil.copytree(trained.folder, tmp_path / "study")
    return Study.open(tmp_path / "study")


def weights(study: Study, recipe: Recipe, step: int) -> dict[str, torch.Tensor]:
    tensors = load_checkpoint(study.run_folder(recipe.run_id) / "checkpoints", step).tensors
    return {name: tensor for name, tensor in tensors.items() if name.startswith("model.")}


def first_line(study: Study, recipe: Recipe) -> float:
    return float(study.history(recipe.run_id)["loss"].iloc[0])


def test_a_fine_tuned_run_begins_with_the_weights_of_its_parent(
    parent: Recipe, tiny: Recipe, study: Study, own_text: Path
) -> None:
    child = replace(on(own_text, tiny), start=FineTune(run=parent.run_id), tokens=16 * 64)
    scratch = replace(child, start=None)

    run = train(child, study=study)
    train(scratch, study=study)

    assert first_line(study, child) < first_line(study, scratch) - 0.5
    assert run.values["parent"] == parent.run_id
    assert (run.values["tokens"], run.values["finetune_tokens"]) == (1024, 1024)
    assert run.values["pretraining_tokens"] == parent.tokens


def test_a_fine_tuned_run_that_is_resumed_equals_the_straight_one(
    parent: Recipe, tiny: Recipe, study: Study, own_text: Path, tmp_path: Path
) -> None:
    child = replace(on(own_text, tiny), start=FineTune(run=parent.run_id))
    other = Study.open(shutil.copytree(study.folder, tmp_path / "other"))
    straight = train(child, study=study)

    train(child, study=other, sitting=Sitting(should_stop=lambda: True))
    resumed = train(child, study=other)

    assert resumed.values["loss"] == straight.values["loss"]
    assert resumed.values["pretraining_tokens"] == parent.tokens


def continued(parent: Recipe) -> Recipe:
    return replace(parent, start=Continue(run=parent.run_id), tokens=24 * 64)


def test_a_continued_run_takes_the_data_that_comes_next(
    parent: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    opened = feeding.open_feed

    def noting(*inputs: object, **settings: object) -> object:
        feed = opened(*inputs, **settings)  # type: ignore[arg-type]

        class Noting:
            def batch(self, step: int) -> object:
                asked.append(step)
                return feed.batch(step)

        return Noting()

    monkeypatch.setattr(training, "open_feed", noting)
    child = continued(parent)
    train(child, study=study)
    train(replace(child, start=Continue(run=child.run_id)), study=study)

    assert asked == [*range(44, 44 + 24), *range(44 + 24, 44 + 48)]


def test_a_continued_run_counts_what_its_parents_took(parent: Recipe, study: Study) -> None:
    child = continued(parent)

    run = train(child, study=study)

    assert run.values["tokens"] == parent.tokens + child.tokens
    assert run.values["flops"] == 6 * run.values["params"] * run.values["tokens"]
    assert run.values["epochs"] * run.values["unique_tokens"] == pytest.approx(run.values["tokens"])
    assert run.values["steps"] == child.steps


def test_a_continued_run_keeps_the_optimizers_state(parent: Recipe, study: Study) -> None:
    child = replace(continued(parent), tokens=64, schedule=Constant())
    train(child, study=study)

    folder = study.run_folder(child.run_id) / "checkpoints"
    counts = {
        float(tensor) for name, tensor in load_checkpoint(folder, 1).tensors.items() if name.endswith(".step")
    }
    assert counts == {parent.steps + 1.0}


def test_a_student_learns_from_its_teacher(parent: Recipe, study: Study) -> None:
    pupil = replace(parent, seed=5, distill=Distill(teacher=parent.run_id, temperature=2.0, share=0.5))
    alone = replace(pupil, distill=None)

    taught, untaught = train(pupil, study=study), train(alone, study=study)

    assert taught.status == "done"
    assert taught.values["teacher"] == parent.run_id
    assert taught.values["teacher_flops"] == 2 * taught.values["params"] * taught.values["tokens"]
    assert taught.values["loss"] != untaught.values["loss"]
    assert abs(taught.values["loss"] - untaught.values["loss"]) < 0.3
    assert saved_steps(study.run_folder(pupil.run_id) / "checkpoints") == [44]


@pytest.mark.parametrize("recipe", ["fine-tuned", "continued", "taught"])
def test_a_run_whose_ancestor_is_not_in_the_study_is_refused_before_its_text_is_read(
    parent: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    monkeypatch.setattr(loop, "prepare_tokens", None)
    child = {
        "fine-tuned": replace(parent, start=FineTune(run=parent.run_id)),
        "continued": continued(parent),
        "taught": replace(parent, distill=Distill(teacher=parent.run_id)),
    }[recipe]

    with pytest.raises(RecipeError, match=f"There is no run {parent.run_id} .* Train it there first"):
        train(child, study=Study.create(tmp_path, ""))


def test_a_parent_that_is_not_done_is_refused(parent: Recipe, study: Study) -> None:
    study.save_run(Run(run_id=parent.run_id, status="diverged", reason="the loss was not finite"))

    with pytest.raises(RecipeError, match="is diverged, not done: the loss was not finite"):
        train(continued(parent), study=study)


def test_a_parent_without_its_last_checkpoint_is_refused(parent: Recipe, study: Study) -> None:
    shutil.rmtree(study.run_folder(parent.run_id) / "checkpoints")

    with pytest.raises(RecipeError, match=r"The last checkpoint of run .* was deleted\. Bring it back, or"):
        train(continued(parent), study=study)


def test_a_parent_whose_last_checkpoint_is_damaged_is_to_be_trained_again(
    parent: Recipe, study: Study
) -> None:
    folder = study.run_folder(parent.run_id)
    state = folder / "checkpoints" / f"step-{parent.steps:08d}" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-1])

    with pytest.raises(CorruptFile, match=rf"{parent.run_id} to start from is damaged\. Delete {folder} and"):
        train(replace(parent, start=FineTune(run=parent.run_id)), study=study)


def test_another_shape_is_refused_by_the_first_weights_that_differ(parent: Recipe, study: Study) -> None:
    wider = replace(parent, architecture=replace(parent.architecture, width=32))

    with pytest.raises(RecipeError, match=r"differs from that of run .* in token\.weight \(\(257, 32\), not"):
        train(replace(wider, start=FineTune(run=parent.run_id)), study=study)


def test_a_tokenizer_trained_on_other_text_is_refused(tiny: Recipe, study: Study, own_text: Path) -> None:
    train(tiny, study=study)
    other = replace(tiny, data=replace(tiny.data, corpus=TextFiles(paths=(f"{own_text}/*.txt",))))

    for child in (
        replace(other, start=FineTune(run=tiny.run_id)),
        replace(other, distill=Distill(teacher=tiny.run_id)),
    ):
        with pytest.raises(RecipeError, match="a bpe of one text and a bpe of another"):
            train(child, study=study)


def test_a_continuation_may_not_change_what_it_continues(parent: Recipe, study: Study) -> None:
    changed = replace(continued(parent), seed=3, optimizer=Sgd(learning_rate=0.1))

    with pytest.raises(RecipeError, match="they differ in seed, the kind of optimizer"):
        train(changed, study=study)


def test_a_teacher_that_reads_less_than_its_student_is_refused(parent: Recipe, study: Study) -> None:
    longer = replace(parent, architecture=replace(parent.architecture, context=32))

    with pytest.raises(RecipeError, match=r"reads 16 tokens and this run 32; set context to at most 16"):
        train(replace(longer, distill=Distill(teacher=parent.run_id)), study=study)

"""A finished run in ever fewer bits: harmless at eight, ever more harmful below."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from allometry.architectures import Transformer
from allometry.errors import InputError, RecipeError
from allometry.lab.loop import Sitting, train
from allometry.lab.quantization import quantize
from allometry.recipe import AdamW, Data, Precision, Recipe, TextFiles, Utf8Bytes, Wsd
from allometry.runs.run import Run
from allometry.runs.study import Study


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Few words, spelled out: hidden matrices learn how they go on, which few bits can spoil."""
    draw = random.Random(3)
    words = ["".join(draw.choices("abcdef", k=draw.randint(5, 9))) for _ in range(40)]
    folder = tmp_path_factory.mktemp("words")
    for number in range(20):
        (folder / f"words{number:02d}.txt").write_text(" ".join(draw.choices(words, k=300)) + "\n")
    return Recipe(
        architecture=Transformer(vocab=257, context=16, width=24, layers=2, heads=2),
        optimizer=AdamW(learning_rate=0.01),
        schedule=Wsd(warmup_tokens=1280),
        data=Data(
            corpus=TextFiles(paths=(f"{folder}/*.txt",)),
            tokenizer=Utf8Bytes(),
            held_out=0.2,
            held_out_tokens=2048,
        ),
        tokens=150 * 256,
        batch_tokens=256,
    )


@pytest.fixture(scope="module")
def study(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = Study.create(tmp_path_factory.mktemp("quantized"), "")
    train(recipe, study=made)
    return made


@pytest.fixture(scope="module")
def parent(recipe: Recipe, study: Study) -> Run:
    run = study.run(recipe.run_id)
    assert run is not None
    return run


def test_damage_grows_as_bits_go(study: Study, parent: Run) -> None:
    rows = quantize(study, parent.run_id, bits=(8, 4, 3, 2))

    losses = [row.values["loss"] for row in rows]
    assert losses == sorted(losses)
    assert losses[0] == pytest.approx(parent.values["loss"], abs=2e-3)
    assert losses[-1] > parent.values["loss"] + 0.05


def test_a_row_names_its_parent_and_is_kept_by_the_study(study: Study, parent: Run) -> None:
    (row,) = quantize(study, parent.run_id, bits=[4])

    kept = study.run(row.run_id)
    assert kept == row
    assert row.values["parent"] == parent.run_id
    assert (row.values["quantized_bits"], row.values["design"]) == (4, "quantization")
    assert row.values["params"] == parent.values["params"]
    assert row.values["tokens"] == parent.values["tokens"]
    assert not {"seconds", "energy_joules", "tokens_per_second"} & row.values.keys()  # it was not trained


def test_the_same_rounding_is_the_same_row(study: Study, parent: Run) -> None:
    first, again = (quantize(study, parent.run_id, bits=[3])[0] for _ in range(2))
    (other,) = quantize(study, parent.run_id, bits=[3], kinds=("hidden", "embedding", "head"))

    assert first == again
    assert other.run_id != first.run_id
    assert other.values["loss"] != first.values["loss"]


def test_training_through_the_rounding_beats_rounding_at_the_end(
    recipe: Recipe, study: Study, parent: Run
) -> None:
    through = train(replace(recipe, precision=Precision(weight_bits=2)))
    (after,) = quantize(study, parent.run_id, bits=[2])

    assert parent.values["loss"] < through.values["loss"] < after.values["loss"]


def test_a_run_trained_in_few_bits_is_scored_in_them(tiny: Recipe, tmp_path: Path) -> None:
    study = Study.create(tmp_path, "")
    run = train(replace(tiny, precision=Precision(weight_bits=2)), study=study)

    (again,) = quantize(study, run.run_id, bits=[2])
    (finer,) = quantize(study, run.run_id, bits=[8])

    assert again.values["loss"] == pytest.approx(run.values["loss"], abs=1e-6)
    assert finer.values["loss"] == pytest.approx(run.values["loss"], abs=1e-3)  # there is nothing finer left


@pytest.mark.parametrize("bits", [1, 9, 16])
def test_a_number_of_bits_out_of_range_is_refused(study: Study, parent: Run, bits: int) -> None:
    with pytest.raises(InputError, match=f"rounded to 2 to 8 bits, not {bits}"):
        quantize(study, parent.run_id, bits=[8, bits])


def test_only_a_finished_run_is_rounded(tiny: Recipe, tmp_path: Path) -> None:
    study = Study.create(tmp_path, "")
    with pytest.raises(RecipeError, match=f"There is no run {tiny.run_id} to round in"):
        quantize(study, tiny.run_id)

    train(tiny, study=study, sitting=Sitting(should_stop=lambda: True))
    with pytest.raises(RecipeError, match="is stopped, not done"):
        quantize(study, tiny.run_id)

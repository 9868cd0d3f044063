"""The commands that ask one question of a recipe or of a finished run."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from allometry.architectures import Transformer
from allometry.cli import run
from allometry.lab.loop import train
from allometry.recipe import AdamW, Constant, Data, Recipe, Symbols, TaskProblems, ZipfBigram
from allometry.recipe.tasks import ModularAddition
from allometry.runs.study import Study

Printed = pytest.CaptureFixture[str]
pytestmark = pytest.mark.usefixtures("one_thread")


def saved(recipe: Recipe, folder: Path) -> str:
    path = folder / f"{recipe.run_id}.toml"
    path.write_text(recipe.to_toml())
    return str(path)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.create(tmp_path / "study", 'name = "one"\n[design]\nkind = "given"\n')


def of_task() -> Recipe:
    """Ten steps of training on sums below 7, an answer of one token out of eight."""
    return Recipe(
        architecture=Transformer(vocab=8, context=8, width=8, layers=1, heads=1),
        optimizer=AdamW(learning_rate=0.01),
        schedule=Constant(),
        data=Data(
            corpus=TaskProblems(task=ModularAddition(modulus=7), tokens=4000),
            tokenizer=Symbols(vocab=8),
            held_out=0.2,
            held_out_tokens=400,
        ),
        tokens=640,
        batch_tokens=64,
    )


def test_the_floor_of_a_source_without_memory_is_the_entropy_of_its_symbols(
    tiny: Recipe, tmp_path: Path, capsys: Printed
) -> None:
    source = ZipfBigram(vocab=300, tokens=5000, exponent=0.0, coupling=0.0)
    recipe = replace(tiny, data=replace(tiny.data, corpus=source, tokenizer=Symbols(vocab=300)))

    assert run(["floor", saved(recipe, tmp_path), "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["floor"] == pytest.approx(math.log(300))


def test_the_floor_of_text_is_refused(tiny: Recipe, tmp_path: Path, capsys: Printed) -> None:
    assert run(["floor", saved(tiny, tmp_path)]) == 2

    assert "The entropy of files is not known" in capsys.readouterr().err


def test_coordinates_name_the_modules_that_drift(tiny: Recipe, tmp_path: Path, capsys: Printed) -> None:
    file = saved(tiny, tmp_path)

    assert run(["coordinates", file, "--widths", "16,64", "--steps", "2", "--seeds", "1", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    slopes = {row["module"]: row["slope"] for row in found["slopes"]}
    assert (
        "head" in found["drifting"]
    )  # Yang et al. 2022, table 3: logits of the standard one grow with width
    assert slopes["head"] > slopes["token"]


def test_transfer_says_where_the_best_rate_lies_at_each_width_and_draws_it(
    tiny: Recipe, tmp_path: Path, capsys: Printed
) -> None:
    file, folder, picture = saved(replace(tiny, tokens=512), tmp_path), tmp_path / "kept", tmp_path / "t.svg"

    asked = ["transfer", file, "--widths", "16,32", "--rates", "0.001,1e-2", "--into", str(folder)]
    assert run([*asked, "--plot", str(picture)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["width 16", "width 32"]
    assert "best rate 0.01, an end of those tried: try higher ones" in lines[0]
    assert lines[2].startswith("How the best rate goes with the width was not seen: at 2 of 2 widths")
    assert len(Study.open(folder).runs()) == 4
    assert "<svg" in picture.read_text()


def test_a_picture_of_no_known_kind_is_refused_before_anything_is_trained(
    tiny: Recipe, tmp_path: Path
) -> None:
    asked = ["transfer", saved(tiny, tmp_path), "--widths", "16", "--rates", "0.01", "--plot", "t.txt"]

    assert run([*asked, "--into", str(tmp_path / "kept")]) == 2

    assert not (tmp_path / "kept").exists()


def test_a_list_of_widths_must_be_of_whole_numbers(tiny: Recipe, tmp_path: Path, capsys: Printed) -> None:
    assert run(["coordinates", saved(tiny, tmp_path), "--widths", "16,32.5"]) == 2

    said = " ".join(capsys.readouterr().err.replace("│", "").split())
    assert "'16,32.5' is not a list of whole numbers; write it like 32,64,128." in said


def test_a_finished_run_is_rounded_to_the_bits_asked_for(tiny: Recipe, study: Study, capsys: Printed) -> None:
    train(replace(tiny, tokens=512), study=study)
    (parent,) = study.runs().table["run_id"]

    assert run(["quantize", str(study.folder), parent, "--bits", "8,2", "--json"]) == 0

    rows = json.loads(capsys.readouterr().out)
    assert [row["quantized_bits"] for row in rows] == [None, 8, 2]  # the run itself first
    assert rows[0]["run_id"] == parent
    assert rows[2]["loss"] != rows[0]["loss"] == pytest.approx(rows[1]["loss"], abs=0.01)
    assert len(study.runs()) == 3


def test_attempts_at_held_out_problems_are_counted_and_kept(study: Study, capsys: Printed) -> None:
    made = train(of_task(), study=study)
    asked = ["attempts", str(study.folder), made.run_id, "--attempts", "30", "--problems", "20"]

    assert run([*asked, "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert [row["k"] for row in found["pass"]] == [1, 2, 5, 10, 20, 30]
    rows = list(csv.DictReader(Path(found["file"]).read_text().splitlines()))
    assert [int(row["successes"]) for row in rows] == [row["successes"] for row in found["problems"]]
    shares = [int(row["successes"]) / 30 for row in rows]
    assert found["pass"][0]["pass_at_k"] == pytest.approx(sum(shares) / 20)
    assert found["pass"][-1]["pass_at_k"] == pytest.approx(sum(share > 0 for share in shares) / 20)
    assert 0 < sum(shares) < 20
    assert found["tokens"] == 30 * 20 == sum(int(row["tokens"]) for row in rows)
    assert sum(float(row["flops"]) for row in rows) == pytest.approx(found["flops"])
    assert run(asked) == 0
    assert (
        "30 attempts at temperature 1 at each of 20 problems: 600 tokens sampled" in capsys.readouterr().out
    )


def test_attempts_of_a_run_without_problems_are_refused(tiny: Recipe, study: Study, capsys: Printed) -> None:
    made = train(replace(tiny, tokens=512), study=study)

    assert run(["attempts", str(study.folder), made.run_id]) == 2

    assert "was trained on files, which sets no problems" in capsys.readouterr().err

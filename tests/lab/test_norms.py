"""What the meters write into the curve, and that they change no bit of the run."""

import json
from dataclasses import replace

import pytest

from allometry.lab.loop import train
from allometry.recipe import Recipe
from allometry.runs.run import Run
from allometry.runs.study import Study


@pytest.fixture(scope="module")
def runs(tiny: Recipe, tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> tuple[Run, Run, Study]:
    """The same run without and with measures, and the study of both."""
    study = Study.create(tmp_path_factory.mktemp("study") / "s", "")
    batch = 4 * tiny.architecture.context
    plain = replace(tiny, batch_tokens=batch, tokens=24 * batch)
    measured = replace(plain, measures=("norms", "noise_scale"))
    return train(plain, study=study), train(measured, study=study), study


def curve(study: Study, run: Run) -> list[dict[str, float]]:
    path = study.run_folder(run.run_id) / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_measures_change_no_bit_of_the_run(runs: tuple[Run, Run, Study]) -> None:
    plain, measured, study = runs

    assert plain.run_id != measured.run_id  # the curve follows from the recipe
    first, second = ([line["loss"] for line in curve(study, run)] for run in (plain, measured))
    assert first == second
    assert plain.values["loss"] == measured.values["loss"]


def test_every_line_has_the_norms_of_its_step(runs: tuple[Run, Run, Study]) -> None:
    _, measured, study = runs

    for line in curve(study, measured):
        assert line["gradient_norm"] > 0
        assert line["update_ratio"] == pytest.approx(line["update_norm"] / line["weight_norm"])
        assert 1e-4 < line["update_ratio"] < 0.5
        # What a LayerNorm puts out, its gain still near 1.
        assert line["activation_rms.norm"] == pytest.approx(1.0, abs=0.2)
        assert {"activation_rms.token", "activation_rms.blocks.0"} <= set(line)


def test_the_noise_scale_is_measured_at_log_spaced_steps_and_the_last_is_kept(
    runs: tuple[Run, Run, Study],
) -> None:
    _, measured, study = runs

    found = {line["step"]: line.get("critical_batch_tokens") for line in curve(study, measured)}

    assert found[24] is None
    last = found[16] if found[16] is not None else found[8]
    assert measured.values.get("critical_batch_tokens") == last

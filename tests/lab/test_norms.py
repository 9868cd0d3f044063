"""What the meters write into the curve, and that they change no bit of the run."""

import json
from dataclasses import replace

import pytest

from allometry.lab.loop import Sitting, train
from allometry.lab.noise_scale import NoiseScaleMeter
from allometry.lab.norms import NormMeter
from allometry.recipe import Recipe
from allometry.runs.study import Study


def curve(study: Study, run_id: str) -> list[dict[str, float]]:
    return [
        json.loads(line) for line in (study.run_folder(run_id) / "history.jsonl").read_text().splitlines()
    ]


@pytest.fixture(scope="module")
def measured(
    tiny: Recipe, tmp_path_factory: pytest.TempPathFactory, one_thread: None
) -> tuple[Study, Study, str]:
    """The same run in two studies, the second one with meters."""
    recipe = replace(
        tiny, batch_tokens=4 * tiny.architecture.context, tokens=24 * 4 * tiny.architecture.context
    )
    plain, metered = (Study.create(tmp_path_factory.mktemp("study") / "s", "") for _ in range(2))
    train(recipe, study=plain)
    train(recipe, study=metered, sitting=Sitting(meters=(NormMeter, NoiseScaleMeter)))
    return plain, metered, recipe.run_id


def test_meters_change_no_bit_of_the_run(measured: tuple[Study, Study, str]) -> None:
    plain, metered, run_id = measured

    assert [line["loss"] for line in curve(plain, run_id)] == [
        line["loss"] for line in curve(metered, run_id)
    ]
    first, second = (study.run(run_id) for study in (plain, metered))
    assert first is not None
    assert second is not None
    assert first.values["loss"] == second.values["loss"]


def test_every_line_has_the_norms_of_its_step(measured: tuple[Study, Study, str]) -> None:
    _, metered, run_id = measured

    for line in curve(metered, run_id):
        assert line["gradient_norm"] > 0
        assert line["update_ratio"] == pytest.approx(line["update_norm"] / line["weight_norm"])
        assert 1e-4 < line["update_ratio"] < 0.5
        # What a LayerNorm puts out, its gain still near 1.
        assert line["activation_rms.norm"] == pytest.approx(1.0, abs=0.2)
        assert {"activation_rms.token", "activation_rms.blocks.0"} <= set(line)


def test_the_noise_scale_is_measured_at_log_spaced_steps_and_the_last_is_kept(
    measured: tuple[Study, Study, str],
) -> None:
    _, metered, run_id = measured

    found = {line["step"]: line.get("critical_batch_tokens") for line in curve(metered, run_id)}
    run = metered.run(run_id)

    assert found[24] is None
    assert run is not None
    last = found[16] if found[16] is not None else found[8]
    assert run.values.get("critical_batch_tokens") == last

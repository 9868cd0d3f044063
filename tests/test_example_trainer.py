"""The example with a user's own trainer works as shown, on a design of two tiny runs."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import allometry as al
from allometry.sweeps.designs import Grid
from allometry.sweeps.spec import read_spec_file

FOLDER = Path(__file__).parents[1] / "examples" / "05_your_own_trainer"


def test_a_script_that_knows_nothing_of_allometry_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "allometry" not in (FOLDER / "train.py").read_text().split('"""')[2]  # but in its docstring
    monkeypatch.chdir(FOLDER)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    spec = read_spec_file(FOLDER / "study.toml")
    assert isinstance(spec.design, Grid)
    design = replace(spec.design, vary={"tokens": [2048, 16384]})
    study = al.Study.create(tmp_path / "study", (FOLDER / "study.toml").read_text())

    table = al.run_sweep(design, study, trainer=spec.trainer, workers=1).table.sort_values("tokens")

    assert list(table["status"]) == ["done", "done"], list(table["reason"])
    assert list(table["tokens"]) == [2048, 16384]
    assert set(table["params"]) == {256 * 16 + 128 * 16 + 16 + 16 * 256 + 256}  # counted by train.py
    assert table["loss"].iloc[1] < table["loss"].iloc[0] < 6.0

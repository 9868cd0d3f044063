import subprocess
import sys
from pathlib import Path

import pytest

import allometry
from allometry.cli import run


def test_every_name_on_the_front_page_can_be_imported() -> None:
    for name in allometry.__all__:
        assert getattr(allometry, name) is not None


def test_the_front_page_lists_exactly_what_it_serves() -> None:
    assert sorted(allometry.__all__) == sorted([*allometry._HOME, *allometry._MODULES])
    assert dir(allometry) == sorted(allometry.__all__)


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'pandas', 'numpy', 'sympy', 'altair', 'duckdb', 'scipy', 'pydantic'}"
    code = f"import allometry, sys; assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"

    subprocess.run([sys.executable, "-c", code], check=True)


WITHOUT_TORCH = """
import importlib.abc, sys
class NoTorch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "tokenizers", "safetensors"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoTorch())
"""
ANALYSIS = """
import itertools
import allometry as al, pandas as pd
grid = itertools.product((1e7, 1e8, 1e9), (1e9, 1e10, 1e11))
rows = [(n, d, 1.7 + 400 / n**0.34 + 400 / d**0.28) for n, d in grid]
runs = al.read_runs(pd.DataFrame(rows, columns=["params", "tokens", "loss"]))
fit = al.bootstrap(al.fit("chinchilla", runs), draws=20)
al.check(fit)
al.allocate(fit, flops=1e21)
import allometry.cli, allometry.report.terminal, allometry.sweeps.fits
"""


def test_an_analyst_fits_and_plans_without_torch() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH + ANALYSIS], check=True)


def test_training_without_torch_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    assert run(["quickstart", str(tmp_path / "study")]) == 2
    assert "pip install 'allometry[lab]'" in capsys.readouterr().err


def test_an_unknown_name_says_where_to_look() -> None:
    with pytest.raises(AttributeError, match=r"allometry\.__all__"):
        _ = allometry.nonsense

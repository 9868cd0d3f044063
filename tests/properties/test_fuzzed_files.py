"""A file of odd cells is read, fitted, or refused in one sentence by the command line; never a traceback."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allometry.cli import run

few = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # capsys is read after every example
)
many = settings(few, max_examples=1000, derandomize=False)

ODD_CELLS = (
    "", " ", "nan", "NaN", "inf", "-inf", "0", "-1", "7B", "1.4T", "1e400", "1e-400", "1,5", "1,234", "x",
    "None", "true", "#REF!", "½", "١٢", "5e-324", "1e308", '"', "a\x00b", "=1+1", "7 B", "−3",
)  # fmt: skip
ODD_HEADERS = (
    "params",
    "tokens",
    "loss",
    "N",
    "D",
    "Loss",
    "flops",
    "status",
    "seed",
    "run_id",
    "",
    "params ",
    "é",
)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A table that a law could have made, with up to four cells replaced and perhaps one odd column."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    runs = draw(st.integers(0, 14))
    params, tokens = 10 ** rng.uniform(6, 9, runs), 10 ** rng.uniform(8, 11, runs)
    loss = 1.7 + 400 / params**0.34 + 410 / tokens**0.28
    rows = [[repr(float(value)) for value in row] for row in zip(params, tokens, loss, strict=True)]
    header = ["params", "tokens", "loss"]
    if draw(st.booleans()):
        header.append(draw(st.sampled_from(ODD_HEADERS)))
        rows = [[*row, draw(st.sampled_from(ODD_CELLS))] for row in rows]
    for _ in range(draw(st.integers(0, 4)) if rows else 0):
        row = rows[draw(st.integers(0, runs - 1))]
        row[draw(st.integers(0, len(row) - 1))] = draw(st.sampled_from(ODD_CELLS))
    return "\n".join(",".join(cells) for cells in [header, *rows]) + draw(st.sampled_from(["\n", "", ",\n"]))


def fits_or_says_why(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "runs.csv"
        path.write_text(text, encoding="utf-8")
        code = run(["fit", str(path), "--draws", "5"])
    said = capsys.readouterr()

    assert code in (0, 2, 3)
    assert "Traceback" not in said.err
    if code:
        assert said.err.startswith(("Error: ", "Refused: "))
        assert said.err.rstrip().endswith((".", "?"))
        assert len(said.err.splitlines()) == 1


@few
@given(text=tables())
def test_a_file_of_odd_cells_is_fitted_or_refused_in_one_sentence(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fits_or_says_why(text, capsys)


@pytest.mark.slow
@many
@given(text=tables())
def test_a_thousand_files_of_odd_cells_are_fitted_or_refused_in_one_sentence(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fits_or_says_why(text, capsys)

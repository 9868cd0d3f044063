"""The README's promises: its example runs, its links lead somewhere."""

import re
from itertools import product
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_python_example_runs_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    rows = [
        (n, d, 1.7 + 400 / n**0.34 + 400 / d**0.28) for n, d in product((1e7, 1e8, 1e9), (1e9, 1e10, 1e11))
    ]
    (tmp_path / "runs.csv").write_text("N,D,loss\n" + "".join(f"{n},{d},{loss}\n" for n, d, loss in rows))
    monkeypatch.chdir(tmp_path)

    exec(compile(example, "README.md", "exec"), {})

    assert "tokens per parameter" in capsys.readouterr().out
    assert (tmp_path / "report.html").stat().st_size > 100_000


def test_every_local_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)

    missing = [link for link in links if not (Path(__file__).parent.parent / link).exists()]

    assert missing == []

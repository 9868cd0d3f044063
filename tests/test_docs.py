"""The pages' promises: recipes are legal, commands exist with these options, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from allometry import recipe
from allometry.cli import app
from allometry.recipe import Recipe, read_choice, tasks

ROOT = Path(__file__).parents[1]
LAB = (ROOT / "docs" / "lab.md").read_text()
REFERENCE = (ROOT / "docs" / "reference" / "recipes.md").read_text()
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


FIRST, *PIECES = blocks(LAB, "toml")


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.split("\n")[0])
def test_each_piece_on_the_page_of_the_lab_fits_its_first_recipe(piece: str) -> None:
    values = tomllib.loads(FIRST) | tomllib.loads(piece)

    assert read_choice(Recipe, values, "piece") != Recipe.from_toml(FIRST)


def test_the_python_of_the_page_of_the_lab_runs_as_written(
    text: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    one_thread: None,
) -> None:
    (example,) = blocks(LAB, "python")
    small = (
        FIRST.replace("131_072", "8_192").replace("1_000_000", "100_000").replace("depth = 2", "depth = 1")
    )
    (tmp_path / "first.toml").write_text(small)
    monkeypatch.chdir(tmp_path)

    exec(compile(example, "lab.md", "exec"), {})

    assert capsys.readouterr().out.startswith("done ")


def commands() -> list[str]:
    shown = [block for page in PAGES for block in blocks(page.read_text(), "sh")]
    lines = [line for block in shown for line in block.splitlines()]
    return sorted({line for line in lines if line.startswith("allometry ")})


@pytest.mark.parametrize("line", commands())
def test_each_command_on_a_page_exists_with_its_options(line: str) -> None:
    _, *words = shlex.split(line, comments=True)

    app.parse_args(words, exit_on_error=False, print_error=False)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_local_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)", page.read_text())

    for path, heading in links:
        target = (page.parent / path) if path else page
        assert target.exists(), path
        assert not heading or heading in anchors(target), f"{path}#{heading}"


CHOICES = [
    one for one in (vars(recipe) | vars(tasks)).values() if isinstance(one, type) and "kind" in vars(one)
]


@pytest.mark.parametrize("chosen", CHOICES, ids=lambda chosen: chosen.__name__)
def test_every_choice_of_a_recipe_is_in_the_reference_with_all_its_fields(chosen: Any) -> None:
    (kind,) = get_args(get_type_hints(chosen)["kind"])
    (section,) = re.findall(rf"^### {kind}\n(.*?)(?=^##|\Z)", REFERENCE, flags=re.DOTALL | re.MULTILINE)

    shown = re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)
    assert shown == [field.name for field in fields(chosen) if field.name != "kind"]
    assert f'kind = "{kind}"' in blocks(section, "toml")[0]


def test_the_smallest_recipe_of_the_reference_is_one() -> None:
    assert Recipe.from_toml(blocks(REFERENCE, "toml")[0]).steps == 512

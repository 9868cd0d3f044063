"""The pages on sweeps: what they show happens, and the commands they write are read."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

from allometry.cli import app
from allometry.sweeps.until import read_rule

FOLDER = Path(__file__).parents[1] / "docs" / "sweeps"
PAGES = sorted(page for page in FOLDER.glob("*.md") if page.stem != "README")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run_as_shown(page: Path) -> None:
    shown = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL))
    examples = doctest.DocTestParser().get_doctest(shown, {}, page.name, str(page), 0)
    told: list[str] = []

    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples, out=told.append)

    assert examples.examples
    assert not told, "".join(told)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_in_the_index_and_names_its_sources(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert f"({page.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.search(r"arXiv:\d{4}\.\d{5}|doi:10\.", text)


def test_every_command_of_the_index_is_understood() -> None:
    lines = re.findall(r"^\$ allometry (.*)$", (FOLDER / "README.md").read_text(encoding="utf-8"), re.M)

    assert len(lines) == 7
    for line in lines:
        app.parse_args(shlex.split(line), exit_on_error=False, print_error=False)


def test_every_rule_to_stop_by_is_one() -> None:
    rules = re.findall(r"^\| `(\w+ [<>] \S+)` \|", (FOLDER / "designs.md").read_text(encoding="utf-8"), re.M)

    assert [read_rule(rule).flops for rule in rules][-1] == 1e15
    assert len(rules) == 3

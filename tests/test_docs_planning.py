"""The pages on planning: each question has one, and what they show is what happens."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "planning"
PAGES = sorted(FOLDER.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run_as_shown(page: Path) -> None:
    shown = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL))
    examples = doctest.DocTestParser().get_doctest(shown, {}, page.name, str(page), 0)
    told: list[str] = []

    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(examples, out=told.append)

    assert examples.examples
    assert not told, "".join(told)


@pytest.mark.parametrize("page", [p for p in PAGES if p.stem != "README"], ids=lambda page: page.stem)
def test_a_page_is_in_the_index_and_names_its_source(page: Path) -> None:
    assert f"({page.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.search(r"arXiv:\d{4}\.\d{5}", page.read_text(encoding="utf-8"))

"""Each rule drops what it is for, at its limit and not before."""

from __future__ import annotations

import pytest

from allometry.lab.cleaning.quality import broken_rule
from allometry.recipe import QualityFilter

PROSE = "The lamp was lit and the table laid before anyone had come down the stairs that evening.\n"
RULES = QualityFilter(min_words=10, max_words=60)


def test_prose_passes() -> None:
    assert broken_rule(PROSE, RULES) == ""
    assert broken_rule("\n".join(f"{PROSE.strip()} {number}" for number in range(20)), QualityFilter()) == ""


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("only nine words are written in this short line", "min_words"),
        (PROSE * 4, "max_words"),
        ("a b c d " * 5, "min_word_length"),
        ("incomprehensibilities " * 10, "max_word_length"),
        (PROSE + "# " * 3, "max_symbol_ratio"),
        (PROSE + "… " * 3, "max_symbol_ratio"),
        (PROSE + "and so... " * 3, "max_symbol_ratio"),
        ("12345 67.89 text " * 5, "min_alphabetic"),
        (PROSE * 2, "max_duplicate_lines"),
        ("", "min_words"),
    ],
)
def test_what_is_not_prose_breaks_a_rule(text: str, rule: str) -> None:
    assert broken_rule(text, RULES) == rule


def test_a_limit_itself_is_kept() -> None:
    lines = [f"this is line number {number} of a text" for number in range(7)]
    text = "\n".join([*lines, *lines[:3]])  # 3 of 10 lines are copies

    assert broken_rule(text, QualityFilter(min_words=80, max_words=80)) == ""
    assert broken_rule(text, QualityFilter(min_words=80, max_duplicate_lines=0.29)) == "max_duplicate_lines"


def test_rules_set_to_let_all_pass_let_all_pass() -> None:
    lenient = QualityFilter(
        min_words=0,
        min_word_length=0,
        max_word_length=1e9,
        max_symbol_ratio=1e9,
        min_alphabetic=0,
        max_duplicate_lines=1,
    )

    assert [broken_rule(text, lenient) for text in ("", "#" * 99, "1\n1\n1")] == ["", "", ""]

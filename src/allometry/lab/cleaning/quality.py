"""Rules by which a document passes for prose."""

from __future__ import annotations

from allometry.recipe import QualityFilter


def broken_rule(text: str, rules: QualityFilter) -> str:
    """The first rule that a text breaks, as the recipe spells it; empty if it keeps them all.

    Source:
        Rae et al. 2021, section A1.1, arXiv:2112.11446: number and mean length of words, symbols by words,
        words with letters, copies of lines.

    >>> broken_rule("too short", QualityFilter())
    'min_words'
    """
    words = text.split()
    broken = {
        "min_words": len(words) < rules.min_words,
        "max_words": len(words) > rules.max_words,
        "min_word_length": _mean_length(words) < rules.min_word_length,
        "max_word_length": _mean_length(words) > rules.max_word_length,
        "max_symbol_ratio": _symbol_ratio(text, len(words)) > rules.max_symbol_ratio,
        "min_alphabetic": _alphabetic(words) < rules.min_alphabetic,
        "max_duplicate_lines": _duplicate_lines(text) > rules.max_duplicate_lines,
    }
    return next((rule for rule, is_broken in broken.items() if is_broken), "")


def _mean_length(words: list[str]) -> float:
    return sum(map(len, words)) / max(1, len(words))


def _symbol_ratio(text: str, words: int) -> float:
    return max(text.count("#"), text.count("...") + text.count("…")) / max(1, words)


def _alphabetic(words: list[str]) -> float:
    return sum(any(char.isalpha() for char in word) for word in words) / max(1, len(words))


def _duplicate_lines(text: str) -> float:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (len(lines) - len(set(lines))) / max(1, len(lines))

"""Steps run in order, say what they did, and never touch what a recipe is judged by."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from allometry.errors import InputError
from allometry.lab.cleaning import clean
from allometry.lab.cleaning.dedup import jaccard, shingles
from allometry.lab.corpus import Corpus, read_corpus
from allometry.lab.documents import Document
from allometry.recipe import (
    CharacterNoise,
    Data,
    ExactDedup,
    NearDedup,
    QualityFilter,
    RandomDocuments,
    Step,
    TextFiles,
    Utf8Bytes,
    WordShuffle,
)

NOISE: list[Step] = [CharacterNoise(fraction=0.5), WordShuffle(fraction=0.9), RandomDocuments(fraction=0.5)]


def documents(*texts: str, domain: str = "") -> list[Document]:
    return [Document(name=f"{domain}{at}", text=text, domain=domain) for at, text in enumerate(texts)]


def nothing(_: Document) -> bool:
    return False


def corpus(folder: Path, *steps: Step) -> Corpus:
    source = TextFiles(paths=(f"{folder}/*.txt",))
    return read_corpus(Data(corpus=source, tokenizer=Utf8Bytes(), held_out=0.3, steps=steps))


@pytest.fixture
def repetitive(own_text: Path) -> Path:
    """40 documents, and two copies of each: one exact, one with its first word changed."""
    for path in sorted(own_text.glob("*.txt")):
        text = path.read_text()
        (own_text / f"copy-{path.name}").write_text(text)
        (own_text / f"near-{path.name}").write_text(text.replace(text.split()[0], "changed", 1))
    return own_text


def test_a_report_counts_what_was_kept_and_dropped() -> None:
    kept, (report,) = clean(documents("one", "two", "one", "é"), [ExactDedup()], nothing)

    assert [document.text for document in kept] == ["one", "two", "é"]
    assert (report.kept_documents, report.dropped_documents) == (3, 1)
    assert (report.kept_bytes, report.dropped_bytes) == (8, 3)
    assert (report.changed_documents, report.reasons) == (0, {"copy": 1})


def test_a_filter_says_which_rule_dropped_how_many() -> None:
    rules = QualityFilter(min_words=2, max_word_length=5)
    texts = documents("good text", "short", "extraordinarily long", "unquestionably so long", "fine one")

    _, (report,) = clean(texts, [rules], nothing)

    assert report.reasons == {"min_words": 1, "max_word_length": 2}


def test_noise_reports_how_many_documents_it_changed() -> None:
    _, (report,) = clean(documents(*["plain text"] * 500), [RandomDocuments(fraction=0.5)], nothing)

    assert 200 < report.changed_documents < 300
    assert report.kept_documents == 500


def test_steps_run_in_the_order_of_the_recipe() -> None:
    texts = documents("a a a", "a a a", "b b b")
    filtered = QualityFilter(min_words=3, min_word_length=0)

    _, reports = clean(texts, [ExactDedup(), filtered], nothing)

    assert [(one.kind, one.kept_documents) for one in reports] == [("exact_dedup", 2), ("quality_filter", 2)]


def test_a_step_for_some_domains_leaves_the_others_alone() -> None:
    code, prose = documents("same", "same", domain="code"), documents("same", "same", domain="prose")

    kept, (report,) = clean([*code, *prose], [ExactDedup(domains=("code",))], nothing)

    assert [document.domain for document in kept] == ["code", "prose", "prose"]
    assert report.kept_documents + report.dropped_documents == 2


@pytest.mark.parametrize(
    "step", [*NOISE, QualityFilter(min_words=0, min_word_length=5)], ids=lambda step: step.kind
)
def test_held_out_text_is_neither_noised_nor_filtered(own_text: Path, step: Step) -> None:
    for path in list(own_text.glob("text0[01]*.txt")):
        path.write_text("evening lantern " * 99)  # so that the filter keeps something
    before, after = corpus(own_text), corpus(own_text, step)

    assert after.held_out == before.held_out
    assert after.train != before.train


@pytest.mark.parametrize(
    ("step", "similar"),
    [
        (ExactDedup(), lambda one, other: one.text == other.text),
        (
            NearDedup(threshold=0.8),
            lambda one, other: jaccard(shingles(one.text, 5), shingles(other.text, 5)) >= 0.8,
        ),
    ],
    ids=["exact_dedup", "near_dedup"],
)
def test_no_copy_straddles_the_split(
    repetitive: Path, step: Step, similar: Callable[[Document, Document], bool]
) -> None:
    def straddle(corpus: Corpus) -> bool:
        return any(similar(one, other) for one in corpus.train for other in corpus.held_out)

    assert straddle(corpus(repetitive))
    assert not straddle(corpus(repetitive, step))


def test_dedup_keeps_one_of_each_and_moves_none_to_the_other_side(repetitive: Path) -> None:
    before, after = corpus(repetitive), corpus(repetitive, NearDedup())

    assert len(after.train) + len(after.held_out) == 40
    assert set(after.train) <= set(before.train)
    assert set(after.held_out) <= set(before.held_out)


def test_the_record_holds_the_reports(repetitive: Path) -> None:
    record = corpus(repetitive, ExactDedup(), CharacterNoise(fraction=0.1)).record()

    assert [(step["kind"], step["dropped_documents"]) for step in record["steps"]] == [
        ("exact_dedup", 40),
        ("character_noise", 0),
    ]
    assert record["documents"]["train"] + record["documents"]["held_out"] == 80


def test_a_step_that_drops_everything_is_a_sentence() -> None:
    with pytest.raises(InputError, match=r"quality_filter drops all 2 documents .* give it looser rules"):
        clean(documents("one", "two"), [QualityFilter()], nothing)


def test_noise_in_a_document_does_not_depend_on_the_others() -> None:
    draw = random.Random(0)
    texts = documents(*[" ".join(draw.choices("abcdefgh", k=40)) for _ in range(6)])

    together, _ = clean(texts, NOISE, nothing)
    alone = [clean([document], NOISE, nothing)[0][0] for document in texts]

    assert together == alone

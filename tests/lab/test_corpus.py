"""Text comes from where it says, and a document stays on its side of the split."""

from __future__ import annotations

import hashlib
import shutil
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest

from allometry.errors import InputError
from allometry.lab.corpus import Corpus, read_corpus
from allometry.lab.sources.files import read_files
from allometry.lab.sources.standard_library import read_library
from allometry.recipe import Bpe, Data, Recipe, StandardLibrary, TextFiles, Utf8Bytes

LIBRARY = Path(sysconfig.get_paths()["stdlib"])


@pytest.fixture(scope="module")
def library() -> Corpus:
    return read_corpus(Data(corpus=StandardLibrary(bytes=200_000), tokenizer=Bpe(vocab=512), held_out=0.1))


def files(folder: Path, held_out: float = 0.2) -> Data:
    corpus = TextFiles(paths=(f"{folder}/*.txt",))
    return Data(corpus=corpus, tokenizer=Bpe(vocab=300), held_out=held_out)


def test_the_library_sample_leaves_out_tables_tests_and_installed_packages(library: Corpus) -> None:
    parts = {part for d in (*library.train, *library.held_out) for part in Path(d.name).parts[:-1]}

    assert not parts & {"encodings", "test", "tests", "idle_test", "site-packages", "dist-packages"}


def test_the_library_sample_is_about_as_large_as_asked(library: Corpus) -> None:
    sizes = [len(d.text.encode()) for d in (*library.train, *library.held_out)]

    assert 200_000 <= sum(sizes) <= 200_000 + max(sizes)
    assert max(sizes) <= 0.06 * 200_000  # no file dominates


def test_recorded_hashes_are_those_of_the_files(library: Corpus) -> None:
    recorded = library.record()["files"]

    for name, sha256 in (recorded["train"] | recorded["held_out"]).items():
        content = (LIBRARY / name).read_text(encoding="utf-8", errors="replace")
        assert sha256 == hashlib.sha256(content.encode()).hexdigest()


def test_the_record_names_the_python_version(library: Corpus) -> None:
    assert ".".join(sysconfig.get_python_version().split(".")[:2]) in library.record()["origin"]


def test_the_same_text_has_the_same_hash_and_another_has_another(own_text: Path) -> None:
    before = read_corpus(files(own_text)).sha256
    again = read_corpus(files(own_text)).sha256
    (own_text / "text007.txt").write_text("changed")

    assert before == again != read_corpus(files(own_text)).sha256


def test_new_documents_move_no_old_one_to_the_other_side(own_text: Path) -> None:
    before = read_corpus(files(own_text))
    for number in range(30):
        (own_text / f"new{number}.txt").write_text(f"new {number}")
    after = read_corpus(files(own_text))

    assert set(before.train) <= set(after.train)
    assert set(before.held_out) <= set(after.held_out)


def test_no_document_is_on_both_sides_or_on_none(own_text: Path) -> None:
    corpus = read_corpus(files(own_text))
    train, held_out = ({d.name for d in side} for side in (corpus.train, corpus.held_out))

    assert not train & held_out
    assert train | held_out == {f"own_text/{path.name}" for path in own_text.glob("*.txt")}


def test_no_held_out_line_stands_in_the_training_text(tiny: Recipe) -> None:
    corpus = read_corpus(tiny.data)
    trained = {line for document in corpus.train for line in document.text.splitlines()}

    assert not trained & {line for document in corpus.held_out for line in document.text.splitlines()}


def test_relative_patterns_start_at_the_working_directory(
    own_text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own_text.parent)
    data = replace(files(own_text), corpus=TextFiles(paths=("own_text/*.txt",)))

    names = {d.name for d in (*read_corpus(data).train, *read_corpus(data).held_out)}

    assert names == {f"own_text/text{number:03d}.txt" for number in range(40)}


def test_overlapping_patterns_take_a_file_once(own_text: Path) -> None:
    both = TextFiles(paths=(f"{own_text}/*.txt", f"{own_text}/text00*.txt"))

    assert read_corpus(replace(files(own_text), corpus=both)).sha256 == read_corpus(files(own_text)).sha256


def test_no_matching_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No file matches .*\*\.txt"):
        read_corpus(files(tmp_path))


@pytest.mark.parametrize("pattern", [".", "", "/", "a**", "x" * 5000])
def test_what_is_no_pattern_is_a_sentence(pattern: str) -> None:
    with pytest.raises(InputError, match=r"' is no pattern of files\. Write one such as 'texts/\*\.txt'"):
        read_files(TextFiles(paths=(pattern,)))


def test_a_folder_in_place_of_its_files_is_a_sentence_that_says_so(own_text: Path) -> None:
    with pytest.raises(InputError, match=rf"{own_text} is a folder; name the files in it, as in .*/\*\.txt"):
        read_files(TextFiles(paths=(str(own_text),)))


def test_a_sample_too_small_for_any_file_is_a_sentence() -> None:
    data = Data(corpus=StandardLibrary(bytes=10), tokenizer=Utf8Bytes())

    with pytest.raises(InputError, match="No document is left to train on: the source gave none"):
        read_corpus(data)


def test_documents_that_cannot_be_split_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "only.txt").write_text("alone")

    with pytest.raises(InputError, match=r"1 documents cannot be split .* Give more documents"):
        read_corpus(files(tmp_path))


def test_docstrings_are_english_without_the_code_and_go_by_the_names_of_their_files() -> None:
    documents = read_library(100_000, docstrings=True)

    text = "\n".join(document.text for document in documents)
    assert len(text) >= 100_000
    assert text.count(" the ") / len(text.split()) > 0.03  # as in English
    assert text.count("\n    def ") / len(text.split()) < 0.001
    assert all(document.name.endswith(".py") for document in documents)  # the split goes by names


def test_a_folder_that_lies_elsewhere_is_split_alike(own_text: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "own_text"
    shutil.copytree(own_text, moved)

    assert read_corpus(files(moved)).sha256 == read_corpus(files(own_text)).sha256


def test_files_of_one_name_in_two_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("a/text", "b/text"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(20):
            (tmp_path / folder / f"{number}.txt").write_text(f"{folder} {number}")
    patterns = tuple(str(tmp_path / folder / "text" / "*.txt") for folder in ("a", "b"))

    documents = read_files(TextFiles(paths=patterns))

    assert len({one.name for one in documents}) == 40

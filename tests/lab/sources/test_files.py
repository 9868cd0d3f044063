"""A file is read as its suffix says, and refused by name where it is not what that says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from allometry.errors import CorruptFile, InputError
from allometry.lab.sources.files import read_files
from allometry.recipe import TextFiles

TEXTS = ["first é 漢字", "second\nof two lines", "third"]
LINES = "".join(json.dumps({"text": text, "id": number}) + "\n" for number, text in enumerate(TEXTS)).encode()


def zstd(content: bytes) -> bytes:
    return pyarrow.Codec("zstd").compress(content, asbytes=True)  # type: ignore[no-any-return]


def texts_of(path: Path, key: str = "text") -> list[str]:
    return [document.text for document in read_files(TextFiles(paths=(str(path),), text_key=key))]


def write(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def write_parquet(path: Path, **columns: list[object]) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("name", "packed"),
    [("a.jsonl", bytes), ("a.ndjson", bytes), ("a.jsonl.gz", gzip.compress), ("A.JSONL.ZST", zstd)],
)
def test_every_json_line_is_a_document(tmp_path: Path, name: str, packed: type[bytes]) -> None:
    assert texts_of(write(tmp_path, name, packed(LINES))) == TEXTS


@pytest.mark.parametrize(
    ("name", "packed"), [("a.txt", bytes), ("a.c", bytes), ("a.md.gz", gzip.compress), ("a.zst", zstd)]
)
def test_every_other_file_is_one_document(tmp_path: Path, name: str, packed: type[bytes]) -> None:
    assert texts_of(write(tmp_path, name, packed(LINES))) == [LINES.decode()]


def test_several_packed_members_are_read_to_the_end(tmp_path: Path) -> None:
    assert texts_of(write(tmp_path, "a.txt.gz", gzip.compress(b"one ") + gzip.compress(b"two"))) == [
        "one two"
    ]
    assert texts_of(write(tmp_path, "a.txt.zst", zstd(b"one ") + zstd(b"two"))) == ["one two"]


def test_every_row_of_a_table_is_a_document(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", content=list(TEXTS), id=[0, 1, 2])

    assert texts_of(path, key="content") == TEXTS


def test_rows_are_named_by_file_and_number(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", b"\n" + LINES)

    documents = read_files(TextFiles(paths=(str(path),)))

    name = f"{tmp_path.name}/a.jsonl"  # wherever that folder lies
    assert [one.name for one in documents] == [f"{name}:{number}" for number in (2, 3, 4)]
    assert {one.file for one in documents} == {name}


def test_half_a_surrogate_pair_becomes_text_that_can_be_encoded(tmp_path: Path) -> None:
    assert texts_of(write(tmp_path, "a.jsonl", rb'{"text": "odd \ud83d end"}')) == ["odd ? end"]


def test_every_kind_of_line_end_is_read_as_one(tmp_path: Path) -> None:
    assert texts_of(write(tmp_path, "a.txt", b"a\r\nb\rc\n")) == ["a\nb\nc\n"]


def test_empty_documents_are_left_out(tmp_path: Path) -> None:
    assert texts_of(write(tmp_path, "a.jsonl", b'{"text": ""}\n{"text": "b"}\n')) == ["b"]


def test_text_of_another_european_encoding_is_still_text(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "Das Übermaß an Vorschriften war allen zur Last".encode("latin-1"))

    assert texts_of(path)[0].startswith("Das \ufffdberma\ufffd an")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b'{"text": "a"}\n{"text": ', r"a\.jsonl, line 2, is not JSON \(.*one object a line"),
        ("a.jsonl", b"[" * 100_000, r"line 1, is not JSON"),
        ("a.jsonl", b'"text"', r"line 1, is not a JSON object but str; give an object a line"),
        ("a.jsonl", b'{"txt": "a"}', r"line 1, has no 'text'\. It has: txt\. Did you mean 'txt'\? "),
        ("a.jsonl", b'{"text": null}', r"a\.jsonl, row 1: the text is NoneType, not a string; name another"),
        ("a.jsonl", b"\xff\xfe{", r"line 1, is not JSON"),
        ("a.tar.gz", b"", r"files ending in \.tar\.gz are not read; unpack it"),
        ("a.zip", b"", r"files ending in \.zip are not read; unpack it"),
        ("a.parquet.gz", b"", r"files ending in \.parquet\.gz are not read"),
        ("a.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), r"a\.txt is not UTF-8 text: \d+% of the"),
        ("a.txt", "sixteen bits".encode("utf-16"), r"Convert it, or leave it out of the pattern"),
        ("a.txt", b"", r"hold no text: all of them are empty"),
        ("a.jsonl", b"\n\n", r"hold no text: all of them are empty"),
    ],
)  # fmt: skip
def test_what_is_not_as_its_suffix_says_is_a_sentence(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        texts_of(write(tmp_path, name, content))

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt.gz", gzip.compress(LINES * 50)[:-30]),
        ("a.txt.zst", zstd(LINES * 50)[:-10]),
        ("a.txt.gz", b"not packed"),
        ("a.txt.zst", b"not packed"),
    ],
)
def test_a_damaged_packed_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(CorruptFile, match=rf"{name} cannot be unpacked .* fetch or make it again"):
        texts_of(write(tmp_path, name, content))


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match=r"a\.parquet cannot be read as Parquet"):
        texts_of(write(tmp_path, "a.parquet", b"PAR1 but no more"))


def test_a_table_without_the_column_lists_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no 'text'\. It has: body, id\. Name the text with text_key"):
        texts_of(write_parquet(tmp_path / "a.parquet", body=list(TEXTS), id=[0, 1, 2]))


def test_a_column_of_numbers_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row 1: the text is int, not a string"):
        texts_of(write_parquet(tmp_path / "a.parquet", text=[1, 2]))

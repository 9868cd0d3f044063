"""Encoded text is the text: nothing lost, nothing encoded twice."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from allometry.errors import CorruptFile, InputError, StudyError
from allometry.lab import token_cache, tokens
from allometry.lab.corpus import read_corpus
from allometry.lab.encoded import load_encoded
from allometry.lab.encoders import END_OF_DOCUMENT, Encoder, open_encoder
from allometry.lab.token_cache import token_folder
from allometry.lab.tokens import TokenData, prepare_tokens
from allometry.recipe import Bpe, Data, Recipe, TextFiles

ODD = "tabs\tand\r\nline\x0cfeeds\u2028 é 漢字 🙂 \x00 <|end|> trailing  \n\n\n"


@pytest.fixture
def odd(own_text: Path) -> Data:
    """Text in which every tenth document is anything but plain."""
    for number in range(0, 40, 10):
        (own_text / f"text{number:03d}.txt").write_text(ODD * 60, newline="")
    corpus = TextFiles(paths=(f"{own_text}/*.txt",))
    return Data(corpus=corpus, tokenizer=Bpe(vocab=300), held_out=0.3)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ALLOMETRY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tokens"


def tokenizer_of(cache: Path, data: TokenData) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(cache / data.data_hash / "tokenizer.json"))
    assert isinstance(tokenizer, Tokenizer)
    return tokenizer


def test_decoding_gives_the_text_back(odd: Data, cache: Path) -> None:
    encoded, corpus = prepare_tokens(odd), read_corpus(odd)
    tokenizer = tokenizer_of(cache, encoded)
    end = tokenizer.token_to_id(END_OF_DOCUMENT)

    for ids, documents in ((encoded.train, corpus.train), (encoded.held_out, corpus.held_out)):
        ends = np.flatnonzero(ids == end)
        pieces = np.split(ids, ends + 1)[:-1]
        decoded = [tokenizer.decode(piece[:-1].tolist(), skip_special_tokens=False) for piece in pieces]
        assert decoded == [document.text for document in documents]


def test_the_bytes_of_all_held_out_tokens_are_the_bytes_of_the_text(odd: Data, cache: Path) -> None:
    encoded = prepare_tokens(odd)

    assert encoded.held_out_bytes.sum() == encoded.record["bytes"]["held_out"]
    assert len(encoded.held_out_bytes) == len(encoded.held_out)


def test_every_id_is_below_the_vocabulary(tiny: Recipe) -> None:
    encoded = prepare_tokens(tiny.data)

    assert max(encoded.train.max(), encoded.held_out.max()) < 300


def test_text_that_is_cached_is_not_encoded_again(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    before = prepare_tokens(tiny.data)
    monkeypatch.setattr(tokens, "open_encoder", None)

    after = prepare_tokens(tiny.data)

    assert after.data_hash == before.data_hash
    assert isinstance(after.train, np.memmap)
    np.testing.assert_array_equal(after.train, before.train)


def test_other_text_another_split_or_another_vocabulary_has_another_identity(
    tiny: Recipe, own_text: Path
) -> None:
    others = [
        tiny.data,
        replace(tiny.data, held_out=0.5),
        replace(tiny.data, tokenizer=Bpe(vocab=301)),
        replace(tiny.data, corpus=TextFiles(paths=(f"{own_text}/*.txt",))),
    ]

    assert len({prepare_tokens(data).data_hash for data in others}) == 4


def test_two_processes_that_encode_at_once_leave_one_whole_folder(tiny: Recipe, cache: Path) -> None:
    code = (
        "import sys; from allometry.recipe import Recipe; from allometry.lab.tokens import prepare_tokens\n"
        "print(prepare_tokens(Recipe.from_toml(sys.argv[1]).data).train.sum())"
    )
    command = [sys.executable, "-c", code, tiny.to_toml()]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    answers = [process.communicate()[0] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert answers[0] == answers[1]
    assert len(list(cache.iterdir())) == 1


def test_a_shared_cache_may_be_read_by_others(tiny: Recipe, cache: Path) -> None:
    data_hash = prepare_tokens(tiny.data).data_hash
    (cache / "plain").mkdir()

    assert (cache / data_hash).stat().st_mode == (cache / "plain").stat().st_mode


def test_the_second_of_two_writers_gives_way(
    tiny: Recipe, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(*given: Any) -> Encoder:
        monkeypatch.setattr(tokens, "open_encoder", open_encoder)
        prepare_tokens(tiny.data)  # another process comes in between
        return open_encoder(*given)

    monkeypatch.setattr(tokens, "open_encoder", overtaken)

    encoded = prepare_tokens(tiny.data)

    assert [path.name for path in cache.iterdir()] == [encoded.data_hash]


def test_a_crash_while_encoding_leaves_nothing(
    tiny: Recipe, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_cache, "_MANIFEST", None)

    with pytest.raises(TypeError):
        prepare_tokens(tiny.data)

    assert list(cache.iterdir()) == []


STORED = ["train.npy", "held_out.npy", "held_out_bytes.npy", "document_starts.npy",
          "document_order.npy", "spans.json", "record.json"]  # fmt: skip


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.fixture(scope="module")
def encoded_folder(tiny: Recipe) -> Path:
    return token_folder(prepare_tokens(tiny.data).data_hash)


@pytest.mark.parametrize("damage", [truncated, flipped])
@pytest.mark.parametrize("name", STORED)
def test_a_damaged_file_is_named_with_the_way_out(
    encoded_folder: Path, tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    folder = shutil.copytree(encoded_folder, tmp_path / "damaged")
    (folder / name).write_bytes(damage((folder / name).read_bytes()))

    with pytest.raises(CorruptFile, match=rf"{name} is damaged: .*Delete the folder .*; it is made again"):
        load_encoded(folder)


@pytest.mark.parametrize("name", [*STORED, "manifest.json"])
def test_a_missing_file_is_named_with_the_way_out(encoded_folder: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(encoded_folder, tmp_path / "damaged")
    (folder / name).unlink()

    with pytest.raises(CorruptFile, match=rf"No such file.*{name}.*Delete the folder .*; it is made again"):
        load_encoded(folder)


def test_a_process_hashes_a_file_once(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_tokens(tiny.data)
    monkeypatch.setattr(hashlib, "file_digest", None)  # it would be called

    prepare_tokens(tiny.data)


def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    tiny: Recipe, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(StudyError, match="the disk is full; free some space"):
        prepare_tokens(tiny.data)

    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("content", [" \n\t" * 400, "short"])
def test_text_that_cannot_fill_the_vocabulary_is_a_sentence(own_text: Path, content: str) -> None:
    for path in own_text.iterdir():
        path.write_text(content)
    data = Data(corpus=TextFiles(paths=(f"{own_text}/*.txt",)), tokenizer=Bpe(vocab=300), held_out=0.3)

    with pytest.raises(InputError, match=r"yields only \d+ of 300 tokens; give more text or a smaller vocab"):
        prepare_tokens(data)

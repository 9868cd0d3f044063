"""From documents to token ids on disk: encoded once, cached by content, memory-mapped."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from allometry.errors import CorruptFile, InputError
from allometry.files import cache_folder, explained, write_atomically
from allometry.lab.corpus import Corpus, Document, read_corpus
from allometry.recipe import Data

END_OF_DOCUMENT = "<|end|>"
_BLOCK_LINES = 200  # whole files as one string make training and encoding several times slower
_FORMAT = 2  # part of the cache key: raise it when what is stored changes

Ids = npt.NDArray[np.uint16]


@dataclass(frozen=True, kw_only=True)
class TokenData:
    """Encoded text.

    Attributes:
        train, held_out: Token ids, memory-mapped, documents joined by the end-of-document token.
        token_bytes: Bytes of text per token id, shape (vocab,); 0 for the end-of-document token.
        data_hash: Identity of text, split and tokenizer together.
        record: What the text was, for the study.
    """

    train: Ids
    held_out: Ids
    token_bytes: npt.NDArray[np.int64]
    data_hash: str
    record: dict[str, Any]


def prepare_tokens(data: Data) -> TokenData:
    """Read, split, tokenize and encode the text of a recipe, or take it from the cache.

    Raises:
        InputError: If the text is too short for the vocabulary.
        StudyError: If the cache cannot be written.
        CorruptFile: If the cache was damaged.
    """
    corpus = read_corpus(data)
    key = json.dumps([_FORMAT, corpus.sha256, asdict(data.tokenizer)], sort_keys=True)
    data_hash = hashlib.sha256(key.encode()).hexdigest()[:16]
    folder = cache_folder() / "tokens" / data_hash
    if not (folder / "record.json").exists():
        _encode_into(folder, corpus, data.tokenizer.vocab)
    try:
        return TokenData(
            train=np.load(folder / "train.npy", mmap_mode="r"),
            held_out=np.load(folder / "held_out.npy", mmap_mode="r"),
            token_bytes=np.load(folder / "token_bytes.npy"),
            data_hash=data_hash,
            record=json.loads((folder / "record.json").read_text()),
        )
    except (OSError, ValueError, EOFError) as error:
        raise CorruptFile(
            f"The encoded text in {folder} cannot be read ({error}). Delete that folder; it is made again."
        ) from error


def _encode_into(folder: Path, corpus: Corpus, vocab: int) -> None:
    """Fill a cache folder aside and put it in place whole; the first of two writers wins."""
    with explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = folder.parent / f".encoding-{uuid.uuid4().hex[:8]}"
        aside.mkdir()
        try:
            tokenizer = _train_bpe(corpus.train, vocab)
            _save_array(aside / "train.npy", _encode(tokenizer, corpus.train))
            _save_array(aside / "held_out.npy", _encode(tokenizer, corpus.held_out))
            _save_array(aside / "token_bytes.npy", _token_bytes(tokenizer))
            write_atomically(aside / "tokenizer.json", tokenizer.to_str())
            write_atomically(aside / "record.json", json.dumps(corpus.record(), indent=1) + "\n")
            _put_in_place(aside, folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _put_in_place(aside: Path, folder: Path) -> None:
    try:
        aside.rename(folder)
    except OSError:
        if not folder.exists():  # else another process was first, with the same content
            raise


def _save_array(path: Path, values: npt.NDArray[Any]) -> None:
    buffer = io.BytesIO()
    np.save(buffer, values)
    write_atomically(path, buffer.getvalue())


def _blocks(document: Document) -> Iterator[str]:
    lines = document.text.splitlines(keepends=True)
    for start in range(0, len(lines), _BLOCK_LINES):
        yield "".join(lines[start : start + _BLOCK_LINES])


def _train_bpe(documents: Sequence[Document], vocab: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.encode_special_tokens = True  # text that spells the end-of-document token is text
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[END_OF_DOCUMENT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((block for document in documents for block in _blocks(document)), trainer)
    if tokenizer.get_vocab_size() < vocab:
        raise InputError(
            f"The training text yields only {tokenizer.get_vocab_size()} of {vocab} tokens; "
            f"give more text or a smaller vocab."
        )
    return tokenizer


def _encode(tokenizer: Tokenizer, documents: Sequence[Document]) -> Ids:
    end = np.array([tokenizer.token_to_id(END_OF_DOCUMENT)], dtype=np.uint16)
    pieces: list[Ids] = []
    for document in documents:
        encodings = tokenizer.encode_batch_fast(list(_blocks(document)), add_special_tokens=False)
        pieces += [np.array(encoding.ids, dtype=np.uint16) for encoding in encodings]
        pieces.append(end)
    return np.concatenate(pieces)


def _token_bytes(tokenizer: Tokenizer) -> npt.NDArray[np.int64]:
    # In a byte-level vocabulary every character of a token's name stands for one byte of text.
    sizes = np.zeros(tokenizer.get_vocab_size(), dtype=np.int64)
    for name, index in tokenizer.get_vocab().items():
        sizes[index] = 0 if name == END_OF_DOCUMENT else len(name)
    return sizes

"""From text to token ids, and how many bytes of text each token stands for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from allometry.errors import CorruptFile, InputError, did_you_mean
from allometry.recipe import Bpe, Tokenizer, TokenizerFile, Utf8Bytes

END_OF_DOCUMENT = "<|end|>"
_BLOCK_LINES = 200  # whole files as one string make training and encoding several times slower

Ids = npt.NDArray[np.unsignedinteger[Any]]  # uint16 or uint32, see `ids_type`
Sizes = npt.NDArray[np.uint32]


def ids_type(vocab: int) -> type[np.uint16] | type[np.uint32]:
    """The smaller of the two types that hold every id of a vocabulary.

    >>> ids_type(65_536), ids_type(65_537)
    (<class 'numpy.uint16'>, <class 'numpy.uint32'>)
    """
    return np.uint16 if vocab <= 2**16 else np.uint32


class Encoder(Protocol):
    """A tokenizer at work.

    Attributes:
        vocab: Tokens.
        end: Id of the token that ends a document.
        content: What tokenizer.json says, to be kept with the ids; empty if there is none.
    """

    @property
    def vocab(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def content(self) -> str: ...

    def encode(self, text: str) -> Ids:
        """Ids of a text, the end of the document left out."""
        ...

    def encode_sized(self, text: str) -> tuple[Ids, Sizes]:
        """Ids, the end of the document included, and the bytes of the text each stands for: all of them."""
        ...


@dataclass(frozen=True)
class ByteEncoder:
    """Every byte is its own token."""

    vocab: int = 257
    end: int = 256
    content: str = ""

    def encode(self, text: str) -> Ids:
        """The bytes of the text in UTF-8."""
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.uint16)

    def encode_sized(self, text: str) -> tuple[Ids, Sizes]:
        """A byte each, and the end."""
        ids = np.append(self.encode(text), np.uint16(self.end))
        return ids, (ids != self.end).astype(np.uint32)


class BpeEncoder:
    """Byte-level BPE: every character of a token's name stands for one byte of text."""

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.vocab = tokenizer.get_vocab_size()
        self.end: int = tokenizer.get_vocab()[END_OF_DOCUMENT]
        self.content = tokenizer.to_str()
        self._token_bytes = np.zeros(self.vocab, dtype=np.int64)
        for name, index in tokenizer.get_vocab().items():
            self._token_bytes[index] = 0 if name == END_OF_DOCUMENT else len(name)

    def encode(self, text: str) -> Ids:
        """Ids of the text, cut into blocks of lines as it was in training."""
        encodings = self._tokenizer.encode_batch_fast(list(_blocks(text)), add_special_tokens=False)
        pieces = [np.array(encoding.ids, dtype=np.uint16) for encoding in encodings]
        return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.uint16)

    def encode_sized(self, text: str) -> tuple[Ids, Sizes]:
        """The sizes follow from the ids."""
        ids = np.append(self.encode(text), np.uint16(self.end))
        return ids, self._token_bytes[ids].astype(np.uint32)


class FileEncoder:
    """Any tokenizer of the `tokenizers` library: sizes come from where tokens lie in the text.

    So they are right where names of tokens say nothing about them: unknown tokens, byte fallback, and
    normalisation that makes text longer or shorter.
    """

    def __init__(self, tokenizer: tokenizers.Tokenizer, chosen: TokenizerFile) -> None:
        self._tokenizer = tokenizer
        self._type = ids_type(chosen.vocab)
        self.vocab = chosen.vocab
        self.end: int = tokenizer.get_vocab()[chosen.end_of_document]
        self.content = tokenizer.to_str()

    def encode(self, text: str) -> Ids:
        """Ids of the text as a whole: what stands before a word may be part of its token."""
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, dtype=self._type)

    def encode_sized(self, text: str) -> tuple[Ids, Sizes]:
        """Each token stands for the text from the end of the one before to its own end.

        What no token reaches, such as space that a normaliser strips, falls to the end of the document.
        """
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        ends = [0, *(end for _, end in encoding.offsets), len(text)]
        sizes = np.diff(_byte_starts(text)[ends])
        return np.array([*encoding.ids, self.end], dtype=self._type), sizes.astype(np.uint32)


def _byte_starts(text: str) -> npt.NDArray[np.int64]:
    """Byte at which each character starts in UTF-8, and the end of the text."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    lengths = 1 + (codes > 0x7F).astype(np.int64) + (codes > 0x7FF) + (codes > 0xFFFF)
    return np.concatenate([[0], np.cumsum(lengths)])


def open_encoder(chosen: Tokenizer, texts: Iterable[str]) -> Encoder:
    """The tokenizer that a recipe names.

    Args:
        texts: The training text, for a tokenizer that is trained on it.

    Raises:
        InputError: If the text does not fill the vocabulary, or the file does not have the tokens it should.
        CorruptFile: If the file is no tokenizer.
    """
    match chosen:
        case Utf8Bytes():
            return ByteEncoder()
        case Bpe():
            return BpeEncoder(_train_bpe(texts, chosen.vocab))
        case TokenizerFile():
            return FileEncoder(_open_file(chosen), chosen)
    raise AssertionError(f"no text is cut into {chosen.kind}: Data refuses it")


def tokenizer_hash(chosen: Tokenizer) -> str:
    """Hash of what the recipe does not say itself: the content of a tokenizer file; empty otherwise.

    Raises:
        InputError: If the file cannot be read.
    """
    if not isinstance(chosen, TokenizerFile):
        return ""
    return hashlib.sha256(_file_content(chosen)).hexdigest()


def _file_content(chosen: TokenizerFile) -> bytes:
    try:
        return Path(chosen.path).read_bytes()
    except OSError as error:
        raise InputError(
            f"The tokenizer file {chosen.path} cannot be read: {error.strerror}. A relative path starts at "
            f"{Path.cwd()}."
        ) from error


def _open_file(chosen: TokenizerFile) -> tokenizers.Tokenizer:
    try:
        tokenizer = tokenizers.Tokenizer.from_buffer(_file_content(chosen))
    except ValueError as error:
        raise CorruptFile(
            f"{chosen.path} is not a tokenizer.json of the tokenizers library ({error})."
        ) from error
    names = tokenizer.get_vocab()
    highest = max(names.values(), default=-1)
    if highest + 1 != chosen.vocab:
        raise InputError(
            f"The highest token id of {chosen.path} is {highest} and the recipe's vocab {chosen.vocab}; "
            f"set vocab to {highest + 1}, in the architecture too."
        )
    if chosen.end_of_document not in names:
        raise InputError(
            f"{chosen.path} has no token '{chosen.end_of_document}' to end a document with."
            f"{did_you_mean(chosen.end_of_document, names)}"
        )
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True  # text that spells a special token is text
    return tokenizer


def _blocks(text: str) -> Iterator[str]:
    lines = text.splitlines(keepends=True)
    for start in range(0, len(lines), _BLOCK_LINES):
        yield "".join(lines[start : start + _BLOCK_LINES])


def _train_bpe(texts: Iterable[str], vocab: int) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.encode_special_tokens = True  # text that spells the end-of-document token is text
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[END_OF_DOCUMENT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((block for text in texts for block in _blocks(text)), trainer)
    if tokenizer.get_vocab_size() < vocab:
        raise InputError(
            f"The training text yields only {tokenizer.get_vocab_size()} of {vocab} tokens; "
            f"give more text or a smaller vocab."
        )
    return tokenizer


def encode_documents(encoder: Encoder, texts: Sequence[str]) -> tuple[Ids, npt.NDArray[np.int64]]:
    """All texts joined, each with its end, and where each starts, with the end of all as the last entry."""
    end = np.array([encoder.end], dtype=ids_type(encoder.vocab))
    pieces = [piece for text in texts for piece in (encoder.encode(text), end)]
    lengths = [len(piece) + 1 for piece in pieces[::2]]
    return np.concatenate(pieces), np.cumsum([0, *lengths])

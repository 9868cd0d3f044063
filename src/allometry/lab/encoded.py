"""Encoded text as the cache holds it: all of it, with where documents and domains lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from allometry.errors import InputError
from allometry.lab.corpus import Corpus
from allometry.lab.documents import Document, position
from allometry.lab.encoders import Encoder, Ids, encode_documents
from allometry.lab.synthetic import block_tokens, draw_tokens, entropy_rate
from allometry.lab.tasks.problems import encode_problems
from allometry.lab.token_cache import load_array, load_text, store
from allometry.recipe import SymbolSource, SyntheticSource
from allometry.recipe.tasks import TaskProblems

_ARRAYS = ("train", "held_out", "held_out_bytes", "document_starts", "document_order")


class Span(NamedTuple):
    """Where one domain lies.

    Attributes:
        name: Of the domain; empty without a mixture.
        train, held_out: Its first token on each side, and the one after its last.
        documents: Its first training document, and the one after its last.
    """

    name: str
    train: tuple[int, int]
    held_out: tuple[int, int]
    documents: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """What the cache holds of a text.

    Attributes:
        train, held_out, held_out_bytes: As in `TokenData`.
        document_starts: First token of every training document, and the end of the last.
        document_order: Training documents in the order in which a limit on unique tokens takes them.
        spans: The domains.
        record: What the text was, for the study.
    """

    train: Ids
    held_out: Ids
    held_out_bytes: npt.NDArray[np.uint32]
    document_starts: npt.NDArray[np.int64]
    document_order: npt.NDArray[np.int64]
    spans: tuple[Span, ...]
    record: dict[str, Any]


def load_encoded(folder: Path) -> Encoded:
    """Open what was stored; arrays are memory-mapped.

    Raises:
        CorruptFile: If any of it is missing or was altered.
    """
    spans = json.loads(load_text(folder, "spans.json"))
    return Encoded(
        **{name: load_array(folder, name) for name in _ARRAYS},
        spans=tuple(Span(*span) for span in spans),
        record=json.loads(load_text(folder, "record.json")),
    )


def store_encoded(folder: Path, encoded: Encoded, tokenizer: str = "") -> None:
    """Store everything at once.

    Args:
        tokenizer: Content of tokenizer.json, if there is one.

    Raises:
        StudyError: If it cannot be written.
    """
    texts = {
        "record.json": json.dumps(encoded.record, indent=1) + "\n",
        "spans.json": json.dumps(encoded.spans) + "\n",
    }
    if tokenizer:
        texts["tokenizer.json"] = tokenizer
    store(folder, {name: getattr(encoded, name) for name in _ARRAYS}, texts)


def encode_symbols(source: SymbolSource, held_out: float) -> Encoded:
    """Draw the symbols of a source. Its end is held out; of tasks, the problems of that side of the split.

    Raises:
        InputError: If there are too few for both sides.
    """
    if isinstance(source, TaskProblems):
        train, scored = encode_problems(source, held_out)
        known = {}  # an answer follows from its prompt: its entropy is 0
    else:
        train, scored = _split(source, held_out)
        known = {"entropy_rate": entropy_rate(source)}
    return Encoded(
        train=train,
        held_out=scored,
        held_out_bytes=np.zeros(len(scored), dtype=np.uint32),
        document_starts=np.array([0, len(train)]),
        document_order=np.array([0]),
        spans=(Span(name="", train=(0, len(train)), held_out=(0, len(scored)), documents=(0, 1)),),
        record={
            "origin": f"symbols drawn by {source.kind} with seed {source.seed}",
            "sha256": hashlib.sha256(train.tobytes() + scored.tobytes()).hexdigest(),
            "tokens": {"train": len(train), "held_out": len(scored)},
            **known,
        },
    )


def _split(source: SyntheticSource, held_out: float) -> tuple[Ids, Ids]:
    """A sequence, and its end in whole blocks."""
    ids = draw_tokens(source)
    block = block_tokens(source)
    blocks = len(ids) // block
    kept = (blocks - max(1, round(held_out * blocks))) * block
    if kept < 1:
        raise InputError(
            f"{source.tokens} tokens of {source.kind} cannot be split with held_out = {held_out}: one side "
            f"is empty. Ask for more tokens."
        )
    return ids[:kept], ids[kept:]


def encode_text(corpus: Corpus, encoder: Encoder) -> Encoded:
    """Encode both sides of a corpus."""
    train, starts = encode_documents(encoder, [document.text for document in corpus.train])
    sized = [encoder.encode_sized(document.text) for document in corpus.held_out]
    scored = np.cumsum([0, *(len(ids) for ids, _ in sized)])
    # In an order that says nothing about the text, and in which a new document moves no old one.
    order = sorted(range(len(corpus.train)), key=lambda at: position(corpus.train[at].name, "unique "))
    return Encoded(
        train=train,
        held_out=np.concatenate([ids for ids, _ in sized]),
        held_out_bytes=np.concatenate([sizes for _, sizes in sized]),
        document_starts=starts,
        document_order=np.array(order),
        spans=tuple(_spans(corpus, starts, scored)),
        record=corpus.record() | {"tokens": {"train": len(train), "held_out": int(scored[-1])}},
    )


def _spans(corpus: Corpus, train: npt.NDArray[np.int64], held_out: npt.NDArray[np.int64]) -> Iterator[Span]:
    for name in dict.fromkeys(document.domain for document in corpus.train):
        first, last = _places(name, corpus.train)
        scored_first, scored_last = _places(name, corpus.held_out)
        yield Span(
            name=name,
            train=(int(train[first]), int(train[last])),
            held_out=(int(held_out[scored_first]), int(held_out[scored_last])),
            documents=(first, last),
        )


def _places(domain: str, documents: Sequence[Document]) -> tuple[int, int]:
    """First document of a domain, and the one after its last; a domain's documents stand together."""
    own = [number for number, document in enumerate(documents) if document.domain == domain]
    return own[0], own[-1] + 1

"""From a recipe's data to token ids: encoded once, cached by content, memory-mapped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from allometry.errors import InputError
from allometry.lab.corpus import read_corpus
from allometry.lab.data import Batches, Part, ScoredWindows, scored_windows
from allometry.lab.encoded import Encoded, Span, encode_symbols, encode_text, load_encoded, store_encoded
from allometry.lab.encoders import Ids, open_encoder, tokenizer_hash
from allometry.lab.token_cache import is_stored, token_folder
from allometry.recipe import Data, Mixture, SymbolSource, spelled_out
from allometry.recipe.tasks import TaskProblems, layout_of

_FORMAT = 3  # part of the cache key: raise it when what is stored, or how symbols are drawn, changes


@dataclass(frozen=True, kw_only=True)
class TokenData:
    """Encoded text.

    Attributes:
        train, held_out: Token ids, documents joined by the end-of-document token; memory-mapped, unless the
            training text was cut to fewer unique tokens.
        held_out_bytes: Bytes of text that each held-out token stands for, of the shape of held_out.
        train_parts, held_out_parts: The domains' places and shares, one each without a mixture.
        data_hash: Identity of text, split, tokenizer and cut together.
        record: What the text was, for the study.
        answers: Of problems of a task: whether each token of a problem belongs to the answer, which alone is
            learned and scored, shape (problem tokens,). None where every token is.
    """

    train: Ids
    held_out: Ids
    held_out_bytes: npt.NDArray[np.uint32]
    train_parts: tuple[Part, ...]
    held_out_parts: tuple[Part, ...]
    data_hash: str
    record: dict[str, Any]
    answers: npt.NDArray[np.bool_] | None = None

    def batches(self, *, context: int, batch_tokens: int, seed: int) -> Batches:
        """Training batches.

        Raises:
            InputError: If the text is shorter than one batch.
        """
        return Batches(
            self.train, context=context, batch_tokens=batch_tokens, seed=seed, parts=self.train_parts
        )

    def scored(self, *, context: int, tokens: int) -> tuple[ScoredWindows, ...]:
        """The held-out windows that are scored, domain by domain.

        Args:
            tokens: At most so many tokens are scored, over all domains.

        Raises:
            InputError: If the held-out text of a domain is shorter than one window.
        """
        found = (
            scored_windows(self.held_out, self.held_out_bytes, part, context=context, tokens=tokens)
            for part in self.held_out_parts
        )
        return tuple(replace(one, places=self.scored_places(context)) for one in found)

    def scored_places(self, context: int) -> npt.NDArray[np.bool_] | None:
        """Which targets of a window are learned and scored, shape (context,); None for all.

        A window holds whole problems, and its targets are its tokens from the second on.
        """
        if self.answers is None:
            return None
        return np.roll(np.resize(self.answers, context), -1)


def prepare_tokens(data: Data) -> TokenData:
    """Read, clean, split, tokenize and encode the text of a recipe, or take it from the cache.

    A tokenizer is trained on all of the training text, whatever unique_tokens leaves of it, so that the
    tokens of one limit are those of another.

    Raises:
        InputError: If there is no text, or it is too short for the vocabulary or for unique_tokens.
        StudyError: If the cache cannot be written.
        CorruptFile: If the cache was damaged.
        MissingExtra: If a source or step needs a library that is not installed.
    """
    identity, record = _encode_symbols(data) if isinstance(data.corpus, SymbolSource) else _encode_text(data)
    encoded = load_encoded(token_folder(identity))
    limits = _limits(data)
    cut = _cut(encoded, limits)
    shares = _shares(data, cut.parts)
    limited = {name: limit for name, limit in limits.items() if limit is not None}
    return TokenData(
        train=cut.ids,
        held_out=encoded.held_out,
        held_out_bytes=encoded.held_out_bytes,
        train_parts=tuple(replace(part, share=shares[part.name]) for part in cut.parts),
        held_out_parts=tuple(_scored_part(span, shares[span.name]) for span in encoded.spans),
        data_hash=_identity(identity, limited) if limited else identity,
        record=encoded.record | record | ({"unique_tokens": limited} if limited else {}),
        answers=_answers(data.corpus) if isinstance(data.corpus, TaskProblems) else None,
    )


def _answers(source: TaskProblems) -> npt.NDArray[np.bool_]:
    layout = layout_of(source.task)
    return np.arange(layout.problem_tokens) >= layout.prompt_tokens


def _encode_symbols(data: Data) -> tuple[str, dict[str, Any]]:
    """Identity of the symbols, encoded if they were not; nothing to add to their record."""
    assert isinstance(data.corpus, SymbolSource)
    identity = _identity("symbols", spelled_out(data.corpus), data.held_out)
    if not is_stored(token_folder(identity)):
        store_encoded(token_folder(identity), encode_symbols(data.corpus, data.held_out))
    return identity, {}


def _encode_text(data: Data) -> tuple[str, dict[str, Any]]:
    """Identity of the text, encoded if it was not, and its record.

    Other steps may lead to the same text, which is then encoded once; the record is of these.
    """
    corpus = read_corpus(data)
    chosen = spelled_out(data.tokenizer, defaults=False)
    identity = _identity(corpus.sha256, chosen, tokenizer_hash(data.tokenizer))
    if not is_stored(token_folder(identity)):
        encoder = open_encoder(data.tokenizer, (document.text for document in corpus.train))
        store_encoded(token_folder(identity), encode_text(corpus, encoder), encoder.content)
    return identity, corpus.record()


def _identity(*parts: Any) -> str:
    content = json.dumps([_FORMAT, *parts], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _limits(data: Data) -> dict[str, int | None]:
    """Unique tokens that each domain is cut to."""
    if isinstance(data.corpus, Mixture):
        return {domain.name: domain.unique_tokens for domain in data.corpus.domains}
    return {"": data.unique_tokens}


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """Training text and where its domains lie; their shares are still to come."""

    ids: Ids
    parts: tuple[Part, ...]


def _cut(encoded: Encoded, limits: Mapping[str, int | None]) -> _Cut:
    """The training text down to the limits of its domains; as it is, memory-mapped, if there are none."""
    if not any(limits.values()):
        spans = [(span.name, span.train) for span in encoded.spans]
        parts = tuple(Part(name=name, start=span[0], stop=span[1]) for name, span in spans)
        return _Cut(ids=encoded.train, parts=parts)
    pieces = [_limited(encoded, span, limits[span.name]) for span in encoded.spans]
    ends = np.cumsum([0, *(len(piece) for piece in pieces)]).tolist()
    places = zip(encoded.spans, ends, ends[1:], strict=False)
    parts = tuple(Part(name=span.name, start=start, stop=stop) for span, start, stop in places)
    return _Cut(ids=np.concatenate(pieces), parts=parts)


def _limited(encoded: Encoded, span: Span, limit: int | None) -> Ids:
    """A domain's documents, in an order of their own, until they hold the limit and one target more."""
    start, stop = span.train
    if limit is None:
        return encoded.train[start:stop]
    if stop - start <= limit:
        where = f" of domain '{span.name}'" if span.name else ""
        raise InputError(
            f"The training text{where} has {stop - start} tokens, too few for unique_tokens = {limit}, which "
            f"needs one more than that; give more text or a smaller limit."
        )
    order = encoded.document_order
    own = order[(order >= span.documents[0]) & (order < span.documents[1])]
    starts, ends = encoded.document_starts[own], encoded.document_starts[own + 1]
    needed = int(np.searchsorted(np.cumsum(ends - starts), limit + 1)) + 1
    taken = zip(starts[:needed], ends[:needed], strict=True)
    return np.concatenate([encoded.train[first:last] for first, last in taken])[: limit + 1]


def _shares(data: Data, parts: tuple[Part, ...]) -> dict[str, float]:
    """The share of each domain among the windows; they add up to 1."""
    if not isinstance(data.corpus, Mixture):
        return {"": 1.0}
    lengths = {part.name: part.stop - part.start for part in parts}
    by_text = data.corpus.by == "repeat"
    counted = {one.name: one.share * (lengths[one.name] if by_text else 1) for one in data.corpus.domains}
    return {name: value / sum(counted.values()) for name, value in counted.items()}


def _scored_part(span: Span, share: float) -> Part:
    start, stop = span.held_out
    return Part(name=span.name, start=start, stop=stop, share=share)

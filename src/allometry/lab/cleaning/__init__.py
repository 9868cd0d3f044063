"""Deduplication, quality filters and noise, in the order of the recipe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from allometry.errors import InputError
from allometry.lab.cleaning.dedup import first_copies, without_near_copies
from allometry.lab.cleaning.noise import noisy
from allometry.lab.cleaning.quality import broken_rule
from allometry.lab.documents import Document
from allometry.recipe import ExactDedup, NearDedup, QualityFilter, Step


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What one step did, as it goes into the study's record.

    Attributes:
        kept_documents, dropped_documents, kept_bytes, dropped_bytes: Of what the step looked at.
        changed_documents: Of those kept, how many have another text now.
        reasons: How many documents each rule of a quality filter dropped.
    """

    kind: str
    kept_documents: int
    dropped_documents: int
    kept_bytes: int
    dropped_bytes: int
    changed_documents: int
    reasons: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """A step's answer, a row for each document it looked at: the new text, or why there is none."""

    texts: Sequence[str]
    dropped_for: Sequence[str]  # empty where the document is kept


def clean(
    documents: Sequence[Document], steps: Sequence[Step], is_held_out: Callable[[Document], bool]
) -> tuple[list[Document], list[StepReport]]:
    """Take documents through the steps.

    Args:
        is_held_out: Which documents are for evaluation: only deduplication may touch them.

    Raises:
        InputError: If a step leaves nothing of what it looked at.
        MissingExtra: If a step needs a library that is not installed.
    """
    kept, reports = list(documents), []
    for step in steps:
        seen = [_looks_at(step, document, is_held_out) for document in kept]
        looked_at = [document for document, sees in zip(kept, seen, strict=True) if sees]
        outcome = _outcome(step, looked_at)
        reports.append(_report(step, looked_at, outcome))
        kept = _merged(kept, seen, outcome)
    return kept, reports


def _looks_at(step: Step, document: Document, is_held_out: Callable[[Document], bool]) -> bool:
    if step.domains and document.domain not in step.domains:
        return False
    return isinstance(step, ExactDedup | NearDedup) or not is_held_out(document)


def _outcome(step: Step, documents: Sequence[Document]) -> _Outcome:
    texts = [document.text for document in documents]
    match step:
        case ExactDedup():
            return _Outcome(texts=texts, dropped_for=["" if kept else "copy" for kept in first_copies(texts)])
        case NearDedup():
            kept = without_near_copies(texts, step)
            return _Outcome(texts=texts, dropped_for=["" if one else "near copy" for one in kept])
        case QualityFilter():
            return _Outcome(texts=texts, dropped_for=[broken_rule(text, step) for text in texts])
        case _:
            changed = [noisy(document, step) for document in documents]
            return _Outcome(texts=changed, dropped_for=[""] * len(texts))


def _report(step: Step, documents: Sequence[Document], outcome: _Outcome) -> StepReport:
    rows = list(zip(documents, outcome.texts, outcome.dropped_for, strict=True))
    kept = [(document, text) for document, text, reason in rows if not reason]
    if documents and not kept:
        raise InputError(
            f"The step {step.kind} drops all {len(documents)} documents it looks at; give it looser rules."
        )
    kept_bytes = sum(document.bytes for document, _ in kept)
    return StepReport(
        kind=step.kind,
        kept_documents=len(kept),
        dropped_documents=len(rows) - len(kept),
        kept_bytes=kept_bytes,
        dropped_bytes=sum(document.bytes for document in documents) - kept_bytes,
        changed_documents=sum(document.text != text for document, text in kept),
        reasons=dict(Counter(reason for reason in outcome.dropped_for if reason)),
    )


def _merged(documents: Sequence[Document], seen: Sequence[bool], outcome: _Outcome) -> list[Document]:
    rows = iter(zip(outcome.texts, outcome.dropped_for, strict=True))
    merged: list[Document] = []
    for document, sees in zip(documents, seen, strict=True):
        text, reason = next(rows) if sees else (document.text, "")
        if not reason:
            merged.append(document if text == document.text else document.with_text(text))
    return merged

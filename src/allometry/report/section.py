"""One part of a report: sentences, charts, tables and findings under a title."""

from __future__ import annotations

from dataclasses import dataclass

from allometry.fitting import Finding
from allometry.report.figure import Figure
from allometry.report.tables import Table


@dataclass(frozen=True, kw_only=True)
class Section:
    """What the page shows under one heading, in this order.

    Attributes:
        slug: Names its charts, once on a page.
        sentences: What was found, numbers and all.
        notes: How it was found, in small print.
    """

    slug: str
    title: str
    sentences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    findings: tuple[Finding, ...] = ()

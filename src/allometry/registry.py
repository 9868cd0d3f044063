"""A read-only catalog that suggests the nearest name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from allometry.errors import UnknownName, did_you_mean

Entry = TypeVar("Entry")


class Catalog(Mapping[str, Entry], Generic[Entry]):
    """Entries of one kind by name, in the order given.

    Args:
        kind: What the entries are, in the singular, for messages.
        entries: Name to entry; copied.

    >>> Catalog("law", {"kaplan": 1})["kaplann"]
    Traceback (most recent call last):
        ...
    allometry.errors.UnknownName: There is no law 'kaplann'. Did you mean 'kaplan'? There are: kaplan.
    """

    def __init__(self, kind: str, entries: Mapping[str, Entry]) -> None:
        self._kind = kind
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> Entry:
        if name in self._entries:
            return self._entries[name]
        known = ", ".join(self._entries)
        raise UnknownName(
            f"There is no {self._kind} '{name}'.{did_you_mean(name, self._entries)} There are: {known}."
        )

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Catalog({self._kind}: {', '.join(self._entries)})"

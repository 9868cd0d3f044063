"""What a published table is: whose it is, in which files it comes, and what to know before using it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from allometry.registry import Catalog


@dataclass(frozen=True, kw_only=True, slots=True)
class Flag:
    """A column that marks the rows with the largest values of another."""

    column: str
    of: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TableFile:
    """One file that holds a published table, and how its cells become the table's.

    Attributes:
        name: What the file is called, as its author or as a preparation of it named it.
        address: Where it is downloaded, pinned to a commit; empty for a file that is only looked for.
        sha256: Of the file's bytes. Empty where it is not known: then the first download is trusted and
            its hash is kept, so that a later change is noticed.
        rename: Header to another header, where the file's own says too little or the wrong thing.
        keep: Header to the value of the rows that belong to the table, of a file that holds more.
        tokens_from: Headers of compute and size, where tokens are compute / (6 · size).
        flag: Rows that the publication left out, marked and kept.
    """

    name: str
    address: str = ""
    sha256: str = ""
    rename: Mapping[str, str] = field(default_factory=dict)
    keep: Mapping[str, str] = field(default_factory=dict)
    tokens_from: tuple[str, str] | None = None
    flag: Flag | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedTable:
    """A public table with a name. It is never shipped: its users' machines fetch it on request.

    Attributes:
        name: What stands behind "published:".
        holds: What its rows are, in one sentence.
        paper: Where the numbers were published.
        origin: Repository or site, at a commit or release.
        licence: As stated by its authors; "none stated" leaves all rights with them.
        know: What has misled people who used it.
        upstream: The author's file, where the table is one file with an address.
        prepared: The same rows brought into one file, looked for in the folder that ALLOMETRY_DATA names.
        made_from: How the prepared file is made, where the author has no such file.
        says: Column to value for all rows: what the file itself leaves open, such as params_convention.
    """

    name: str
    holds: str
    paper: str
    origin: str
    licence: str
    know: tuple[str, ...]
    prepared: TableFile
    upstream: TableFile | None = None
    made_from: str = ""
    says: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> tuple[TableFile, ...]:
        """The files it can be read from; the author's own first."""
        return (self.upstream, self.prepared) if self.upstream else (self.prepared,)

    @property
    def verification(self) -> str:
        """How a download is known to be the right file, in words."""
        if self.upstream is None:
            return "not downloaded; only a local file, by its SHA-256"
        if self.upstream.sha256:
            return "by the SHA-256 of the author's file"
        return "by its commit; the SHA-256 of the first download is kept and must stay the same"


def _file(values: Mapping[str, Any]) -> TableFile:
    address = values.get("address", "")
    flag, tokens_from = values.get("flag"), values.get("tokens_from")
    return TableFile(
        name=values.get("name") or address.rsplit("/", 1)[-1],
        address=address,
        sha256=values.get("sha256", ""),
        rename=values.get("rename", {}),
        keep=values.get("keep", {}),
        tokens_from=(tokens_from[0], tokens_from[1]) if tokens_from else None,
        flag=Flag(**flag) if flag else None,
    )


def _table(name: str, values: dict[str, Any]) -> PublishedTable:
    upstream = values.pop("upstream", None)
    return PublishedTable(
        name=name,
        know=tuple(values.pop("know")),
        prepared=_file(values.pop("prepared")),
        upstream=_file(upstream) if upstream else None,
        **values,
    )


def _read_catalog(path: Path) -> dict[str, PublishedTable]:
    return {name: _table(name, values) for name, values in tomllib.loads(path.read_text("utf-8")).items()}


PUBLISHED: Catalog[PublishedTable] = Catalog(
    "published table", _read_catalog(Path(__file__).with_name("catalog.toml"))
)

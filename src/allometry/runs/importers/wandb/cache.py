"""What was fetched from Weights & Biases, kept so that it is fetched once and can be read without network."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlparse

from allometry.errors import CorruptFile
from allometry.files import cache_folder, write_atomically
from allometry.runs.importers.wandb.address import Address

_FORMAT = "wandb-1"  # of the files below: another number, another folder
_LIVE = {"running", "pending", "preempting"}


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What a listing of runs says of one of them; `heartbeat` changes when the run does."""

    id: str
    name: str
    state: str
    heartbeat: str
    created: str
    tags: list[str] = field(default_factory=list)
    group: str = ""
    job_type: str = ""
    sweep: str = ""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The runs that a filter matched, and when (ISO 8601, UTC)."""

    when: str
    runs: Sequence[Listed]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What is kept of one run, as of the state and heartbeat it had: its configuration, or a history."""

    state: str
    heartbeat: str
    content: Mapping[str, Any]

    def is_current(self, run: Listed) -> bool:
        """Whether the run has not changed since; one that is still running always has."""
        return (self.state, self.heartbeat) == (run.state, run.heartbeat) and run.state not in _LIVE


@dataclass(frozen=True)
class Cache:
    """The files kept for one project: a listing a filter, one file a run, one a run and set of keys."""

    folder: Path

    @classmethod
    def of(cls, address: Address) -> Cache:
        """The cache of a project, apart for each server."""
        server = urlparse(os.environ.get("WANDB_BASE_URL", "")).netloc or "wandb"
        parts = (server, address.entity, address.project)
        return cls(cache_folder().joinpath(_FORMAT, *(quote(part, safe=" ") for part in parts)))

    def listing(self, filters: Mapping[str, Any]) -> Listing | None:
        """The runs that the filter matched last, if it was ever asked."""
        path = self._listing(filters)
        if not path.exists():
            return None
        found = _read(path)
        return Listing(when=found["when"], runs=[Listed(**run) for run in found["runs"]])

    def keep_listing(self, filters: Mapping[str, Any], listing: Listing) -> None:
        """Remember which runs a filter matched."""
        _write(self._listing(filters), {"filters": filters} | asdict(listing))

    def stored(self, run: Listed, keys: Sequence[str] = ()) -> Stored | None:
        """What is kept of a run, or of its history of some keys, current or not."""
        path = self._run(run.id, keys)
        return Stored(**_read(path)) if path.exists() else None

    def keep(self, run: Listed, content: Mapping[str, Any], keys: Sequence[str] = ()) -> None:
        """Keep what was fetched of a run, or of its history of some keys."""
        stored = {"state": run.state, "heartbeat": run.heartbeat, "content": content}
        _write(self._run(run.id, keys), stored)

    def _listing(self, filters: Mapping[str, Any]) -> Path:
        return self.folder / "listings" / f"{_digest(filters)}.json"

    def _run(self, run_id: str, keys: Sequence[str]) -> Path:
        ending = f".{_digest(list(keys))}.json" if keys else ".json"
        return self.folder / ("history" if keys else "runs") / (quote(run_id, safe="") + ending)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise CorruptFile(f"{path} is damaged: {error}. Delete it, and it is fetched again.") from error
    return dict(found)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(content, default=str))

"""Read the runs of a project through the public API of the wandb package, fetching only what changed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from allometry.errors import InputError
from allometry.extras import needed
from allometry.runs.importers.files import Cells
from allometry.runs.importers.trackers import cells_of_records
from allometry.runs.importers.wandb.address import Address, read_address
from allometry.runs.importers.wandb.cache import Cache, Listed, Listing
from allometry.runs.importers.wandb.records import records_of

_LISTED = 200  # runs a page without configuration and summary: some hundred bytes each
_FETCHED = 50  # runs a page with them: up to megabytes each
_STEPS = 10_000  # steps a page of a history: evaluations are sparse in them
_TIMEOUT = 30  # s a request, retries of the wandb package included
_OFFLINE = {"offline", "disabled", "dryrun"}


@dataclass(frozen=True)
class Connection:
    """How to reach W&B.

    Attributes:
        open: Makes a `wandb.Api`, or what has its `runs(path, filters=, per_page=, lazy=)`.
        failures: What it raises where the server cannot be reached or refuses.
    """

    open: Callable[[], Any]
    failures: tuple[type[Exception], ...]


def connect() -> Connection:
    """Reach W&B through the wandb package, with the user's own login.

    Raises:
        MissingExtra: If wandb is not installed.
    """
    package = needed("wandb", "Reading from Weights & Biases", "wandb")
    service = needed("wandb.sdk.lib.service.service_connection", "Reading from Weights & Biases", "wandb")
    unwrapped = getattr(service, "WandbApiFailedError", OSError)  # since 0.23 paging lets it through
    return Connection(lambda: package.Api(timeout=_TIMEOUT), (package.errors.Error, unwrapped, OSError))


def read_project(source: str) -> Cells:
    """Read a project's runs, one row each, or one row a logged point where a history is asked for.

    The listing is fetched anew each time; configuration and summary of a run, or the history of the keys
    asked for, only where the run is new, still running, or went on since. All of it is kept under
    $ALLOMETRY_CACHE, from where it is answered, with a warning, if W&B cannot be reached or WANDB_MODE is
    offline. A history is complete, not sampled, and holds the points at which all its keys were logged.

    Raises:
        InputError: If there is no such project, or W&B cannot be reached and nothing is kept.
        MissingExtra: If wandb is not installed.
    """
    address = read_address(source)
    cache = Cache.of(address)
    if os.environ.get("WANDB_MODE") in _OFFLINE:
        listing = _remembered(address, cache, "WANDB_MODE says not to")
        return _cells(address, cache, listing)
    connection = connect()
    try:
        listing = _fetch(address, cache, connection.open())
    except connection.failures as error:
        listing = _remembered(address, cache, str(error))
    return _cells(address, cache, listing)


def _fetch(address: Address, cache: Cache, api: Any) -> Listing:
    found = {run.id: run for run in _runs(api, address, address.filters, lazy=True)}
    listed = [_listed(run) for run in found.values()]
    changed = [run for run in listed if not _is_current(cache, run)]
    for run in _in_full(api, address, changed):
        content = {"config": dict(run.config), "summary": dict(run.summary_metrics)}
        cache.keep(_listed(run), content)
    for listed_run in listed if address.history else ():
        if not _is_current(cache, listed_run, address.history):
            rows = _history(found[listed_run.id], address.history)
            cache.keep(listed_run, {"rows": rows}, address.history)
    listing = Listing(when=datetime.now(UTC).isoformat(timespec="seconds"), runs=listed)
    # Last, so that a listing that is remembered has all its runs.
    cache.keep_listing(address.filters, listing)
    return listing


def _remembered(address: Address, cache: Cache, reason: str) -> Listing:
    listing = cache.listing(address.filters)
    if listing is None:
        raise InputError(
            f"W&B was not reached ({reason}), and these runs of {address.path} were not read before. Check "
            f"the network and 'wandb login', and read them again; what was fetched so far is kept."
        )
    warnings.warn(
        f"W&B was not reached ({reason}): {len(listing.runs)} runs of {address.path} are taken from the "
        f"cache as they were on {listing.when}.",
        stacklevel=3,
    )
    return listing


def _cells(address: Address, cache: Cache, listing: Listing) -> Cells:
    records = []
    for run in listing.runs:
        if (stored := cache.stored(run)) is not None:  # None: deleted between listing and fetch
            records += records_of(run, stored.content, _points(run, cache, address.history))
    return cells_of_records(records, asked_as="config", measured_as="summary", typed=True)


def _points(run: Listed, cache: Cache, keys: Sequence[str]) -> Sequence[Mapping[str, Any]] | None:
    """The points of a run's history, none where it was not kept; None where no history is asked for."""
    if not keys:
        return None
    stored = cache.stored(run, keys)
    return stored.content["rows"] if stored is not None else ()


def _runs(api: Any, address: Address, filters: Mapping[str, Any], *, lazy: bool) -> Iterator[Any]:
    pages = api.runs(address.path, filters=dict(filters), per_page=_LISTED if lazy else _FETCHED, lazy=lazy)
    try:
        yield from pages
    except ValueError as error:  # how wandb says that there is no such project
        raise InputError(f"W&B: {error}. Check the name '{address.path}' and 'wandb login'.") from error


def _in_full(api: Any, address: Address, runs: Sequence[Listed]) -> Iterator[Any]:
    # Fifty runs a request by their ids: asked one by one, 5,000 runs take 5,000 requests.
    for start in range(0, len(runs), _FETCHED):
        ids = [run.id for run in runs[start : start + _FETCHED]]
        yield from _runs(api, address, {"name": {"$in": ids}}, lazy=False)


def _is_current(cache: Cache, run: Listed, keys: Sequence[str] = ()) -> bool:
    stored = cache.stored(run, keys)
    return stored is not None and stored.is_current(run)


def _history(run: Any, keys: Sequence[str]) -> list[dict[str, Any]]:
    return [dict(row) for row in run.scan_history(keys=["_step", *keys], page_size=_STEPS)]


def _listed(run: Any) -> Listed:
    return Listed(
        id=run.id,
        name=run.name or run.id,
        state=run.state,
        heartbeat=str(getattr(run, "heartbeat_at", "")),
        created=str(getattr(run, "created_at", "")),
        tags=list(getattr(run, "tags", ()) or ()),
        group=getattr(run, "group", "") or "",
        job_type=getattr(run, "job_type", "") or "",
        sweep=getattr(run, "sweep_name", "") or "",
    )

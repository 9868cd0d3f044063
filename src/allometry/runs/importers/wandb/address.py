"""The address of a project in Weights & Biases, as `read_runs` takes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from allometry.errors import InputError, UnknownName, did_you_mean

PREFIX = "wandb:"
_OPTIONS = ("tags", "filters", "history")
_EXAMPLE = 'wandb:entity/project?tags=ladder&filters={"config.width": 256}&history=eval/loss'


@dataclass(frozen=True, kw_only=True)
class Address:
    """A project, which of its runs, and what of their history.

    Attributes:
        filters: In the query language of W&B's public API; {} is all runs.
        history: The keys of which every logged value is wanted; empty for one row a run.
    """

    entity: str
    project: str
    filters: Mapping[str, Any]
    history: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """As W&B writes it."""
        return f"{self.entity}/{self.project}"


def read_address(text: str) -> Address:
    """Read "wandb:entity/project" with its options: tags (any of them), filters (JSON), history (keys).

    Raises:
        InputError: If it is not of that form.

    >>> read_address("wandb:lab/ladder?tags=final,redone&history=eval/loss").filters
    {'tags': {'$in': ['final', 'redone']}}
    """
    path, _, query = text.removeprefix(PREFIX).partition("?")
    parts = path.split("/")
    if len(parts) != 2 or any(part.strip(". ") == "" for part in parts):
        raise InputError(f"'{text}' does not name a project of W&B; write it as {_EXAMPLE}.")
    options = _options(query, text)
    return Address(
        entity=parts[0],
        project=parts[1],
        filters=_filters(options),
        history=tuple(key.strip() for key in options.get("history", "").split(",") if key.strip()),
    )


def _options(query: str, text: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            raise UnknownName(
                f"'{text}': there is no option '{name}'.{did_you_mean(name, _OPTIONS)} "
                f"There are: {', '.join(_OPTIONS)}, as in {_EXAMPLE}."
            )
    return options


def _filters(options: Mapping[str, str]) -> dict[str, Any]:
    tags = [tag.strip() for tag in options.get("tags", "").split(",") if tag.strip()]
    wanted = [{"tags": {"$in": tags}}] if tags else []
    if given := options.get("filters"):
        wanted.append(_json_object(given))
    return {"$and": wanted} if len(wanted) > 1 else wanted[0] if wanted else {}


def _json_object(text: str) -> dict[str, Any]:
    try:
        filters = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"filters={text} is not JSON: {error}. Write it as in {_EXAMPLE}.") from error
    if not isinstance(filters, dict):
        raise InputError(f"filters={text} is not a JSON object; write it as in {_EXAMPLE}.")
    return filters

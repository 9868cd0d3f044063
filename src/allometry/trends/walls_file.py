"""Constraints on growth from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allometry.errors import InputError, did_you_mean
from allometry.trends.wall_bounds import Constraint, Range

_KEYS = ("now", "bound", "share", "bound_growth", "unit", "source")
_NUMBERS = ("now", "bound", "share", "bound_growth")


@dataclass(frozen=True, kw_only=True)
class StatedWalls:
    """What a file says.

    Attributes:
        start: Date of the present values; None to take the last of the history.
        growth: Factor a year of compute; None to take it from a history.
    """

    constraints: tuple[Constraint, ...]
    start: object = None
    growth: Range | None = None


def read_walls(path: str | Path) -> StatedWalls:
    """Read `start`, `growth` and one table a constraint; a number is exact, [low, high] a 90% interval.

    Raises:
        InputError: If the file cannot be read, or says something that is not understood.
    """
    if not Path(path).is_file():
        raise InputError(f"There is no file {path}. Write one as docs/trends/walls.md shows.")
    try:
        given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} cannot be read as TOML: {error}") from error
    return parse_walls(given, str(path))


def parse_walls(given: Mapping[str, Any], name: str = "walls") -> StatedWalls:
    """The same from what a TOML file holds.

    >>> power = {"now": 1e8, "bound": 4e9}
    >>> stated = parse_walls({"start": 2025, "growth": [3, 5], "constraints": {"power": power}})
    >>> stated.growth, stated.constraints[0].doublings
    (Range(low=3.0, high=5.0), 5.322)
    """
    _refuse_unknown(given, ("start", "growth", "constraints"), name)
    listed = given.get("constraints")
    if not isinstance(listed, Mapping) or not listed:
        raise InputError(f"{name} holds no [constraints.NAME] table; give at least one, with now and bound.")
    growth = given.get("growth")
    return StatedWalls(
        constraints=tuple(_constraint(key, entry, name) for key, entry in listed.items()),
        start=given.get("start"),
        growth=None if growth is None else _range(growth, f"{name}: growth"),
    )


def _constraint(key: str, entry: Any, name: str) -> Constraint:
    where = f"{name}: constraints.{key}"
    if not isinstance(entry, Mapping):
        raise InputError(f"{where} is no table; write [constraints.{key}] with now and bound below it.")
    _refuse_unknown(entry, _KEYS, where)
    for needed in ("now", "bound"):
        if needed not in entry:
            raise InputError(
                f"{where} has no '{needed}': what is used at the start, and the most there can be."
            )
    read = {one: _range(entry[one], f"{where}.{one}") for one in _NUMBERS if one in entry}
    words = {one: str(entry[one]) for one in ("unit", "source") if one in entry}
    return Constraint(name=key, **read, **words)  # type: ignore[arg-type]


def _range(given: Any, where: str) -> Range:
    ends = given if isinstance(given, list) else [given, given]
    if len(ends) != 2 or not all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends):
        raise InputError(f"{where} is {given!r}; write a number, or [low, high] for a 90% interval.")
    return Range(float(ends[0]), float(ends[1]))


def _refuse_unknown(given: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in known:
            raise InputError(
                f"{where} has an unknown '{key}'.{did_you_mean(key, known)} It may hold: {', '.join(known)}."
            )

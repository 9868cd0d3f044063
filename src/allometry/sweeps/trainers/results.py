"""How a user's trainer says what came out: one contract, four ways to state it.

Whatever the way, the result is a table of columns with at least `loss`, the held-out cross-entropy in
nat/token. Columns that the trainer gives hold against those that follow from the recipe.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from allometry.errors import InputError, RecipeError, did_you_mean
from allometry.recipe import choice
from allometry.sweeps.trainers.template import filled

_BLOCK = 1 << 20  # bytes of its output that are read at once


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A trainer that ended well.

    Attributes:
        folder: The run's own folder; stdout.log and stderr.log in it are what the trainer printed.
        directory: Where it was started.
        fields: Those of the command.
    """

    folder: Path
    directory: Path
    fields: Mapping[str, Any]

    @property
    def printed(self) -> str:
        """Its standard output."""
        return (self.folder / "stdout.log").read_text(errors="replace")

    def lines_from_the_last(self) -> Iterator[str]:
        """Lines of its standard output, last one first: it may have printed more than memory holds."""
        for line in _lines_backwards(self.folder / "stdout.log"):
            yield from reversed(line.decode(errors="replace").splitlines())

    def read(self, path: str) -> str:
        """A file that it wrote, by a path that may have fields.

        Raises:
            InputError: If there is none.
        """
        (name,) = filled([path], self.fields)
        try:
            return (self.directory / name).read_text(errors="replace")
        except OSError as error:
            raise InputError(f"there is no result in {name}: {error.strerror}") from error


@choice
class JsonLine:
    """The last line of standard output that is a JSON object.

    Attributes:
        columns: The trainer's names and what they are called here: {val_loss = "loss"}. A column of its own
            that is called so already is kept as trainer_loss.
    """

    columns: dict[str, str] = Field(default_factory=dict)
    kind: Literal["json_line"] = "json_line"

    def __post_init__(self) -> None:
        _require_distinct(self.columns)

    def read(self, finished: Finished) -> dict[str, Any]:
        """The result.

        Raises:
            InputError: If there is no such line.
        """
        for line in finished.lines_from_the_last():
            if line.lstrip().startswith("{") and (found := _object(line)) is not None:
                return _renamed(found, self.columns)
        raise InputError(f"none of the lines it printed is a JSON object; they are in {finished.folder}")


@choice
class JsonFile:
    """A file with one JSON object.

    Attributes:
        path: Of the file; fields may stand in it.
        columns: The trainer's names and what they are called here.
    """

    path: str = "{folder}/result.json"
    columns: dict[str, str] = Field(default_factory=dict)
    kind: Literal["json_file"] = "json_file"

    def __post_init__(self) -> None:
        _require_distinct(self.columns)

    def read(self, finished: Finished) -> dict[str, Any]:
        """The result.

        Raises:
            InputError: If there is no such file, or something else in it.
        """
        found = _object(finished.read(self.path))
        if found is None:
            raise InputError(f"{filled([self.path], finished.fields)[0]} does not hold one JSON object")
        return _renamed(found, self.columns)


@choice
class Patterns:
    """Regular expressions with one group each; the last match counts.

    Attributes:
        patterns: Column to expression: {loss = "val loss ([0-9.]+)"}.
        path: Of the file that is searched; standard output if empty.
    """

    patterns: dict[str, str] = Field(min_length=1)
    path: str = ""
    kind: Literal["patterns"] = "patterns"

    def __post_init__(self) -> None:
        if "loss" not in self.patterns:
            raise RecipeError(f"patterns has none for 'loss'; it has: {', '.join(self.patterns)}.")
        for column, pattern in self.patterns.items():
            _require_one_group(column, pattern)

    def read(self, finished: Finished) -> dict[str, Any]:
        """The result; a column whose expression does not match is left out.

        Raises:
            InputError: If that is the loss, or there is no such file.
        """
        text = finished.read(self.path) if self.path else finished.printed
        matches = {
            column: re.findall(pattern, text, re.MULTILINE) for column, pattern in self.patterns.items()
        }
        if not matches["loss"]:
            place = self.path or f"what it printed, which is in {finished.folder}"
            raise InputError(f"the pattern for 'loss' matches nothing in {place}: {self.patterns['loss']}")
        return {column: _number(found[-1]) for column, found in matches.items() if found}


@choice
class PythonResult:
    """A function of the user's that is given a `Finished` and returns columns.

    Attributes:
        function: "package.module:function" or "path/to/file.py:function".
    """

    function: str = Field(pattern="^.+:.+$")
    kind: Literal["python"] = "python"

    def read(self, finished: Finished) -> dict[str, Any]:
        """What the function returns.

        Raises:
            InputError: If there is no such function, or it returns something else than columns.
        """
        found = self.load(finished.directory)(finished)
        if not isinstance(found, Mapping):
            raise InputError(f"{self.function} returned {type(found).__name__}; return a dict of columns")
        return dict(found)

    def load(self, directory: Path) -> Callable[[Finished], Any]:
        """The function, whose file is looked for from a directory.

        Raises:
            InputError: If there is none, or what holds it cannot be loaded.
        """
        place, _, name = self.function.rpartition(":")
        module = _from_file(directory / place) if place.endswith(".py") else _module(place)
        found = getattr(module, name, None)
        if not callable(found):
            raise InputError(f"{place} has no function '{name}'")
        return found  # type: ignore[no-any-return]


Result = Annotated[JsonLine | JsonFile | Patterns | PythonResult, Field(discriminator="kind")]


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or numbers and depths that no result has
        return None
    return found if isinstance(found, dict) else None


def _renamed(found: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    for name in columns:
        if name not in found:
            raise InputError(
                f"its result has no '{name}', which columns names; "
                f"it has: {', '.join(found) or 'nothing'}.{did_you_mean(name, found)}"
            )
    taken = set(columns.values())
    others = {name: value for name, value in found.items() if name not in columns}
    kept = {f"trainer_{name}" if name in taken else name: value for name, value in others.items()}
    return {**kept, **{ours: found[theirs] for theirs, ours in columns.items()}}


def _require_distinct(columns: Mapping[str, str]) -> None:
    called = list(columns.values())
    if twice := next((name for name in called if called.count(name) > 1), ""):
        both = " and ".join(f"'{theirs}'" for theirs, ours in columns.items() if ours == twice)
        raise RecipeError(f"columns calls both {both} '{twice}'; name the one that is to be it.")


def _lines_backwards(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        start, rest = file.seek(0, os.SEEK_END), b""
        while start:
            end, start = start, max(0, start - _BLOCK)
            file.seek(start)
            rest, *lines = (file.read(end - start) + rest).split(b"\n")
            yield from reversed(lines)
    yield rest


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _require_one_group(column: str, pattern: str) -> None:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise RecipeError(
            f"The pattern for '{column}' is no regular expression ({error}): {pattern}"
        ) from error
    if groups != 1:
        raise RecipeError(
            f"The pattern for '{column}' has {groups} groups; put parentheses around the number, and no "
            f"others than (?:…): {pattern}"
        )


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(f"there is no module '{error.name}' for the function that reads results") from error


def _from_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"allometry_results_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InputError(f"there is no {path} with the function that reads results")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, ImportError) as error:
        raise InputError(f"{path} with the function that reads results cannot be loaded: {error}") from error
    return module

"""The configuration of a public model as data: fields by name, and a sentence for what is missing or odd."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allometry.errors import InputError


@dataclass(frozen=True)
class Config:
    """Fields of a `config.json`; null stands for a field that is not there.

    Several names for one field are those that a family has used over time; the first that is there counts.

    Attributes:
        values: As the file has them.
        source: The file's name, for messages.

    >>> Config({"n_layer": 12}).whole("num_hidden_layers", "n_layer")
    12
    >>> Config({"n_layer": 12}).whole("hidden_size")
    Traceback (most recent call last):
        ...
    allometry.errors.InputError: config.json has no 'hidden_size', without which a model cannot be counted;
    take the whole file that its publisher gives.
    """

    values: Mapping[str, Any]
    source: str = "config.json"

    def text(self, name: str) -> str:
        """A word that must be there."""
        value = self._given(name)
        if not isinstance(value, str):
            raise InputError(f"'{name}' in {self.source} must be a word, not {value!r}.")
        return value

    def whole(self, *names: str, default: int | None = None) -> int:
        """A whole number of at least 1; without a default it must be there."""
        name = self._present(names)
        if name is None and default is not None:
            return default
        value = self._given(*names)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(
                f"'{name}' in {self.source} must be a whole number of at least 1, not {value!r}."
            )
        return value

    def whole_or_none(self, *names: str) -> int | None:
        """A whole number of at least 1, or None where the field is not there."""
        return None if self._present(names) is None else self.whole(*names)

    def count(self, name: str, *, default: int) -> int:
        """A whole number that may be 0."""
        return 0 if self.values.get(name) == 0 else self.whole(name, default=default)

    def fraction(self, *names: str, default: float) -> float:
        """A number above 0 and at most 1."""
        name = self._present(names)
        value = default if name is None else self.values[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise InputError(f"'{name}' in {self.source} must be above 0 and at most 1, not {value!r}.")
        return float(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = default if self._present((name,)) is None else self.values[name]
        if not isinstance(value, bool):
            raise InputError(f"'{name}' in {self.source} must be true or false, not {value!r}.")
        return value

    def words(self, name: str) -> tuple[str, ...] | None:
        """A list of words, or None where the field is not there."""
        value = self.values.get(name)
        if value is not None and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            raise InputError(f"'{name}' in {self.source} must be a list of words, not {value!r}.")
        return None if value is None else tuple(value)

    def refuse_unless(self, name: str, *legal: Any) -> None:
        """Refuse a value with which a model is built in a way that is not counted; absent is legal."""
        value = self.values.get(name)
        if value is not None and value not in legal:
            allowed = " or ".join(json.dumps(one) for one in legal)
            raise InputError(
                f"{self.source} has {name} = {json.dumps(value)}, and a model of this family built so is "
                f"not counted; only {allowed} is."
            )

    def _present(self, names: tuple[str, ...]) -> str | None:
        return next((name for name in names if self.values.get(name) is not None), None)

    def _given(self, *names: str) -> Any:
        name = self._present(names)
        if name is None:
            raise InputError(
                f"{self.source} has no '{names[0]}', without which a model cannot be counted; take the "
                f"whole file that its publisher gives."
            )
        return self.values[name]


def read_config(path: Path) -> Config:
    """Read a local `config.json`, as data: nothing in it is run.

    Raises:
        InputError: If it is not there, or holds something other than one JSON object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"There is no configuration at {path}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} must hold one JSON object, as a model's config.json does.")
    return Config(values, path.name)

"""A command with fields of a recipe in braces, and what the fields are."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from allometry.errors import InputError, did_you_mean
from allometry.recipe import Recipe, spelled_out
from allometry.recipe.facts import recipe_facts

_PLAIN = (str, int, float, bool)


def recipe_fields(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """What a command may name: short names of the columns, and every entry of the recipe by its dotted name.

    Args:
        folder: The run's own folder.

    >>> from allometry.architectures import Transformer
    >>> from allometry.recipe import AdamW, Constant, Data, TextFiles, Utf8Bytes
    >>> recipe = Recipe(architecture=Transformer(vocab=257, context=32, width=16, layers=2, heads=1),
    ...     optimizer=AdamW(learning_rate=0.01), schedule=Constant(), tokens=1024, batch_tokens=64,
    ...     data=Data(corpus=TextFiles(paths=("a.txt",)), tokenizer=Utf8Bytes()))
    >>> fields = recipe_fields(recipe, Path("runs/a1"))
    >>> fields["layers"], fields["optimizer.learning_rate"], fields["steps"]
    (2, 0.01, 16)
    """
    places = {"folder": folder, "recipe": folder / "recipe.toml", "run_id": recipe.run_id}
    return {**_flat(spelled_out(recipe)), **recipe_facts(recipe), **places}


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{name}.")
        elif isinstance(value, _PLAIN):
            flat[before + name] = value
    return flat


def split_command(command: str) -> list[str]:
    """A command's words; no shell ever sees it.

    Raises:
        InputError: If it is empty, or a quotation mark is left open.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"The command cannot be split into words ({error}): {command}") from error
    if not words:
        raise InputError("The command is empty; write it like: python train.py --layers {layers}")
    return words


def filled(words: Iterable[str], fields: Mapping[str, Any]) -> list[str]:
    """Words with values in place of their fields; a value with spaces stays in its word.

    Raises:
        InputError: Naming the field that there is not, and the columns there are.

    >>> filled(["--width={width:04d}", "{name}", "{{}}"], {"width": 64, "name": "a b"})
    ['--width=0064', 'a b', '{}']
    """
    return [_filled(word, fields) for word in words]


def _filled(word: str, fields: Mapping[str, Any]) -> str:
    try:
        parts = list(Formatter().parse(word))
    except ValueError as error:
        raise InputError(f"'{word}' has a brace too many ({error}); a plain one is written twice.") from error
    for _, name, _, conversion in parts:
        if conversion:
            raise InputError(f"The field {{{name}!{conversion}}} is written without '!{conversion}'.")
    return "".join(text + _value(name, spec or "", fields) for text, name, spec, _ in parts)


def _value(name: str | None, spec: str, fields: Mapping[str, Any]) -> str:
    if name is None:
        return ""
    if name not in fields:
        columns = ", ".join(sorted(each for each in fields if "." not in each))
        raise InputError(
            f"The command has a field {{{name}}} and a recipe has none of that name."
            f"{did_you_mean(name, fields)} There are: {columns}, and each entry of the recipe by its dotted "
            f"name, such as {{optimizer.learning_rate}}; a brace that is to stay is written twice."
        )
    try:
        return format(fields[name], spec)
    except (ValueError, TypeError, OverflowError) as error:  # of numbers, of paths, of characters
        raise InputError(f"The field {{{name}:{spec}}} cannot be written so: {error}.") from error

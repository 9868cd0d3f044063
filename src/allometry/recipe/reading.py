"""Recipes from files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from allometry.errors import InputError
from allometry.recipe.definition import Recipe


def read_recipes(paths: Sequence[Path]) -> list[Recipe]:
    """Read recipe files.

    Raises:
        InputError: If none is given, or one cannot be read.
        RecipeError: Naming the file, the key, the rule and the nearest known key.
    """
    if not paths:
        raise InputError("Give at least one recipe: a .toml file, as in examples/recipes/.")
    return [Recipe.from_toml(_text(path), str(path)) for path in paths]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"There is no recipe at {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a recipe: {error}.") from error

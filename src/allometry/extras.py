"""Optional dependencies: imported where they are needed, named where they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from allometry.errors import MissingExtra


def needed(module: str, what: str, extra: str) -> ModuleType:
    """Import a module of an optional dependency.

    Args:
        what: What needs it, as the beginning of a sentence: "Reading event files".
        extra: The extra of allometry that brings it.

    Raises:
        MissingExtra: If it is not installed, saying what needs it and how to get it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{what} needs {error.name}. Run: pip install 'allometry[{extra}]'", name=error.name
        ) from error

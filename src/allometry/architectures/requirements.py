"""What the dimensions of an architecture must be, each rule refused in one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from allometry.errors import InputError, did_you_mean


def require_whole(**values: Any) -> None:
    """Refuse what is not a whole number of at least 1; None stands for a value that is derived.

    >>> require_whole(width=32, kv_heads=None)
    """
    for name, value in values.items():
        whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and (not whole or value < 1):
            raise InputError(f"{name} must be a whole number of at least 1, not {value!r}.")


def require_one_of(known: tuple[str, ...], **values: Any) -> None:
    """Refuse a name that is none of those known.

    >>> require_one_of(("pre", "post"), norm_at="pre")
    """
    for name, value in values.items():
        if value not in known:
            raise InputError(
                f"{name} = {value!r} is not known.{did_you_mean(str(value), known)} "
                f"Take one of {', '.join(known)}."
            )


def listed(values: Iterable[int]) -> str:
    """Legal values as a sentence names them.

    >>> listed([1, 2, 4]), listed([])
    ('1, 2, 4', 'none')
    """
    return ", ".join(map(str, values)) or "none"

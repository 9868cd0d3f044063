"""What a user's trainer measured, as columns of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from allometry.errors import InputError
from allometry.runs.columns import COLUMNS

# What the study itself says of a run: a trainer's own word of that name is kept beside it.
OWN = frozenset(("run_id", "status", "reason", "design", "parent", "started", "trainer", "allometry_version"))


def measured(found: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a trainer stated: text and numbers; of other things nothing is kept.

    A name that is the study's own, such as status, is kept as trainer_status. Counts that the trainer gives
    are its own, whatever it counts in them.

    Raises:
        InputError: If there is no loss, or a column of numbers holds something else.

    >>> measured({"loss": 3.2, "status": "ok", "params": 7000, "notes": ["long"]})
    {'params_convention': 'stated', 'loss': 3.2, 'trainer_status': 'ok', 'params': 7000}
    """
    _require_loss(found)
    plain = {name: _plain(value) for name, value in found.items()}
    named = {f"trainer_{name}" if name in OWN else name: value for name, value in plain.items()}
    kept = {name: value for name, value in named.items() if value is not None}
    for name, value in kept.items():
        _require_number(name, value)
    conventions = {f"{name}_convention": "stated" for name in ("params", "flops") if name in kept}
    return {**conventions, **kept}


def _require_loss(found: Mapping[str, Any]) -> None:
    if "loss" not in found:
        raise InputError(
            f"it has no 'loss'. It has: {', '.join(found) or 'nothing'}. "
            f'Say which is it with columns = {{ theirs = "loss" }}'
        )
    if isinstance(found["loss"], bool) or not isinstance(found["loss"], Real):
        raise InputError(f"its loss is not a number: {found['loss']!r}")


def _require_number(name: str, value: str | float) -> None:
    if isinstance(value, str) and name in COLUMNS and COLUMNS[name].kind == "number":
        raise InputError(f"its {name} is not a number: '{value}'")


def _plain(value: Any) -> str | float | None:
    """As Python's own text or number: arrays have some of theirs; None for anything else."""
    if isinstance(value, str | bool):
        return value
    if isinstance(value, Integral) and -(2**63) <= int(value) < 2**63:
        return int(value)
    return _float(value) if isinstance(value, Real) else None


def _float(value: Real) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond 1e308
        return math.inf

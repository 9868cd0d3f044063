"""Choices as the TOML that a person would write: kind first, defaults left out, long numbers in groups."""

from __future__ import annotations

from typing import Any

import tomli_w

from allometry.recipe import spelled_out

_LONG = 10_000


def toml_block(chosen: Any, table: str, *, is_list: bool = False) -> str:
    """A choice as the table of a recipe that states it."""
    return f"```toml\n{toml_table(chosen, table, is_list=is_list)}```"


def toml_table(chosen: Any, table: str, *, is_list: bool = False) -> str:
    """The table alone; choices in a list have tables of their own behind it."""
    plain = _kind_first(spelled_out(chosen, defaults=False))
    lists = {name: value for name, value in plain.items() if _is_list_of_tables(value)}
    head = f"[[{table}]]\n" if is_list else f"[{table}]\n"
    body = "".join(f"{name} = {inline(value)}\n" for name, value in plain.items() if name not in lists)
    parts = [
        "\n" + toml_table(one, f"{table}.{name}", is_list=True)
        for name, ones in lists.items()
        for one in ones
    ]
    return "".join([head, body, *parts])


def inline(value: Any) -> str:
    """A value on one line.

    >>> inline({"bytes": 4_000_000, "kind": "standard_library"})
    '{ kind = "standard_library", bytes = 4_000_000 }'
    """
    plain = spelled_out(value, defaults=False)
    if isinstance(plain, dict):
        pairs = (f"{name} = {inline(one)}" for name, one in _kind_first(plain).items())
        return f"{{ {', '.join(pairs)} }}" if plain else "{}"
    if isinstance(plain, list):
        return f"[{', '.join(map(inline, plain))}]"
    if type(plain) is int and plain >= _LONG:
        return f"{plain:_}"
    return tomli_w.dumps({"_": plain}).removeprefix("_ = ").strip()


def _kind_first(values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in sorted(values, key=lambda name: name != "kind")}


def _is_list_of_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)

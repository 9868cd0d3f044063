"""Frozen choices as Markdown: what the docstring says, the fields with kind of value, rule and default."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from docs.parts.toml import inline
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from allometry.architectures import Architecture
from allometry.architectures.attention import Attention

_HEAD = "| field | value | rule | default | meaning |\n|---|---|---|---|---|"
_WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false"}
_RULES = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the docstring of a choice says.

    Attributes:
        text: Its description, as Markdown.
        fields: What each field means.
        source: Where it is from; empty if nowhere.
        example: Its doctest; empty without one.
    """

    text: str
    fields: dict[str, str]
    source: str
    example: str


def said(described: Any) -> Said:
    """Take a docstring of our style apart."""
    text, _, example = inspect.cleandoc(described.__doc__ or "").partition("\n>>> ")
    head, *sections = re.split(r"^(Attributes|Source):\n", text, flags=re.MULTILINE)
    parts = dict(zip(sections[::2], sections[1::2], strict=True))
    return Said(
        text=paragraphs(head),
        fields=_attributes(inspect.cleandoc("\n" + parts.get("Attributes", ""))),
        source=" ".join(parts.get("Source", "").split()),
        example=f">>> {example.strip()}" if example else "",
    )


def paragraphs(text: str) -> str:
    """Paragraphs on a line each; a table that is drawn with spaces stays as it stands."""
    return "\n\n".join(map(_paragraph, text.strip().split("\n\n")))


def _paragraph(text: str) -> str:
    if text.startswith("    "):
        return f"```text\n{inspect.cleandoc(text)}\n```"
    return _escaped(" ".join(text.split()))


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for names, meaning in re.findall(r"^(\w[\w, ]*): (.*(?:\n[ ]+.*)*)", text, flags=re.MULTILINE):
        found |= dict.fromkeys(names.split(", "), " ".join(meaning.split()))
    return found


def field_table(cls: type, *, without: Sequence[str] = ()) -> str:
    """A line a field, in the order of the class; empty for a class without other fields."""
    hints = get_type_hints(cls, include_extras=True)
    meanings: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        meanings |= said(base).fields if is_dataclass(base) else {}
    rows = [
        f"| `{one.name}` | {kind_of(hints[one.name])} | {_rules(cls, one.name, hints[one.name])} "
        f"| {_default(one)} | {_escaped(meanings.get(one.name, ''))} |"
        for one in fields(cls)
        if one.name not in without
    ]
    return "\n".join([_HEAD, *rows]) if rows else ""


def kind_of(hint: Any) -> str:
    """What may stand in a field, in words; a choice as a link to where it is described."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return kind_of(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{inline(one)}`" for one in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(kind_of(one) for one in arguments if one is not type(None))
    if origin is tuple and arguments[-1] is ...:
        return f"list of {kind_of(arguments[0])}"
    if origin is tuple:
        return ", ".join(map(kind_of, arguments))
    return _WORDS.get(hint) or f"[{name_of(hint)}]({_page(hint)}#{name_of(hint)})"


def _page(cls: type) -> str:
    return "architectures.md" if issubclass(cls, Architecture | Attention) else ""


def name_of(cls: type) -> str:
    """The kind that a table of the class states, or its own name in small letters."""
    kinds = [one for one in fields(cls) if one.name == "kind"]
    return str(_value(kinds[0])) if kinds else cls.__name__.lower()


def _rules(cls: type, name: str, hint: Any) -> str:
    described = getattr(cls, "__pydantic_fields__", {}).get(name)
    own = _limits(described.metadata if described else [])
    return own or next((_rules_of(inner) for inner in get_args(hint) if _rules_of(inner)), "")


def _rules_of(hint: Any) -> str:
    """The rules of what stands in a list."""
    found = [one for one in getattr(hint, "__metadata__", ()) if isinstance(one, FieldInfo)]
    return _limits(found[0].metadata) if found else ""


def _limits(metadata: Sequence[Any]) -> str:
    words: list[str] = []
    for one in metadata:
        words += [f"{word} {_number(getattr(one, key))}" for key, word in _RULES.items() if hasattr(one, key)]
        words += ["not empty"] if getattr(one, "min_length", None) else []
        words += [f"like `{one.pattern}`"] if getattr(one, "pattern", None) else []
    return ", ".join(words)


def _number(value: float) -> str:
    exponent = int(value).bit_length() - 1
    return f"2^{exponent}" if exponent > 30 and value == 2**exponent else inline(value)


def _default(field: Field[Any]) -> str:
    value = _value(field)
    if value is MISSING:
        return "required"
    return "left out" if value is None else f"`{inline(value)}`" if inline(value) != "{}" else "its defaults"


def _value(field: Field[Any]) -> Any:
    default = field.default.default if isinstance(field.default, FieldInfo) else field.default
    return MISSING if default is PydanticUndefined else default


def _escaped(text: str) -> str:
    """What Markdown would take for a column or a tag."""
    return text.replace("|", "\\|").replace("<", "\\<")


def choice_section(cls: type, example: str, *, without: Sequence[str] = ("kind",)) -> str:
    """One choice: its kind, what it is, its fields, where it is from, and an example."""
    told = said(cls)
    parts = [
        f"### {name_of(cls)}",
        told.text,
        field_table(cls, without=without),
        f"Source: {told.source}" if told.source else "",
        example,
    ]
    return "\n\n".join(part for part in parts if part)


def members(union: Any) -> list[type]:
    """The choices of a union, whatever annotations stand around it."""
    if isinstance(union, type):
        return [union]
    inner = get_args(union)[:1] if get_origin(union) is Annotated else get_args(union)
    return [one for argument in inner if argument is not type(None) for one in members(argument)]

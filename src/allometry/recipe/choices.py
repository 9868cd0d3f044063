"""What recipes and studies are written in: frozen choices that cannot be wrong, read from TOML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from dataclasses import Field as DataclassField
from reprlib import Repr
from typing import Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from allometry.architectures import ARCHITECTURES
from allometry.architectures.attention import ATTENTIONS
from allometry.errors import RecipeError, did_you_mean

Choice = TypeVar("Choice")
_SHORT = Repr()  # of values from outside, which may be long
_SHORT.maxstring = _SHORT.maxother = 80
# By kind, and all of them by "". A kind, the tag of a union, means nothing to a reader of an error's path.
_KEYS: dict[str, set[str]] = {}


def _remember_keys(cls: Any) -> None:
    keys = {field.name: field for field in fields(cls)}
    _KEYS.setdefault("", set()).update(keys)
    if "kind" in keys:
        _KEYS.setdefault(str(_default(keys["kind"])), set()).update(keys)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
def choice(cls: type[Choice]) -> type[Choice]:
    """Make a frozen dataclass that cannot be wrong: values are checked, unknown keys refused.

    Raises:
        RecipeError: From the constructor, in one sentence a line.
    """
    made: Any = pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))(cls)
    checked = made.__init__

    def __init__(self: Any, **values: Any) -> None:
        try:
            checked(self, **values)
        except ValidationError as error:
            raise RecipeError(_sentences(error, cls.__name__)) from error

    made.__init__ = __init__
    _remember_keys(made)
    return made  # type: ignore[no-any-return]


def read_choice(cls: type[Choice], values: Mapping[str, Any], name: str) -> Choice:
    """Read a choice from parsed TOML.

    Args:
        name: What the text is called in a message: a path, or "the recipe".

    Raises:
        RecipeError: Naming each key, the rule it breaks and the nearest known key.
    """
    try:
        return TypeAdapter(cls).validate_python(dict(values))
    except ValidationError as error:
        raise RecipeError(_sentences(error, name)) from error


def _sentences(error: ValidationError, name: str) -> str:
    return "\n".join(_sentence(problem, name) for problem in error.errors())


def _sentence(problem: Mapping[str, Any], name: str) -> str:
    *tables, key = _path(problem["loc"])
    where = f"{name}: [{_shortened('.'.join(tables))}]" if tables else name
    match problem["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            return f"{where} has no key {_SHORT.repr(key)}.{_nearest_key(key, problem['loc'])}"
        case "missing" | "missing_argument" | "missing_keyword_only_argument":
            return f"{where} lacks '{key}', which has no default."
        case "union_tag_invalid":
            kinds = [kind.strip("'") for kind in problem["ctx"]["expected_tags"].split(", ")]
            kind = problem["ctx"]["tag"]
            table = _shortened(".".join([*tables, key]))
            return (
                f"{name}: [{table}] has no kind {_SHORT.repr(kind)}.{did_you_mean(kind, kinds)} "
                f"There are: {', '.join(kinds)}."
            )
        case "value_error":
            return f"{where}: {problem['ctx']['error']}"
        case _:
            rule = problem["msg"][0].lower() + problem["msg"][1:]
            return f"{where}: {_SHORT.repr(key)} is {_SHORT.repr(problem['input'])}: {_shortened(rule)}."


def _path(place: Sequence[Any]) -> list[str]:
    """Tables and key of an error; a place in a list is part of its key: betas[1]."""
    path = [str(part) for part in place if part not in _KEYS] or [""]
    if len(path) > 1 and isinstance(place[-1], int):
        path[-2:] = [f"{path[-2]}[{path[-1]}]"]
    return path


def _nearest_key(key: str, place: Sequence[Any]) -> str:
    """The nearest key of the kind that the table says it is; all of that kind where none is near."""
    kind = str(place[-2]) if len(place) > 1 and place[-2] in _KEYS else ""
    if near := did_you_mean(key, _KEYS[kind] - {key}):
        return near
    if kind:
        return f" Kind '{kind}' has: {', '.join(sorted(_KEYS[kind]))}."
    return " Leave it out, or use the version of allometry that knows it."


def _shortened(text: str, most: int = 200) -> str:
    """A text from outside on one line, its middle left out if it is long."""
    line = "".join(character if character.isprintable() else "?" for character in text)
    return line if len(line) <= most else f"{line[: most // 2]} … {line[-most // 2 :]}"


def spelled_out(chosen: Any, *, defaults: bool = True) -> Any:
    """A choice as plain tables, lists and values; what is None is left out, as TOML has no word for it.

    Args:
        defaults: Whether to keep fields that have their default value; the kind of a choice is always kept.
    """
    if is_dataclass(chosen):
        values = {field.name: (getattr(chosen, field.name), field) for field in fields(chosen)}
        return {
            name: spelled_out(value, defaults=defaults)
            for name, (value, field) in values.items()
            if value is not None and (defaults or name == "kind" or value != _default(field))
        }
    if isinstance(chosen, tuple | list):
        return [spelled_out(one, defaults=defaults) for one in chosen]
    return chosen


def _default(field: DataclassField[Any]) -> Any:
    # A field of a pydantic dataclass keeps its default inside a FieldInfo.
    default = getattr(field.default, "default", field.default)
    return field.default_factory() if field.default_factory is not MISSING else default


for _described in (*ARCHITECTURES.values(), *ATTENTIONS):
    _remember_keys(_described)

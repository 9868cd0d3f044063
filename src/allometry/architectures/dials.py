"""One dial: a depth or a size, from which width, layers and heads follow by a stated rule.

    layers = depth        width = aspect * depth        heads = width / width_per_head
    experts = 8           top_k = 2, as Jiang et al. 2024, arXiv:2401.04088, where there are experts

A size is a number of parameters outside embedding and head (convention "non_embedding": gains and biases
count, and so do all experts of a mixture, used or not). Its depth is the one whose model by the rule is
nearest to it, by ratio; then the width goes up or down in steps of a head to the nearest size at that depth.

Any of them may be given, and is then not derived. Loss depends little on the aspect
within a factor of two or three of its best (Kaplan et al. 2020, figure 5, arXiv:2001.08361); an aspect of 32
and heads of 16 suit models of up to some ten million parameters, larger ones are mostly made with 64 to 128.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from allometry.architectures import ARCHITECTURES, Architecture
from allometry.errors import InputError, did_you_mean
from allometry.units import read_quantity, show_count

ASPECT = 32  # width per layer
WIDTH_PER_HEAD = 16
_FARTHEST = 1.5  # factor that a derived size may be off before it is refused
_EXPERTS = {"experts": 8, "top_k": 2}
_DIALS = ("depth", "size")
_RULES = ("aspect", "width_per_head")

Dimensions = dict[str, int]
Shape = TypeVar("Shape", bound=Architecture)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rule:
    """How dimensions follow from one another, and those that are given."""

    aspect: int
    width_per_head: int
    has_heads: bool
    given: Mapping[str, int]

    def dimensions(self, *, layers: int, width: int) -> Dimensions:
        width, layers = self.given.get("width", width), self.given.get("layers", layers)
        if not self.has_heads:
            return {"width": width, "layers": layers}
        return {"width": width, "layers": layers, "heads": self.given.get("heads", self._heads(width))}

    def _heads(self, width: int) -> int:
        most = max(1, width // self.width_per_head)
        return next((heads for heads in range(most, 0, -1) if width % (2 * heads) == 0), 1)


def shape(
    kind: str,
    *,
    vocab: int,
    context: int,
    depth: int | None = None,
    size: float | str | None = None,
    aspect: int = ASPECT,
    width_per_head: int = WIDTH_PER_HEAD,
    **given: Any,
) -> Architecture:
    """An architecture from one dial.

    Args:
        kind: Of the catalog: "transformer", "recurrent" …
        depth: Layers, from which the width follows.
        size: Parameters outside embedding and head, such as 1e5 or "100k".
        aspect: Width per layer.
        width_per_head: Width per head, where there are heads.
        given: Any other field of the architecture; width, layers or heads given here are not derived.

    Raises:
        InputError: For no dial or two of them, a size that no model is near, or a field that is not there.
        UnknownName: For another kind.

    >>> made = shape("transformer", depth=4, vocab=1024, context=128)
    >>> made.width, made.layers, made.heads, made.params("non_embedding")
    (128, 4, 8, 787584)
    >>> made = shape("transformer", size="100k", vocab=1024, context=128)
    >>> made.width, made.layers, made.params("non_embedding")
    (64, 2, 98624)
    """
    cls = ARCHITECTURES[kind]
    names = _names(cls)
    for name in given:
        if name not in names:
            raise InputError(f"'{kind}' has no field '{name}'.{did_you_mean(name, names)}")
    values = {**_only(_EXPERTS, names), **given, "vocab": vocab, "context": context}
    rule = _rule(names, given, aspect=aspect, width_per_head=width_per_head)
    return _turned(lambda dimensions: cls(**values | dimensions), rule, depth=depth, size=size)


def resized(
    base: Shape,
    *,
    depth: int | None = None,
    size: float | str | None = None,
    aspect: int = ASPECT,
    width_per_head: int = WIDTH_PER_HEAD,
    **given: int,
) -> Shape:
    """The same architecture at another depth or size; what the dial does not derive stays.

    Args:
        given: width, layers or heads that are not derived.

    >>> from allometry.architectures import Transformer
    >>> base = Transformer(vocab=256, context=64, width=16, layers=1, heads=1, mlp_ratio=3)
    >>> resized(base, depth=2)
    Transformer(vocab=256, context=64, width=64, layers=2, heads=4, mlp_ratio=3, ...)
    """
    rule = _rule(_names(type(base)), given, aspect=aspect, width_per_head=width_per_head)

    def build(dimensions: Dimensions) -> Shape:
        return replace(base, **dimensions)  # type: ignore[type-var]

    return _turned(build, rule, depth=depth, size=size)


def with_dimensions(described: Any) -> Any:
    """An architecture as a table of a recipe, its dial replaced by the dimensions it stands for.

    Anything else, and a table without a dial, is given back as it is. So is one that is wrong in another way:
    reading it says what.

    >>> with_dimensions({"kind": "recurrent", "depth": 2, "vocab": 256, "context": 64})
    {'kind': 'recurrent', 'vocab': 256, 'context': 64, 'width': 64, 'layers': 2}
    """
    if not isinstance(described, Mapping) or not set(_DIALS) & set(described):
        return described
    kind = described.get("kind", "transformer")
    if kind not in ARCHITECTURES:
        return described
    names, reader = _names(ARCHITECTURES[kind]), _reader(kind)
    dial = _only(described, (*_DIALS, *_RULES))
    values = _only(_EXPERTS, names) | {name: v for name, v in described.items() if name not in dial}
    rule = _rule(names, values, **{"aspect": ASPECT, "width_per_head": WIDTH_PER_HEAD} | _only(dial, _RULES))

    def build(dimensions: Dimensions) -> Architecture:
        return reader.validate_python(values | dimensions)

    try:
        made = _turned(build, rule, **_only(dial, _DIALS))
    except ValidationError:
        return values | rule.dimensions(layers=1, width=rule.width_per_head)
    return values | {name: getattr(made, name) for name in ("width", "layers", "heads") if name in names}


@cache
def _reader(kind: str) -> TypeAdapter[Architecture]:
    return TypeAdapter(ARCHITECTURES[kind])


def _only(values: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in names}


def _names(cls: type[Architecture]) -> set[str]:
    return {field.name for field in fields(cls)}  # type: ignore[arg-type]


def _rule(names: set[str], given: Mapping[str, Any], *, aspect: int, width_per_head: int) -> _Rule:
    _require_whole("aspect", aspect)
    _require_whole("width_per_head", width_per_head)
    dimensions = {name: value for name, value in given.items() if name in ("width", "layers", "heads")}
    for name, value in dimensions.items():
        _require_whole(name, value)
    return _Rule(aspect=aspect, width_per_head=width_per_head, has_heads="heads" in names, given=dimensions)


def _turned(
    build: Callable[[Dimensions], Shape],
    rule: _Rule,
    *,
    depth: int | None = None,
    size: float | str | None = None,
) -> Shape:
    if (depth is None) == (size is None):
        raise InputError(f"State depth or size, one of both, not depth = {depth} and size = {size}.")
    if size is not None:
        return _of_size(build, rule, _wanted(size))
    assert depth is not None
    _require_whole("depth", depth)
    return build(rule.dimensions(layers=depth, width=rule.aspect * depth))


def _wanted(size: float | str) -> float:
    if isinstance(size, bool) or not isinstance(size, int | float | str):
        raise InputError(f"size must be a number of parameters, such as 1e5 or '100k', not {size!r}.")
    wanted = read_quantity(size)
    if not 0 < wanted < math.inf:
        raise InputError(f"size must be a number of parameters above 0, such as 1e5 or '100k', not {size}.")
    return wanted


def _of_size(build: Callable[[Dimensions], Shape], rule: _Rule, size: float) -> Shape:
    if {"width", "layers"} <= set(rule.given):
        raise InputError(
            f"width = {rule.given['width']} and layers = {rule.given['layers']} leave size nothing to "
            f"derive; leave out one of the three."
        )

    def made(layers: int, width: int) -> Shape:
        return build(rule.dimensions(layers=layers, width=width))

    depth = _nearest(lambda depth: made(depth, rule.aspect * depth), size)
    fixed = "width" in rule.given
    found = made(depth, 0) if fixed else _widened(lambda width: made(depth, width), rule, size)
    _require_near(found, size)
    return found


def _widened(made: Callable[[int], Shape], rule: _Rule, size: float) -> Shape:
    steps = _nearest(lambda steps: made(steps * rule.width_per_head), size)
    return made(steps * rule.width_per_head)


def _require_near(found: Architecture, size: float) -> None:
    count = found.params("non_embedding")
    if not 1 / _FARTHEST < count / size < _FARTHEST:
        raise InputError(
            f"No such model has about {show_count(size)} parameters outside embedding and head: the nearest "
            f"has {show_count(count)}. Take that size, or another width or number of layers."
        )


def _nearest(made: Callable[[int], Architecture], size: float) -> int:
    """The whole number from 1 on whose model is nearest to a size, by ratio; sizes grow with it."""
    above = 1
    while _count(made(above)) < size:
        above *= 2
    below = above // 2
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if _count(made(middle)) < size else (below, middle)
    if below == 0:
        return above
    return min((below, above), key=lambda number: abs(math.log(_count(made(number)) / size)))


def _count(architecture: Architecture) -> int:
    return architecture.params("non_embedding")


def _require_whole(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{name} must be a whole number of at least 1, not {value!r}.")

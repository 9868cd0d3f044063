"""Sizes: how one run of a design differs from the base architecture."""

from __future__ import annotations

from dataclasses import asdict, fields, replace

from pydantic import Field

from allometry.architectures import AnyArchitecture
from allometry.architectures.dials import resized
from allometry.errors import RecipeError
from allometry.recipe import choice


@choice
class Size:
    """One rung of a ladder: what differs from the base architecture.

    Attributes:
        width, layers: Both, unless a dial stands for them.
        heads: Of attention; None for an architecture that has none, or for what a dial derives.
        depth, size: A dial of `architectures.dials`; width, layers and heads beside it are not derived.
    """

    width: int | None = Field(default=None, gt=0)
    layers: int | None = Field(default=None, gt=0)
    heads: int | None = Field(default=None, gt=0)
    depth: int | None = Field(default=None, gt=0)
    size: float | str | None = None

    def __post_init__(self) -> None:
        if not self._has_dial and (self.width is None or self.layers is None):
            raise RecipeError("A size needs width and layers, or a dial in their place: depth or size.")

    def of(self, base: AnyArchitecture) -> AnyArchitecture:
        """An architecture at this size.

        Raises:
            RecipeError: If heads are given to one that has none, or not to one that has.
        """
        has_heads = any(field.name == "heads" for field in fields(base))
        if self.heads is not None and not has_heads:
            raise RecipeError(
                f"The size of {self._said} has heads = {self.heads} and a {base.kind} has no attention "
                f"heads: leave them out."
            )
        given = {name: value for name, value in asdict(self).items() if value is not None}
        if self._has_dial:
            return resized(base, **given)
        if has_heads and self.heads is None:
            raise RecipeError(f"The size of {self._said} lacks 'heads', which a {base.kind} has.")
        return replace(base, **given)

    @property
    def _has_dial(self) -> bool:
        return self.depth is not None or self.size is not None

    @property
    def _said(self) -> str:
        names = ("width", "depth", "size")
        return next(f"{name} {getattr(self, name)}" for name in names if getattr(self, name) is not None)

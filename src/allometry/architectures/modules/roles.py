"""What a parameter is for: modules tag their own, the lab reads the tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from torch import nn

Kind = Literal["embedding", "hidden", "head", "vector"]
Start = Literal["random", "zeros", "ones", "set"]
Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """The role of one parameter.

    Attributes:
        kind: "embedding" is looked up, by token or position; "hidden" is a matrix whose input and output
            both grow with the width; "head" maps to the vocabulary; "vector" is a gain, a bias or a kernel,
            one of whose dimensions at most grows. Learning rates, decay and muP go by it.
        start: "random" (variance by the parametrization, fan-in = the last dimension), "zeros" (also for
            matrices that write into the residual stream), "ones", "set" (as the module made it).

    Source:
        Yang et al. 2022, arXiv:2203.03466, table 8 (input, hidden, output weights, vectors).
    """

    kind: Kind
    start: Start = "random"


EMBEDDING = Role(kind="embedding")
HIDDEN = Role(kind="hidden")
RESIDUAL = Role(kind="hidden", start="zeros")
HEAD = Role(kind="head")
GAIN = Role(kind="vector", start="ones")
BIAS = Role(kind="vector", start="zeros")


def tagged(module: Module, **roles: Role) -> Module:
    """Tag the parameters that belong to a module itself.

    >>> tagged(nn.Linear(2, 3, bias=False), weight=HIDDEN).roles["weight"].kind
    'hidden'
    """
    module.roles = roles  # type: ignore[assignment]
    return module


def roles_of(model: nn.Module) -> dict[str, Role]:
    """The role of every parameter by its full name; one without a tag is a mistake of the model.

    >>> roles_of(nn.Sequential(tagged(nn.Linear(2, 3, bias=False), weight=HEAD)))["0.weight"].kind
    'head'
    """
    found: dict[str, Role] = {}
    for path, module in model.named_modules():
        roles: Mapping[str, Role] = getattr(module, "roles", {})
        for name, _ in module.named_parameters(recurse=False):
            assert name in roles, f"{path}.{name} of {type(model).__name__} has no role"
            found[f"{path}.{name}" if path else name] = roles[name]
    return found

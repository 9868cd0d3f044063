"""What a model is made of and what it costs: exact counts, without torch."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from allometry.architectures.attention import Latent, MultiHead
from allometry.architectures.definition import Architecture
from allometry.architectures.moe.shape import MixtureOfExperts
from allometry.architectures.recurrent.shape import Recurrent
from allometry.architectures.state_space.shape import StateSpace
from allometry.architectures.transformer.shape import Transformer
from allometry.registry import Catalog

ARCHITECTURES: Catalog[type[Architecture]] = Catalog(
    "architecture",
    {
        "transformer": Transformer,
        "moe": MixtureOfExperts,
        "recurrent": Recurrent,
        "state_space": StateSpace,
    },
)


def _kind(described: Any) -> Any:
    # A table that names no kind is a transformer, as it was when there was no other.
    if isinstance(described, Mapping):
        return described.get("kind", "transformer")
    return getattr(described, "kind", "transformer")


AnyArchitecture = Annotated[
    Annotated[Transformer, Tag("transformer")]
    | Annotated[MixtureOfExperts, Tag("moe")]
    | Annotated[Recurrent, Tag("recurrent")]
    | Annotated[StateSpace, Tag("state_space")],
    Discriminator(_kind),
]

__all__ = [
    "ARCHITECTURES",
    "AnyArchitecture",
    "Architecture",
    "Latent",
    "MixtureOfExperts",
    "MultiHead",
    "Recurrent",
    "StateSpace",
    "Transformer",
]
